#include "mape/execute.h"

#include "core/instant.h"
#include "mape/breaker.h"
#include "mape/guard.h"
#include "mape/knowledge.h"

#include <string.h>

static enum err
move_command(struct act *a, struct command *c, int event, const char *facts)
{
	const struct fsm_row *row =
	    fsm_find(&command_fsm, (int)c->state, event);
	enum err err =
	    act_move(a, &command_fsm, c->id, (int)c->state, event, facts);

	if (err == ERR_OK)
		c->state = (enum command_state)row->to;
	return (err);
}

static enum err
move_plan(struct act *a, struct plan *p, int event, const char *facts)
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

static enum err
save_attempt(struct act *a, const struct command *c, const char *error)
{
	const struct decisions_port *d = &a->ports->decisions;

	return (d->command_attempt(d->self, c, error, a->info));
}

/* Cancels those of the plan's commands that have not left. */
static enum err
cancel_rest(struct act *a, int64_t plan_id, const char *facts)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct command *commands;
	size_t i, n;
	enum err err;

	err =
	    d->commands_of(d->self, a->arena, plan_id, &commands, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if (commands[i].state == COMMAND_PLANNED ||
		    commands[i].state == COMMAND_QUEUED)
			err = move_command(
			    a, &commands[i], COMMAND_CANCEL, facts);
	}
	return (err);
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
		err = move_plan(a, &plans[i], PLAN_EXPIRE, facts);
		if (err == ERR_OK)
			err = cancel_rest(a, plans[i].id, facts);
	}
	return (err);
}

static struct plan *
find_plan(const struct execution *x, int64_t id)
{
	size_t i;

	for (i = 0; i < x->nplans; i++) {
		if (x->plans[i].id == id)
			return (&x->plans[i]);
	}
	return (NULL);
}

static size_t
find_breaker(const struct execution *x, int32_t gateway_id)
{
	size_t i;

	for (i = 0; i < x->nbreakers; i++) {
		if (x->breakers[i].gateway_id == gateway_id)
			break;
	}
	return (i);
}

/* The command ends for good and its plan with it. */
static enum err
fail(struct execution *x, struct command *c, int event, const char *facts)
{
	struct plan *p = find_plan(x, c->plan_id);
	enum err err;

	if ((err = move_command(x->act, c, event, facts)) != ERR_OK)
		return (err);
	x->act->figures->failed++;
	if (p == NULL)
		return (ERR_OK);
	if ((err = move_plan(x->act, p, PLAN_COMMAND_FAILED, facts)) != ERR_OK)
		return (err);
	return (cancel_rest(x->act, p->id, facts));
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

static void
look(const struct execution *x, const struct command *c,
    struct guard_result *ret)
{
	const struct plan *p = find_plan(x, c->plan_id);
	size_t b = find_breaker(x, c->gateway_id);
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
	guard_check(&f, ret);
}

static enum err
leave(struct execution *x, struct command *c)
{
	struct act *a = x->act;
	struct plan *p = find_plan(x, c->plan_id);
	size_t b = find_breaker(x, c->gateway_id);
	enum err err = ERR_OK;

	if (c->state == COMMAND_SENT)
		err = move_command(a, c, COMMAND_RETRY,
		    act_fact(a, "reason", "the last result was lost"));
	if (err != ERR_OK)
		return (err);
	c->attempts++;
	c->next_attempt_us = a->now_us + EXECUTE_LOST_US;
	if ((err = save_attempt(a, c, NULL)) != ERR_OK ||
	    (err = move_command(
		 a, c, COMMAND_SEND, act_fact(a, "key", c->key))) != ERR_OK)
		return (err);
	if (p->state == PLAN_APPROVED &&
	    (err = move_plan(a, p, PLAN_SEND, "{}")) != ERR_OK)
		return (err);
	x->claims[x->nclaims++] = (struct claim){c->link_id, p->id};
	if (b < x->nbreakers)
		x->probing[b] = breaker_is_probing(&x->breakers[b], a->now_us);
	x->commands[x->n++] = *c;
	return (ERR_OK);
}

static char *
guard_facts_json(struct act *a, const struct guard_result *r)
{
	struct text t;

	text_init(&t, 1024);
	json_object(&t, NULL);
	json_string(&t, "guard", r->guard);
	json_string(&t, "detail", r->detail);
	json_object_end(&t);
	return (act_keep(a, &t));
}

static enum err
decide(struct execution *x, struct command *c)
{
	struct guard_result r;
	char *facts;

	look(x, c, &r);
	if (r.verdict == GUARD_PASS)
		return (leave(x, c));
	if ((facts = guard_facts_json(x->act, &r)) == NULL)
		return (act_no_memory(x->act));
	if (r.verdict == GUARD_REFUSE)
		return (fail(x, c, COMMAND_REFUSE, facts));
	if (r.verdict == GUARD_EXPIRE)
		return (fail(x, c, COMMAND_EXPIRE, facts));
	c->next_attempt_us = r.wait_until_us;
	if (c->next_attempt_us > c->not_after_us)
		c->next_attempt_us = c->not_after_us + 1;
	return (save_attempt(x->act, c, facts));
}

enum err
execute_begin(struct execution *x, struct act *a)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct command *due;
	size_t i, ndue;
	enum err err;

	*x = (struct execution){.act = a};
	err = d->commands_due(
	    d->self, a->arena, a->now_us, EXECUTE_MAX, &due, &ndue, a->info);
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
		err = decide(x, &due[i]);
	return (err);
}

/* Recording took time: what is too late by now stays here. */
void
execute_send(struct execution *x)
{
	const struct actuator_port *actuator = &x->act->ports->actuator;
	const struct clock_port *clock = &x->act->ports->clock;
	int64_t now_us = clock->now_us(clock->self);
	struct command swap;
	size_t i, nleft = 0;

	for (i = 0; i < x->n; i++) {
		if (now_us > x->commands[i].not_after_us)
			continue;
		swap = x->commands[nleft];
		x->commands[nleft] = x->commands[i];
		x->commands[i] = swap;
		x->left[nleft++] = true;
	}
	for (i = nleft; i < x->n; i++)
		x->replies[i] =
		    (struct gateway_reply){.outcome = GATEWAY_NO_ANSWER,
			.detail = "not sent: its time passed"};
	if (nleft > 0)
		actuator->send(actuator->self, x->commands, nleft, x->replies);
	x->act->figures->sent += (int64_t)nleft;
}

static enum err
record_breaker(struct execution *x, size_t i)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	int32_t gateway = x->commands[i].gateway_id;
	size_t at = find_breaker(x, gateway);
	struct breaker_state *b = &x->breakers[at];

	if (!x->left[i])
		return (ERR_OK);
	if (at == x->nbreakers)
		x->breakers[x->nbreakers++] =
		    (struct breaker_state){gateway, 0, INSTANT_NONE};
	if (x->replies[i].outcome == GATEWAY_NO_ANSWER)
		breaker_unanswered(b, x->act->now_us);
	else if (!breaker_answered(b))
		return (ERR_OK);
	return (d->breaker_save(d->self, b, x->act->info));
}

static char *
reply_facts(struct act *a, const struct gateway_reply *r)
{
	static const char *const words[] = {"executed", "refused", "no_answer"};
	struct text t;

	text_init(&t, 2048);
	json_object(&t, NULL);
	json_string(&t, "outcome", words[r->outcome]);
	json_int(&t, "http_status", r->http_status);
	json_string(&t, "detail", r->detail);
	json_int(&t, "took_us", r->took_us);
	json_object_end(&t);
	return (act_keep(a, &t));
}

static enum err
record_done(struct execution *x, struct command *c, const char *facts)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct command *all;
	size_t i, n;
	enum err err;

	x->act->figures->done++;
	if ((err = move_command(x->act, c, COMMAND_ACK, facts)) != ERR_OK ||
	    (err = d->commands_of(d->self, x->act->arena, c->plan_id, &all, &n,
		 x->act->info)) != ERR_OK)
		return (err);
	for (i = 0; i < n; i++) {
		if (all[i].state != COMMAND_DONE)
			return (ERR_OK);
	}
	return (
	    move_plan(x->act, find_plan(x, c->plan_id), PLAN_ALL_DONE, "{}"));
}

static enum err
record_retry(struct execution *x, struct command *c, const char *facts)
{
	int64_t span = EXECUTE_BACKOFF_MAX;
	enum err err;

	if (c->attempts < 6)
		span = EXECUTE_BACKOFF_US << (c->attempts - 1);
	if (span > EXECUTE_BACKOFF_MAX)
		span = EXECUTE_BACKOFF_MAX;
	c->next_attempt_us =
	    x->act->now_us + (int64_t)((double)span * act_uniform(x->act));
	if (c->next_attempt_us > c->not_after_us)
		c->next_attempt_us = c->not_after_us + 1;
	if ((err = move_command(x->act, c, COMMAND_RETRY, facts)) != ERR_OK)
		return (err);
	return (save_attempt(x->act, c, facts));
}

static enum err
record_one(struct execution *x, size_t i)
{
	const struct gateway_reply *r = &x->replies[i];
	struct command *c = &x->commands[i];
	char *facts = reply_facts(x->act, r);
	enum err err;

	if (facts == NULL)
		return (act_no_memory(x->act));
	if ((err = record_breaker(x, i)) != ERR_OK)
		return (err);
	switch (r->outcome) {
	case GATEWAY_EXECUTED:
		return (record_done(x, c, facts));
	case GATEWAY_REFUSED:
		return (fail(x, c, COMMAND_REFUSE, facts));
	case GATEWAY_NO_ANSWER:
		break;
	}
	return (record_retry(x, c, facts));
}

enum err
execute_record(struct execution *x)
{
	const struct clock_port *clock = &x->act->ports->clock;
	enum err err = ERR_OK;
	size_t i;

	x->act->now_us = clock->now_us(clock->self);
	for (i = 0; err == ERR_OK && i < x->n; i++)
		err = record_one(x, i);
	return (err);
}
