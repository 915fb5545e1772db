/*
 * loop_parts: what the steps of a cycle share. Inside src/mape/loop*.c only.
 *
 * Runs on: C. Frees: nothing; all lives in the cycle's arena. Units: µs UTC.
 * Errors: those of the ports, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_MAPE_LOOP_PARTS_H
#define PENSTOCK_MAPE_LOOP_PARTS_H

#include "mape/act.h"
#include "mape/analyze.h"
#include "mape/loop.h"
#include "mape/monitor.h"

struct cycle {
	struct loop_ctx *ctx;
	const struct ports *ports;
	struct loop_figures *figures;
	struct err_info *info;
	int64_t now_us; /* of the cycle: one for all decisions */
	struct batch batch;
	struct series_state **states; /* of the batch's groups */
};

int64_t loop_now(const struct cycle *);
void loop_clock(struct cycle *, enum loop_phase, int64_t since_us);
enum err loop_no_memory(struct cycle *);
bool loop_owns(const struct cycle *, int32_t series);
void loop_act_init(struct cycle *, struct act *);
/* Monitor, Analyze, Plan: one unit of work. */
enum err loop_watch(struct cycle *);
/* What the batch and the time tell: anomalies opened and cleared. */
enum err loop_analyze(struct cycle *);
/* Tells of series unheard for longer than their own waits let expect. */
enum err loop_unheard(struct cycle *, struct analysis *);

#endif
