#include "core/instant.h"
#include "core/text.h"
#include "mape/finding.h"
#include "mape/rules_parts.h"

#include <math.h>
#include <stdio.h>

#define EVIDENCE_MAX 8192
/* Of the series that evidence lists. */
#define LISTED 20

static void
write_series(struct text *t, const struct rule_run *run, size_t at)
{
	const struct rule_seen *seen = &run->state.seen[at];
	const struct series *s = run->series[at];
	char name[160];

	if (seen->t_us == INSTANT_NONE)
		return;
	(void)snprintf(name, sizeof(name), "%s/%s", s->node, s->metric);
	json_object(t, NULL);
	json_string(t, "series", name);
	json_instant(t, "ts", seen->t_us);
	json_double(t, "value", seen->value);
	json_string(t, "unit", s->unit);
	json_object_end(t);
}

static const char *
evidence(struct analysis *a, const struct rule_run *run, const char *id)
{
	char buf[EVIDENCE_MAX];
	struct text t;
	size_t i;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "rule", id);
	json_string(&t, "message", run->rule.message);
	json_string(&t, "unit", run->series[run->about]->unit);
	json_null(&t, "limit");
	json_instant(&t, "since", run->state.since_us);
	json_instant(&t, "at", run->state.clock_us);
	json_array(&t, "readings");
	for (i = 0; i < run->nseries && i < LISTED; i++)
		write_series(&t, run, i);
	json_array_end(&t);
	json_int(&t, "series", (int64_t)run->nseries);
	json_object_end(&t);
	return (text_ok(&t) ? arena_strndup(a->arena, buf, t.len) : NULL);
}

static enum err
note(struct analysis *a, const struct rule_run *run, const char *evidence_json)
{
	const struct knowledge_port *k = &a->ports->knowledge;

	return (k->rule_found(k->self,
	    &(struct rule_finding){
		.rule = run->id,
		.version = run->version,
		.series = run->state.condition.series,
		.clear = evidence_json == NULL,
		.severity = (int)run->rule.severity,
		.at_us = evidence_json == NULL ? run->state.clock_us
					       : run->state.since_us,
		.evidence = evidence_json,
	    },
	    a->info));
}

enum err
rule_raise(struct analysis *a, struct rule_run *run, bool carry_on)
{
	const struct decisions_port *d = &a->ports->decisions;
	const struct notifier_port *notifier = &a->ports->notifier;
	struct rule_state *st = &run->state;
	char rule_id[RULE_ID_BYTES];
	struct anomaly an;
	int64_t id;
	enum err err;
	bool new;

	if (!carry_on)
		st->condition =
		    (struct condition){.series = run->series[run->about]->id,
			.type = run->rule.type,
			.direction = run->rule.direction,
			.severity = run->rule.severity,
			.rule = run->id};
	st->open = true;
	(void)snprintf(
	    rule_id, sizeof(rule_id), "R:%s@%d", run->code, (int)run->version);
	an = (struct anomaly){
	    .condition = st->condition,
	    .rule_id = rule_id,
	    .first_us = st->since_us,
	    .last_us = st->clock_us,
	    .value = st->seen[run->about].value,
	    .limit = NAN,
	    .evidence = evidence(a, run, rule_id),
	    .knowledge_version = a->knowledge_version,
	};
	if (an.evidence == NULL)
		return (err_set(a->info, ERR_NO_MEMORY, NULL,
		    "no room for a rule's evidence"));
	if (run->shadow)
		return (carry_on ? ERR_OK : note(a, run, an.evidence));
	err = d->anomaly_raise(d->self, &an, &id, &new, a->info);
	if (err != ERR_OK || !new)
		return (err);
	a->raised++;
	notifier->notify(notifier->self, "anomaly_opened", id, an.evidence);
	return (ERR_OK);
}

enum err
rule_clear(struct analysis *a, struct rule_run *run)
{
	char buf[128];
	struct text t;

	run->state.open = false;
	if (run->shadow)
		return (note(a, run, NULL));
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_instant(&t, "ts", run->state.clock_us);
	json_double(&t, "value", run->state.seen[run->about].value);
	json_object_end(&t);
	return (
	    finding_clear(a, &run->state.condition, run->state.clock_us, buf));
}
