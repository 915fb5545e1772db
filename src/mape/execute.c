#include "mape/execute_parts.h"

#include "core/instant.h"
#include "mape/breaker.h"
#include "mape/guard.h"
#include "mape/knowledge.h"

#include <string.h>

enum err
execute_move(struct act *a, struct command *c, int event, const char *facts)
{
	const struct fsm_row *row =
	    fsm_find(&command_fsm, (int)c->state, event);
	enum err err =
	    act_move(a, &command_fsm, c->id, (int)c->state, event, facts);

	if (err == ERR_OK)
		c->state = (enum command_state)row->to;
	return (err);
}

enum err
execute_move_plan(struct act *a, struct plan *p, int event, const char *facts)
{
	const struct fsm_row *row = fsm_find(&plan_fsm, (int)p->state, event);
	const struct notifier_port *notifier = &a->ports->notifier;
	enum err err =
	    act_move(a, &plan_fsm, p->id, (int)p->state, event, facts);

	if (err != ERR_OK)
		return (err);
	p->state = (enum plan_state)row->to;
	if (p->state == PLAN_FAILED)
		notifier->notify(notifier->self, "plan_failed", p->id, facts);
	return (ERR_OK);
}

enum err
execute_save(struct act *a, const struct command *c, const char *error)
{
	const struct decisions_port *d = &a->ports->decisions;

	return (d->command_attempt(d->self, c, error, a->info));
}

enum err
execute_expire(struct act *a)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct plan *plans;
	size_t i, n;
	const char *reason;
	char *facts;
	enum err err;

	err =
	    d->plans_in(d->self, a->arena, PLAN_PROPOSED, &plans, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if (a->now_us >= plans[i].expires_us)
			reason = "nobody decided in time";
		else if (plans[i].anomaly_cleared)
			reason = "its anomaly is cleared";
		else
			continue;
		facts = act_fact(a, "reason", reason);
		err = execute_move_plan(a, &plans[i], PLAN_EXPIRE, facts);
		if (err == ERR_OK)
			err = act_cancel_rest(a, plans[i].id, facts);
	}
	return (err);
}

struct plan *
execute_plan(const struct execution *x, int64_t id)
{
	size_t i;

	for (i = 0; i < x->nplans; i++) {
		if (x->plans[i].id == id)
			return (&x->plans[i]);
	}
	return (NULL);
}

size_t
execute_breaker(const struct execution *x, int32_t gateway_id)
{
	size_t i;

	for (i = 0; i < x->nbreakers; i++) {
		if (x->breakers[i].gateway_id == gateway_id)
			break;
	}
	return (i);
}

enum err
execute_fail(
    struct execution *x, struct command *c, int event, const char *facts)
{
	struct plan *p = execute_plan(x, c->plan_id);
	enum err err;

	if ((err = execute_move(x->act, c, event, facts)) != ERR_OK)
		return (err);
	x->act->figures->failed++;
	/* One beside it may have ended the plan already. */
	if (p == NULL || p->state == PLAN_FAILED)
		return (ERR_OK);
	err = execute_move_plan(x->act, p, PLAN_COMMAND_FAILED, facts);
	return (err == ERR_OK ? act_cancel_rest(x->act, p->id, facts) : err);
}

static enum err
load_plans(struct execution *x)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct arena *arena = x->act->arena;
	struct plan *approved, *executing;
	size_t napproved, nexecuting;
	enum err err;

	err = d->plans_in(
	    d->self, arena, PLAN_APPROVED, &approved, &napproved, x->act->info);
	if (err == ERR_OK)
		err = d->plans_in(d->self, arena, PLAN_EXECUTING, &executing,
		    &nexecuting, x->act->info);
	if (err != ERR_OK)
		return (err);
	x->plans =
	    arena_calloc(arena, napproved + nexecuting, sizeof(*x->plans));
	if (x->plans == NULL)
		return (act_no_memory(x->act));
	if (napproved > 0)
		memcpy(x->plans, approved, napproved * sizeof(*approved));
	if (nexecuting > 0)
		memcpy(&x->plans[napproved], executing,
		    nexecuting * sizeof(*executing));
	x->nplans = napproved + nexecuting;
	return (ERR_OK);
}

/* Which links the executing plans move; room for those that begin now. */
static enum err
load_claims(struct execution *x, size_t ndue)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct command **lists;
	size_t *counts, i, j, total = ndue;
	enum err err;

	lists = arena_calloc(x->act->arena, x->nplans, sizeof(*lists));
	counts = arena_calloc(x->act->arena, x->nplans, sizeof(*counts));
	if (lists == NULL || counts == NULL)
		return (act_no_memory(x->act));
	for (i = 0; i < x->nplans; i++) {
		if (x->plans[i].state != PLAN_EXECUTING)
			continue;
		err = d->commands_of(d->self, x->act->arena, x->plans[i].id,
		    &lists[i], &counts[i], x->act->info);
		if (err != ERR_OK)
			return (err);
		total += counts[i];
	}
	x->claims = arena_calloc(x->act->arena, total, sizeof(*x->claims));
	if (x->claims == NULL)
		return (act_no_memory(x->act));
	for (i = 0; i < x->nplans; i++) {
		for (j = 0; j < counts[i]; j++)
			x->claims[x->nclaims++] =
			    (struct claim){lists[i][j].link_id, x->plans[i].id};
	}
	return (ERR_OK);
}

static enum err
load_breakers(struct execution *x, size_t ndue)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct breaker_state *loaded;
	size_t n;
	enum err err;

	err =
	    d->breakers_load(d->self, x->act->arena, &loaded, &n, x->act->info);
	if (err != ERR_OK)
		return (err);
	x->breakers =
	    arena_calloc(x->act->arena, n + ndue, sizeof(*x->breakers));
	x->probing = arena_calloc(x->act->arena, n + ndue, sizeof(*x->probing));
	if (x->breakers == NULL || x->probing == NULL)
		return (act_no_memory(x->act));
	if (n > 0)
		memcpy(x->breakers, loaded, n * sizeof(*loaded));
	x->nbreakers = n;
	return (ERR_OK);
}

static int64_t
contested_by(const struct execution *x, const struct command *c)
{
	size_t i;

	for (i = 0; i < x->nclaims; i++) {
		if (x->claims[i].link_id == c->link_id &&
		    x->claims[i].plan_id != c->plan_id)
			return (x->claims[i].plan_id);
	}
	return (0);
}

/* The link's own facts, and the series that bound it. */
static enum err
look_at_asset(struct execution *x, const struct command *c,
    struct guard_asset *asset, struct guard_facts *f)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct guard_level *levels;
	enum err err;
	size_t i;

	err = d->guard_asset(
	    d->self, x->act->arena, c, x->act->now_us, asset, x->act->info);
	if (err != ERR_OK)
		return (err);
	levels =
	    arena_calloc(x->act->arena, asset->nlimits + 1, sizeof(*levels));
	if (levels == NULL)
		return (act_no_memory(x->act));
	for (i = 0; i < asset->nlimits; i++)
		levels[i] = (struct guard_level){
		    .name = asset->limits[i].name,
		    .series = knowledge_series(
			x->act->knowledge, asset->limits[i].series),
		    .state = act_state(x->act, asset->limits[i].series),
		    .low = asset->limits[i].low,
		    .high = asset->limits[i].high,
		};
	f->asset = asset;
	f->levels = levels;
	f->nlevels = asset->nlimits;
	return (ERR_OK);
}

static enum err
look(struct execution *x, const struct command *c, struct guard_result *ret)
{
	struct guard_asset asset = {0};
	enum err err;
	const struct plan *p = execute_plan(x, c->plan_id);
	size_t b = execute_breaker(x, c->gateway_id);
	struct guard_facts f = {
	    .now_us = x->act->now_us,
	    .command = c,
	    .plan = p,
	    .contested_by = contested_by(x, c),
	    .breaker = b < x->nbreakers ? &x->breakers[b] : NULL,
	    .probe_out = b < x->nbreakers && x->probing[b],
	};

	if (p != NULL && p->effect_series != 0) {
		f.effect =
		    knowledge_series(x->act->knowledge, p->effect_series);
		f.effect_state = act_state(x->act, p->effect_series);
	}
	if ((err = look_at_asset(x, c, &asset, &f)) == ERR_OK)
		guard_check(&f, ret);
	return (err);
}

/* The errand is one of those that execute_send() hands to the actuator. */
static enum err
add_errand(struct execution *x, struct command *c)
{
	size_t b = execute_breaker(x, c->gateway_id);

	if (b < x->nbreakers)
		x->probing[b] |=
		    breaker_is_probing(&x->breakers[b], x->act->now_us);
	x->commands[x->n++] = *c;
	return (ERR_OK);
}

static enum err
leave(struct execution *x, struct command *c)
{
	struct act *a = x->act;
	struct plan *p = execute_plan(x, c->plan_id);
	enum err err;

	/* The plan's row before its commands', as people's changes do. */
	if (p->state == PLAN_APPROVED &&
	    (err = execute_move_plan(a, p, PLAN_SEND, "{}")) != ERR_OK)
		return (err);
	c->attempts++;
	c->next_attempt_us = a->now_us + a->rules->lost_us;
	if ((err = execute_save(a, c, NULL)) != ERR_OK ||
	    (err = execute_move(
		 a, c, COMMAND_SEND, act_fact(a, "key", c->key))) != ERR_OK)
		return (err);
	x->claims[x->nclaims++] = (struct claim){c->link_id, p->id};
	return (add_errand(x, c));
}

static char *
guard_facts_json(struct act *a, const struct guard_result *r)
{
	struct text t;

	text_init(&t, 2048);
	json_object(&t, NULL);
	json_string(&t, "guard", r->guard);
	json_string(&t, "detail", r->detail);
	json_raw(&t, "values", r->values, strlen(r->values));
	json_object_end(&t);
	return (act_keep(a, &t));
}

static enum err
decide(struct execution *x, struct command *c)
{
	struct guard_result r;
	char *facts;
	enum err err;

	if ((err = look(x, c, &r)) != ERR_OK)
		return (err);
	if (r.verdict == GUARD_PASS)
		return (leave(x, c));
	if ((facts = guard_facts_json(x->act, &r)) == NULL)
		return (act_no_memory(x->act));
	if (r.verdict == GUARD_REFUSE)
		return (execute_fail(x, c, COMMAND_REFUSE, facts));
	if (r.verdict == GUARD_EXPIRE)
		return (execute_fail(x, c, COMMAND_EXPIRE, facts));
	c->next_attempt_us = r.wait_until_us;
	if (c->next_attempt_us > c->not_after_us)
		c->next_attempt_us = c->not_after_us + 1;
	return (execute_save(x->act, c, facts));
}

static enum err
give_up(struct execution *x, struct command *c)
{
	char *facts = act_fact(
	    x->act, "reason", "the gateway does not say what became of it");
	enum err err = ERR_OK;

	if (facts == NULL)
		return (act_no_memory(x->act));
	if (c->state == COMMAND_ACCEPTED)
		err = execute_move(x->act, c, COMMAND_LOSE, facts);
	if (err != ERR_OK)
		return (err);
	return (execute_fail(x, c, COMMAND_GIVE_UP, facts));
}

/* Asking does no harm: the only guard is the gateway's breaker. */
static enum err
ask(struct execution *x, struct command *c)
{
	struct act *a = x->act;
	size_t b = execute_breaker(x, c->gateway_id);
	int64_t base =
	    a->now_us > c->not_after_us ? a->now_us : c->not_after_us;
	enum err err;

	if (c->ask_until_us == INSTANT_NONE)
		c->ask_until_us = base + a->rules->ask_us;
	if (a->now_us > c->ask_until_us)
		return (give_up(x, c));
	c->next_attempt_us = a->now_us + a->rules->lost_us;
	c->ask = b == x->nbreakers ||
	    !(breaker_is_open(&x->breakers[b], a->now_us) || x->probing[b]);
	if (!c->ask)
		c->next_attempt_us = a->now_us + GUARD_WAIT_US;
	if (c->next_attempt_us > c->ask_until_us)
		c->next_attempt_us = c->ask_until_us + 1;
	err = execute_save(a, c, c->ask ? NULL : "its gateway does not answer");
	return (err == ERR_OK && c->ask ? add_errand(x, c) : err);
}

/* The result of its attempt was never recorded. */
static enum err
lost(struct execution *x, struct command *c)
{
	char *facts =
	    act_fact(x->act, "reason", "the result of the attempt was lost");
	enum err err;

	err = execute_move(
	    x->act, c, c->repeatable ? COMMAND_RETRY : COMMAND_LOSE, facts);
	if (err != ERR_OK)
		return (err);
	return (c->repeatable ? decide(x, c) : ask(x, c));
}

static enum err
take_up(struct execution *x, struct command *c)
{
	const struct plan *p = execute_plan(x, c->plan_id);

	switch (c->state) {
	case COMMAND_QUEUED:
		/* It was cancelled with its plan, in this very cycle. */
		if (p != NULL && p->state == PLAN_FAILED)
			return (ERR_OK);
		return (decide(x, c));
	case COMMAND_SENT:
		return (lost(x, c));
	case COMMAND_ACCEPTED:
	case COMMAND_UNKNOWN:
		return (ask(x, c));
	default:
		return (err_set(x->act->info, ERR_INTERNAL, NULL,
		    "command %lld is due in state %s", (long long)c->id,
		    command_state_name(c->state)));
	}
}

static enum err
take_late(struct execution *x)
{
	const struct actuator_port *actuator = &x->act->ports->actuator;
	struct gateway_late *late;
	size_t n;
	enum err err;

	if (actuator->collect == NULL)
		return (ERR_OK);
	late = arena_calloc(x->act->arena, EXECUTE_LATE, sizeof(*late));
	if (late == NULL)
		return (act_no_memory(x->act));
	n = actuator->collect(
	    actuator->self, x->act->arena, late, EXECUTE_LATE);
	if (n == 0)
		return (ERR_OK);
	if ((err = load_plans(x)) != ERR_OK ||
	    (err = load_breakers(x, n)) != ERR_OK)
		return (err);
	err = settle_late(x, late, n);
	*x = (struct execution){.act = x->act};
	return (err);
}

enum err
execute_begin(struct execution *x, struct act *a)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct command *due;
	size_t i, ndue;
	enum err err;

	*x = (struct execution){.act = a};
	if ((err = take_late(x)) != ERR_OK)
		return (err);
	err = d->commands_due(
	    d->self, a->arena, a->now_us, EXECUTE_EACH, &due, &ndue, a->info);
	if (err != ERR_OK || ndue == 0)
		return (err);
	x->commands = arena_calloc(a->arena, ndue, sizeof(*x->commands));
	x->replies = arena_calloc(a->arena, ndue, sizeof(*x->replies));
	x->left = arena_calloc(a->arena, ndue, sizeof(*x->left));
	if (x->commands == NULL || x->replies == NULL || x->left == NULL)
		return (act_no_memory(a));
	if ((err = load_plans(x)) != ERR_OK ||
	    (err = load_claims(x, ndue)) != ERR_OK ||
	    (err = load_breakers(x, ndue)) != ERR_OK)
		return (err);
	for (i = 0; err == ERR_OK && i < ndue; i++)
		err = take_up(x, &due[i]);
	return (err);
}

/* Recording took time, and one beside it may have been refused since. */
static bool
stays(const struct execution *x, const struct command *c, int64_t now_us)
{
	const struct plan *p = execute_plan(x, c->plan_id);

	return (!c->ask &&
	    (now_us > c->not_after_us || p == NULL || p->state == PLAN_FAILED));
}

void
execute_send(struct execution *x)
{
	const struct actuator_port *actuator = &x->act->ports->actuator;
	const struct clock_port *clock = &x->act->ports->clock;
	int64_t now_us = clock->now_us(clock->self);
	struct command swap;
	size_t i, nleft = 0;

	for (i = 0; i < x->n; i++) {
		if (stays(x, &x->commands[i], now_us))
			continue;
		swap = x->commands[nleft];
		x->commands[nleft] = x->commands[i];
		x->commands[i] = swap;
		x->left[nleft++] = true;
	}
	for (i = nleft; i < x->n; i++)
		x->replies[i] =
		    (struct gateway_reply){.outcome = GATEWAY_NOT_TAKEN,
			.detail = "not sent: too late, or its plan failed"};
	if (nleft > 0)
		actuator->send(actuator->self, x->commands, nleft, x->replies);
	x->act->figures->sent += (int64_t)nleft;
}

enum err
execute_record(struct execution *x)
{
	const struct clock_port *clock = &x->act->ports->clock;
	enum err err;
	size_t i;

	x->act->now_us = clock->now_us(clock->self);
	/* Somebody may have stopped one while its commands were out. */
	err = load_plans(x);
	for (i = 0; err == ERR_OK && i < x->n; i++)
		if (x->replies[i].outcome != GATEWAY_PENDING)
			err = settle(
			    x, &x->commands[i], &x->replies[i], x->left[i]);
	return (err);
}
