#include "core/instant.h"
#include "store/twin.h"

#include <string.h>

/* As many people as its risk asks for, or agreed to beforehand. */
static void
check_approvals(struct twin *t, const struct twin_plan *p)
{
	size_t needed = p->plan.risk == RISK_HIGH ? TWIN_APPROVERS : 1;

	if (p->plan.state != PLAN_EXECUTING)
		twin_violate(t, "sent for a plan that is not executing");
	if (p->napprovers < needed && !p->unasked)
		twin_violate(
		    t, "sent with %zu of %zu approvals", p->napprovers, needed);
	if (p->napprovers > 1 && strcmp(p->approvers[0], p->approvers[1]) == 0)
		twin_violate(t, "one person agreed twice");
}

/* What must hold whenever a command leaves. */
static void
check_leaving(struct twin *t, const struct command *c)
{
	struct twin_command *row = twin_find_command(t, c->id);

	if (t->in_unit)
		twin_violate(t, "sent inside a unit of work");
	if (row->approved_us == INSTANT_NONE)
		twin_violate(t, "sent without approval");
	check_approvals(t, &t->plans[row->command.plan_id - 1]);
	if (row->command.state != COMMAND_SENT)
		twin_violate(t, "sent before it was recorded");
	if (t->now_us > row->command.not_after_us)
		twin_violate(t, "sent after its time");
	if (strcmp(row->command.key, c->key) != 0)
		twin_violate(t, "sent with another key");
	if (row->may_have_acted && !c->repeatable)
		twin_violate(t, "sent again without having asked");
	row->may_have_acted = true;
	row->sends++;
}

static void
check_asking(struct twin *t, const struct command *c)
{
	struct twin_command *row = twin_find_command(t, c->id);

	if (t->in_unit)
		twin_violate(t, "asked inside a unit of work");
	if (row->command.attempts == 0)
		twin_violate(t, "asked about what was never to be sent");
	row->asks++;
}

/* Its own word clears a command to be sent again. */
static void
learn(struct twin *t, const struct command *c, const struct gateway_reply *r)
{
	if (r->outcome == (c->ask ? GATEWAY_NEVER_HAD : GATEWAY_NOT_TAKEN) ||
	    r->outcome == GATEWAY_REFUSED || r->outcome == GATEWAY_EXPIRED)
		twin_find_command(t, c->id)->may_have_acted = false;
}

static void
send(void *self, const struct command *c, size_t n, struct gateway_reply *ret)
{
	struct twin *t = self;
	size_t i;

	for (i = 0; i < n; i++) {
		(c[i].ask ? check_asking : check_leaving)(t, &c[i]);
		ret[i] = (struct gateway_reply){.outcome = GATEWAY_NO_ANSWER};
		if (t->gateway != NULL)
			t->gateway(t->gateway_arg, &c[i], &ret[i]);
		learn(t, &c[i], &ret[i]);
		if (ret[i].outcome == GATEWAY_PENDING && t->nlate < TWIN_LATE)
			t->late[t->nlate++] = c[i];
	}
}

enum err
twin_guard_asset(void *self, struct arena *a, const struct command *c,
    int64_t now_us, struct guard_asset *ret, struct err_info *info)
{
	struct twin *t = self;
	const struct twin_command *o;
	size_t i;

	(void)a;
	*ret = t->asset;
	ret->moved_us = INSTANT_NONE;
	for (i = t->first_command; i < t->ncommands; i++) {
		o = &t->commands[i];
		if (o->command.link_id != c->link_id ||
		    o->command.id == c->id || o->sent_us == INSTANT_NONE ||
		    o->command.state > COMMAND_UNKNOWN ||
		    o->command.state < COMMAND_SENT)
			continue;
		ret->moves += o->sent_us > now_us - US_PER_HOUR;
		if (o->sent_us > ret->moved_us)
			ret->moved_us = o->sent_us;
	}
	return (twin_enter(t, "guard_asset", false, info));
}

/* The commands' strings were the cycle's: none of them is told. */
static size_t
collect(void *self, struct arena *a, struct gateway_late *ret, size_t max)
{
	struct twin *t = self;
	size_t i, n = t->hold_late ? 0 : t->nlate;

	for (i = 0; i < n && i < max; i++) {
		ret[i].command = twin_list(t, a, 1, sizeof(struct command));
		if (ret[i].command == NULL)
			return (i);
		*ret[i].command = t->late[i];
		ret[i].reply = (struct gateway_reply){
		    .outcome = GATEWAY_EXECUTED, .http_status = 200};
	}
	t->nlate -= n;
	return (n);
}

void
twin_field(struct twin *t, struct ports *p)
{
	p->actuator = (struct actuator_port){t, send, collect};
}
