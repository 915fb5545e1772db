#include "core/instant.h"
#include "domain/reading.h"
#include "mape/rules_parts.h"
#include "model/rate.h"

#include <math.h>

#define FRESH_US RULES_FRESH_US

struct eval {
	struct rule_run *run;
	int64_t now_us, awake_us;
	enum rule_truth truth[RULE_NODES];
};

static int64_t
fresh_us(const struct series *s)
{
	return (s->silence_us > 0 ? s->silence_us : FRESH_US);
}

static double
age_s(const struct eval *e, const struct rule_seen *seen)
{
	int64_t from = seen->t_us;

	if (e->awake_us != INSTANT_NONE && from < e->awake_us)
		from = e->awake_us;
	return ((double)(e->now_us - from) / (double)US_PER_SECOND);
}

/* NAN for what is not known now. */
static double
observe(const struct eval *e, enum rule_what what, size_t at)
{
	const struct rule_seen *seen = &e->run->state.seen[at];
	int64_t fresh = fresh_us(e->run->series[at]);

	if (seen->t_us == INSTANT_NONE)
		return (NAN);
	if (what == RULE_AGE)
		return (age_s(e, seen));
	if (e->now_us - seen->t_us > fresh)
		return (NAN);
	switch (what) {
	case RULE_VALUE:
		return (seen->value);
	case RULE_QUALITY:
		return (seen->quality == QUALITY_GOOD ? 0 : 1);
	case RULE_RATE:
		if (seen->before_us == INSTANT_NONE ||
		    seen->t_us - seen->before_us > fresh)
			return (NAN);
		return (rate_per_min(
		    seen->before, seen->before_us, seen->value, seen->t_us));
	case RULE_AGE:
	case RULE_WHAT_COUNT:
		break;
	}
	return (NAN);
}

static enum rule_truth
eval_test(const struct eval *e, size_t i)
{
	const struct rule_node *n = &e->run->rule.nodes[i];
	const struct rule_aim *aim = &e->run->aims[i];
	enum rule_truth t, all = n->all ? RULE_TRUE : RULE_FALSE;
	size_t k;

	if (aim->n == 0)
		return (RULE_UNKNOWN);
	for (k = 0; k < aim->n; k++) {
		t = rule_compare(
		    n->compare, observe(e, n->what, aim->at[k]), n->limit);
		all = n->all ? rule_and(all, t) : rule_or(all, t);
	}
	return (all);
}

static enum rule_truth
eval_for(struct eval *e, size_t i, enum rule_truth part)
{
	struct rule_mark *m = &e->run->state.marks[i];

	if (part != RULE_TRUE) {
		m->since_us = INSTANT_NONE;
		return (part);
	}
	if (m->since_us == INSTANT_NONE)
		m->since_us = e->now_us;
	return (e->now_us - m->since_us >= e->run->rule.nodes[i].span_us
		? RULE_TRUE
		: RULE_FALSE);
}

/* Each part was true lately; else it is not known if one of them is not. */
static enum rule_truth
eval_within(struct eval *e, size_t i)
{
	const struct rule *r = &e->run->rule;
	enum rule_truth all = RULE_TRUE;
	struct rule_mark *m;
	size_t k;

	for (k = i + 1; k < r->n; k++) {
		if (r->nodes[k].parent != (int)i)
			continue;
		m = &e->run->state.marks[k];
		if (e->truth[k] == RULE_TRUE)
			m->at_us = e->now_us;
		if (m->at_us == INSTANT_NONE ||
		    e->now_us - m->at_us > r->nodes[i].span_us)
			all = rule_and(all, e->truth[k]);
	}
	return (all);
}

/* Since when the part is true, INSTANT_NONE if it is not. A `for` is true once
 * its span is over. */
static int64_t
true_since(const struct eval *e, size_t part)
{
	const struct rule_node *n = &e->run->rule.nodes[part];
	struct rule_mark *m = &e->run->state.marks[part];

	if (n->op == RULE_FOR)
		return (e->truth[part] == RULE_TRUE ? m->since_us + n->span_us
						    : INSTANT_NONE);
	if (e->truth[part] != RULE_TRUE)
		m->since_us = INSTANT_NONE;
	else if (m->since_us == INSTANT_NONE)
		m->since_us = e->now_us;
	return (m->since_us);
}

/* A chain comes to one part further per time, when that part becomes true; the
 * newest chain counts. */
static enum rule_truth
eval_sequence(struct eval *e, size_t i)
{
	const struct rule *r = &e->run->rule;
	struct rule_mark was = {0}, now, *m = NULL;
	enum rule_truth none = RULE_FALSE; /* if no chain is through */
	bool first = true;
	int64_t since;
	size_t k;

	for (k = i + 1; k < r->n; k++) {
		if (r->nodes[k].parent != (int)i)
			continue;
		m = &e->run->state.marks[k];
		since = true_since(e, k);
		now = *m;
		if (e->truth[k] == RULE_TRUE && first)
			m->at_us = m->from_us = e->now_us;
		else if (e->truth[k] == RULE_TRUE &&
		    was.at_us != INSTANT_NONE && was.at_us < since &&
		    e->now_us - was.from_us <= r->nodes[i].span_us &&
		    (m->from_us == INSTANT_NONE || was.from_us > m->from_us))
			*m = (struct rule_mark){
			    m->since_us, e->now_us, was.from_us};
		if (e->truth[k] == RULE_UNKNOWN)
			none = RULE_UNKNOWN;
		was = now;
		first = false;
	}
	return (m != NULL && m->from_us != INSTANT_NONE &&
		    e->now_us - m->from_us <= r->nodes[i].span_us
		? RULE_TRUE
		: none);
}

static enum rule_truth
eval_parts(const struct eval *e, size_t i)
{
	const struct rule *r = &e->run->rule;
	bool and = r->nodes[i].op == RULE_AND;
	enum rule_truth all = and? RULE_TRUE : RULE_FALSE;
	size_t k;

	for (k = i + 1; k < r->n; k++) {
		if (r->nodes[k].parent == (int)i)
			all = and? rule_and(all, e->truth[k])
				 : rule_or(all, e->truth[k]);
	}
	return (all);
}

static enum rule_truth
eval_node(struct eval *e, size_t i)
{
	switch (e->run->rule.nodes[i].op) {
	case RULE_AND:
	case RULE_OR:
		return (eval_parts(e, i));
	case RULE_NOT:
		return (rule_not(e->truth[i + 1]));
	case RULE_FOR:
		return (eval_for(e, i, e->truth[i + 1]));
	case RULE_WITHIN:
		return (eval_within(e, i));
	case RULE_SEQUENCE:
		return (eval_sequence(e, i));
	case RULE_TEST:
		return (eval_test(e, i));
	}
	return (RULE_UNKNOWN);
}

/* A node's parts stand behind it, so they are known when it is its turn. */
enum rule_truth
rule_eval(struct rule_run *run, int64_t awake_us)
{
	struct eval e = {
	    .run = run, .now_us = run->state.clock_us, .awake_us = awake_us};
	size_t i;

	for (i = run->rule.n; i-- > 0;)
		e.truth[i] = eval_node(&e, i);
	return (e.truth[0]);
}
