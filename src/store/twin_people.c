/* What people and policies do to the twin's plans. */
#include "store/twin.h"

#include "core/instant.h"

#include <stdio.h>
#include <string.h>

const struct plan_template *
twin_template(const struct twin *t, int32_t id)
{
	static const struct plan_template none;
	size_t i;

	for (i = 0; i < t->knowledge.ntemplates; i++) {
		if (t->knowledge.templates[i].id == id)
			return (&t->knowledge.templates[i]);
	}
	return (&none);
}

/* The row that was taken, written down; the state it leads to. */
static int
walk(struct twin *t, const struct fsm *fsm, int64_t id, int from, int event)
{
	const struct fsm_row *row = fsm_find(fsm, from, event);

	twin_move(t,
	    &(struct move){fsm->name, id, row->id, fsm->states[from],
		fsm->states[row->to], t->now_us, "{}", t->knowledge.version});
	return (row->to);
}

/* A person's move, or a policy's, in one go. */
static bool
decide(struct twin *t, int64_t plan_id, int plan_event, int command_event)
{
	struct twin_plan *p = twin_find_plan(t, plan_id);
	struct command *c;
	int64_t life;
	size_t i;

	if (p == NULL || p->plan.state != PLAN_PROPOSED ||
	    t->now_us >= p->plan.expires_us)
		return (false);
	life = twin_template(t, p->plan.template_id)->command_life_us;
	twin_touch(t, p, sizeof(*p));
	p->plan.state = (enum plan_state)walk(
	    t, &plan_fsm, plan_id, PLAN_PROPOSED, plan_event);
	p->plan.approved_us = t->now_us;
	for (i = 0; i < t->ncommands; i++) {
		c = &t->commands[i].command;
		if (c->plan_id != plan_id)
			continue;
		twin_touch(t, &t->commands[i], sizeof(t->commands[i]));
		c->state = (enum command_state)walk(
		    t, &command_fsm, c->id, COMMAND_PLANNED, command_event);
		c->not_after_us = t->now_us + life;
		c->next_attempt_us = t->now_us;
		if (plan_event == PLAN_APPROVE)
			t->commands[i].approved_us = t->now_us;
	}
	return (true);
}

/* Approvals of late by different people, of which `who` is one: false if he
 * agreed before. */
static bool
agree(struct twin *t, struct twin_plan *p, const char *who)
{
	size_t i, n = 0;

	for (i = 0; i < p->napprovers; i++) {
		if (p->agreed_us[i] <= t->now_us - TWIN_APPROVAL_US)
			continue;
		if (strcmp(p->approvers[i], who) == 0)
			return (false);
		p->approvers[n] = p->approvers[i];
		p->agreed_us[n++] = p->agreed_us[i];
	}
	p->approvers[n] = twin_text(t, who);
	p->agreed_us[n] = t->now_us;
	p->napprovers = n + 1;
	return (true);
}

bool
twin_approve_by(struct twin *t, int64_t plan_id, const char *who)
{
	struct twin_plan *p = twin_find_plan(t, plan_id);
	size_t needed;

	if (p == NULL || p->plan.state != PLAN_PROPOSED ||
	    t->now_us >= p->plan.expires_us || !agree(t, p, who))
		return (false);
	needed = p->plan.risk == RISK_HIGH ? TWIN_APPROVERS : 1;
	return (p->napprovers < needed ||
	    decide(t, plan_id, PLAN_APPROVE, COMMAND_APPROVE));
}

bool
twin_approve(struct twin *t, int64_t plan_id)
{
	const struct twin_plan *p = twin_find_plan(t, plan_id);

	return (twin_approve_by(t, plan_id, "ada") &&
	    (p->plan.risk != RISK_HIGH || twin_approve_by(t, plan_id, "bob")));
}

bool
twin_reject(struct twin *t, int64_t plan_id)
{
	return (decide(t, plan_id, PLAN_REJECT, COMMAND_CANCEL));
}

/* Another plan that is agreed to and not over moves a link of it. */
static bool
has_rival(struct twin *t, int64_t plan_id)
{
	const struct command *c, *o;
	const struct plan *p;
	size_t i, j;

	for (i = 0; i < t->ncommands; i++) {
		c = &t->commands[i].command;
		for (j = 0; c->plan_id == plan_id && j < t->ncommands; j++) {
			o = &t->commands[j].command;
			p = &twin_find_plan(t, o->plan_id)->plan;
			if (o->link_id == c->link_id && p->id != plan_id &&
			    p->state != PLAN_PROPOSED &&
			    !twin_is_final(p->state))
				return (true);
		}
	}
	return (false);
}

enum err
twin_plan_unasked(void *self, int64_t plan_id, const char *policy, bool *ret,
    struct err_info *info)
{
	struct twin *t = self;
	const struct plan *p = &twin_find_plan(t, plan_id)->plan;
	bool emergency = strcmp(policy, "emergency") == 0;
	enum err err = twin_enter(t, "plan_unasked", true, info);

	if (err != ERR_OK)
		return (err);
	*ret = !has_rival(t, plan_id) &&
	    decide(t, plan_id, PLAN_APPROVE, COMMAND_APPROVE);
	twin_find_plan(t, plan_id)->unasked = *ret;
	if (*ret &&
	    (emergency != t->emergency ||
		(emergency ? !twin_template(t, p->template_id)->preapproved
			   : p->risk != RISK_LOW)))
		twin_violate(t, "policy %s let plan %lld run", policy,
		    (long long)plan_id);
	return (ERR_OK);
}

bool
twin_cancel(struct twin *t, int64_t plan_id)
{
	struct twin_plan *p = twin_find_plan(t, plan_id);
	struct command *c;
	size_t i;

	if (p == NULL ||
	    fsm_find(&plan_fsm, (int)p->plan.state, PLAN_CANCEL) == NULL)
		return (false);
	for (i = 0; i < t->ncommands; i++) {
		c = &t->commands[i].command;
		if (c->plan_id == plan_id &&
		    (c->state == COMMAND_PLANNED || c->state == COMMAND_QUEUED))
			c->state = (enum command_state)walk(t, &command_fsm,
			    c->id, (int)c->state, COMMAND_CANCEL);
	}
	p->plan.state = (enum plan_state)walk(
	    t, &plan_fsm, plan_id, (int)p->plan.state, PLAN_CANCEL);
	return (true);
}

static void
redrive_command(struct twin *t, struct twin_command *row, int64_t life_us)
{
	struct command *c = &row->command;

	if (fsm_find(&command_fsm, (int)c->state, COMMAND_REDRIVE) == NULL ||
	    (c->state == COMMAND_UNKNOWN && !row->dead))
		return;
	/* What is surely not done is another command to its gateway. */
	if (c->state != COMMAND_UNKNOWN)
		(void)snprintf(
		    c->key, sizeof(c->key), "again-%zu", t->ntransitions);
	c->state = (enum command_state)walk(
	    t, &command_fsm, c->id, (int)c->state, COMMAND_REDRIVE);
	c->not_after_us = t->now_us + life_us;
	c->next_attempt_us = t->now_us;
	c->ask_until_us = INSTANT_NONE;
	row->approved_us = t->now_us;
	row->dead = false;
}

bool
twin_redrive(struct twin *t, int64_t plan_id, const char *who)
{
	struct twin_plan *p = twin_find_plan(t, plan_id);
	size_t i;

	if (p == NULL || p->plan.state != PLAN_FAILED || has_rival(t, plan_id))
		return (false);
	(void)agree(t, p, who);
	if (p->napprovers < (p->plan.risk == RISK_HIGH ? TWIN_APPROVERS : 1u))
		return (false);
	p->plan.state = (enum plan_state)walk(
	    t, &plan_fsm, plan_id, PLAN_FAILED, PLAN_REDRIVE);
	p->plan.approved_us = t->now_us;
	for (i = 0; i < t->ncommands; i++)
		if (t->commands[i].command.plan_id == plan_id)
			redrive_command(t, &t->commands[i],
			    twin_template(t, p->plan.template_id)
				->command_life_us);
	return (true);
}

/* The same links, another action: a proposal of its own. */
int64_t
twin_undo(struct twin *t, int64_t plan_id, const char *action)
{
	struct twin_plan *p = twin_find_plan(t, plan_id);
	struct twin_plan *u;
	struct command c;
	size_t i, n = t->ncommands;

	if (p == NULL || t->nplans == TWIN_PLANS ||
	    fsm_find(&plan_fsm, (int)p->plan.state, PLAN_UNDO) == NULL)
		return (0);
	u = &t->plans[t->nplans++];
	*u = (struct twin_plan){.plan = p->plan};
	u->plan.id = (int64_t)t->nplans;
	u->plan.state = PLAN_PROPOSED;
	u->plan.undoes = plan_id;
	u->plan.effect_series = 0;
	u->plan.executed_us = u->plan.approved_us = INSTANT_NONE;
	u->plan.sent_us = INSTANT_NONE;
	u->plan.expires_us = t->now_us + US_PER_HOUR;
	for (i = 0; i < n; i++) {
		c = t->commands[i].command;
		if (c.plan_id != plan_id)
			continue;
		c.action = action;
		c.state = COMMAND_PLANNED;
		c.attempts = c.asked = 0;
		c.not_after_us = c.next_attempt_us = INSTANT_NONE;
		c.ask_until_us = INSTANT_NONE;
		(void)snprintf(c.key, sizeof(c.key), "undo-%lld-%zu",
		    (long long)u->plan.id, i);
		twin_add_command(t, u->plan.id, &c);
	}
	return (u->plan.id);
}

void
twin_undone(struct twin *t, int64_t plan_id)
{
	struct twin_plan *p = twin_find_plan(t, plan_id);

	if (fsm_find(&plan_fsm, (int)p->plan.state, PLAN_UNDO) == NULL)
		return;
	twin_touch(t, p, sizeof(*p));
	p->plan.state = (enum plan_state)walk(
	    t, &plan_fsm, plan_id, (int)p->plan.state, PLAN_UNDO);
}
