/*
 * watch: judges each reading of one series by what the series did before.
 *
 *	m(h, d)    mean by half hour h and type of day d    (robust, forgetting)
 *	e = x - m(h, d), or x - mean where the season foretells no better
 *	D(t) = D(t-1) + (e - D(t-1)) / 24                                 drift
 *	L = -log10 P(|D| > |D(t)|), then -log10 P(L > L(t))
 *	L = max(L, L(|e|) - 3, L(|x - x'|) - 3)           seasonal, change
 *	score = L / (L + 3): one in a thousand scores 1/2
 *
 * Each magnitude is in units of its own robust scale and each P comes from
 * the tail of what was seen (model/tail.h), so that scores of different series
 * compare. A single reading has to be a thousand times as rare as a drift to
 * count as much. News counts once: what is no rarer than what was told lately
 * scores a tenth. An alarm is what comes by chance `a_week` times a week at
 * the cadence learnt, 24 readings being one event. Besides, and for certain:
 * what no instrument can read in that unit (limit), the same value many times
 * longer than ever (freeze), a reading after a gap many times as long as ever
 * (silence).
 * References: Roberts 1959, "Control chart tests based on geometric moving
 * averages", Technometrics 1(3); Huber 1964, "Robust estimation of a location
 * parameter", Ann. Math. Statist. 35(1); Siffer et al. 2017 (tail.h); WMO-No. 8
 * (2018), vol. V (limits, persistence).
 * Runs on: C. Units: the series' own; µs. A value type without pointers: a
 * copy of it goes on as the original would.
 */
#ifndef PENSTOCK_MODEL_WATCH_H
#define PENSTOCK_MODEL_WATCH_H

#include "model/tail.h"

#include <stdbool.h>
#include <stdint.h>

#define WATCH_SLOTS 48

/* Of struct watch and of what watch_judge() makes of it: stored states of
 * another version are void. Raise it with either. */
#define WATCH_VERSION 1

enum watch_rule {
	WATCH_NONE,
	WATCH_DRIFT,
	WATCH_SEASONAL,
	WATCH_CHANGE,
	WATCH_LIMIT,
	WATCH_FREEZE,
	WATCH_SILENCE,
	WATCH_RULES
};

/* Running location and scale. */
struct watch_pair {
	float mean, dev;
};

/* One half hour of one type of day. */
struct watch_slot {
	struct watch_pair value;
	float step; /* how far readings move at this time */
	uint32_t n;
};

struct watch {
	struct watch_slot slot[2][WATCH_SLOTS];
	struct tail all, tail[WATCH_CHANGE + 1];
	struct watch_pair level, change, residual, used;
	float season_error, level_error, drift, told;
	double low, high; /* what can be read */
	double last, cadence_us, gap_us;
	int64_t last_us;
	uint32_t n, run, longest;
};

struct watch_verdict {
	double score;
	double expected, band; /* as before it came */
	enum watch_rule rule;  /* what weighs most */
	bool alarm;
};

/* unit: its code, "" for a plain number. */
void watch_init(struct watch *, const char *unit);
void watch_judge(struct watch *, double value, int64_t t_us, double a_week,
    struct watch_verdict *);
/* "drift" …; "" for none. */
const char *watch_rule_name(enum watch_rule);

#endif
