#include "mape/loop.h"

#include "core/instant.h"
#include "core/text.h"
#include "mape/act.h"
#include "mape/alarms.h"
#include "mape/analyze.h"
#include "mape/execute.h"
#include "mape/finding.h"
#include "mape/knowledge.h"
#include "mape/monitor.h"
#include "mape/plan.h"
#include "mape/policy.h"
#include "mape/verify.h"
#include "model/silence.h"

#include <math.h>

#define TAKE_LEAST 1000
#define TAKE_GROWS 4
#define TAKE_FILLS 0.8 /* of the arena */

struct cycle {
	struct loop_ctx *ctx;
	const struct ports *ports;
	struct loop_figures *figures;
	struct err_info *info;
	int64_t now_us; /* of the cycle: one for all decisions */
	struct batch batch;
	struct series_state **states; /* of the batch's groups */
};

void
loop_init(struct loop_ctx *ctx)
{
	*ctx = (struct loop_ctx){
	    .rules = {.ask_us = LOOP_ASK_US, .lost_us = LOOP_LOST_US},
	    .take_max = LOOP_READINGS_FIRST,
	    .awake_us = INSTANT_NONE,
	    .sweep_us = INT64_MIN};
	arena_init(&ctx->cycle, LOOP_ARENA_MAX);
	arena_init(&ctx->lasting, LOOP_ARENA_MAX);
}

void
loop_done(struct loop_ctx *ctx)
{
	loop_forget(ctx);
	arena_done(&ctx->cycle);
	arena_done(&ctx->lasting);
}

void
loop_forget(struct loop_ctx *ctx)
{
	memory_done(&ctx->memory);
	unusual_done(&ctx->unusual);
	ctx->have_knowledge = false;
	ctx->awake_us = INSTANT_NONE;
	ctx->sweep_us = INT64_MIN;
	ctx->moved = 0;
}

static int64_t
now(const struct cycle *c)
{
	return (c->ports->clock.now_us(c->ports->clock.self));
}

static void
clock_phase(struct cycle *c, enum loop_phase phase, int64_t since_us)
{
	c->figures->phase_us[phase] += now(c) - since_us;
}

static enum err
no_memory(struct cycle *c)
{
	return (
	    err_set(c->info, ERR_NO_MEMORY, NULL, "the cycle's arena is full"));
}

static bool
owns(const struct cycle *c, int32_t series)
{
	const struct telemetry_port *t = &c->ports->telemetry;

	return (t->owns == NULL || t->owns(t->self, series));
}

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
		return (no_memory(c));
	for (i = 0; i < ctx->knowledge.nseries; i++)
		if (owns(c, ctx->knowledge.series[i].id))
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
		return (no_memory(c));
	for (i = 0; i < n; i++) {
		if (owns(c, r[i].series)) {
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
		return (no_memory(c));
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
		if (!owns(c, k->series[i].id))
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
		return (no_memory(c));
	for (i = 0; i < b->ngroups; i++) {
		one = knowledge_series(&c->ctx->knowledge, b->groups[i].series);
		if (unusual_judges(&c->ctx->unusual, one))
			s[n++] = one;
	}
	return (
	    unusual_need(&c->ctx->unusual, k, &c->ctx->cycle, s, n, c->info));
}

/* It was turned off: what is open of it nobody else would clear. */
static enum err
close_unusual(struct cycle *c, struct analysis *an)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	struct arena *a = &c->ctx->cycle;
	struct unusual *u = &c->ctx->unusual;
	struct condition gone = {.type = ANOMALY_UNUSUAL};
	struct watched *w;
	size_t i, n, out = 0;
	enum err err;

	if (u->a_week > 0 || u->swept || k->watches_load == NULL)
		return (ERR_OK);
	if ((err = unusual_left(k, a, &w, &n, c->info)) != ERR_OK)
		return (err);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if (!owns(c, w[i].series))
			continue;
		gone.series = w[i].series;
		gone.direction = w[i].open.direction;
		gone.severity = w[i].open.severity;
		err = finding_clear(an, &gone, c->now_us,
		    "{\"reason\":\"nothing unusual is looked for\"}");
		w[out++] = w[i];
	}
	if (err == ERR_OK && out > 0)
		err = unusual_close(k, a, w, out, c->info);
	u->swept = err == ERR_OK;
	return (err);
}

static enum err
analyze(struct cycle *c)
{
	struct analysis an = {
	    .ports = c->ports,
	    .arena = &c->ctx->cycle,
	    .now_us = c->now_us,
	    .knowledge_version = c->ctx->knowledge.version,
	    .info = c->info,
	    .awake_us = c->ctx->awake_us,
	    .unusual = &c->ctx->unusual,
	};
	const struct batch *b = &c->batch;
	const struct series *s;
	enum err err = usual(c);
	size_t i;

	/* Who is behind cannot tell silence from what the log still holds. */
	if (c->figures->more)
		c->ctx->awake_us = an.awake_us = c->now_us;
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
		err = rules_judge(&c->ctx->people, &an, b, !c->figures->more);
	c->figures->raised = an.raised;
	c->figures->cleared = an.cleared;
	c->figures->begun_anew = (int64_t)c->ctx->unusual.void_states;
	c->ctx->unusual.void_states = 0;
	return (err);
}

static void
act_init(struct cycle *c, struct act *a)
{
	*a = (struct act){
	    .ports = c->ports,
	    .arena = &c->ctx->cycle,
	    .knowledge = &c->ctx->knowledge,
	    .memory = &c->ctx->memory,
	    .now_us = now(c),
	    .rules = &c->ctx->rules,
	    .figures = c->figures,
	    .info = c->info,
	};
}

/* Monitor, Analyze, Plan: one unit of work. */
static enum err
watch(struct cycle *c)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	const struct decisions_port *d = &c->ports->decisions;
	int64_t since = now(c);
	struct act act;
	enum err err;

	if ((err = learn(c)) != ERR_OK ||
	    (err = k->paused(k->self, &c->figures->paused, c->info)) !=
		ERR_OK ||
	    (err = monitor(c)) != ERR_OK)
		return (err);
	clock_phase(c, LOOP_MONITOR, since);
	since = now(c);
	act_init(c, &act);
	if ((err = analyze(c)) != ERR_OK ||
	    (!c->ctx->watch_only && (err = alarms_move(&act)) != ERR_OK) ||
	    (err = memory_save(&c->ctx->memory, k, &c->ctx->cycle, c->info)) !=
		ERR_OK ||
	    (err = unusual_save(
		 &c->ctx->unusual, k, &c->ctx->cycle, c->info)) != ERR_OK ||
	    (err = rules_save(&c->ctx->people, k, &c->ctx->cycle, c->info)) !=
		ERR_OK)
		return (err);
	clock_phase(c, LOOP_ANALYZE, since);
	since = now(c);
	act_init(c, &act);
	if (!c->figures->paused && !c->ctx->watch_only &&
	    (err = plan_anomalies(&act)) != ERR_OK)
		return (err);
	clock_phase(c, LOOP_PLAN, since);
	return (d->anomalies_open(d->self, c->figures->open, c->info));
}

static enum err
choose(struct cycle *c, struct execution *x, struct act *act)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	enum err err;

	*x = (struct execution){.act = act};
	/* Somebody may have stopped it while readings were merged. */
	if ((err = k->paused(k->self, &c->figures->paused, c->info)) !=
		ERR_OK ||
	    c->figures->paused)
		return (err);
	if ((err = execute_expire(act)) != ERR_OK ||
	    (err = policy_decide(act)) != ERR_OK ||
	    (err = verify_plans(act)) != ERR_OK)
		return (err);
	return (execute_begin(x, act));
}

typedef enum err unit_fn(struct cycle *, struct execution *, struct act *);

static enum err
in_unit(struct cycle *c, unit_fn *fn, struct execution *x, struct act *act)
{
	const struct decisions_port *d = &c->ports->decisions;
	enum err err;

	if ((err = d->begin(d->self, c->info)) == ERR_OK)
		err = fn(c, x, act);
	if (err == ERR_OK)
		err = d->commit(d->self, c->info);
	if (err != ERR_OK)
		d->rollback(d->self);
	return (err);
}

static enum err
watch_unit(struct cycle *c, struct execution *x, struct act *act)
{
	(void)x;
	(void)act;
	return (watch(c));
}

static enum err
record_unit(struct cycle *c, struct execution *x, struct act *act)
{
	(void)c;
	(void)act;
	return (execute_record(x));
}

static enum err
execute(struct cycle *c)
{
	struct execution x;
	struct act act;
	int64_t since = now(c);
	enum err err;

	act_init(c, &act);
	if ((err = in_unit(c, choose, &x, &act)) == ERR_OK && x.n > 0) {
		execute_send(&x);
		err = in_unit(c, record_unit, &x, &act);
	}
	clock_phase(c, LOOP_EXECUTE, since);
	return (err);
}

static const char *
system_state(const int64_t open[3])
{
	if (open[SEVERITY_CRITICAL] > 0)
		return ("emergency");
	return (open[SEVERITY_WARNING] > 0 ? "alert" : "normal");
}

static enum err
report(struct cycle *c)
{
	const struct knowledge_port *k = &c->ports->knowledge;
	const struct loop_figures *f = c->figures;
	char buf[1024];
	struct text t;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_bool(&t, "more", f->more);
	json_bool(&t, "paused", f->paused);
	json_int(&t, "merged", f->merged);
	json_int(&t, "duplicates", f->duplicates);
	json_int(&t, "late", f->late);
	json_int(&t, "raised", f->raised);
	json_int(&t, "cleared", f->cleared);
	json_int(&t, "proposed", f->proposed);
	json_int(&t, "sent", f->sent);
	json_int(&t, "done", f->done);
	json_int(&t, "failed", f->failed);
	json_int(&t, "verified", f->verified);
	json_int(&t, "open_info", f->open[SEVERITY_INFO]);
	json_int(&t, "open_warning", f->open[SEVERITY_WARNING]);
	json_int(&t, "open_critical", f->open[SEVERITY_CRITICAL]);
	json_int(&t, "monitor_us", f->phase_us[LOOP_MONITOR]);
	json_int(&t, "analyze_us", f->phase_us[LOOP_ANALYZE]);
	json_int(&t, "plan_us", f->phase_us[LOOP_PLAN]);
	json_int(&t, "execute_us", f->phase_us[LOOP_EXECUTE]);
	json_int(&t, "memory_bytes", (int64_t)f->memory);
	json_object_end(&t);
	return (k->report(k->self, f->system_state, buf, c->info));
}

/* How many times as much the next bite may be, so that it neither lasts long
 * nor outgrows the arena if both grow with it. */
static double
growth(const struct loop_ctx *ctx, int64_t took_us, size_t used)
{
	double lasts = (double)LOOP_LONG_US / ((double)took_us + 1);
	double fits = TAKE_FILLS * (double)ctx->cycle.cap / ((double)used + 1);

	return (fmax(1, fmin(TAKE_GROWS, fmin(lasts, fits))));
}

/* A batch too big for the arena, or for the time that a statement has, would
 * fail for ever: take less. One that only lasts long shrinks no further than
 * the first: by then the cost is by series, and smaller ones pay it oftener. */
static void
adapt(struct loop_ctx *ctx, enum err err, const struct loop_figures *f)
{
	int64_t took = f->phase_us[LOOP_MONITOR] + f->phase_us[LOOP_ANALYZE];

	if (err == ERR_NO_MEMORY || err == ERR_DEADLINE ||
	    (took > LOOP_LONG_US && ctx->take_max > LOOP_READINGS_FIRST))
		ctx->take_max /= 2;
	else if (err == ERR_OK && f->more && took < LOOP_SHORT_US)
		ctx->take_max = (size_t)((double)ctx->take_max *
		    growth(ctx, took, f->memory));
	else if (err == ERR_OK && !f->more)
		ctx->take_max = LOOP_READINGS_FIRST;
	if (ctx->take_max > LOOP_READINGS_MAX)
		ctx->take_max = LOOP_READINGS_MAX;
	if (ctx->take_max < TAKE_LEAST)
		ctx->take_max = TAKE_LEAST;
}

enum err
loop_cycle(struct loop_ctx *ctx, const struct ports *ports,
    struct loop_figures *ret, struct err_info *info)
{
	struct err_info own = {0};
	struct cycle c = {.ctx = ctx,
	    .ports = ports,
	    .figures = ret,
	    .info = info != NULL ? info : &own};
	enum err err;

	*ret = (struct loop_figures){.system_state = "normal"};
	c.now_us = now(&c);
	if (ctx->awake_us == INSTANT_NONE)
		ctx->awake_us = c.now_us;
	err = in_unit(&c, watch_unit, NULL, NULL);
	if (err == ERR_OK && !ret->paused && !ctx->watch_only)
		err = execute(&c);
	ret->system_state = system_state(ret->open);
	ret->memory = ctx->cycle.used;
	if (err == ERR_OK && !ctx->watch_only)
		err = report(&c);
	arena_reset(&ctx->cycle);
	adapt(ctx, err, ret);
	if (err != ERR_OK)
		loop_forget(ctx);
	return (err);
}
