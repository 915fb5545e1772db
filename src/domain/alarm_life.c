/* How an alarm moves on by itself: one event at a time, from what is there. */
#include "core/instant.h"
#include "domain/alarm.h"

bool
alarm_chatters(const struct alarm *a)
{
	return (
	    a->class.chatter_limit > 0 && a->times >= a->class.chatter_limit);
}

/* A time of the class, counted from `since`; true once it is over. */
static bool
over(struct alarm *a, int64_t since_us, int64_t lasts_us, int64_t now_us)
{
	int64_t end;

	if (lasts_us <= 0 || since_us == INSTANT_NONE)
		return (false);
	end = since_us + lasts_us;
	if (end > now_us && (a->due_us == INSTANT_NONE || end < a->due_us))
		a->due_us = end;
	return (end <= now_us);
}

/* The condition came or went since this was last looked at. */
static void
turn(struct alarm *a, int64_t now_us)
{
	a->turned_us = now_us;
	if (a->state == ALARM_NORMAL)
		a->times = a->times_before + 1;
	else if (a->open)
		a->times++;
}

static bool
covered(const struct alarm *a)
{
	return (a->maintenance != 0 ||
	    (a->sensor_fault != 0 &&
		!anomaly_is_sensor_fault(a->condition.type)));
}

/* A condition that was gone before anybody could have seen it. */
static int
brief(const struct alarm *a, int64_t now_us)
{
	if (a->class.needs_ack && !covered(a) && a->out_of_service == 0 &&
	    a->last_us > now_us - ALARM_HISTORY_US)
		return (ALARM_RAISE);
	return (-1);
}

/* Annunciated, or about to be. */
static bool
heard(const struct alarm *a)
{
	return (a->open &&
	    (a->state == ALARM_NORMAL || a->state == ALARM_UNACKNOWLEDGED ||
		a->state == ALARM_ACKNOWLEDGED));
}

static int
keep_quiet(const struct alarm *a)
{
	if (a->out_of_service != 0 &&
	    (heard(a) || a->state == ALARM_SHELVED ||
		a->state == ALARM_SUPPRESSED))
		return (ALARM_TAKE_OUT);
	if (heard(a) && covered(a))
		return (ALARM_SUPPRESS);
	if (a->state != ALARM_SUPPRESSED && a->state != ALARM_OUT_OF_SERVICE)
		return (-1);
	if (!a->open)
		return (ALARM_CLEAR);
	if (a->state == ALARM_OUT_OF_SERVICE)
		return (a->out_of_service == 0 ? ALARM_PUT_BACK : -1);
	return (covered(a) ? -1 : ALARM_RELEASE);
}

static int
clear(struct alarm *a, int64_t now_us)
{
	if (a->open)
		return (-1);
	if (alarm_chatters(a) && a->class.chatter_hold_us > 0 &&
	    !over(a, a->turned_us, a->class.chatter_hold_us, now_us))
		return (-1);
	if (a->state == ALARM_UNACKNOWLEDGED)
		return (a->class.needs_ack ? ALARM_CLEAR : ALARM_CLEAR_JOURNAL);
	return (a->class.latching ? ALARM_CLEAR_LATCHING : ALARM_CLEAR);
}

static int
last(struct alarm *a, int64_t now_us)
{
	int64_t since = a->state_us;
	int event = clear(a, now_us);

	if (event >= 0)
		return (event);
	if (a->state == ALARM_UNACKNOWLEDGED &&
	    a->escalations < ALARM_ESCALATIONS_MAX &&
	    over(a, since, a->class.escalate_us * (a->escalations + 1), now_us))
		return (ALARM_ESCALATE);
	if (a->priority < SEVERITY_CRITICAL &&
	    over(a, a->priority_us, a->class.climb_us, now_us))
		return (ALARM_CLIMB);
	return (-1);
}

static int
fade(struct alarm *a, int64_t now_us)
{
	if (a->successor != 0)
		return (ALARM_SUPERSEDE);
	if (a->priority > SEVERITY_INFO &&
	    over(a, a->priority_us > a->state_us ? a->priority_us : a->state_us,
		a->class.fall_us, now_us))
		return (ALARM_FALL);
	return (-1);
}

static int
expire(struct alarm *a, int64_t now_us)
{
	/* One without an end is a shelf that is over. */
	if (a->shelved_until_us != INSTANT_NONE &&
	    !over(a, a->shelved_until_us - 1, 1, now_us))
		return (-1);
	if (a->open)
		return (ALARM_EXPIRE_ACTIVE);
	return (a->class.latching ? ALARM_EXPIRE_LATCHING : ALARM_EXPIRE);
}

int
alarm_next(struct alarm *a, int64_t now_us)
{
	bool turned = a->turned_us == INSTANT_NONE;
	int event;

	a->due_us = INSTANT_NONE;
	if (turned)
		turn(a, now_us);
	if ((event = keep_quiet(a)) >= 0)
		return (event);
	switch (a->state) {
	case ALARM_NORMAL:
		if (a->open)
			return (ALARM_RAISE);
		return (turned ? brief(a, now_us) : -1);
	case ALARM_UNACKNOWLEDGED:
	case ALARM_ACKNOWLEDGED:
		return (last(a, now_us));
	case ALARM_RETURNED:
	case ALARM_LATCHED:
		return (fade(a, now_us));
	case ALARM_SHELVED:
		return (expire(a, now_us));
	default:
		return (-1);
	}
}

void
alarm_take(struct alarm *a, const struct fsm_row *row, int64_t now_us)
{
	enum alarm_event event = (enum alarm_event)row->event;

	if (row->to != row->from) {
		a->state = (enum alarm_state)row->to;
		a->state_us = now_us;
		/* Nobody could look while it was kept quiet. */
		if (a->state == ALARM_UNACKNOWLEDGED) {
			a->escalations = 0;
			a->priority_us = now_us;
		}
		if (a->state != ALARM_SHELVED)
			a->shelved_until_us = INSTANT_NONE;
	}
	if (event == ALARM_RAISE)
		a->priority = a->condition.severity;
	if (event == ALARM_ESCALATE)
		a->escalations++;
	if (event == ALARM_CLIMB || event == ALARM_FALL) {
		a->priority += event == ALARM_CLIMB ? 1 : -1;
		a->priority_us = now_us;
	}
}
