#include "mape/analyze.h"
#include "mape/finding.h"
#include "mape/knowledge.h"
#include "mape/loop_parts.h"
#include "model/silence.h"

/* So many series that are not watched any more are seen to in a cycle. */
#define LEFT_MOST 1000

/* Looks at the series again once it can have fallen silent. */
static void
listen_for(
    struct cycle *c, const struct series *s, const struct series_state *st)
{
	int64_t due;

	if (s == NULL || st->silent)
		return;
	due = silence_due(s->silence_us, st, c->ctx->awake_us);
	if (due < c->ctx->sweep_us)
		c->ctx->sweep_us = due;
}

/* All series, but only if something can have come of it: rules that were
 * removed come with new knowledge, and silence when it is due. */
static enum err
sweep(struct cycle *c, struct analysis *an)
{
	const struct knowledge *k = &c->ctx->knowledge;
	struct series_state *st;
	enum err err = ERR_OK;
	bool changed;
	size_t i;

	if (c->now_us < c->ctx->sweep_us)
		return (ERR_OK);
	c->ctx->sweep_us = INT64_MAX;
	for (i = 0; err == ERR_OK && i < k->nseries; i++) {
		if (!loop_owns(c, k->series[i].id))
			continue;
		st = memory_find(&c->ctx->memory, k->series[i].id);
		err = analyze_sweep(an, &k->series[i], st, &changed);
		if (changed)
			memory_change(&c->ctx->memory, st);
		listen_for(c, &k->series[i], st);
	}
	return (err);
}

/* The states of what the batch has new readings of. */
static enum err
usual(struct cycle *c)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	const struct batch *b = &c->batch;
	const struct series **s, *one;
	size_t i, n = 0;

	if (!(c->ctx->unusual.a_week > 0))
		return (ERR_OK);
	s = arena_alloc(&c->ctx->cycle, b->ngroups * sizeof(*s));
	if (s == NULL)
		return (loop_no_memory(c));
	for (i = 0; i < b->ngroups; i++) {
		one = knowledge_series(&c->ctx->knowledge, b->groups[i].series);
		if (unusual_judges(&c->ctx->unusual, one))
			s[n++] = one;
	}
	return (
	    unusual_need(&c->ctx->unusual, k, &c->ctx->cycle, s, n, c->info));
}

/* Of the series that people said are not watched the next few. */
static enum err
unwatched(struct cycle *c, struct unusual_left *l)
{
	const struct knowledge *k = &c->ctx->knowledge;
	struct unusual *u = &c->ctx->unusual;
	int32_t *ids = arena_alloc(&c->ctx->cycle, LEFT_MOST * sizeof(*ids));
	size_t i, n = 0;

	if (ids == NULL)
		return (loop_no_memory(c));
	for (i = 0; i < k->nseries && n < LEFT_MOST; i++)
		if (k->series[i].id > u->swept && k->series[i].unwatched &&
		    loop_owns(c, k->series[i].id))
			ids[n++] = k->series[i].id;
	u->swept = n == LEFT_MOST ? ids[n - 1] : INT32_MAX;
	l->ids = ids;
	l->nids = n;
	return (ERR_OK);
}

/* It was turned off, of all or of some: what is open nobody else would clear.
 * What is forgotten on errors is looked for again. */
static enum err
close_unusual(struct cycle *c, struct analysis *an)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	struct arena *a = &c->ctx->cycle;
	struct unusual *u = &c->ctx->unusual;
	struct unusual_left l = {0};
	struct condition gone = {.type = ANOMALY_UNUSUAL};
	size_t i, out = 0;
	enum err err = ERR_OK;

	if (u->swept == INT32_MAX || k->watches_load == NULL)
		return (ERR_OK);
	if (u->a_week > 0)
		err = unwatched(c, &l);
	else
		u->swept = INT32_MAX;
	if (err != ERR_OK || (l.ids != NULL && l.nids == 0) ||
	    (err = unusual_left(k, a, &l, c->info)) != ERR_OK)
		return (err);
	for (i = 0; err == ERR_OK && i < l.n; i++) {
		if (!loop_owns(c, l.of[i].series))
			continue;
		gone.series = l.of[i].series;
		gone.direction = l.of[i].open.direction;
		gone.severity = l.of[i].open.severity;
		if (l.of[i].open.is)
			err = finding_clear(an, &gone, c->now_us,
			    "{\"reason\":\"nothing unusual is looked for\"}");
		l.of[out++] = l.of[i];
	}
	l.n = out;
	if (err == ERR_OK && out > 0)
		err = unusual_close(u, k, a, &l, c->info);
	return (err);
}

enum err
loop_analyze(struct cycle *c)
{
	struct analysis an = {
	    .ports = c->ports,
	    .arena = &c->ctx->cycle,
	    .now_us = c->now_us,
	    .knowledge_version = c->ctx->knowledge.version,
	    .info = c->info,
	    .awake_us = c->ctx->awake_us,
	    .steady_us = c->ctx->steady_us,
	    .unusual = &c->ctx->unusual,
	};
	const struct batch *b = &c->batch;
	const struct series *s;
	enum err err = usual(c);
	size_t i;

	/* Who is behind cannot tell silence from what the log still holds. */
	if (c->figures->more)
		c->ctx->awake_us = c->ctx->steady_us = an.awake_us =
		    an.steady_us = c->now_us;
	/* People's rules first: where one is open, it alone tells. */
	if (err == ERR_OK)
		err = rules_judge(&c->ctx->people, &an, b, !c->figures->more);
	for (i = 0; err == ERR_OK && i < b->ngroups; i++) {
		s = knowledge_series(&c->ctx->knowledge, b->groups[i].series);
		err = analyze_readings(&an, s, c->states[i],
		    &b->readings[b->groups[i].at], b->groups[i].n);
		memory_change(&c->ctx->memory, c->states[i]);
		listen_for(c, s, c->states[i]);
	}
	if (err == ERR_OK)
		err = close_unusual(c, &an);
	if (err == ERR_OK)
		err = sweep(c, &an);
	if (err == ERR_OK)
		err = loop_unheard(c, &an);
	c->figures->raised = an.raised;
	c->figures->judged = an.judged;
	c->figures->odd = an.odd;
	c->figures->cleared = an.cleared;
	c->figures->begun_anew = (int64_t)c->ctx->unusual.void_states;
	c->ctx->unusual.void_states = 0;
	return (err);
}
