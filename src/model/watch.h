/*
 * watch: judges each reading of one series by what the series did before.
 *
 *	s(h, d)   mean by half hour h and day type d       (robust, forgetting)
 *	r = x - s(h, d);  v = x - x';  l = level of r
 *	z: |r|, |x - level|, |v|, |short mean of r|, |ln(short |v| / long |v|)|
 *	L = max over z of -log10 P(Z > z), calibrated once more among all L
 *	score = L / (L + 3): one in a thousand scores 1/2
 *
 * Each z is in units of its own robust scale, each P from the tail of what
 * was seen (model/tail.h), so that scores of different series compare. News
 * counts once: after a rarity L as great a one scores nothing until the memory
 * of it has faded. An alarm is what comes at most so often a week.
 * References: Lavin and Ahmad 2015, "Evaluating real-time anomaly detection
 * algorithms", ICMLA (a probation, likelihood of errors); Huber 1964, "Robust
 * estimation of a location parameter", Ann. Math. Statist. 35(1).
 * Runs on: C. Units: the series' own; µs. A value type without pointers: a
 * copy of it goes on as the original would.
 */
#ifndef PENSTOCK_MODEL_WATCH_H
#define PENSTOCK_MODEL_WATCH_H

#include "model/tail.h"

#include <stdbool.h>
#include <stdint.h>

#define WATCH_SLOTS 48

enum watch_rule {
	WATCH_NONE,
	WATCH_SEASON,
	WATCH_LEVEL,
	WATCH_CHANGE,
	WATCH_DRIFT,
	WATCH_SPREAD,
	WATCH_RULES
};

/* Running location and scale. */
struct watch_pair {
	float mean, dev;
};

struct watch {
	struct watch_pair slot[2][WATCH_SLOTS];
	uint16_t seen[2][WATCH_SLOTS];
	struct watch_pair level, change, residual;
	struct tail tail[WATCH_RULES];
	float drift, quick;
	float peak;
	double last;
	int64_t last_us;
	uint32_t n;
	float cadence_s;
};

struct watch_verdict {
	double score, expected, band;
	enum watch_rule rule; /* what weighs most */
	bool alarm;
};

void watch_init(struct watch *);
void
watch_judge(struct watch *, double value, int64_t t_us, struct watch_verdict *);
/* "seasonal", "drift" …; "" for none. */
const char *watch_rule_name(enum watch_rule);

#endif
