/* The transition tables against the list of allowed moves, cell by cell. */
#include "domain/alarm.h"
#include "domain/anomaly.h"
#include "domain/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#define NO	  -1
#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* Rows are states, columns events, 0: not allowed, else 1 + the state. */
#define TO(event, state) [event] = 1 + (state)

static const int plan_moves[PLAN_STATE_COUNT][PLAN_EVENT_COUNT] = {
    [PLAN_PROPOSED] = {TO(PLAN_APPROVE, PLAN_APPROVED),
	TO(PLAN_REJECT, PLAN_REJECTED), TO(PLAN_EXPIRE, PLAN_EXPIRED),
	TO(PLAN_ENDORSE, PLAN_PROPOSED), TO(PLAN_SUPERSEDE, PLAN_SUPERSEDED)},
    [PLAN_APPROVED] = {TO(PLAN_SEND, PLAN_EXECUTING),
	TO(PLAN_COMMAND_FAILED, PLAN_FAILED), TO(PLAN_ALL_DONE, PLAN_VERIFYING),
	TO(PLAN_CANCEL, PLAN_CANCELLED)},
    [PLAN_EXECUTING] = {TO(PLAN_ALL_DONE, PLAN_VERIFYING),
	TO(PLAN_COMMAND_FAILED, PLAN_FAILED), TO(PLAN_CANCEL, PLAN_CANCELLED)},
    [PLAN_VERIFYING] = {TO(PLAN_JUDGED_WORKED, PLAN_WORKED),
	TO(PLAN_JUDGED_NO_EFFECT, PLAN_NO_EFFECT),
	TO(PLAN_JUDGED_WORSE, PLAN_WORSE),
	TO(PLAN_JUDGED_NOT_PROVABLE, PLAN_NOT_PROVABLE),
	TO(PLAN_UNDO, PLAN_UNDONE)},
    [PLAN_WORKED] = {TO(PLAN_UNDO, PLAN_UNDONE)},
    [PLAN_NO_EFFECT] = {TO(PLAN_UNDO, PLAN_UNDONE)},
    [PLAN_WORSE] = {TO(PLAN_UNDO, PLAN_UNDONE)},
    [PLAN_NOT_PROVABLE] = {TO(PLAN_UNDO, PLAN_UNDONE)},
    [PLAN_CANCELLED] = {TO(PLAN_UNDO, PLAN_UNDONE)},
    [PLAN_FAILED] = {TO(PLAN_REDRIVE, PLAN_APPROVED),
	TO(PLAN_UNDO, PLAN_UNDONE), TO(PLAN_ALL_DONE, PLAN_VERIFYING)},
};

static const int command_moves[COMMAND_STATE_COUNT][COMMAND_EVENT_COUNT] = {
    [COMMAND_PLANNED] = {TO(COMMAND_APPROVE, COMMAND_QUEUED),
	TO(COMMAND_CANCEL, COMMAND_CANCELLED)},
    [COMMAND_QUEUED] = {TO(COMMAND_SEND, COMMAND_SENT),
	TO(COMMAND_REFUSE, COMMAND_FAILED), TO(COMMAND_EXPIRE, COMMAND_EXPIRED),
	TO(COMMAND_CANCEL, COMMAND_CANCELLED)},
    [COMMAND_SENT] = {TO(COMMAND_ACK, COMMAND_EXECUTED),
	TO(COMMAND_RETRY, COMMAND_QUEUED), TO(COMMAND_REFUSE, COMMAND_FAILED),
	TO(COMMAND_EXPIRE, COMMAND_EXPIRED),
	TO(COMMAND_ACCEPT, COMMAND_ACCEPTED),
	TO(COMMAND_LOSE, COMMAND_UNKNOWN)},
    [COMMAND_ACCEPTED] = {TO(COMMAND_ACK, COMMAND_EXECUTED),
	TO(COMMAND_REFUSE, COMMAND_FAILED), TO(COMMAND_EXPIRE, COMMAND_EXPIRED),
	TO(COMMAND_LOSE, COMMAND_UNKNOWN)},
    [COMMAND_UNKNOWN] = {TO(COMMAND_ACK, COMMAND_EXECUTED),
	TO(COMMAND_RETRY, COMMAND_QUEUED), TO(COMMAND_REFUSE, COMMAND_FAILED),
	TO(COMMAND_EXPIRE, COMMAND_EXPIRED),
	TO(COMMAND_ACCEPT, COMMAND_ACCEPTED),
	TO(COMMAND_GIVE_UP, COMMAND_UNKNOWN),
	TO(COMMAND_REDRIVE, COMMAND_UNKNOWN)},
    [COMMAND_EXECUTED] = {TO(COMMAND_VERIFY, COMMAND_VERIFIED)},
    [COMMAND_FAILED] = {TO(COMMAND_REDRIVE, COMMAND_QUEUED)},
    [COMMAND_EXPIRED] = {TO(COMMAND_REDRIVE, COMMAND_QUEUED)},
    [COMMAND_CANCELLED] = {TO(COMMAND_REDRIVE, COMMAND_QUEUED)},
};

static const int anomaly_moves[2][2] = {
    {1 + ANOMALY_CLEARED, 0}, {0, 1 + ANOMALY_OPEN}};

static void
walk(const struct fsm *fsm, const int *moves)
{
	const struct fsm_row *row;
	size_t s, e, allowed = 0;
	int want;

	for (s = 0; s < fsm->nstates; s++) {
		for (e = 0; e < fsm->nevents; e++) {
			want = moves[s * fsm->nevents + e] - 1;
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
	const struct fsm *all[] = {
	    &plan_fsm, &command_fsm, &anomaly_fsm, &alarm_fsm};
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
	    fsm_find(&plan_fsm, PLAN_FAILED, PLAN_REDRIVE)->id, "P12");
	cr_expect_str_eq(
	    fsm_find(&plan_fsm, PLAN_FAILED, PLAN_ALL_DONE)->id, "P14");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_UNKNOWN, COMMAND_ACK)->id, "C16");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_UNKNOWN, COMMAND_REFUSE)->id, "C18");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_FAILED, COMMAND_REDRIVE)->id, "C22");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_EXPIRED, COMMAND_REDRIVE)->id,
	    "C23");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_CANCELLED, COMMAND_REDRIVE)->id,
	    "C24");
	cr_expect_str_eq(
	    fsm_find(&command_fsm, COMMAND_UNKNOWN, COMMAND_REDRIVE)->id,
	    "C26");
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
