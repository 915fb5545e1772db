#include "domain/plan.h"

#include <string.h>

#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

static const struct fsm_row plan_rows[] = {
    {"P1", PLAN_PROPOSED, PLAN_APPROVE, PLAN_APPROVED},
    {"P2", PLAN_PROPOSED, PLAN_REJECT, PLAN_REJECTED},
    {"P3", PLAN_PROPOSED, PLAN_EXPIRE, PLAN_EXPIRED},
    {"P4", PLAN_APPROVED, PLAN_SEND, PLAN_EXECUTING},
    {"P5", PLAN_EXECUTING, PLAN_ALL_DONE, PLAN_VERIFYING},
    {"P6", PLAN_EXECUTING, PLAN_COMMAND_FAILED, PLAN_FAILED},
    {"P7", PLAN_APPROVED, PLAN_COMMAND_FAILED, PLAN_FAILED},
    {"P8", PLAN_VERIFYING, PLAN_JUDGED_WORKED, PLAN_WORKED},
    {"P9", PLAN_VERIFYING, PLAN_JUDGED_NO_EFFECT, PLAN_NO_EFFECT},
    {"P10", PLAN_VERIFYING, PLAN_JUDGED_WORSE, PLAN_WORSE},
    {"P11", PLAN_VERIFYING, PLAN_JUDGED_NOT_PROVABLE, PLAN_NOT_PROVABLE},
    {"P12", PLAN_FAILED, PLAN_REDRIVE, PLAN_APPROVED},
    {"P13", PLAN_APPROVED, PLAN_ALL_DONE, PLAN_VERIFYING},
    {"P14", PLAN_FAILED, PLAN_ALL_DONE, PLAN_VERIFYING},
    {"P15", PLAN_PROPOSED, PLAN_ENDORSE, PLAN_PROPOSED},
    {"P16", PLAN_PROPOSED, PLAN_SUPERSEDE, PLAN_SUPERSEDED},
    {"P17", PLAN_APPROVED, PLAN_CANCEL, PLAN_CANCELLED},
    {"P18", PLAN_EXECUTING, PLAN_CANCEL, PLAN_CANCELLED},
    {"P19", PLAN_VERIFYING, PLAN_UNDO, PLAN_UNDONE},
    {"P20", PLAN_WORKED, PLAN_UNDO, PLAN_UNDONE},
    {"P21", PLAN_NO_EFFECT, PLAN_UNDO, PLAN_UNDONE},
    {"P22", PLAN_WORSE, PLAN_UNDO, PLAN_UNDONE},
    {"P23", PLAN_NOT_PROVABLE, PLAN_UNDO, PLAN_UNDONE},
    {"P24", PLAN_FAILED, PLAN_UNDO, PLAN_UNDONE},
    {"P25", PLAN_CANCELLED, PLAN_UNDO, PLAN_UNDONE},
};

static const char *const plan_states[PLAN_STATE_COUNT] = {
    [PLAN_PROPOSED] = "proposed",
    [PLAN_APPROVED] = "approved",
    [PLAN_EXECUTING] = "executing",
    [PLAN_VERIFYING] = "verifying",
    [PLAN_WORKED] = "worked",
    [PLAN_NO_EFFECT] = "no_effect",
    [PLAN_WORSE] = "worse",
    [PLAN_NOT_PROVABLE] = "not_provable",
    [PLAN_REJECTED] = "rejected",
    [PLAN_EXPIRED] = "expired",
    [PLAN_FAILED] = "failed",
    [PLAN_SUPERSEDED] = "superseded",
    [PLAN_CANCELLED] = "cancelled",
    [PLAN_UNDONE] = "undone",
};

static const char *const plan_events[PLAN_EVENT_COUNT] = {
    [PLAN_APPROVE] = "approve",
    [PLAN_REJECT] = "reject",
    [PLAN_EXPIRE] = "expire",
    [PLAN_SEND] = "send",
    [PLAN_ALL_DONE] = "all_done",
    [PLAN_COMMAND_FAILED] = "command_failed",
    [PLAN_REDRIVE] = "redrive",
    [PLAN_JUDGED_WORKED] = "judged_worked",
    [PLAN_JUDGED_NO_EFFECT] = "judged_no_effect",
    [PLAN_JUDGED_WORSE] = "judged_worse",
    [PLAN_JUDGED_NOT_PROVABLE] = "judged_not_provable",
    [PLAN_ENDORSE] = "endorse",
    [PLAN_SUPERSEDE] = "supersede",
    [PLAN_CANCEL] = "cancel",
    [PLAN_UNDO] = "undo",
};

const struct fsm plan_fsm = {
    .name = "plan",
    .rows = plan_rows,
    .nrows = NELEMS(plan_rows),
    .states = plan_states,
    .nstates = PLAN_STATE_COUNT,
    .events = plan_events,
    .nevents = PLAN_EVENT_COUNT,
};

/*
 * What was sent and brought no clear answer is unknown and only ever asked
 * about; C19 leads back to the queue when the gateway says that it never had
 * it, C5 when it surely did not leave or may be repeated: always with the same
 * idempotency key. A redriven one that failed or expired gets a new key.
 * P13, P14, C16, C18 and C26 also serve what a person settles.
 */
static const struct fsm_row command_rows[] = {
    {"C1", COMMAND_PLANNED, COMMAND_APPROVE, COMMAND_QUEUED},
    {"C2", COMMAND_PLANNED, COMMAND_CANCEL, COMMAND_CANCELLED},
    {"C3", COMMAND_QUEUED, COMMAND_SEND, COMMAND_SENT},
    {"C4", COMMAND_SENT, COMMAND_ACK, COMMAND_EXECUTED},
    {"C5", COMMAND_SENT, COMMAND_RETRY, COMMAND_QUEUED},
    {"C6", COMMAND_SENT, COMMAND_REFUSE, COMMAND_FAILED},
    {"C7", COMMAND_QUEUED, COMMAND_REFUSE, COMMAND_FAILED},
    {"C8", COMMAND_QUEUED, COMMAND_EXPIRE, COMMAND_EXPIRED},
    {"C9", COMMAND_SENT, COMMAND_EXPIRE, COMMAND_EXPIRED},
    {"C10", COMMAND_QUEUED, COMMAND_CANCEL, COMMAND_CANCELLED},
    {"C11", COMMAND_SENT, COMMAND_ACCEPT, COMMAND_ACCEPTED},
    {"C12", COMMAND_SENT, COMMAND_LOSE, COMMAND_UNKNOWN},
    {"C13", COMMAND_ACCEPTED, COMMAND_ACK, COMMAND_EXECUTED},
    {"C14", COMMAND_ACCEPTED, COMMAND_REFUSE, COMMAND_FAILED},
    {"C15", COMMAND_ACCEPTED, COMMAND_LOSE, COMMAND_UNKNOWN},
    {"C16", COMMAND_UNKNOWN, COMMAND_ACK, COMMAND_EXECUTED},
    {"C17", COMMAND_UNKNOWN, COMMAND_ACCEPT, COMMAND_ACCEPTED},
    {"C18", COMMAND_UNKNOWN, COMMAND_REFUSE, COMMAND_FAILED},
    {"C19", COMMAND_UNKNOWN, COMMAND_RETRY, COMMAND_QUEUED},
    {"C20", COMMAND_UNKNOWN, COMMAND_EXPIRE, COMMAND_EXPIRED},
    {"C21", COMMAND_EXECUTED, COMMAND_VERIFY, COMMAND_VERIFIED},
    {"C22", COMMAND_FAILED, COMMAND_REDRIVE, COMMAND_QUEUED},
    {"C23", COMMAND_EXPIRED, COMMAND_REDRIVE, COMMAND_QUEUED},
    {"C24", COMMAND_CANCELLED, COMMAND_REDRIVE, COMMAND_QUEUED},
    {"C25", COMMAND_ACCEPTED, COMMAND_EXPIRE, COMMAND_EXPIRED},
    {"C26", COMMAND_UNKNOWN, COMMAND_REDRIVE, COMMAND_UNKNOWN},
    {"C27", COMMAND_UNKNOWN, COMMAND_GIVE_UP, COMMAND_UNKNOWN},
};

static const char *const command_states[COMMAND_STATE_COUNT] = {
    [COMMAND_PLANNED] = "planned",
    [COMMAND_QUEUED] = "queued",
    [COMMAND_SENT] = "sent",
    [COMMAND_ACCEPTED] = "accepted",
    [COMMAND_EXECUTED] = "executed",
    [COMMAND_VERIFIED] = "verified",
    [COMMAND_UNKNOWN] = "unknown",
    [COMMAND_FAILED] = "failed",
    [COMMAND_EXPIRED] = "expired",
    [COMMAND_CANCELLED] = "cancelled",
};

static const char *const command_events[COMMAND_EVENT_COUNT] = {
    [COMMAND_APPROVE] = "approve",
    [COMMAND_SEND] = "send",
    [COMMAND_ACK] = "ack",
    [COMMAND_RETRY] = "retry",
    [COMMAND_REFUSE] = "refuse",
    [COMMAND_EXPIRE] = "expire",
    [COMMAND_CANCEL] = "cancel",
    [COMMAND_ACCEPT] = "accept",
    [COMMAND_LOSE] = "lose",
    [COMMAND_GIVE_UP] = "give_up",
    [COMMAND_VERIFY] = "verify",
    [COMMAND_REDRIVE] = "redrive",
};

const struct fsm command_fsm = {
    .name = "command",
    .rows = command_rows,
    .nrows = NELEMS(command_rows),
    .states = command_states,
    .nstates = COMMAND_STATE_COUNT,
    .events = command_events,
    .nevents = COMMAND_EVENT_COUNT,
};

static const char *const risks[RISK_COUNT] = {
    [RISK_LOW] = "low",
    [RISK_MEDIUM] = "medium",
    [RISK_HIGH] = "high",
};

const char *
risk_name(enum risk risk)
{
	return (risks[risk]);
}

int
risk_parse(const char *s)
{
	int i;

	for (i = 0; i < RISK_COUNT; i++)
		if (strcmp(risks[i], s) == 0)
			return (i);
	return (-1);
}

const char *
plan_state_name(enum plan_state state)
{
	return (plan_states[state]);
}

const char *
command_state_name(enum command_state state)
{
	return (command_states[state]);
}
