/*
 * act: what Plan, Execute and Verify share: the world of one cycle, and the
 * one way to move a subject along its transition table.
 *
 * Runs on: C. Frees: nothing; texts live in the cycle's arena.
 */
#ifndef PENSTOCK_MAPE_ACT_H
#define PENSTOCK_MAPE_ACT_H

#include "core/fsm.h"
#include "core/text.h"
#include "mape/loop.h"

struct act {
	const struct ports *ports;
	struct arena *arena;
	const struct knowledge *knowledge;
	const struct memory *memory;
	int64_t now_us;
	const struct loop_rules *rules;
	struct loop_figures *figures;
	struct err_info *info;
};

/* ERR_INTERNAL if the table does not allow it: a bug of the caller. */
enum err act_move(struct act *, const struct fsm *, int64_t id, int from,
    int event, const char *facts_json);
enum err act_no_memory(struct act *);
/* Cancels those of the plan's commands that have not left. */
enum err act_cancel_rest(struct act *, int64_t plan_id, const char *facts);
/* The text's content in the arena; the text is done. NULL: it did not fit. */
char *act_keep(struct act *, struct text *);
/* {"key":"value"} */
char *act_fact(struct act *, const char *key, const char *value);
/* The detectors' memory of a series; of one that another loop watches, as that
 * loop last saved it. NULL: not known. */
const struct series_state *act_state(struct act *, int32_t series);
/* A UUID version 4 (RFC 9562 section 5.4) from the entropy port. */
void act_uuid(struct act *, char ret[static 37]);
/* Uniform in [0, 1). */
double act_uniform(struct act *);

#endif
