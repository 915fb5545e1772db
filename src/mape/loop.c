#include "mape/loop.h"

#include "core/text.h"
#include "mape/execute.h"
#include "mape/loop_parts.h"
#include "mape/policy.h"
#include "mape/verify.h"

#include <math.h>
#include <stdlib.h>

#define TAKE_LEAST 1000
#define TAKE_GROWS 4
#define TAKE_FILLS 0.8 /* of the arena */

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

int64_t
loop_now(const struct cycle *c)
{
	return (c->ports->clock.now_us(c->ports->clock.self));
}

void
loop_clock(struct cycle *c, enum loop_phase phase, int64_t since_us)
{
	c->figures->phase_us[phase] += loop_now(c) - since_us;
}

enum err
loop_no_memory(struct cycle *c)
{
	return (
	    err_set(c->info, ERR_NO_MEMORY, NULL, "the cycle's arena is full"));
}

bool
loop_owns(const struct cycle *c, int32_t series)
{
	const struct telemetry_port *t = &c->ports->telemetry;

	return (t->owns == NULL || t->owns(t->self, series));
}

void
loop_act_init(struct cycle *c, struct act *a)
{
	*a = (struct act){
	    .ports = c->ports,
	    .arena = &c->ctx->cycle,
	    .knowledge = &c->ctx->knowledge,
	    .memory = &c->ctx->memory,
	    .now_us = loop_now(c),
	    .rules = &c->ctx->rules,
	    .figures = c->figures,
	    .info = c->info,
	};
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
	return (loop_watch(c));
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
	int64_t since = loop_now(c);
	enum err err;

	loop_act_init(c, &act);
	if ((err = in_unit(c, choose, &x, &act)) == ERR_OK && x.n > 0) {
		execute_send(&x);
		err = in_unit(c, record_unit, &x, &act);
	}
	loop_clock(c, LOOP_EXECUTE, since);
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

static void
keep_time(struct loop_ctx *ctx, int64_t now_us)
{
	bool first = ctx->awake_us == INSTANT_NONE;

	if (first)
		ctx->awake_us = now_us;
	if (first || llabs(now_us - ctx->cycle_us) > LOOP_BREAK_US) {
		ctx->steady_us = now_us;
		ctx->unusual.listed = false; /* by the clock that was */
	}
	ctx->cycle_us = now_us;
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
	c.now_us = loop_now(&c);
	keep_time(ctx, c.now_us);
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
