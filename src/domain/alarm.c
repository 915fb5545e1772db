#include "domain/alarm.h"

#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

#define NORMAL	   ALARM_NORMAL
#define UNSEEN	   ALARM_UNACKNOWLEDGED
#define SEEN	   ALARM_ACKNOWLEDGED
#define RETURNED   ALARM_RETURNED
#define LATCHED	   ALARM_LATCHED
#define SHELVED	   ALARM_SHELVED
#define SUPPRESSED ALARM_SUPPRESSED
#define OUT	   ALARM_OUT_OF_SERVICE

/* Ids are stored for ever: a new row gets a new one. */
static const struct fsm_row rows[] = {
    {"L1", NORMAL, ALARM_RAISE, UNSEEN},
    {"L2", UNSEEN, ALARM_ACKNOWLEDGE, SEEN},
    {"L3", UNSEEN, ALARM_CLEAR, RETURNED},
    {"L4", UNSEEN, ALARM_CLEAR_JOURNAL, NORMAL},
    {"L5", SEEN, ALARM_CLEAR, NORMAL},
    {"L6", SEEN, ALARM_CLEAR_LATCHING, LATCHED},
    {"L7", RETURNED, ALARM_ACKNOWLEDGE, NORMAL},
    {"L8", RETURNED, ALARM_ACKNOWLEDGE_LATCHING, LATCHED},
    {"L9", RETURNED, ALARM_RESOLVE, NORMAL},
    {"L10", LATCHED, ALARM_RESOLVE, NORMAL},
    {"L11", RETURNED, ALARM_SUPERSEDE, NORMAL},
    {"L12", LATCHED, ALARM_SUPERSEDE, NORMAL},
    {"L13", NORMAL, ALARM_ACKNOWLEDGE, NORMAL},
    {"L14", UNSEEN, ALARM_SHELVE, SHELVED},
    {"L15", SEEN, ALARM_SHELVE, SHELVED},
    {"L16", RETURNED, ALARM_SHELVE, SHELVED},
    {"L17", SHELVED, ALARM_UNSHELVE, NORMAL},
    {"L18", SHELVED, ALARM_UNSHELVE_ACTIVE, UNSEEN},
    {"L19", SHELVED, ALARM_UNSHELVE_LATCHING, LATCHED},
    {"L20", SHELVED, ALARM_EXPIRE, NORMAL},
    {"L21", SHELVED, ALARM_EXPIRE_ACTIVE, UNSEEN},
    {"L22", SHELVED, ALARM_EXPIRE_LATCHING, LATCHED},
    {"L23", NORMAL, ALARM_SUPPRESS, SUPPRESSED},
    {"L24", UNSEEN, ALARM_SUPPRESS, SUPPRESSED},
    {"L25", SEEN, ALARM_SUPPRESS, SUPPRESSED},
    {"L26", SUPPRESSED, ALARM_CLEAR, NORMAL},
    {"L27", SUPPRESSED, ALARM_RELEASE, UNSEEN},
    {"L28", NORMAL, ALARM_TAKE_OUT, OUT},
    {"L29", UNSEEN, ALARM_TAKE_OUT, OUT},
    {"L30", SEEN, ALARM_TAKE_OUT, OUT},
    {"L31", SHELVED, ALARM_TAKE_OUT, OUT},
    {"L32", SUPPRESSED, ALARM_TAKE_OUT, OUT},
    {"L33", OUT, ALARM_CLEAR, NORMAL},
    {"L34", OUT, ALARM_PUT_BACK, UNSEEN},
    {"L35", UNSEEN, ALARM_ESCALATE, UNSEEN},
    {"L36", UNSEEN, ALARM_CLIMB, UNSEEN},
    {"L37", SEEN, ALARM_CLIMB, SEEN},
    {"L38", RETURNED, ALARM_FALL, RETURNED},
    {"L39", LATCHED, ALARM_FALL, LATCHED},
    {"L40", FSM_ANY, ALARM_COMMENT, FSM_ANY},
    {"L41", FSM_ANY, ALARM_ASSIGN, FSM_ANY},
};

static const char *const states[ALARM_STATE_COUNT] = {
    [ALARM_NORMAL] = "normal",
    [ALARM_UNACKNOWLEDGED] = "unacknowledged",
    [ALARM_ACKNOWLEDGED] = "acknowledged",
    [ALARM_RETURNED] = "returned_unacknowledged",
    [ALARM_LATCHED] = "latched",
    [ALARM_SHELVED] = "shelved",
    [ALARM_SUPPRESSED] = "suppressed_by_design",
    [ALARM_OUT_OF_SERVICE] = "out_of_service",
};

static const char *const events[ALARM_EVENT_COUNT] = {
    [ALARM_RAISE] = "raise",
    [ALARM_ACKNOWLEDGE] = "acknowledge",
    [ALARM_ACKNOWLEDGE_LATCHING] = "acknowledge_latching",
    [ALARM_CLEAR] = "clear",
    [ALARM_CLEAR_JOURNAL] = "clear_journal",
    [ALARM_CLEAR_LATCHING] = "clear_latching",
    [ALARM_RESOLVE] = "resolve",
    [ALARM_SUPERSEDE] = "supersede",
    [ALARM_SHELVE] = "shelve",
    [ALARM_UNSHELVE] = "unshelve",
    [ALARM_UNSHELVE_ACTIVE] = "unshelve_active",
    [ALARM_UNSHELVE_LATCHING] = "unshelve_latching",
    [ALARM_EXPIRE] = "expire",
    [ALARM_EXPIRE_ACTIVE] = "expire_active",
    [ALARM_EXPIRE_LATCHING] = "expire_latching",
    [ALARM_SUPPRESS] = "suppress",
    [ALARM_RELEASE] = "release",
    [ALARM_TAKE_OUT] = "take_out",
    [ALARM_PUT_BACK] = "put_back",
    [ALARM_ESCALATE] = "escalate",
    [ALARM_CLIMB] = "climb",
    [ALARM_FALL] = "fall",
    [ALARM_COMMENT] = "comment",
    [ALARM_ASSIGN] = "assign",
};

const struct fsm alarm_fsm = {
    .name = "alarm",
    .rows = rows,
    .nrows = NELEMS(rows),
    .states = states,
    .nstates = ALARM_STATE_COUNT,
    .events = events,
    .nevents = ALARM_EVENT_COUNT,
};

const char *
alarm_state_name(enum alarm_state state)
{
	return (states[state]);
}
