/*
 * alarm: what people see of an anomaly: whether it is to be looked at, was
 * looked at, or is kept quiet. An anomaly's own state says whether its
 * condition is there; this says what became of it among people.
 *
 * States after ANSI/ISA-18.2-2016 and IEC 62682:2014, section 5 (alarm state
 * transition diagram). Priority begins as the condition's severity and then
 * moves with time.
 *
 * Runs on: C. Value types. Units: µs UTC, INSTANT_NONE for never.
 */
#ifndef PENSTOCK_DOMAIN_ALARM_H
#define PENSTOCK_DOMAIN_ALARM_H

#include "core/fsm.h"
#include "domain/anomaly.h"

#include <stdbool.h>
#include <stdint.h>

enum alarm_state {
	ALARM_NORMAL,	      /* nothing is asked of anybody */
	ALARM_UNACKNOWLEDGED, /* the condition is there, nobody has seen it */
	ALARM_ACKNOWLEDGED,   /* the condition is there, somebody has */
	ALARM_RETURNED,	      /* it is gone, and nobody has seen it */
	ALARM_LATCHED,	      /* it is gone and was seen; to be resolved */
	ALARM_SHELVED,	      /* put off by a person, to a time */
	ALARM_SUPPRESSED,     /* by design: maintenance, the sensor's fault */
	ALARM_OUT_OF_SERVICE, /* taken out by a person, until put back */
	ALARM_STATE_COUNT
};
/*
 * The endings say what is found when the event comes: _ACTIVE, the condition
 * is there; _LATCHING, it is gone and its class latches; _JOURNAL, its class
 * asks for no acknowledgement.
 */
enum alarm_event {
	ALARM_RAISE,
	ALARM_ACKNOWLEDGE,
	ALARM_ACKNOWLEDGE_LATCHING,
	ALARM_CLEAR,
	ALARM_CLEAR_JOURNAL,
	ALARM_CLEAR_LATCHING,
	ALARM_RESOLVE,
	ALARM_SUPERSEDE, /* the condition came again, as an alarm of its own */
	ALARM_SHELVE,
	ALARM_UNSHELVE,
	ALARM_UNSHELVE_ACTIVE,
	ALARM_UNSHELVE_LATCHING,
	ALARM_EXPIRE, /* of the shelf */
	ALARM_EXPIRE_ACTIVE,
	ALARM_EXPIRE_LATCHING,
	ALARM_SUPPRESS,
	ALARM_RELEASE, /* what suppressed it is over */
	ALARM_TAKE_OUT,
	ALARM_PUT_BACK,
	ALARM_ESCALATE, /* nobody acknowledged it */
	ALARM_CLIMB,	/* in priority: it lasts */
	ALARM_FALL,	/* in priority: it has been over for long */
	ALARM_COMMENT,
	ALARM_ASSIGN,
	ALARM_EVENT_COUNT
};

extern const struct fsm alarm_fsm;

/* How alarms of one severity are dealt with. A time of 0: never. */
struct alarm_class {
	bool needs_ack, latching;
	int64_t escalate_us, climb_us, fall_us;
	/* Chattering: raised that often, each time within the window of the
	 * last clearing. It then clears only after `hold` of quiet. */
	int chatter_limit;
	int64_t chatter_window_us, chatter_hold_us;
};

struct alarm {
	int64_t id;
	struct condition condition;
	struct alarm_class class;
	enum alarm_state state;
	enum severity priority;
	bool open;		       /* the condition is there */
	int64_t last_us;	       /* event time of the newest evidence */
	int64_t state_us, priority_us; /* since when */
	int64_t turned_us; /* since when `open` is as it is; INSTANT_NONE: it
	    turned, and this was not dealt with yet */
	int64_t shelved_until_us;
	int64_t due_us;	  /* when it is to be looked at again */
	int times;	  /* raised in a row, for chattering */
	int times_before; /* of the condition's last alarm, if it is recent */
	int escalations;
	/* What is there now: ids, 0 if there is none. */
	int64_t maintenance, out_of_service, sensor_fault, successor;
	const char *evidence; /* JSON object */
};

#define ALARM_ESCALATIONS_MAX 3
/* What came and went at once longer ago than this was never an alarm. */
#define ALARM_HISTORY_US (INT64_C(3600) * 1000000)

const char *alarm_state_name(enum alarm_state);
/*
 * What is to happen to it at `now_us`, without a person: an event of
 * alarm_fsm, or -1 and due_us is set.
 */
int alarm_next(struct alarm *, int64_t now_us);
/* Takes the row; `now_us` is when. */
void alarm_take(struct alarm *, const struct fsm_row *, int64_t now_us);
bool alarm_chatters(const struct alarm *);

#endif
