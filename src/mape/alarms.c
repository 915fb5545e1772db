#include "mape/alarms.h"

#include "domain/alarm.h"

/* An alarm takes a few steps at once; more would be a table that goes round. */
#define STEPS_MAX 8

struct moving {
	struct act *a;
	struct alarm_move *moves;
	size_t n;
};

static void
name_cause(struct text *t, const struct alarm *x, int event)
{
	if (event == ALARM_TAKE_OUT)
		json_int(t, "hold", x->out_of_service);
	else if (x->maintenance != 0)
		json_int(t, "hold", x->maintenance);
	else
		json_int(t, "sensor_fault", x->sensor_fault);
}

/* What the row was taken for; `x` as it was before. */
static char *
facts(struct act *a, const struct alarm *x, int event)
{
	struct text t;

	text_init(&t, 2048);
	json_object(&t, NULL);
	if (event == ALARM_SUPPRESS || event == ALARM_TAKE_OUT)
		name_cause(&t, x, event);
	if (event == ALARM_SUPERSEDE)
		json_int(&t, "successor", x->successor);
	if (event == ALARM_ESCALATE) {
		json_int(&t, "level", x->escalations + 1);
		json_instant(&t, "unacknowledged_since", x->state_us);
	}
	if (event == ALARM_CLIMB || event == ALARM_FALL) {
		json_string(&t, "priority",
		    severity_name(
			x->priority + (event == ALARM_CLIMB ? 1 : -1)));
		json_instant(&t, "since", x->priority_us);
	}
	if (alarm_chatters(x))
		json_int(&t, "raised_times", x->times);
	json_object_end(&t);
	return (act_keep(a, &t));
}

static enum err
step(struct moving *m, struct alarm *x, int event)
{
	const struct notifier_port *notifier = &m->a->ports->notifier;
	const struct fsm_row *row = fsm_find(&alarm_fsm, (int)x->state, event);
	struct alarm_move *move = &m->moves[m->n];

	if (row == NULL)
		return (err_set(m->a->info, ERR_INTERNAL, NULL,
		    "alarm: no row from %s on %s", alarm_state_name(x->state),
		    alarm_fsm.events[event]));
	*move = (struct alarm_move){x->id, m->a->now_us, row,
	    event == ALARM_RAISE ? x->evidence : facts(m->a, x, event)};
	if (move->facts == NULL)
		return (act_no_memory(m->a));
	m->n++;
	if (event == ALARM_ESCALATE)
		notifier->notify(
		    notifier->self, "alarm_escalated", x->id, move->facts);
	alarm_take(x, row, m->a->now_us);
	return (ERR_OK);
}

static enum err
move_one(struct moving *m, struct alarm *x)
{
	enum err err;
	int event, steps = 0;

	while ((event = alarm_next(x, m->a->now_us)) >= 0) {
		if (steps++ == STEPS_MAX)
			return (err_set(m->a->info, ERR_INTERNAL, NULL,
			    "alarm %lld does not come to rest",
			    (long long)x->id));
		if ((err = step(m, x, event)) != ERR_OK)
			return (err);
	}
	return (ERR_OK);
}

enum err
alarms_move(struct act *a)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct moving m = {.a = a};
	struct alarm *x;
	size_t i, n;
	enum err err;

	if ((err = d->holds_turn(d->self, a->now_us, a->info)) != ERR_OK ||
	    (err = d->alarms_due(
		 d->self, a->arena, a->now_us, &x, &n, a->info)) != ERR_OK ||
	    n == 0)
		return (err);
	m.moves = arena_alloc(a->arena, n * STEPS_MAX * sizeof(*m.moves));
	if (m.moves == NULL)
		return (act_no_memory(a));
	for (i = 0; err == ERR_OK && i < n; i++)
		err = move_one(&m, &x[i]);
	if (err != ERR_OK)
		return (err);
	err = d->alarms_put(d->self, x, n, m.moves, m.n, a->info);
	if (err != ERR_OK)
		return (err);
	return (d->alarms_group(d->self, a->now_us, a->info));
}
