/* The transition tables against the list of allowed moves, cell by cell. */
#include "domain/anomaly.h"
#include "domain/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#define NO	  -1
#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* Rows are states, columns events, in enum order. */
static const int plan_moves[PLAN_STATE_COUNT][PLAN_EVENT_COUNT] = {
    [PLAN_PROPOSED] = {PLAN_APPROVED, PLAN_REJECTED, PLAN_EXPIRED, NO, NO, NO,
	NO, NO, NO, NO},
    [PLAN_APPROVED] = {NO, NO, NO, PLAN_EXECUTING, NO, PLAN_FAILED, NO, NO, NO,
	NO},
    [PLAN_EXECUTING] = {NO, NO, NO, NO, PLAN_VERIFYING, PLAN_FAILED, NO, NO, NO,
	NO},
    [PLAN_VERIFYING] = {NO, NO, NO, NO, NO, NO, PLAN_WORKED, PLAN_NO_EFFECT,
	PLAN_WORSE, PLAN_NOT_PROVABLE},
    [PLAN_WORKED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [PLAN_NO_EFFECT] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [PLAN_WORSE] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [PLAN_NOT_PROVABLE] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [PLAN_REJECTED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [PLAN_EXPIRED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [PLAN_FAILED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
};

/* approve, send, ack, retry, refuse, expire, cancel */
static const int command_moves[COMMAND_STATE_COUNT][COMMAND_EVENT_COUNT] = {
    [COMMAND_PLANNED] = {COMMAND_QUEUED, NO, NO, NO, NO, NO, COMMAND_CANCELLED},
    [COMMAND_QUEUED] = {NO, COMMAND_SENT, NO, NO, COMMAND_FAILED,
	COMMAND_EXPIRED, COMMAND_CANCELLED},
    [COMMAND_SENT] = {NO, NO, COMMAND_DONE, COMMAND_QUEUED, COMMAND_FAILED,
	COMMAND_EXPIRED, NO},
    [COMMAND_DONE] = {NO, NO, NO, NO, NO, NO, NO},
    [COMMAND_FAILED] = {NO, NO, NO, NO, NO, NO, NO},
    [COMMAND_EXPIRED] = {NO, NO, NO, NO, NO, NO, NO},
    [COMMAND_CANCELLED] = {NO, NO, NO, NO, NO, NO, NO},
};

static const int anomaly_moves[2][1] = {{ANOMALY_CLEARED}, {NO}};

static void
walk(const struct fsm *fsm, const int *moves)
{
	const struct fsm_row *row;
	size_t s, e, allowed = 0;
	int want;

	for (s = 0; s < fsm->nstates; s++) {
		for (e = 0; e < fsm->nevents; e++) {
			want = moves[s * fsm->nevents + e];
			allowed += want != NO;
			row = fsm_find(fsm, (int)s, (int)e);
			cr_expect_eq(row != NULL ? row->to : NO, want,
			    "%s: %s on %s", fsm->name, fsm->states[s],
			    fsm->events[e]);
		}
	}
	cr_expect_eq(fsm->nrows, allowed);
}

Test(tables, moves)
{
	walk(&plan_fsm, &plan_moves[0][0]);
	walk(&command_fsm, &command_moves[0][0]);
	walk(&anomaly_fsm, &anomaly_moves[0][0]);
}

Test(tables, ids_are_unique_and_names_are_there)
{
	const struct fsm *all[] = {&plan_fsm, &command_fsm, &anomaly_fsm};
	size_t i, j, k;

	for (i = 0; i < NELEMS(all); i++) {
		for (j = 0; j < all[i]->nrows; j++) {
			for (k = 0; k < j; k++)
				cr_expect_str_neq(
				    all[i]->rows[j].id, all[i]->rows[k].id);
		}
		for (j = 0; j < all[i]->nstates; j++)
			cr_expect_eq(
			    fsm_state(all[i], all[i]->states[j]), (int)j);
		for (j = 0; j < all[i]->nevents; j++)
			cr_expect(all[i]->events[j] != NULL);
	}
}

/* What SQL and the API are built on. */
Test(tables, ids_keep_their_meaning)
{
	cr_expect_str_eq(
	    fsm_find(&plan_fsm, PLAN_PROPOSED, PLAN_APPROVE)->id, "P1");
	cr_expect_str_eq(
	    fsm_find(&plan_fsm, PLAN_PROPOSED, PLAN_REJECT)->id, "P2");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_PLANNED, COMMAND_APPROVE)->id, "C1");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_PLANNED, COMMAND_CANCEL)->id, "C2");
	cr_expect_str_eq(
	    fsm_find(&anomaly_fsm, ANOMALY_OPEN, ANOMALY_CLEAR)->id, "A1");
	cr_expect_str_eq(plan_state_name(PLAN_NOT_PROVABLE), "not_provable");
	cr_expect_str_eq(command_state_name(COMMAND_CANCELLED), "cancelled");
}

Test(tables, anomaly_types)
{
	int i;

	for (i = 0; i < ANOMALY_TYPE_COUNT; i++)
		cr_expect_eq(anomaly_type_parse(anomaly_type_name(i)), i);
	cr_expect_eq(anomaly_type_parse("nothing"), -1);
	cr_expect(anomaly_is_sensor_fault(ANOMALY_SILENCE));
	cr_expect_not(anomaly_is_sensor_fault(ANOMALY_THRESHOLD));
}
