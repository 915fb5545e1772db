#include "walks.h"

#include <stdio.h>
#include <string.h>

static const struct fsm *const tables[] = {
    [WALKS_ANOMALY] = &anomaly_fsm,
    [WALKS_ALARM] = &alarm_fsm,
    [WALKS_PLAN] = &plan_fsm,
    [WALKS_COMMAND] = &command_fsm,
};

#define SUBJECTS (sizeof(tables) / sizeof(tables[0]))

static size_t
subject_of(const struct move *m)
{
	size_t i;

	for (i = 0; i < SUBJECTS; i++) {
		if (strcmp(tables[i]->name, m->subject) == 0)
			break;
	}
	return (i);
}

static const struct fsm_row *
row_of(const struct fsm *fsm, const char *id)
{
	size_t i;

	for (i = 0; i < fsm->nrows; i++) {
		if (strcmp(fsm->rows[i].id, id) == 0)
			return (&fsm->rows[i]);
	}
	return (NULL);
}

/* From where the last one ended, by a row that leads from there. */
static bool
goes_on(struct walks *k, const struct move *m)
{
	size_t s = subject_of(m);
	const struct fsm_row *row =
	    s < SUBJECTS ? row_of(tables[s], m->row_id) : NULL;
	unsigned char *at;
	int to;

	if (row == NULL)
		return (false);
	at = &k->at[s][m->id - 1];
	to = row->to == FSM_ANY ? *at : row->to;
	if ((row->from != FSM_ANY && row->from != *at) ||
	    strcmp(m->from, tables[s]->states[*at]) != 0 ||
	    strcmp(m->to, tables[s]->states[to]) != 0)
		return (false);
	*at = (unsigned char)to;
	return (true);
}

static void
compare(const struct walks *k, const struct twin *t, char ret[static 200])
{
	const struct twin_anomaly *o;
	size_t i;

	for (i = t->first_anomaly; i < t->nanomalies; i++) {
		o = &t->anomalies[i];
		if (k->at[WALKS_ANOMALY][i] != (int)o->state ||
		    k->at[WALKS_ALARM][i] != (int)o->alarm.state)
			(void)snprintf(
			    ret, 200, "anomaly %zu is where none led", i + 1);
	}
	for (i = t->first_plan; i < t->nplans; i++)
		if (k->at[WALKS_PLAN][i] != (int)t->plans[i].plan.state)
			(void)snprintf(
			    ret, 200, "plan %zu is where none led", i + 1);
	for (i = t->first_command; i < t->ncommands; i++)
		if (k->at[WALKS_COMMAND][i] !=
		    (int)t->commands[i].command.state)
			(void)snprintf(
			    ret, 200, "command %zu is where none led", i + 1);
}

static bool
is_live(const struct twin *t, const struct command *c)
{
	return (t->plans[c->plan_id - 1].plan.state <= PLAN_VERIFYING);
}

static void
check_links(const struct twin *t, char ret[static 200])
{
	const struct command *a, *b;
	size_t i, j;

	for (i = t->first_command; i < t->ncommands; i++) {
		a = &t->commands[i].command;
		for (j = i + 1; is_live(t, a) && j < t->ncommands; j++) {
			b = &t->commands[j].command;
			if (b->link_id == a->link_id &&
			    b->plan_id != a->plan_id && is_live(t, b))
				(void)snprintf(ret, 200,
				    "plans %lld and %lld both hold link %d",
				    (long long)a->plan_id,
				    (long long)b->plan_id, a->link_id);
		}
	}
}

void
walks_check(struct walks *k, const struct twin *t, char ret[static 200])
{
	const struct move *m;

	for (; k->seen < t->ntransitions; k->seen++) {
		m = &t->transitions[k->seen];
		if (!goes_on(k, m))
			(void)snprintf(ret, 200, "%s %lld: %s from %s to %s",
			    m->subject, (long long)m->id, m->row_id, m->from,
			    m->to);
	}
	compare(k, t, ret);
	check_links(t, ret);
	if (t->violation[0] != '\0')
		(void)snprintf(ret, 200, "%s", t->violation);
}

int
walks_anomalies(const struct twin *t, enum anomaly_type type)
{
	int n = 0;
	size_t i;

	for (i = 0; i < t->nanomalies; i++)
		n += t->anomalies[i].anomaly.condition.type == type;
	return (n);
}

int
walks_hard(const struct twin *t, bool asked)
{
	const struct twin_command *c;
	int n = 0;
	size_t i;

	for (i = 0; i < t->ncommands; i++) {
		c = &t->commands[i];
		n += asked ? c->asks > 0 : c->sends > 1;
	}
	return (n);
}
