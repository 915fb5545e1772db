/*
 * watch: judges each reading of one series by what the series did before.
 *
 *	m(h, d)    mean by half hour h and type of day d    (robust, forgetting)
 *	e = x - m(h, d), or x - mean where the season foretells no better
 *	S(t) = S(t-1) + (e - S(t-1)) / 24                                 shift
 *	C(t) = max(0, C(t-1) +- e / s - 1)                        drift (CUSUM)
 *	|e|                                                            seasonal
 *	|x - x'|                                                           rate
 *	|x - median| / (MAD + steps known), of the 16 before     spike (Hampel)
 *	L(z) = -log10 P(Z > z)
 *	E = -log10 P(E' > max(L(S), L(e) - log10 24))
 *	E = max(E, L(C) - log10 24, L(rate) - log10 24, L(spike) - log10 24)
 *	N = E max(1/10, 1 - exp(-a / 200)), a readings after as much was told
 *	score = N / (N + 3): one in a thousand scores 1/2
 *	alarm: N > log10(r / 24 w) and L(N) > log10(r / w),
 *	r readings a week at the cadence learnt, w half the alarms a week asked for
 *
 * Each magnitude is in units of its own robust scale and each P comes from
 * the tail of what was seen (model/tail.h), so that scores of different series
 * compare. S is one event in 24 readings where a reading is 24, hence log10 24.
 * How far readings of a half hour strayed of late widens what may come then.
 * What is no rarer than what was told of late is no news, the less the later
 * that was.
 * An alarm has to be rare twice: among what 24 readings bring, as they tell,
 * and among what was told of the readings of this series, which holds where
 * its readings hang together for longer. Besides, and for certain:
 * what no instrument can read in that unit (limit), the same value many times
 * longer than ever (freeze), a reading after a gap many times as long as ever
 * (silence), a regular series at less than half or more than twice its pace
 * (cadence).
 * References: Page 1954, "Continuous inspection schemes", Biometrika 41;
 * Roberts 1959, "Control chart tests based on geometric moving averages",
 * Technometrics 1(3); Huber 1964, "Robust estimation of a location
 * parameter", Ann. Math. Statist. 35(1); Hampel 1974, JASA 69(346); Siffer et
 * al. 2017 (tail.h); WMO-No. 8 (2018), vol. V (limits, persistence, rate).
 * Runs on: C. Units: the series' own; µs. A value type without pointers: a
 * copy of it goes on as the original would.
 */
#ifndef PENSTOCK_MODEL_WATCH_H
#define PENSTOCK_MODEL_WATCH_H

#include "model/tail.h"

#include <stdbool.h>
#include <stdint.h>

#define WATCH_SLOTS  48
#define WATCH_WINDOW 16
#define WATCH_TOLD   64

/* Of struct watch and of what watch_judge() makes of it: stored states of
 * another version are void. Raise it with either. */
#define WATCH_VERSION 4

enum watch_rule {
	WATCH_NONE,
	/* told by how rare they are */
	WATCH_SHIFT,
	WATCH_SEASONAL,
	WATCH_DRIFT,
	WATCH_RATE,
	WATCH_SPIKE,
	/* for certain */
	WATCH_LIMIT,
	WATCH_FREEZE,
	WATCH_SILENCE,
	WATCH_CADENCE,
	WATCH_RULES
};

/* Running location and scale. */
struct watch_pair {
	float mean, dev;
};

/* One half hour of one type of day. */
struct watch_slot {
	struct watch_pair value;
	float step, reach; /* how far readings move, and stray, at this time */
};

struct watch {
	struct watch_slot slot[2][WATCH_SLOTS];
	uint8_t known[2][WATCH_SLOTS];	   /* readings of each, 255 at most */
	struct tail tail[WATCH_SPIKE + 1]; /* of none: of shift or season */
	struct tail news;		   /* of 10^(N / 4) */
	/* at which reading so many eighths of rarity or more were told last */
	uint32_t told[WATCH_TOLD];
	float sorted[WATCH_WINDOW], window[WATCH_WINDOW];
	struct watch_pair level, change, residual, used;
	float season_error, level_error, shift;
	float sum[2];	     /* CUSUM, up and down */
	int64_t since_us[2]; /* they were last 0 */
	double low, high;    /* what can be read */
	double last, cadence_us, gap_us;
	double pace_us, uneven_us; /* the gap of late; how gaps vary */
	int64_t last_us, run_us;
	int64_t ahead_us; /* of UTC: people's clock, as the caller says */
	uint32_t n, run, longest;
	uint32_t off_pace; /* told */
};

/* What the rule of an alarm lets expect, and how far from there 19 of 20 keep;
 * without an alarm what the time does. */
struct watch_reason {
	double expected, band;
	double mean_off; /* of shift and drift: the mean of late; else NaN */
};

struct watch_verdict {
	double score;
	double expected, band; /* as before it came */
	struct watch_reason reason;
	int64_t since_us;     /* what the rule tells of began */
	enum watch_rule rule; /* what weighs most */
	bool alarm;
};

/* unit: its code, "" for a plain number. */
void watch_init(struct watch *, const char *unit);
void watch_judge(struct watch *, double value, int64_t t_us, double a_week,
    struct watch_verdict *);
/* How far off what the verdict rests on is, with its sign. */
double watch_off(const struct watch_reason *, double value);
/* "drift" …; "" for none. */
const char *watch_rule_name(enum watch_rule);
/* "sensor fault", "process event"; "" where one series alone cannot tell. */
const char *watch_looks_like(enum watch_rule);

#endif
