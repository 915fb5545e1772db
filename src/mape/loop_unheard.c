#include "mape/finding.h"
#include "mape/knowledge.h"
#include "mape/loop_parts.h"
#include "model/silence.h"

#include <stdio.h>
#include <stdlib.h>

/* Series looked at in a cycle, and told of. */
#define LOOKS_MOST 10000
#define TELLS_MOST 500
/* When a series is looked at again at the latest. */
#define AGAIN_US US_PER_DAY

/* A said limit is for the rule of silence. */
static bool
listens(const struct cycle *c, const struct series *s)
{
	return (unusual_judges(&c->ctx->unusual, s) && s->silence_us <= 0);
}

static int64_t
due(const struct cycle *c, const struct series *s,
    const struct series_state *st)
{
	int64_t limit = unusual_silence(&c->ctx->unusual, s, st);

	return (silence_usual_due(limit, st, c->ctx->steady_us));
}

/* In a day at the latest: readings may have made it known meanwhile. */
static void
look_again(struct cycle *c, int32_t series, int64_t at_us)
{
	int64_t latest = c->now_us + AGAIN_US;

	agenda_put(
	    &c->ctx->unusual.unheard, series, at_us < latest ? at_us : latest);
}

static enum err
list_all(struct cycle *c)
{
	const struct knowledge *k = &c->ctx->knowledge;
	struct unusual *u = &c->ctx->unusual;
	const struct series *s;
	size_t i;

	if (!agenda_clear(&u->unheard, k->nseries))
		return (loop_no_memory(c));
	for (i = 0; i < k->nseries; i++) {
		s = &k->series[i];
		if (loop_owns(c, s->id) && listens(c, s))
			look_again(c, s->id,
			    due(c, s, memory_find(&c->ctx->memory, s->id)));
	}
	u->listed = true;
	return (ERR_OK);
}

static int
by_id(const void *a, const void *b)
{
	const struct series *x = *(const struct series *const *)a;
	const struct series *y = *(const struct series *const *)b;

	return ((x->id > y->id) - (x->id < y->id));
}

/* Those whose time has come, rising by id; of most it has moved on since. */
static size_t
take_due(struct cycle *c, const struct series **ret)
{
	struct agenda *a = &c->ctx->unusual.unheard;
	const struct series *s;
	size_t n = 0, looks;
	int64_t at_us;
	int32_t id;

	for (looks = 0; looks < LOOKS_MOST && n < TELLS_MOST &&
	     agenda_take(a, c->now_us, &id);
	     looks++) {
		s = knowledge_series(&c->ctx->knowledge, id);
		at_us = due(c, s, memory_find(&c->ctx->memory, id));
		if (at_us > c->now_us)
			look_again(c, id, at_us);
		else
			ret[n++] = s;
	}
	qsort(ret, n, sizeof(*ret), by_id);
	return (n);
}

static void
find_silence(struct finding *f, const struct cycle *c, const struct series *s,
    const struct series_state *st)
{
	const struct watched *w = unusual_find(&c->ctx->unusual, s->id);
	const double second = (double)US_PER_SECOND;

	finding_init(f, s, ANOMALY_UNUSUAL, DIRECTION_NONE);
	f->condition.severity = w->open.severity;
	f->first_us = w->open.since_us;
	f->seen.rule = w->open.rule;
	f->seen.score = w->open.score / 10000.0;
	finding_fact(f, "silence_s",
	    (double)unusual_silence(&c->ctx->unusual, s, st) / second);
	finding_fact(f, "longest_s", (double)st->longest_us / second);
	finding_fact(f, "cadence_s", w->state.watch.cadence_us / second);
	finding_fact(
	    f, "unheard_for_s", (double)(c->now_us - st->heard_us) / second);
	(void)snprintf(f->rule_id, sizeof(f->rule_id), "unusual:%s",
	    watch_rule_name(w->open.rule));
}

/* What was odd of it, as of a sensor that fails, will not end by itself. */
static enum err
end_odd(const struct cycle *c, struct analysis *an, struct watched *w)
{
	const struct condition gone = {
	    w->series, ANOMALY_UNUSUAL, w->open.direction, w->open.severity, 0};

	if (!w->open.is)
		return (ERR_OK);
	unusual_withdraw(w);
	return (finding_clear(
	    an, &gone, c->now_us, "{\"reason\":\"it is not heard any more\"}"));
}

/* Where anything of another kind is open, that tells of it. */
static enum err
tell(struct cycle *c, struct analysis *an, const struct series *s)
{
	const struct decisions_port *d = &c->ports->decisions;
	const struct series_state *st = memory_find(&c->ctx->memory, s->id);
	struct unusual *u = &c->ctx->unusual;
	struct watched *w = unusual_find(u, s->id);
	struct finding f;
	bool told;
	enum err err;

	if (!unusual_may_miss(w, st))
		return (ERR_OK);
	err = d->anomaly_told(d->self, s->id, c->now_us, &told, c->info);
	if (err != ERR_OK || told || (err = end_odd(c, an, w)) != ERR_OK)
		return (err);
	unusual_miss(u, w, st->heard_us);
	find_silence(&f, c, s, st);
	return (finding_raise(an, s, st, &f, NULL));
}

enum err
loop_unheard(struct cycle *c, struct analysis *an)
{
	struct unusual *u = &c->ctx->unusual;
	const struct series **s;
	enum err err;
	size_t i, n;

	if (!(u->a_week > 0))
		return (ERR_OK);
	if (!u->listed && (err = list_all(c)) != ERR_OK)
		return (err);
	s = arena_alloc(&c->ctx->cycle, TELLS_MOST * sizeof(*s));
	if (s == NULL)
		return (loop_no_memory(c));
	n = take_due(c, s);
	if (n == 0)
		return (ERR_OK);
	err = unusual_need(
	    u, &c->ports->knowledge, &c->ctx->cycle, s, n, c->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		err = tell(c, an, s[i]);
		look_again(c, s[i]->id,
		    c->now_us +
			unusual_silence(
			    u, s[i], memory_find(&c->ctx->memory, s[i]->id)));
	}
	return (err);
}
