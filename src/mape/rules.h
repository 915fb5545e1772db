/*
 * rules: judges people's rules (domain/rule.h) as readings come, in the order
 * of their event time, and opens or clears what they say. One in shadow
 * raises nothing: what it finds is only noted.
 *
 * Runs on: C. Frees: nothing; rules and what is remembered of them live in
 * the arena of rules_learn() until the next. Units: canonical; µs UTC.
 * Errors: those of the ports, ERR_NO_MEMORY.
 *
 * Of a series, a reading not newer than the last is passed over. All readings
 * of one time are taken before the rule is judged at that time; one that came
 * late from another series is judged at the rule's newest time. A series
 * unheard for its silence (or an hour, if it has none) is unknown; what is
 * unknown raises nothing and clears nothing. The wall clock counts for
 * ages alone, and no further back than cycles have run without a break.
 * So batches make no difference, but for ages.
 *
 * Of several loops that one judges a rule that watches the first of its
 * series. What others watch it hears of once a cycle, the newest reading only.
 */
#ifndef PENSTOCK_MAPE_RULES_H
#define PENSTOCK_MAPE_RULES_H

#include "domain/rule_state.h"
#include "mape/analyze.h"
#include "mape/monitor.h"

struct rule_run;

/* Of a series without a silence of its own. */
#define RULES_FRESH_US (INT64_C(3600) * 1000000)

struct rules {
	struct rule_run *runs;
	size_t n;
	/* Which runs are about a series: pairs, rising. */
	struct rule_use {
		int32_t series;
		uint32_t run;
	} * uses;
	size_t nuses;
	/* Of those, what other loops watch, rising, and what was newest. */
	int32_t *foreign;
	int64_t *foreign_us;
	size_t nforeign;
	/* What versions that are not judged any more had open. */
	struct rule_row *orphans;
	size_t norphans;
	size_t unreadable; /* or about more series than may be */
};

struct rules_world {
	const struct knowledge *knowledge;
	const struct ports *ports;
	rule_reader *read; /* NULL: there are no rules */
	bool watch_only;
};

/* Reads all rules and what is remembered of them. */
enum err rules_learn(struct rules *, const struct rules_world *,
    struct arena *lasting, struct err_info *);
/* `tick`: nothing waits in the log, so that ages are known. */
enum err
rules_judge(struct rules *, struct analysis *, const struct batch *, bool tick);
enum err rules_save(struct rules *, const struct knowledge_port *,
    struct arena *, struct err_info *);

#endif
