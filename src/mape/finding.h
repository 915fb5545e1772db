/*
 * finding: one rule's word on one series, and how the decisions port is told
 * of it: opened, carried on or cleared, with evidence.
 *
 * Runs on: C. Frees: nothing; evidence lives in the analysis' arena. Units:
 * canonical; µs UTC. Errors: those of the port, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_MAPE_FINDING_H
#define PENSTOCK_MAPE_FINDING_H

#include "domain/anomaly.h"
#include "mape/analyze.h"
#include "model/watch.h"

#define FINDING_FACTS 4

struct finding {
	struct condition condition;
	char rule_id[32];
	double limit;
	int64_t first_us;
	/* What the rule wanted and saw; a NULL key ends them. */
	const char *keys[FINDING_FACTS];
	double facts[FINDING_FACTS];
	bool expects; /* the series is known well enough for what it has seen */
	struct watch_verdict seen;
};

/* Rule id and severity of the type; the direction of the condition. */
void finding_init(
    struct finding *, const struct series *, enum anomaly_type, enum direction);
void finding_fact(struct finding *, const char *key, double value);
/* `r` NULL: there is no reading, that is the finding. */
enum err finding_raise(struct analysis *, const struct series *,
    const struct series_state *, const struct finding *,
    const struct reading *r);
enum err finding_clear(struct analysis *, const struct condition *,
    int64_t at_us, const char *facts_json);

#endif
