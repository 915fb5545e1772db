#include "store/twin.h"

#include "core/instant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct twin_anomaly *
twin_find_open(struct twin *t, const struct condition *c)
{
	const struct condition *o;
	size_t i;

	for (i = t->nanomalies; i-- > t->first_anomaly;) {
		o = &t->anomalies[i].anomaly.condition;
		if (t->anomalies[i].state == ANOMALY_OPEN &&
		    o->series == c->series && o->type == c->type &&
		    o->direction == c->direction &&
		    o->severity == c->severity && o->rule == c->rule)
			return (&t->anomalies[i]);
	}
	return (NULL);
}

struct twin_plan *
twin_find_plan(struct twin *t, int64_t id)
{
	return (id < 1 || (size_t)id > t->nplans ? NULL : &t->plans[id - 1]);
}

struct twin_command *
twin_find_command(struct twin *t, int64_t id)
{
	return (
	    id < 1 || (size_t)id > t->ncommands ? NULL : &t->commands[id - 1]);
}

void
twin_move(struct twin *t, const struct move *m)
{
	struct move *row;

	if (t->ntransitions == t->transitions_cap) {
		size_t cap = 2 * t->transitions_cap + 1024;

		row = twin_grow(t, t->transitions, cap * sizeof(*row));
		if (row == NULL)
			return;
		t->transitions = row;
		t->transitions_cap = cap;
	}
	twin_touch(t, &t->ntransitions, sizeof(t->ntransitions));
	row = &t->transitions[t->ntransitions++];
	*row = *m;
	row->facts = twin_text(t, m->facts);
	if (m->facts == NULL || m->facts[0] != '{')
		twin_violate(t, "%s: facts are no object", m->row_id);
}

bool
twin_is_final(enum plan_state state)
{
	return (state > PLAN_VERIFYING);
}

/* A live plan holds the link that the reasons name. */
static bool
held_back(struct twin *t, const struct twin_anomaly *o)
{
	const struct command *c;
	char link[128];
	size_t i;

	for (i = t->first_command; i < t->ncommands; i++) {
		c = &t->commands[i].command;
		(void)snprintf(link, sizeof(link), "\"link\":\"%s\"", c->link);
		if (strstr(o->reasons, link) != NULL &&
		    !twin_is_final(twin_find_plan(t, c->plan_id)->plan.state))
			return (true);
	}
	return (false);
}

static bool
came_to_nothing(const struct twin *t, const struct twin_anomaly *o)
{
	const struct plan *p;
	size_t i;

	for (i = t->first_plan; i < t->nplans; i++) {
		p = &t->plans[i].plan;
		if (p->anomaly_id == o->anomaly.id &&
		    p->state != PLAN_EXPIRED && p->state != PLAN_FAILED &&
		    p->state != PLAN_SUPERSEDED)
			return (false);
	}
	return (true);
}

static bool
is_quiet(const struct twin_anomaly *o)
{
	return (o->alarm.state == ALARM_SHELVED ||
	    o->alarm.state == ALARM_SUPPRESSED ||
	    o->alarm.state == ALARM_OUT_OF_SERVICE);
}

static bool
is_due(struct twin *t, const struct twin_anomaly *o, int64_t fresh_us)
{
	if (o->state != ANOMALY_OPEN || is_quiet(o))
		return (false);
	if (o->planning == NULL)
		return (true);
	if (o->anomaly.last_us < fresh_us)
		return (false);
	if (strcmp(o->planning, "plan_open") == 0)
		return (!held_back(t, o));
	if (strcmp(o->planning, "proposed") == 0)
		return (came_to_nothing(t, o));
	return (strstr(o->reasons, "\"history\":") != NULL);
}

static enum err
anomalies_unplanned(void *self, struct arena *a, int64_t fresh_us,
    struct anomaly **ret, size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;
	const struct twin_anomaly *o;
	size_t i, n = 0;
	int severity;
	enum err err = twin_enter(t, "anomalies_unplanned", false, info);

	*ret = twin_list(t, a, t->nanomalies - t->first_anomaly, sizeof(**ret));
	if (*ret == NULL)
		return (twin_enter(t, "anomalies_unplanned", false, info));
	for (severity = SEVERITY_CRITICAL; severity >= 0; severity--) {
		for (i = t->first_anomaly; i < t->nanomalies; i++) {
			o = &t->anomalies[i];
			if ((int)o->anomaly.condition.severity == severity &&
			    is_due(t, o, fresh_us))
				(*ret)[n++] = o->anomaly;
		}
	}
	*ret_n = n;
	return (err);
}

static enum err
anomalies_open(void *self, int64_t ret[3], struct err_info *info)
{
	struct twin *t = self;
	size_t i;

	memset(ret, 0, 3 * sizeof(ret[0]));
	for (i = t->first_anomaly; i < t->nanomalies; i++) {
		if (t->anomalies[i].state == ANOMALY_OPEN &&
		    !is_quiet(&t->anomalies[i]))
			ret[t->anomalies[i].anomaly.condition.severity]++;
	}
	return (twin_enter(t, "anomalies_open", false, info));
}

static enum err
anomaly_planned(void *self, int64_t id, const char *outcome,
    const char *reasons_json, struct err_info *info)
{
	struct twin *t = self;
	struct twin_anomaly *o = &t->anomalies[id - 1];
	enum err err = twin_enter(t, "anomaly_planned", true, info);

	if (err != ERR_OK)
		return (err);
	twin_touch(t, o, sizeof(*o));
	o->planning = twin_text(t, outcome);
	o->reasons = twin_text(t, reasons_json);
	return (ERR_OK);
}

void
twin_add_command(struct twin *t, int64_t plan_id, const struct command *c)
{
	struct twin_command *row;
	size_t i;

	if (t->ncommands == TWIN_COMMANDS) {
		twin_break(t, ERR_DATABASE);
		return;
	}
	for (i = 0; i < t->ncommands; i++) {
		if (strcmp(t->commands[i].command.key, c->key) == 0)
			twin_violate(t, "key %s twice", c->key);
	}
	twin_touch(t, &t->ncommands, sizeof(t->ncommands));
	row = &t->commands[t->ncommands++];
	*row = (struct twin_command){.command = *c,
	    .approved_us = INSTANT_NONE,
	    .sent_us = INSTANT_NONE};
	row->command.id = (int64_t)t->ncommands;
	row->command.plan_id = plan_id;
	row->command.gateway_url = "memory:";
}

static enum err
plan_propose(void *self, const struct plan *p, const struct command *c,
    size_t n, int64_t *ret_id, struct err_info *info)
{
	struct twin *t = self;
	struct twin_plan *row;
	size_t i;
	enum err err = twin_enter(t, "plan_propose", true, info);

	if (err != ERR_OK)
		return (err);
	if (t->nplans == TWIN_PLANS || t->ncommands + n > TWIN_COMMANDS)
		return (err_set(info, ERR_DATABASE, NULL, "full"));
	if (!came_to_nothing(t, &t->anomalies[p->anomaly_id - 1]))
		twin_violate(
		    t, "anomaly %lld planned twice", (long long)p->anomaly_id);
	twin_touch(t, &t->nplans, sizeof(t->nplans));
	row = &t->plans[t->nplans++];
	*row = (struct twin_plan){.plan = *p};
	row->plan.id = (int64_t)t->nplans;
	row->plan.sent_us = INSTANT_NONE;
	row->plan.reasons = twin_text(t, p->reasons);
	for (i = 0; i < n; i++)
		twin_add_command(t, row->plan.id, &c[i]);
	*ret_id = row->plan.id;
	return (ERR_OK);
}

static enum err
plan_open_on(
    void *self, int32_t link_id, struct plan_holder *ret, struct err_info *info)
{
	struct twin *t = self;
	const struct command *c;
	const struct plan *p;
	size_t i;

	*ret = (struct plan_holder){0};
	for (i = 0; i < t->ncommands; i++) {
		c = &t->commands[i].command;
		p = &twin_find_plan(t, c->plan_id)->plan;
		if (c->link_id != link_id || twin_is_final(p->state) ||
		    (ret->plan_id != 0 && ret->state != PLAN_PROPOSED))
			continue;
		*ret = (struct plan_holder){p->id, (int)p->state,
		    (int)t->anomalies[p->anomaly_id - 1]
			.anomaly.condition.severity,
		    p->undoes};
	}
	return (twin_enter(t, "plan_open_on", false, info));
}

/* Since when what is before the plan is what it is to change. */
static int64_t
began(struct twin *t, const struct plan *p)
{
	const struct twin_plan *undone = twin_find_plan(t, p->undoes);

	if (undone == NULL || undone->plan.executed_us == INSTANT_NONE)
		return (t->anomalies[p->anomaly_id - 1].anomaly.first_us);
	return (undone->plan.executed_us + undone->plan.dwell_us);
}

static enum err
plans_in(void *self, struct arena *a, int state, struct plan **ret,
    size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;
	struct plan *p;
	size_t i, n = 0;

	*ret = twin_list(t, a, t->nplans - t->first_plan, sizeof(**ret));
	if (*ret == NULL)
		return (twin_enter(t, "plans_in", false, info));
	for (i = t->first_plan; i < t->nplans; i++) {
		if ((int)t->plans[i].plan.state != state)
			continue;
		p = &(*ret)[n++];
		*p = t->plans[i].plan;
		p->began_us = began(t, p);
		p->preapproved = p->undoes == 0 &&
		    twin_template(t, p->template_id)->preapproved;
		p->anomaly_cleared = p->undoes == 0 &&
		    t->anomalies[p->anomaly_id - 1].state == ANOMALY_CLEARED;
	}
	*ret_n = n;
	return (twin_enter(t, "plans_in", false, info));
}

static enum err
commands_of(void *self, struct arena *a, int64_t plan_id, struct command **ret,
    size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;
	size_t i, n = 0;

	*ret = twin_list(t, a, t->ncommands - t->first_command, sizeof(**ret));
	if (*ret == NULL)
		return (twin_enter(t, "commands_of", false, info));
	for (i = t->first_command; i < t->ncommands; i++) {
		if (t->commands[i].command.plan_id == plan_id)
			(*ret)[n++] = t->commands[i].command;
	}
	*ret_n = n;
	return (twin_enter(t, "commands_of", false, info));
}

static bool
has_undone_before(const struct twin *t, const struct command *c)
{
	const struct command *e;
	size_t i;

	for (i = t->first_command; i < t->ncommands; i++) {
		e = &t->commands[i].command;
		if (e->plan_id == c->plan_id && e->step < c->step &&
		    e->state != COMMAND_EXECUTED &&
		    e->state != COMMAND_VERIFIED)
			return (true);
	}
	return (false);
}

static bool
is_due_command(
    const struct twin *t, const struct twin_command *row, int64_t now_us)
{
	const struct command *c = &row->command;

	if (row->dead || c->next_attempt_us > now_us)
		return (false);
	if (c->state == COMMAND_QUEUED)
		return (!has_undone_before(t, c));
	return (c->state == COMMAND_SENT || c->state == COMMAND_ACCEPTED ||
	    c->state == COMMAND_UNKNOWN);
}

static enum err
commands_due(void *self, struct arena *a, int64_t now_us, size_t each,
    struct command **ret, size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;
	size_t i, j, same, n = 0;

	*ret = twin_list(t, a, t->ncommands - t->first_command, sizeof(**ret));
	if (*ret == NULL)
		return (twin_enter(t, "commands_due", false, info));
	for (i = t->first_command; i < t->ncommands; i++) {
		if (!is_due_command(t, &t->commands[i], now_us))
			continue;
		(*ret)[n] = t->commands[i].command;
		for (j = 0, same = 0; j < n; j++)
			same += (*ret)[j].gateway_id == (*ret)[n].gateway_id;
		if (same < each)
			n++;
	}
	*ret_n = n;
	return (twin_enter(t, "commands_due", false, info));
}

/* Both states and the row's id must be of one row of the table. */
static const struct fsm_row *
table_row(struct twin *t, const struct fsm *fsm, const struct move *m)
{
	size_t i;

	for (i = 0; i < fsm->nrows; i++) {
		if (strcmp(fsm->rows[i].id, m->row_id) == 0 &&
		    fsm->rows[i].from == fsm_state(fsm, m->from) &&
		    fsm->rows[i].to == fsm_state(fsm, m->to))
			return (&fsm->rows[i]);
	}
	twin_violate(t, "%s: no row %s", fsm->name, m->row_id);
	return (NULL);
}

static enum err
conflict(const struct move *m, struct err_info *info)
{
	return (err_set(info, ERR_CONFLICT, NULL, "%s %lld is not %s",
	    m->subject, (long long)m->id, m->from));
}

static enum err
move_plan(struct twin *t, const struct move *m, struct err_info *info)
{
	const struct fsm_row *row = table_row(t, &plan_fsm, m);
	struct twin_plan *p = twin_find_plan(t, m->id);

	if (row == NULL || p == NULL || (int)p->plan.state != row->from)
		return (conflict(m, info));
	twin_touch(t, p, sizeof(*p));
	p->plan.state = (enum plan_state)row->to;
	if (p->plan.state == PLAN_EXECUTING && p->plan.sent_us == INSTANT_NONE)
		p->plan.sent_us = m->at_us;
	if (p->plan.state == PLAN_VERIFYING)
		p->plan.executed_us = m->at_us;
	if (row->from == PLAN_VERIFYING)
		p->verdict = twin_text(t, m->facts);
	if (p->plan.state == PLAN_VERIFYING && p->plan.undoes != 0)
		twin_undone(t, p->plan.undoes);
	return (ERR_OK);
}

static enum err
move_command(struct twin *t, const struct move *m, struct err_info *info)
{
	const struct fsm_row *row = table_row(t, &command_fsm, m);
	struct twin_command *c = twin_find_command(t, m->id);

	if (row == NULL || c == NULL || (int)c->command.state != row->from)
		return (conflict(m, info));
	twin_touch(t, c, sizeof(*c));
	c->command.state = (enum command_state)row->to;
	if (row->to == COMMAND_SENT)
		c->sent_us = m->at_us;
	c->dead = row->event == COMMAND_GIVE_UP || row->to == COMMAND_FAILED ||
	    row->to == COMMAND_EXPIRED;
	return (ERR_OK);
}

static enum err
move(void *self, const struct move *m, struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "move", true, info);

	if (err == ERR_OK)
		err = strcmp(m->subject, "plan") == 0
		    ? move_plan(t, m, info)
		    : move_command(t, m, info);
	if (err == ERR_OK)
		twin_move(t, m);
	return (err);
}

static enum err
command_attempt(void *self, const struct command *c, const char *error,
    struct err_info *info)
{
	struct twin *t = self;
	struct twin_command *row = twin_find_command(t, c->id);
	enum err err = twin_enter(t, "command_attempt", true, info);

	if (err != ERR_OK)
		return (err);
	twin_touch(t, row, sizeof(*row));
	row->command.attempts = c->attempts;
	row->command.asked = c->asked;
	row->command.ask_until_us = c->ask_until_us;
	row->command.next_attempt_us = c->next_attempt_us;
	row->command.not_after_us = c->not_after_us;
	row->error = twin_text(t, error);
	return (ERR_OK);
}

static enum err
breakers_load(void *self, struct arena *a, struct breaker_state **ret,
    size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;

	*ret = twin_list(t, a, TWIN_BREAKERS, sizeof(**ret));
	if (*ret == NULL)
		return (twin_enter(t, "breakers_load", false, info));
	memcpy(*ret, t->breakers, sizeof(t->breakers));
	*ret_n = t->nbreakers;
	return (twin_enter(t, "breakers_load", false, info));
}

static enum err
breaker_save(void *self, const struct breaker_state *b, struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "breaker_save", true, info);
	size_t i;

	if (err != ERR_OK)
		return (err);
	for (i = 0; i < t->nbreakers; i++) {
		if (t->breakers[i].gateway_id == b->gateway_id)
			break;
	}
	if (i == TWIN_BREAKERS)
		return (err_set(info, ERR_DATABASE, NULL, "full"));
	twin_touch(t, &t->breakers[i], sizeof(*b));
	t->breakers[i] = *b;
	if (i == t->nbreakers) {
		twin_touch(t, &t->nbreakers, sizeof(t->nbreakers));
		t->nbreakers++;
	}
	return (ERR_OK);
}

void
twin_decisions(struct twin *t, struct ports *p)
{
	struct decisions_port *d = &p->decisions;

	d->anomalies_unplanned = anomalies_unplanned;
	d->anomalies_open = anomalies_open;
	d->anomaly_planned = anomaly_planned;
	d->plan_propose = plan_propose;
	d->plan_open_on = plan_open_on;
	d->plan_unasked = twin_plan_unasked;
	d->plans_in = plans_in;
	d->commands_of = commands_of;
	d->commands_due = commands_due;
	d->move = move;
	d->command_attempt = command_attempt;
	d->guard_asset = twin_guard_asset;
	d->breakers_load = breakers_load;
	d->breaker_save = breaker_save;
	twin_field(t, p);
	twin_alarms(p);
}
