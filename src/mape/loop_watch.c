#include "mape/alarms.h"
#include "mape/loop_parts.h"
#include "mape/plan.h"

static enum err
learn(struct cycle *c)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	struct loop_ctx *ctx = c->ctx;
	int64_t version;
	int32_t *ids;
	enum err err;
	size_t i, n = 0;

	if ((err = k->version(k->self, &version, c->info)) != ERR_OK)
		return (err);
	if (ctx->have_knowledge && ctx->knowledge.version == version)
		return (ERR_OK);
	ctx->have_knowledge = false;
	ctx->sweep_us = INT64_MIN;
	arena_reset(&ctx->lasting);
	if ((err = k->load(k->self, &ctx->lasting, &ctx->knowledge, c->info)) !=
	    ERR_OK)
		return (err);
	ids = arena_alloc(&ctx->cycle, ctx->knowledge.nseries * sizeof(*ids));
	if (ids == NULL)
		return (loop_no_memory(c));
	for (i = 0; i < ctx->knowledge.nseries; i++)
		if (loop_owns(c, ctx->knowledge.series[i].id))
			ids[n++] = ctx->knowledge.series[i].id;
	err = memory_need(&ctx->memory, k, &ctx->cycle, ids, n, c->info);
	if (err == ERR_OK)
		err = rules_learn(&ctx->people,
		    &(struct rules_world){&ctx->knowledge, c->ports,
			ctx->read_rule, ctx->watch_only},
		    &ctx->lasting, c->info);
	unusual_share(&ctx->unusual, &ctx->knowledge);
	ctx->have_knowledge = err == ERR_OK;
	return (err);
}

/* What others stored was never judged here and raises nothing; but only what
 * is newer is surely new, and judged as coming after it. */
static void
move(struct cycle *c, const struct reading *r)
{
	struct series_state *st = memory_find(&c->ctx->memory, r->series);

	if (st->last_us >= r->t_us)
		return;
	st->last_us = st->flat_since_us = r->t_us;
	st->last_value = r->value;
	memory_change(&c->ctx->memory, st);
}

static enum err
catch_up(struct cycle *c)
{
	const struct telemetry_port *t = &c->ports->telemetry;
	struct arena *a = &c->ctx->cycle;
	struct reading *r;
	int32_t *ids;
	size_t i, n, out = 0;
	enum err err;

	if (t->moved == NULL)
		return (ERR_OK);
	if ((err = t->moved(t->self, a, &c->ctx->moved, &r, &n, c->info)) !=
		ERR_OK ||
	    n == 0)
		return (err);
	if ((ids = arena_alloc(a, n * sizeof(*ids))) == NULL)
		return (loop_no_memory(c));
	for (i = 0; i < n; i++) {
		if (loop_owns(c, r[i].series)) {
			r[out] = r[i];
			ids[out++] = r[i].series;
		}
	}
	n = out;
	err = memory_need(
	    &c->ctx->memory, &c->ports->knowledge, a, ids, n, c->info);
	for (i = 0; err == ERR_OK && i < n; i++)
		move(c, &r[i]);
	return (err);
}

static enum err
group_states(struct cycle *c)
{
	const struct batch *b = &c->batch;
	struct arena *a = &c->ctx->cycle;
	int32_t *ids;
	enum err err;
	size_t i;

	ids = arena_alloc(a, b->ngroups * sizeof(*ids));
	c->states = arena_alloc(a, b->ngroups * sizeof(struct series_state *));
	if (ids == NULL || c->states == NULL)
		return (loop_no_memory(c));
	for (i = 0; i < b->ngroups; i++)
		ids[i] = b->groups[i].series;
	err = memory_need(
	    &c->ctx->memory, &c->ports->knowledge, a, ids, b->ngroups, c->info);
	if (err != ERR_OK)
		return (err);
	for (i = 0; i < b->ngroups; i++)
		c->states[i] = memory_find(&c->ctx->memory, ids[i]);
	return (ERR_OK);
}

static enum err
monitor(struct cycle *c)
{
	const struct telemetry_port *t = &c->ports->telemetry;
	struct arena *a = &c->ctx->cycle;
	struct reading *in;
	struct merge merge = {0};
	size_t n;
	enum err err;

	if ((err = t->take(t->self, a, c->ctx->take_max, &in, &n,
		 &c->figures->more, c->info)) != ERR_OK ||
	    (err = monitor_sort(a, in, n, &c->batch, c->info)) != ERR_OK ||
	    (err = catch_up(c)) != ERR_OK ||
	    (err = group_states(c)) != ERR_OK ||
	    (err = monitor_known(a, t, &c->batch, c->states, c->info)) !=
		ERR_OK ||
	    (err = monitor_build(a, &c->batch, c->states, &merge, c->info)) !=
		ERR_OK)
		return (err);
	c->figures->merged = (int64_t)c->batch.n;
	c->figures->duplicates = (int64_t)c->batch.duplicates;
	c->figures->late = (int64_t)c->batch.late;
	return (t->store(t->self, &merge, c->info));
}

enum err
loop_watch(struct cycle *c)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	const struct decisions_port *d = &c->ports->decisions;
	int64_t since = loop_now(c);
	struct act act;
	enum err err;

	if ((err = learn(c)) != ERR_OK ||
	    (err = k->paused(k->self, &c->figures->paused, c->info)) !=
		ERR_OK ||
	    (err = monitor(c)) != ERR_OK)
		return (err);
	loop_clock(c, LOOP_MONITOR, since);
	since = loop_now(c);
	loop_act_init(c, &act);
	if ((err = loop_analyze(c)) != ERR_OK ||
	    (!c->ctx->watch_only && (err = alarms_move(&act)) != ERR_OK) ||
	    (err = memory_save(&c->ctx->memory, k, &c->ctx->cycle, c->info)) !=
		ERR_OK ||
	    (err = unusual_save(
		 &c->ctx->unusual, k, &c->ctx->cycle, c->info)) != ERR_OK ||
	    (err = rules_save(&c->ctx->people, k, &c->ctx->cycle, c->info)) !=
		ERR_OK)
		return (err);
	loop_clock(c, LOOP_ANALYZE, since);
	since = loop_now(c);
	loop_act_init(c, &act);
	if (!c->figures->paused && !c->ctx->watch_only &&
	    (err = plan_anomalies(&act)) != ERR_OK)
		return (err);
	loop_clock(c, LOOP_PLAN, since);
	return (d->anomalies_open(d->self, c->figures->open, c->info));
}
