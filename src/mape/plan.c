#include "mape/plan.h"

#include "core/instant.h"
#include "domain/plan.h"
#include "mape/knowledge.h"
#include "mape/rank.h"

#include <stdio.h>
#include <string.h>

#define REASONS_MAX 65536

struct planning {
	struct act *a;
	const struct anomaly *anomaly;
	const struct series *series;
	struct text reasons;
	struct command commands[PLAN_COMMANDS_MAX];
	size_t ncommands;
	char why_not[160];
};

static bool
matches(const char *wanted, const char *seen)
{
	return (
	    wanted == NULL || wanted[0] == '\0' || strcmp(wanted, seen) == 0);
}

/* What its guards look at must be there, or no command would ever leave. */
static bool
has_guarded(struct planning *p, const struct plan_template *t)
{
	const char *at = t->guard_metrics == NULL ? "" : t->guard_metrics;
	char metric[64];
	size_t n;

	while (*at != '\0') {
		n = strcspn(at, ",");
		(void)snprintf(metric, sizeof(metric), "%.*s", (int)n, at);
		if (knowledge_series_at(
			p->a->knowledge, p->series->node_id, metric) == NULL) {
			(void)snprintf(p->why_not, sizeof(p->why_not),
			    "a guard needs %s, which the node has not", metric);
			return (false);
		}
		at += n + (at[n] == ',');
	}
	return (true);
}

/* False, and why in p->why_not, if the template is for something else. */
static bool
fits(struct planning *p, const struct plan_template *t)
{
	const struct condition *c = &p->anomaly->condition;
	const char *type = anomaly_type_name(c->type);
	const char *named = t->anomaly_type == NULL ? "" : t->anomaly_type;

	if (!matches(t->metric, p->series->metric))
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "metric is %s, not %s", p->series->metric, t->metric);
	else if (!matches(named, type))
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "anomaly is %s, not %s", type, named);
	else if (named[0] == '\0' && anomaly_needs_naming(c->type))
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "%s is %s and is not named", type,
		    anomaly_is_sensor_fault(c->type) ? "a sensor fault"
						     : "only statistics");
	else if (t->direction != DIRECTION_NONE && t->direction != c->direction)
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "direction is %s, not %s", direction_name(c->direction),
		    direction_name(t->direction));
	else if (c->severity < t->least_severity)
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "severity is %s, below %s", severity_name(c->severity),
		    severity_name(t->least_severity));
	else if (!matches(t->node_type, p->series->node_type))
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "node is a %s, not a %s", p->series->node_type,
		    t->node_type);
	else
		return (has_guarded(p, t));
	return (false);
}

static bool
reaches(const struct planning *p, const struct template_action *action,
    const struct actuator *act)
{
	if (strcmp(action->target_type, act->type) != 0)
		return (false);
	if (strcmp(action->target_relation, "inlet") == 0)
		return (act->to_node_id == p->series->node_id);
	return (p->series->zone[0] != '\0' && act->to_zone != NULL &&
	    strcmp(p->series->zone, act->to_zone) == 0);
}

static bool
add_command(struct planning *p, const struct template_action *action,
    const struct actuator *act)
{
	struct command *c = &p->commands[p->ncommands];
	size_t i;

	for (i = 0; i < p->ncommands; i++) {
		if (p->commands[i].step != action->step ||
		    p->commands[i].link_id != act->link_id)
			continue;
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "step %d would move %s twice", action->step, act->link);
		return (false);
	}
	if (p->ncommands == PLAN_COMMANDS_MAX) {
		(void)snprintf(p->why_not, sizeof(p->why_not),
		    "more than %d commands", PLAN_COMMANDS_MAX);
		return (false);
	}
	p->ncommands++;
	*c = (struct command){
	    .step = action->step,
	    .state = COMMAND_PLANNED,
	    .link_id = act->link_id,
	    .gateway_id = act->gateway_id,
	    .link = act->link,
	    .gateway = act->gateway,
	    .action = action->action,
	    .argument = action->argument,
	    .repeatable = action->repeatable,
	    .not_after_us = INSTANT_NONE,
	    .next_attempt_us = INSTANT_NONE,
	    .ask_until_us = INSTANT_NONE,
	};
	return (true);
}

/* Each action becomes one command for every link it reaches. */
static bool
resolve(struct planning *p, const struct plan_template *t)
{
	const struct knowledge *k = p->a->knowledge;
	const struct template_action *action;
	size_t i, j, before;

	p->ncommands = 0;
	for (i = 0; i < t->nactions; i++) {
		action = &t->actions[i];
		before = p->ncommands;
		for (j = 0; j < k->nactuators; j++) {
			if (reaches(p, action, &k->actuators[j]) &&
			    !add_command(p, action, &k->actuators[j]))
				return (false);
		}
		if (p->ncommands == before) {
			(void)snprintf(p->why_not, sizeof(p->why_not),
			    "step %d: no %s on a gateway is its %s",
			    action->step, action->target_type,
			    action->target_relation);
			return (false);
		}
	}
	if (t->nactions == 0)
		(void)snprintf(
		    p->why_not, sizeof(p->why_not), "it has no action");
	return (t->nactions > 0);
}

/* The series that would prove the effect; NULL: none would. */
static const struct series *
effect_of(const struct planning *p, const struct plan_template *t)
{
	const struct knowledge *k = p->a->knowledge;

	if (t->effect_metric == NULL || t->effect_metric[0] == '\0')
		return (NULL);
	return (t->effect_in_zone
		? knowledge_series_in(k, p->series->zone, t->effect_metric)
		: knowledge_series_at(k, p->series->node_id, t->effect_metric));
}

static bool
has_room(const struct planning *p)
{
	return (p->reasons.len <= REASONS_MAX / 2); /* enough to understand */
}

static void
write_fitting(struct planning *p, const struct ranked *r, size_t n)
{
	size_t i;

	for (i = 0; i < n && has_room(p); i++) {
		json_object(&p->reasons, NULL);
		json_string(&p->reasons, "template", r[i].t->code);
		json_bool(&p->reasons, "fits", true);
		json_int(&p->reasons, "rank", (int64_t)i + 1);
		rank_write(&p->reasons, &r[i]);
		if (i > 0)
			json_string(&p->reasons, "reason",
			    r[i].score < r[0].score
				? "its score is lower"
				: "its score is no higher, and it comes later");
		json_object_end(&p->reasons);
	}
}

static void
write_unfit(struct planning *p)
{
	const struct knowledge *k = p->a->knowledge;
	size_t i;

	for (i = 0; i < k->ntemplates && has_room(p); i++) {
		if (fits(p, &k->templates[i]) && resolve(p, &k->templates[i]))
			continue;
		json_object(&p->reasons, NULL);
		json_string(&p->reasons, "template", k->templates[i].code);
		json_bool(&p->reasons, "fits", false);
		json_string(&p->reasons, "reason", p->why_not);
		json_object_end(&p->reasons);
	}
}

/* *ret NULL: none fits; else p->commands are its. */
static enum err
choose(struct planning *p, const struct plan_template **ret)
{
	const struct knowledge *k = p->a->knowledge;
	const struct plan_template *t;
	const struct series *effect;
	struct ranked *r = arena_calloc(p->a->arena, k->ntemplates, sizeof(*r));
	size_t i, n = 0;

	if (r == NULL)
		return (act_no_memory(p->a));
	for (i = 0; i < k->ntemplates; i++) {
		t = &k->templates[i];
		if (!fits(p, t) || !resolve(p, t))
			continue;
		effect = effect_of(p, t);
		r[n++] =
		    rank_score(t, p->anomaly, effect == NULL ? 0 : effect->id);
	}
	rank_sort(r, n);
	write_fitting(p, r, n);
	write_unfit(p);
	*ret = n > 0 ? r[0].t : NULL;
	if (n > 0)
		(void)resolve(p, r[0].t);
	return (ERR_OK);
}

/* A proposal for something milder gives way; nothing that was agreed to. */
static bool
gives_way(const struct planning *p, const struct plan_holder *h)
{
	return (h->state == PLAN_PROPOSED && h->undoes == 0 &&
	    h->severity < (int)p->anomaly->condition.severity);
}

/* The first link of the commands that a live plan holds which does not give
 * way, or NULL. */
static enum err
find_contested(struct planning *p, const char **ret)
{
	const struct decisions_port *d = &p->a->ports->decisions;
	struct plan_holder h;
	enum err err;
	size_t i;

	*ret = NULL;
	for (i = 0; i < p->ncommands && *ret == NULL; i++) {
		err = d->plan_open_on(
		    d->self, p->commands[i].link_id, &h, p->a->info);
		if (err != ERR_OK)
			return (err);
		if (h.plan_id != 0 && !gives_way(p, &h))
			*ret = p->commands[i].link;
	}
	return (ERR_OK);
}

static enum err
supersede(struct planning *p)
{
	const struct decisions_port *d = &p->a->ports->decisions;
	struct plan_holder h;
	char *facts, id[24];
	size_t i;
	enum err err = ERR_OK;

	(void)snprintf(id, sizeof(id), "%lld", (long long)p->anomaly->id);
	for (i = 0; err == ERR_OK && i < p->ncommands; i++) {
		err = d->plan_open_on(
		    d->self, p->commands[i].link_id, &h, p->a->info);
		if (err != ERR_OK || h.plan_id == 0)
			continue;
		facts = act_fact(p->a, "severer_anomaly", id);
		err = act_move(p->a, &plan_fsm, h.plan_id, PLAN_PROPOSED,
		    PLAN_SUPERSEDE, facts);
		if (err == ERR_OK)
			err = act_cancel_rest(p->a, h.plan_id, facts);
	}
	return (err);
}

static enum err
record(struct planning *p, const char *outcome, const char *reasons)
{
	const struct decisions_port *d = &p->a->ports->decisions;

	if (reasons == NULL)
		return (act_no_memory(p->a));
	return (d->anomaly_planned(
	    d->self, p->anomaly->id, outcome, reasons, p->a->info));
}

static char *
close_reasons(struct planning *p, const char *key, const char *value)
{
	json_array_end(&p->reasons);
	json_string(&p->reasons, key, value);
	json_object_end(&p->reasons);
	return (act_keep(p->a, &p->reasons));
}

static enum err
propose(struct planning *p, const struct plan_template *t, const char *reasons)
{
	const struct decisions_port *d = &p->a->ports->decisions;
	const struct notifier_port *notifier = &p->a->ports->notifier;
	const struct series *effect = effect_of(p, t);
	struct plan plan = {
	    .anomaly_id = p->anomaly->id,
	    .template_id = t->id,
	    .state = PLAN_PROPOSED,
	    .proposed_us = p->a->now_us,
	    .expires_us = p->a->now_us + t->expires_us,
	    .approved_us = INSTANT_NONE,
	    .executed_us = INSTANT_NONE,
	    .effect_direction = t->effect_direction,
	    .effect_least = t->effect_least,
	    .effect_window_us = t->effect_window_us,
	    .reasons = reasons,
	    .risk = t->risk,
	    .knowledge_version = p->a->knowledge->version,
	};
	size_t i;
	int64_t id;
	enum err err;

	for (i = 0; i < p->ncommands; i++)
		act_uuid(p->a, p->commands[i].key);
	plan.effect_series = effect != NULL ? effect->id : 0;
	if (reasons == NULL)
		return (act_no_memory(p->a));
	err = d->plan_propose(
	    d->self, &plan, p->commands, p->ncommands, &id, p->a->info);
	if (err == ERR_OK)
		err = record(p, "proposed", reasons);
	if (err != ERR_OK)
		return (err);
	p->a->figures->proposed++;
	notifier->notify(notifier->self, "plan_proposed", id, reasons);
	return (ERR_OK);
}

static enum err
plan_one(struct planning *p)
{
	const struct plan_template *t;
	const char *contested;
	enum err err;

	p->series =
	    knowledge_series(p->a->knowledge, p->anomaly->condition.series);
	if (p->series == NULL)
		return (record(p, "no_plan_fits",
		    "{\"reason\":\"the series is retired\"}"));
	if (p->a->now_us - p->anomaly->last_us > PLAN_HISTORY_US)
		return (record(p, "no_plan_fits",
		    "{\"reason\":\"the evidence is history\","
		    "\"history\":true}"));
	text_init(&p->reasons, REASONS_MAX);
	json_object(&p->reasons, NULL);
	json_array(&p->reasons, "considered");
	if ((err = choose(p, &t)) != ERR_OK) {
		text_done(&p->reasons);
		return (err);
	}
	if (t == NULL)
		return (record(p, "no_plan_fits",
		    close_reasons(p, "reason", "no template fits")));
	if ((err = find_contested(p, &contested)) != ERR_OK) {
		text_done(&p->reasons);
		return (err);
	}
	if (contested != NULL)
		return (record(
		    p, "plan_open", close_reasons(p, "link", contested)));
	if ((err = supersede(p)) != ERR_OK) {
		text_done(&p->reasons);
		return (err);
	}
	return (propose(p, t, close_reasons(p, "template", t->code)));
}

enum err
plan_anomalies(struct act *a)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct anomaly *anomalies;
	struct planning p;
	size_t i, n;
	enum err err;

	err = d->anomalies_unplanned(d->self, a->arena,
	    a->now_us - PLAN_HISTORY_US, &anomalies, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		p = (struct planning){.a = a, .anomaly = &anomalies[i]};
		err = plan_one(&p);
	}
	return (err);
}
