#include "mape/finding.h"

#include "core/instant.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>

#define EVIDENCE_MAX 2048
#define ODD	     0.5 /* a score that is worth telling: one in a thousand */

/* Severity of what has no level of its own. */
static const enum severity severities[ANOMALY_TYPE_COUNT] = {
    [ANOMALY_THRESHOLD] = SEVERITY_WARNING,
    [ANOMALY_RATE] = SEVERITY_WARNING,
    [ANOMALY_FLATLINE] = SEVERITY_WARNING,
    [ANOMALY_SILENCE] = SEVERITY_WARNING,
    [ANOMALY_OUTLIER] = SEVERITY_INFO,
    [ANOMALY_UNUSUAL] = SEVERITY_INFO,
};

void
finding_init(struct finding *f, const struct series *s, enum anomaly_type type,
    enum direction direction)
{
	*f = (struct finding){
	    .condition = {s->id, type, direction, severities[type], 0},
	    .limit = NAN,
	};
	(void)snprintf(
	    f->rule_id, sizeof(f->rule_id), "%s", anomaly_type_name(type));
}

void
finding_fact(struct finding *f, const char *key, double value)
{
	int i = 0;

	while (f->keys[i] != NULL)
		i++;
	f->keys[i] = key;
	f->facts[i] = value;
}

static void
write_reading(struct text *t, int64_t t_us, double value)
{
	json_object(t, NULL);
	json_instant(t, "ts", t_us);
	json_double(t, "value", value);
	json_object_end(t);
}

/* How odd the reading is: the whole of an unusual one's word, and beside
 * another's if it is odd at all. */
static void
write_odd(struct text *t, const struct finding *f)
{
	bool own = f->condition.type == ANOMALY_UNUSUAL;
	const char *looks = watch_looks_like(f->seen.rule);

	if (!own && f->seen.score < ODD)
		return;
	if (!own) {
		json_object(t, "unusual");
		json_string(t, "rule", watch_rule_name(f->seen.rule));
	}
	json_double(t, "score", f->seen.score);
	if (own && f->expects && !isnan(f->seen.reason.mean_off))
		json_double(t, "mean_off", f->seen.reason.mean_off);
	if (looks[0] != '\0')
		json_string(t, "looks_like", looks);
	if (!own)
		json_object_end(t);
}

/* What the series' own past let expect, and whose readings tell. */
static void
write_seen(struct text *t, const struct series *s, const struct finding *f)
{
	const bool own = f->condition.type == ANOMALY_UNUSUAL;
	const struct watch_reason *why = &f->seen.reason;

	if (f->expects) {
		json_double(
		    t, "expected", own ? why->expected : f->seen.expected);
		json_double(t, "band", own ? why->band : f->seen.band);
	}
	if (f->expects || own)
		write_odd(t, f);
	json_array(t, "contributions");
	json_object(t, NULL);
	json_string(t, "node", s->node);
	json_string(t, "metric", s->metric);
	json_double(t, "share", 1);
	json_object_end(t);
	json_array_end(t);
}

/* The reading judged, the one before it, and what the rule wanted. */
static const char *
evidence(struct analysis *a, const struct series *s,
    const struct series_state *st, const struct finding *f,
    const struct reading *r)
{
	char buf[EVIDENCE_MAX];
	struct text t;
	int i;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "rule", f->rule_id);
	json_string(&t, "unit", s->unit);
	json_double(&t, "limit", f->limit);
	json_instant(&t, "since", f->first_us);
	for (i = 0; i < FINDING_FACTS && f->keys[i] != NULL; i++)
		json_double(&t, f->keys[i], f->facts[i]);
	write_seen(&t, s, f);
	json_array(&t, "readings");
	if (st->last_us != INSTANT_NONE && (r == NULL || st->last_us < r->t_us))
		write_reading(&t, st->last_us, st->last_value);
	if (r != NULL)
		write_reading(&t, r->t_us, r->value);
	json_array_end(&t);
	json_object_end(&t);
	return (text_ok(&t) ? arena_strndup(a->arena, buf, t.len) : NULL);
}

enum err
finding_raise(struct analysis *a, const struct series *s,
    const struct series_state *st, const struct finding *f,
    const struct reading *r)
{
	const struct decisions_port *d = &a->ports->decisions;
	const struct notifier_port *notifier = &a->ports->notifier;
	struct anomaly an = {
	    .condition = f->condition,
	    .rule_id = f->rule_id,
	    .first_us = f->first_us,
	    .last_us = r != NULL ? r->t_us : a->now_us,
	    .value = r != NULL ? r->value : st->last_value,
	    .limit = f->limit,
	    .evidence = evidence(a, s, st, f, r),
	    .knowledge_version = a->knowledge_version,
	};
	int64_t id;
	enum err err;
	bool new;

	if (an.evidence == NULL)
		return (err_set(a->info, ERR_NO_MEMORY, NULL,
		    "no room for an anomaly's evidence"));
	err = d->anomaly_raise(d->self, &an, &id, &new, a->info);
	if (err != ERR_OK || !new)
		return (err);
	a->raised++;
	a->odd += f->condition.type == ANOMALY_UNUSUAL;
	notifier->notify(notifier->self, "anomaly_opened", id, an.evidence);
	return (ERR_OK);
}

enum err
finding_clear(struct analysis *a, const struct condition *c, int64_t at_us,
    const char *facts_json)
{
	const struct decisions_port *d = &a->ports->decisions;
	const struct fsm_row *row =
	    fsm_find(&anomaly_fsm, ANOMALY_OPEN, ANOMALY_CLEAR);
	struct move m = {
	    .subject = "anomaly",
	    .row_id = row->id,
	    .from = anomaly_fsm.states[row->from],
	    .to = anomaly_fsm.states[row->to],
	    .at_us = at_us,
	    .facts = facts_json,
	    .knowledge_version = a->knowledge_version,
	};

	a->cleared++;
	return (d->anomaly_clear(d->self, c, &m, a->info));
}
