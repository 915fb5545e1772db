#include "core/instant.h"
#include "mape/breaker.h"
#include "mape/execute_parts.h"

static enum err
record_breaker(struct execution *x, const struct command *c, bool answered)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	size_t at = execute_breaker(x, c->gateway_id);
	struct breaker_state *b = &x->breakers[at];

	if (at == x->nbreakers)
		x->breakers[x->nbreakers++] =
		    (struct breaker_state){c->gateway_id, 0, INSTANT_NONE};
	if (!answered)
		breaker_unanswered(b, x->act->now_us);
	else if (!breaker_answered(b))
		return (ERR_OK);
	return (d->breaker_save(d->self, b, x->act->info));
}

static char *
reply_facts(
    struct act *a, const struct command *c, const struct gateway_reply *r)
{
	static const char *const words[] = {
	    [GATEWAY_EXECUTED] = "executed",
	    [GATEWAY_ACCEPTED] = "accepted",
	    [GATEWAY_REFUSED] = "refused",
	    [GATEWAY_EXPIRED] = "expired",
	    [GATEWAY_NEVER_HAD] = "never_had",
	    [GATEWAY_NOT_TAKEN] = "not_taken",
	    [GATEWAY_NO_ANSWER] = "no_answer",
	    [GATEWAY_PENDING] = "pending",
	};
	struct text t;

	text_init(&t, 2048);
	json_object(&t, NULL);
	json_string(&t, "errand", c->ask ? "ask" : "send");
	json_int(&t, "attempt", c->attempts);
	json_string(&t, "outcome", words[r->outcome]);
	json_int(&t, "http_status", r->http_status);
	json_string(&t, "detail", r->detail);
	json_int(&t, "took_us", r->took_us);
	json_object_end(&t);
	return (act_keep(a, &t));
}

/* Once all of the plan's commands are executed, the effect is waited for. */
static enum err
executed(struct execution *x, struct command *c, const char *facts)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct plan *p = execute_plan(x, c->plan_id);
	struct command *all;
	size_t i, n;
	enum err err;

	x->act->figures->done++;
	if ((err = execute_move(x->act, c, COMMAND_ACK, facts)) != ERR_OK ||
	    (err = d->commands_of(d->self, x->act->arena, c->plan_id, &all, &n,
		 x->act->info)) != ERR_OK)
		return (err);
	for (i = 0; i < n; i++) {
		if (all[i].state != COMMAND_EXECUTED)
			return (ERR_OK);
	}
	return (p == NULL ? ERR_OK
			  : execute_move_plan(x->act, p, PLAN_ALL_DONE, "{}"));
}

/* Full jitter; the try after `end` only finds that it is too late. */
static int64_t
next_try(struct execution *x, int tries, int64_t end_us)
{
	int64_t span = EXECUTE_BACKOFF_MAX, at;

	if (tries >= 1 && tries < 6)
		span = EXECUTE_BACKOFF_US << (tries - 1);
	if (span > EXECUTE_BACKOFF_MAX)
		span = EXECUTE_BACKOFF_MAX;
	at = x->act->now_us + (int64_t)((double)span * act_uniform(x->act));
	return (at > end_us ? end_us + 1 : at);
}

static enum err
again(struct execution *x, struct command *c, const char *facts)
{
	enum err err;

	c->asked = 0;
	c->ask_until_us = INSTANT_NONE;
	c->next_attempt_us = next_try(x, c->attempts, c->not_after_us);
	if ((err = execute_move(x->act, c, COMMAND_RETRY, facts)) != ERR_OK)
		return (err);
	return (execute_save(x->act, c, facts));
}

/* To be asked; `event` moves it to where it is asked from, -1: it is there. */
static enum err
ask_later(struct execution *x, struct command *c, int event, const char *facts)
{
	enum err err = ERR_OK;

	if (event >= 0)
		err = execute_move(x->act, c, event, facts);
	if (err != ERR_OK)
		return (err);
	if (c->ask_until_us == INSTANT_NONE)
		c->ask_until_us = c->not_after_us + x->act->rules->ask_us;
	c->asked++;
	c->next_attempt_us = next_try(x, c->asked, c->ask_until_us);
	return (execute_save(x->act, c, facts));
}

static enum err
settle_sent(struct execution *x, struct command *c,
    const struct gateway_reply *r, const char *facts)
{
	switch (r->outcome) {
	case GATEWAY_EXECUTED:
		return (executed(x, c, facts));
	case GATEWAY_ACCEPTED:
		return (ask_later(x, c, COMMAND_ACCEPT, facts));
	case GATEWAY_REFUSED:
		return (execute_fail(x, c, COMMAND_REFUSE, facts));
	case GATEWAY_EXPIRED:
		return (execute_fail(x, c, COMMAND_EXPIRE, facts));
	case GATEWAY_NOT_TAKEN:
		return (again(x, c, facts));
	case GATEWAY_NEVER_HAD:
	case GATEWAY_NO_ANSWER:
	case GATEWAY_PENDING:
		break;
	}
	if (c->repeatable)
		return (again(x, c, facts));
	return (ask_later(x, c, COMMAND_LOSE, facts));
}

/* One that accepted it and then says that it never had it is not believed. */
static enum err
settle_asked(struct execution *x, struct command *c,
    const struct gateway_reply *r, const char *facts)
{
	bool accepted = c->state == COMMAND_ACCEPTED;

	switch (r->outcome) {
	case GATEWAY_EXECUTED:
		return (executed(x, c, facts));
	case GATEWAY_ACCEPTED:
		return (ask_later(x, c, accepted ? -1 : COMMAND_ACCEPT, facts));
	case GATEWAY_REFUSED:
		return (execute_fail(x, c, COMMAND_REFUSE, facts));
	case GATEWAY_EXPIRED:
		return (execute_fail(x, c, COMMAND_EXPIRE, facts));
	case GATEWAY_NEVER_HAD:
		if (accepted)
			break;
		if (x->act->now_us > c->not_after_us)
			return (execute_fail(x, c, COMMAND_EXPIRE, facts));
		return (again(x, c, facts));
	case GATEWAY_NOT_TAKEN:
	case GATEWAY_NO_ANSWER:
	case GATEWAY_PENDING:
		break;
	}
	return (ask_later(x, c, -1, facts));
}

enum err
settle(struct execution *x, struct command *c, const struct gateway_reply *r,
    bool left)
{
	bool answered =
	    r->outcome != GATEWAY_NOT_TAKEN && r->outcome != GATEWAY_NO_ANSWER;
	char *facts = reply_facts(x->act, c, r);
	enum err err;

	if (facts == NULL)
		return (act_no_memory(x->act));
	if (left && (err = record_breaker(x, c, answered)) != ERR_OK)
		return (err);
	return (c->ask ? settle_asked(x, c, r, facts)
		       : settle_sent(x, c, r, facts));
}

/* The command as it is stored, if it still waits for this very reply. */
static enum err
find_waiting(
    struct execution *x, const struct command *sent, struct command **ret)
{
	const struct decisions_port *d = &x->act->ports->decisions;
	struct command *all;
	size_t i, n;
	enum err err;

	*ret = NULL;
	err = d->commands_of(
	    d->self, x->act->arena, sent->plan_id, &all, &n, x->act->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if (all[i].id == sent->id &&
		    all[i].attempts == sent->attempts &&
		    (sent->ask ? all[i].state == COMMAND_UNKNOWN ||
				all[i].state == COMMAND_ACCEPTED
			       : all[i].state == COMMAND_SENT))
			*ret = &all[i];
	}
	return (err);
}

enum err
settle_late(struct execution *x, const struct gateway_late *late, size_t n)
{
	struct command *c;
	enum err err = ERR_OK;
	size_t i;

	for (i = 0; err == ERR_OK && i < n; i++) {
		err = find_waiting(x, late[i].command, &c);
		if (err != ERR_OK || c == NULL)
			continue;
		c->ask = late[i].command->ask;
		err = settle(x, c, &late[i].reply, true);
	}
	return (err);
}
