/* The life of alarms in memory, and what people do to them. */
#include "core/instant.h"
#include "store/twin.h"

#include <string.h>

void
twin_alarms_init(struct twin *t)
{
	const struct alarm_class quiet = {.fall_us = US_PER_DAY,
	    .chatter_limit = 3,
	    .chatter_window_us = 600 * US_PER_SECOND,
	    .chatter_hold_us = 300 * US_PER_SECOND};

	t->classes[SEVERITY_INFO] = quiet;
	t->classes[SEVERITY_WARNING] = quiet;
	t->classes[SEVERITY_WARNING].needs_ack = true;
	t->classes[SEVERITY_WARNING].escalate_us = 30 * US_PER_MINUTE;
	t->classes[SEVERITY_WARNING].climb_us = 4 * US_PER_HOUR;
	t->classes[SEVERITY_CRITICAL] = quiet;
	t->classes[SEVERITY_CRITICAL].needs_ack = true;
	t->classes[SEVERITY_CRITICAL].escalate_us = 10 * US_PER_MINUTE;
}

static bool
same(const struct condition *a, const struct condition *b)
{
	return (a->series == b->series && a->type == b->type &&
	    a->direction == b->direction && a->severity == b->severity &&
	    a->rule == b->rule);
}

static void
wake(struct twin *t, struct twin_anomaly *o)
{
	twin_touch(t, o, sizeof(*o));
	o->alarm.due_us = INT64_MIN + 1;
}

/* Its condition came or went. */
static void
turned(struct twin *t, struct twin_anomaly *o)
{
	struct twin_anomaly *b;

	wake(t, o);
	o->alarm.turned_us = INSTANT_NONE;
	for (b = t->anomalies + t->first_anomaly; b < o; b++) {
		if (same(&b->anomaly.condition, &o->anomaly.condition) &&
		    (b->alarm.state == ALARM_RETURNED ||
			b->alarm.state == ALARM_LATCHED))
			wake(t, b);
	}
}

static bool
waits(const struct twin_anomaly *o, int64_t first_us)
{
	const struct alarm *x = &o->alarm;

	if (x->state == ALARM_SHELVED)
		return (true);
	return ((x->state == ALARM_UNACKNOWLEDGED ||
		    x->state == ALARM_ACKNOWLEDGED) &&
	    alarm_chatters(x) &&
	    first_us < o->cleared_us + x->class.chatter_hold_us);
}

/* Shelved, or within the hold of one that chatters: the same anomaly. */
static struct twin_anomaly *
find_waiting(struct twin *t, const struct condition *c, int64_t first_us)
{
	size_t i;

	for (i = t->nanomalies; i-- > t->first_anomaly;) {
		if (same(&t->anomalies[i].anomaly.condition, c) &&
		    waits(&t->anomalies[i], first_us))
			return (&t->anomalies[i]);
	}
	return (NULL);
}

static void
reopen(struct twin *t, struct twin_anomaly *o, const struct anomaly *a)
{
	struct move m = {"anomaly", o->anomaly.id, "A2", "cleared", "open",
	    a->last_us, a->evidence, a->knowledge_version};

	turned(t, o);
	o->state = ANOMALY_OPEN;
	o->cleared_us = INSTANT_NONE;
	twin_move(t, &m);
}

static enum err
anomaly_raise(void *self, const struct anomaly *a, int64_t *ret_id,
    bool *ret_new, struct err_info *info)
{
	struct twin *t = self;
	struct twin_anomaly *o = twin_find_open(t, &a->condition);
	enum err err = twin_enter(t, "anomaly_raise", true, info);

	if (err != ERR_OK)
		return (err);
	if (o == NULL &&
	    (o = find_waiting(t, &a->condition, a->first_us)) != NULL)
		reopen(t, o, a);
	*ret_new = o == NULL;
	if (o == NULL) {
		if (t->nanomalies == TWIN_ANOMALIES)
			return (err_set(info, ERR_DATABASE, NULL, "full"));
		twin_touch(t, &t->nanomalies, sizeof(t->nanomalies));
		o = &t->anomalies[t->nanomalies++];
		*o = (struct twin_anomaly){
		    .anomaly = *a, .cleared_us = INSTANT_NONE};
		o->anomaly.id = (int64_t)t->nanomalies;
		o->anomaly.rule_id = twin_text(t, a->rule_id);
		o->alarm = (struct alarm){.priority = a->condition.severity,
		    .state_us = INSTANT_NONE,
		    .priority_us = INSTANT_NONE,
		    .shelved_until_us = INSTANT_NONE};
		turned(t, o);
	}
	twin_touch(t, o, sizeof(*o));
	o->anomaly.last_us = a->last_us;
	o->anomaly.value = a->value;
	o->anomaly.evidence = twin_text(t, a->evidence);
	*ret_id = o->anomaly.id;
	return (ERR_OK);
}

static enum err
anomaly_clear(void *self, const struct condition *c, const struct move *m,
    struct err_info *info)
{
	struct twin *t = self;
	struct twin_anomaly *o = twin_find_open(t, c);
	enum err err = twin_enter(t, "anomaly_clear", true, info);
	struct move own = *m;

	if (err != ERR_OK || o == NULL)
		return (err);
	twin_touch(t, o, sizeof(*o));
	o->state = ANOMALY_CLEARED;
	o->cleared_us = m->at_us;
	turned(t, o);
	own.id = o->anomaly.id;
	twin_move(t, &own);
	return (ERR_OK);
}

static enum err
anomaly_told(
    void *self, int32_t series, int64_t at_us, bool *ret, struct err_info *info)
{
	const struct twin *t = self;
	const struct twin_anomaly *o;
	enum err err = twin_enter(self, "anomaly_told", false, info);
	bool told = false;
	size_t i;

	if (err != ERR_OK)
		return (err);
	for (i = t->first_anomaly; i < t->nanomalies && !told; i++) {
		o = &t->anomalies[i];
		told = o->anomaly.condition.series == series &&
		    o->anomaly.condition.type != ANOMALY_UNUSUAL &&
		    o->anomaly.first_us <= at_us &&
		    (o->state == ANOMALY_OPEN || o->cleared_us > at_us);
	}
	*ret = told;
	return (ERR_OK);
}

static const struct series *
series_of(const struct twin *t, int32_t id)
{
	size_t i;

	for (i = 0; i < t->knowledge.nseries; i++) {
		if (t->knowledge.series[i].id == id)
			return (&t->knowledge.series[i]);
	}
	return (NULL);
}

static bool
is_about(const struct twin *t, const struct twin_hold *h, int32_t series)
{
	const struct series *s = series_of(t, series);

	return (h->series == series ||
	    (s != NULL &&
		(s->node_id == h->node ||
		    (h->zone != NULL && strcmp(h->zone, s->zone) == 0))));
}

static enum err
holds_turn(void *self, int64_t now_us, struct err_info *info)
{
	struct twin *t = self;
	struct twin_hold *h;
	size_t i, j;
	enum err err = twin_enter(t, "holds_turn", true, info);

	for (i = 0; err == ERR_OK && i < t->nholds; i++) {
		h = &t->holds[i];
		if (h->turn_us == INSTANT_NONE || h->turn_us > now_us)
			continue;
		twin_touch(t, h, sizeof(*h));
		h->turn_us = h->to_us > now_us ? h->to_us : INSTANT_NONE;
		h->ended |= h->to_us != INSTANT_NONE && h->to_us <= now_us;
		for (j = t->first_anomaly; j < t->nanomalies; j++) {
			if (is_about(
				t, h, t->anomalies[j].anomaly.condition.series))
				wake(t, &t->anomalies[j]);
		}
	}
	return (err);
}

static int64_t
hold_on(const struct twin *t, int32_t series, bool out, int64_t now_us)
{
	const struct twin_hold *h;
	size_t i;

	for (i = 0; i < t->nholds; i++) {
		h = &t->holds[i];
		if (!h->ended && h->out_of_service == out &&
		    h->from_us <= now_us &&
		    (h->to_us == INSTANT_NONE || h->to_us > now_us) &&
		    is_about(t, h, series))
			return ((int64_t)i + 1);
	}
	return (0);
}

/* What the database's statement says of it. */
static void
describe(struct twin *t, struct twin_anomaly *o, int64_t now_us)
{
	const struct twin_anomaly *end = t->anomalies + t->nanomalies, *b;
	const struct condition *c = &o->anomaly.condition;
	struct alarm *x = &o->alarm;

	x->id = o->anomaly.id;
	x->condition = *c;
	x->class = t->classes[c->severity];
	x->open = o->state == ANOMALY_OPEN;
	x->last_us = o->anomaly.last_us;
	x->evidence = o->anomaly.evidence;
	x->maintenance = hold_on(t, c->series, false, now_us);
	x->out_of_service = hold_on(t, c->series, true, now_us);
	x->sensor_fault = x->successor = x->times_before = 0;
	for (b = t->anomalies + t->first_anomaly; b < end; b++) {
		if (b->anomaly.condition.series == c->series &&
		    b->anomaly.condition.type == ANOMALY_FLATLINE &&
		    b->state == ANOMALY_OPEN &&
		    b->anomaly.first_us <= x->last_us)
			x->sensor_fault = b->anomaly.id;
		if (!same(&b->anomaly.condition, c))
			continue;
		if (b < o && b->alarm.turned_us != INSTANT_NONE &&
		    b->alarm.turned_us > now_us - x->class.chatter_window_us)
			x->times_before = b->alarm.times;
		if (b > o && x->successor == 0)
			x->successor = b->anomaly.id;
	}
}

static bool
is_due(const struct alarm *x, int64_t now_us)
{
	return (x->due_us != INSTANT_NONE && x->due_us <= now_us);
}

static bool
fault_is_due(const struct twin *t, int32_t series, int64_t now_us)
{
	const struct twin_anomaly *end = t->anomalies + t->nanomalies, *b;

	for (b = t->anomalies + t->first_anomaly; b < end; b++) {
		if (b->anomaly.condition.series == series &&
		    b->anomaly.condition.type == ANOMALY_FLATLINE &&
		    is_due(&b->alarm, now_us))
			return (true);
	}
	return (false);
}

static enum err
alarms_due(void *self, struct arena *a, int64_t now_us, struct alarm **ret,
    size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;
	struct twin_anomaly *o = t->anomalies + t->first_anomaly;
	struct twin_anomaly *end = t->anomalies + t->nanomalies;
	enum err err = twin_enter(t, "alarms_due", true, info);

	*ret = twin_list(t, a, (size_t)(end - o), sizeof(**ret));
	*ret_n = 0;
	if (*ret == NULL)
		return (twin_enter(t, "alarms_due", true, info));
	for (; err == ERR_OK && o < end; o++) {
		if (!is_due(&o->alarm, now_us) &&
		    (o->alarm.state == ALARM_NORMAL ||
			!fault_is_due(t, o->anomaly.condition.series, now_us)))
			continue;
		twin_touch(t, o, sizeof(*o));
		describe(t, o, now_us);
		(*ret)[(*ret_n)++] = o->alarm;
	}
	return (err);
}

/* The twin knows no links, so it groups nothing. */
static enum err
alarms_group(void *self, int64_t now_us, struct err_info *info)
{
	(void)now_us;
	return (twin_enter(self, "alarms_group", true, info));
}

/* A move is written only if it goes on from where the last one ended. */
static void
add_move(struct twin *t, struct twin_anomaly *o, const struct alarm_move *m)
{
	const struct fsm_row *row = m->row;
	int64_t hold = 0;

	if (row < alarm_fsm.rows || row >= alarm_fsm.rows + alarm_fsm.nrows ||
	    (row->from != FSM_ANY && row->from != (int)o->walked))
		twin_violate(t, "alarm %d: row %s from %s", (int)o->anomaly.id,
		    row->id, alarm_state_name(o->walked));
	if (row->event == ALARM_TAKE_OUT)
		hold = o->alarm.out_of_service;
	else if (row->event == ALARM_SUPPRESS)
		hold = o->alarm.maintenance;
	if (hold > 0) {
		twin_touch(t, &t->holds[hold - 1], sizeof(t->holds[0]));
		t->holds[hold - 1].held++;
	}
	twin_move(t,
	    &(struct move){"alarm", m->id, row->id, alarm_state_name(o->walked),
		alarm_state_name(
		    row->to == FSM_ANY ? o->walked : (enum alarm_state)row->to),
		m->at_us, m->facts, t->knowledge.version});
	if (row->to != FSM_ANY)
		o->walked = (enum alarm_state)row->to;
}

static enum err
alarms_put(void *self, const struct alarm *x, size_t n,
    const struct alarm_move *m, size_t nmoves, struct err_info *info)
{
	struct twin *t = self;
	struct twin_anomaly *o;
	size_t i;
	enum err err = twin_enter(t, "alarms_put", true, info);

	if (err != ERR_OK)
		return (err);
	for (i = 0; i < nmoves; i++) {
		o = &t->anomalies[m[i].id - 1];
		twin_touch(t, o, sizeof(*o));
		add_move(t, o, &m[i]);
	}
	for (i = 0; i < n; i++) {
		o = &t->anomalies[x[i].id - 1];
		twin_touch(t, o, sizeof(*o));
		o->alarm = x[i];
		if (o->walked != x[i].state)
			twin_violate(t, "alarm %d moved without a row",
			    (int)o->anomaly.id);
	}
	return (ERR_OK);
}

bool
twin_alarm(struct twin *t, int64_t id, enum alarm_event event)
{
	struct twin_anomaly *o = &t->anomalies[id - 1];
	const struct fsm_row *row =
	    fsm_find(&alarm_fsm, (int)o->alarm.state, (int)event);
	struct alarm_move m = {id, t->now_us, row, "{}"};

	if (row == NULL)
		return (false);
	add_move(t, o, &m);
	if (row->to != FSM_ANY)
		alarm_take(&o->alarm, row, t->now_us);
	wake(t, o);
	return (true);
}

bool
twin_shelve(struct twin *t, int64_t id, int64_t until_us)
{
	if (!twin_alarm(t, id, ALARM_SHELVE))
		return (false);
	t->anomalies[id - 1].alarm.shelved_until_us = until_us;
	return (true);
}

struct twin_hold *
twin_hold(struct twin *t, const struct twin_hold *h)
{
	if (t->nholds == TWIN_HOLDS)
		return (NULL);
	t->holds[t->nholds] = *h;
	t->holds[t->nholds].turn_us = h->from_us;
	return (&t->holds[t->nholds++]);
}

void
twin_alarms(struct ports *p)
{
	p->decisions.anomaly_raise = anomaly_raise;
	p->decisions.anomaly_clear = anomaly_clear;
	p->decisions.anomaly_told = anomaly_told;
	p->decisions.holds_turn = holds_turn;
	p->decisions.alarms_due = alarms_due;
	p->decisions.alarms_put = alarms_put;
	p->decisions.alarms_group = alarms_group;
}
