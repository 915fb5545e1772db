/* What a long run lets go of, what a rollback puts back, and what memory is
 * there. */
#include "core/instant.h"
#include "store/twin.h"

#include <stdlib.h>
#include <string.h>

static void
forget_rollups(struct twin_series *s, int64_t before_us)
{
	size_t i, w, n = 0;

	memset(s->newest, 0, sizeof(s->newest));
	for (i = 0; i < s->nrollups; i++) {
		if (s->rollups[i].bucket_us < before_us)
			continue;
		s->rollups[n] = s->rollups[i];
		w = s->rollups[n].width_s == 300    ? 0
		    : s->rollups[n].width_s == 3600 ? 1
						    : 2;
		if (s->rollups[s->newest[w]].width_s != s->rollups[n].width_s ||
		    s->rollups[s->newest[w]].bucket_us <
			s->rollups[n].bucket_us)
			s->newest[w] = n;
		n++;
	}
	s->nrollups = n;
}

static void
forget_readings(struct twin_series *s, int64_t before_us)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (s->readings[i].t_us >= before_us)
			s->readings[n++] = s->readings[i];
	}
	s->n = n;
}

static void
forget_log(struct twin *t)
{
	size_t i;

	for (i = 0; i < t->log_head; i++)
		free(t->log[i].readings);
	t->nlog -= t->log_head;
	memmove(t->log, t->log + t->log_head, t->nlog * sizeof(*t->log));
	t->log_head = 0;
}

static bool
is_over(const struct twin_anomaly *o, int64_t before_us)
{
	return (o->state == ANOMALY_CLEARED && o->cleared_us < before_us &&
	    o->alarm.state == ALARM_NORMAL && o->alarm.due_us == INSTANT_NONE);
}

static void
skip_over(struct twin *t, int64_t before_us)
{
	const struct plan *p;

	while (t->first_anomaly < t->nanomalies &&
	    is_over(&t->anomalies[t->first_anomaly], before_us))
		t->first_anomaly++;
	for (; t->first_plan < t->nplans; t->first_plan++) {
		p = &t->plans[t->first_plan].plan;
		if (p->state <= PLAN_VERIFYING || p->expires_us >= before_us ||
		    (size_t)p->anomaly_id > t->first_anomaly)
			break;
	}
	while (t->first_command < t->ncommands &&
	    (size_t)t->commands[t->first_command].command.plan_id <=
		t->first_plan)
		t->first_command++;
}

void
twin_forget(struct twin *t, int64_t before_us)
{
	size_t i;

	if (t->in_unit)
		twin_violate(t, "forgot inside a unit of work");
	for (i = 0; i < t->nseries; i++) {
		forget_readings(&t->series[i], before_us);
		forget_rollups(&t->series[i], before_us);
	}
	forget_log(t);
	skip_over(t, before_us);
}

/* Memory: it may be refused, and then the twin is broken. */

/* The first reason stays. */
void
twin_break(struct twin *t, enum err why)
{
	if (t->broken == ERR_OK)
		t->broken = why;
}

static bool
is_refused(struct twin *t)
{
	return (t->memory > 0 && --t->memory == 0);
}

void *
twin_grow(struct twin *t, void *old, size_t size)
{
	void *p = is_refused(t) ? NULL : realloc(old, size);

	if (p == NULL)
		twin_break(t, ERR_NO_MEMORY);
	return (p);
}

void *
twin_list(struct twin *t, struct arena *a, size_t n, size_t size)
{
	void *p = is_refused(t) ? NULL : arena_alloc(a, n * size);

	if (p == NULL)
		twin_break(t, ERR_NO_MEMORY);
	return (p);
}

void *
twin_table(struct twin *t, size_t n, size_t size)
{
	void *p = is_refused(t) ? NULL : calloc(n, size);

	if (p == NULL)
		twin_break(t, ERR_NO_MEMORY);
	return (p);
}

const char *
twin_text(struct twin *t, const char *s)
{
	const char *copy;

	if (s == NULL)
		return (NULL);
	copy = is_refused(t) ? NULL : arena_strdup(&t->texts, s);
	if (copy == NULL)
		twin_break(t, ERR_NO_MEMORY);
	return (copy == NULL ? "{}" : copy);
}

/* Remembers the bytes, so that a rollback puts them back. */
void
twin_touch(struct twin *t, void *p, size_t size)
{
	size_t need = size + sizeof(p) + sizeof(size);
	unsigned char *at;

	if (!t->in_unit)
		return;
	if (t->undo_len + need > t->undo_cap) {
		at = twin_grow(t, t->undo, 2 * (t->undo_len + need));
		if (at == NULL)
			return;
		t->undo = at;
		t->undo_cap = 2 * (t->undo_len + need);
	}
	at = t->undo + t->undo_len;
	memcpy(at, p, size);
	memcpy(at + size, &p, sizeof(p));
	memcpy(at + size + sizeof(p), &size, sizeof(size));
	t->undo_len += need;
}

void
twin_undo_all(struct twin *t)
{
	size_t size;
	void *p;

	while (t->undo_len > 0) {
		t->undo_len -= sizeof(size);
		memcpy(&size, t->undo + t->undo_len, sizeof(size));
		t->undo_len -= sizeof(p);
		memcpy(&p, t->undo + t->undo_len, sizeof(p));
		t->undo_len -= size;
		memcpy(p, t->undo + t->undo_len, size);
	}
	t->in_unit = false;
}
