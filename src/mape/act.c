#include "mape/act.h"

#include "domain/plan.h"

#include <stdio.h>

enum err
act_move(struct act *a, const struct fsm *fsm, int64_t id, int from, int event,
    const char *facts_json)
{
	const struct decisions_port *d = &a->ports->decisions;
	const struct fsm_row *row = fsm_find(fsm, from, event);
	struct move m;

	if (row == NULL)
		return (err_set(a->info, ERR_INTERNAL, NULL,
		    "%s: no row from %s on %s", fsm->name, fsm->states[from],
		    fsm->events[event]));
	if (facts_json == NULL)
		return (act_no_memory(a));
	m = (struct move){
	    .subject = fsm->name,
	    .id = id,
	    .row_id = row->id,
	    .from = fsm->states[from],
	    .to = fsm->states[row->to],
	    .at_us = a->now_us,
	    .facts = facts_json,
	    .knowledge_version = a->knowledge->version,
	};
	return (d->move(d->self, &m, a->info));
}

enum err
act_cancel_rest(struct act *a, int64_t plan_id, const char *facts)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct command *c;
	size_t i, n;
	enum err err;

	err = d->commands_of(d->self, a->arena, plan_id, &c, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if (c[i].state == COMMAND_PLANNED ||
		    c[i].state == COMMAND_QUEUED)
			err = act_move(a, &command_fsm, c[i].id,
			    (int)c[i].state, COMMAND_CANCEL, facts);
	}
	return (err);
}

enum err
act_no_memory(struct act *a)
{
	return (
	    err_set(a->info, ERR_NO_MEMORY, NULL, "the cycle's arena is full"));
}

char *
act_keep(struct act *a, struct text *t)
{
	char *s = text_ok(t) ? arena_strndup(a->arena, t->s, t->len) : NULL;

	text_done(t);
	return (s);
}

char *
act_fact(struct act *a, const char *key, const char *value)
{
	struct text t;

	text_init(&t, 2048);
	json_object(&t, NULL);
	json_string(&t, key, value);
	json_object_end(&t);
	return (act_keep(a, &t));
}

const struct series_state *
act_state(struct act *a, int32_t series)
{
	const struct telemetry_port *t = &a->ports->telemetry;
	const struct knowledge_port *k = &a->ports->knowledge;
	struct series_state *st;

	if (t->owns == NULL || t->owns(t->self, series))
		return (memory_find(a->memory, series));
	st = arena_alloc(a->arena, sizeof(*st));
	if (st == NULL ||
	    k->states_load(k->self, &series, 1, st, a->info) != ERR_OK)
		return (NULL);
	return (st);
}

void
act_uuid(struct act *a, char ret[static 37])
{
	const struct entropy_port *e = &a->ports->entropy;
	unsigned char b[16];

	e->fill(e->self, b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(ret, 37,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
	    b[11], b[12], b[13], b[14], b[15]);
}

double
act_uniform(struct act *a)
{
	const struct entropy_port *e = &a->ports->entropy;
	uint64_t v;

	e->fill(e->self, &v, sizeof(v));
	return ((double)(v >> 11) * 0x1p-53);
}
