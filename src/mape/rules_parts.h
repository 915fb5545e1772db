/*
 * rules_parts: a rule as it is judged. Inside src/mape/rules*.c only.
 *
 * Runs on: C. Frees: nothing; all lives in the arena of rules_learn().
 */
#ifndef PENSTOCK_MAPE_RULES_PARTS_H
#define PENSTOCK_MAPE_RULES_PARTS_H

#include "mape/rules.h"

/* The series of a test, as places in the run's. */
struct rule_aim {
	uint16_t *at;
	size_t n;
};

struct rule_run {
	int32_t id, version;
	bool shadow, tells_age;
	const char *code;
	struct rule rule;
	struct rule_aim aims[RULE_NODES];
	const struct series **series; /* rising by id */
	size_t nseries;
	size_t about; /* place of the series its anomalies are of */
	struct rule_state state;
	bool changed;
	bool touched; /* by this batch */
};

/* What the rule says at state.clock_us. `awake_us`: ages go no further back;
 * INSTANT_NONE: they do. Marks move on. */
enum rule_truth rule_eval(struct rule_run *, int64_t awake_us);
/* "R:code@version". */
#define RULE_ID_BYTES (RULE_CODE + 16)
/* Opens, carries on or clears what the rule is about. */
enum err rule_raise(struct analysis *, struct rule_run *, bool carry_on);
enum err rule_clear(struct analysis *, struct rule_run *);

#endif
