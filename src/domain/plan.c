#include "domain/plan.h"

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
};

static const char *const plan_events[PLAN_EVENT_COUNT] = {
    [PLAN_APPROVE] = "approve",
    [PLAN_REJECT] = "reject",
    [PLAN_EXPIRE] = "expire",
    [PLAN_SEND] = "send",
    [PLAN_ALL_DONE] = "all_done",
    [PLAN_COMMAND_FAILED] = "command_failed",
    [PLAN_JUDGED_WORKED] = "judged_worked",
    [PLAN_JUDGED_NO_EFFECT] = "judged_no_effect",
    [PLAN_JUDGED_WORSE] = "judged_worse",
    [PLAN_JUDGED_NOT_PROVABLE] = "judged_not_provable",
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
 * C5 also serves an attempt whose result was never recorded: it goes back to
 * the queue and leaves again with the same idempotency key.
 */
static const struct fsm_row command_rows[] = {
    {"C1", COMMAND_PLANNED, COMMAND_APPROVE, COMMAND_QUEUED},
    {"C2", COMMAND_PLANNED, COMMAND_CANCEL, COMMAND_CANCELLED},
    {"C3", COMMAND_QUEUED, COMMAND_SEND, COMMAND_SENT},
    {"C4", COMMAND_SENT, COMMAND_ACK, COMMAND_DONE},
    {"C5", COMMAND_SENT, COMMAND_RETRY, COMMAND_QUEUED},
    {"C6", COMMAND_SENT, COMMAND_REFUSE, COMMAND_FAILED},
    {"C7", COMMAND_QUEUED, COMMAND_REFUSE, COMMAND_FAILED},
    {"C8", COMMAND_QUEUED, COMMAND_EXPIRE, COMMAND_EXPIRED},
    {"C9", COMMAND_SENT, COMMAND_EXPIRE, COMMAND_EXPIRED},
    {"C10", COMMAND_QUEUED, COMMAND_CANCEL, COMMAND_CANCELLED},
};

static const char *const command_states[COMMAND_STATE_COUNT] = {
    [COMMAND_PLANNED] = "planned",
    [COMMAND_QUEUED] = "queued",
    [COMMAND_SENT] = "sent",
    [COMMAND_DONE] = "done",
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
