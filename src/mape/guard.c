#include "mape/guard.h"

#include "core/instant.h"
#include "mape/breaker.h"
#include "mape/plan.h"

#include <stdio.h>

typedef enum guard_verdict
guard_fn(const struct guard_facts *, struct guard_result *);

static enum guard_verdict
not_after(const struct guard_facts *f, struct guard_result *r)
{
	char now[INSTANT_TEXT], end[INSTANT_TEXT] = "unset";

	if (f->command->not_after_us != INSTANT_NONE &&
	    f->now_us <= f->command->not_after_us)
		return (GUARD_PASS);
	instant_format(f->now_us, now);
	if (f->command->not_after_us != INSTANT_NONE)
		instant_format(f->command->not_after_us, end);
	(void)snprintf(
	    r->detail, sizeof(r->detail), "now %s, not after %s", now, end);
	return (GUARD_EXPIRE);
}

static enum guard_verdict
plan_standing(const struct guard_facts *f, struct guard_result *r)
{
	const struct plan *p = f->plan;

	if (p == NULL)
		(void)snprintf(r->detail, sizeof(r->detail),
		    "plan %lld is neither approved nor executing",
		    (long long)f->command->plan_id);
	else if (p->state == PLAN_APPROVED && p->anomaly_cleared)
		(void)snprintf(r->detail, sizeof(r->detail),
		    "anomaly %lld is cleared", (long long)p->anomaly_id);
	else
		return (GUARD_PASS);
	return (GUARD_REFUSE);
}

static enum guard_verdict
link_free(const struct guard_facts *f, struct guard_result *r)
{
	if (f->contested_by == 0)
		return (GUARD_PASS);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "link %s is being moved by plan %lld", f->command->link,
	    (long long)f->contested_by);
	return (GUARD_REFUSE);
}

static enum guard_verdict
data_fresh(const struct guard_facts *f, struct guard_result *r)
{
	int64_t limit, age;

	if (f->effect == NULL || f->effect->cadence_us <= 0)
		return (GUARD_PASS);
	limit = 3 * f->effect->cadence_us;
	if (limit < GUARD_FRESH_LEAST_US)
		limit = GUARD_FRESH_LEAST_US;
	if (f->effect_state == NULL ||
	    f->effect_state->heard_us == INSTANT_NONE) {
		(void)snprintf(r->detail, sizeof(r->detail),
		    "%s/%s was never heard", f->effect->node,
		    f->effect->metric);
		return (GUARD_WAIT);
	}
	age = f->now_us - f->effect_state->last_us;
	if (age > PLAN_HISTORY_US) {
		(void)snprintf(r->detail, sizeof(r->detail),
		    "the newest of %s/%s is %lld s old", f->effect->node,
		    f->effect->metric, (long long)(age / US_PER_SECOND));
		return (GUARD_WAIT);
	}
	age = f->now_us - f->effect_state->heard_us;
	if (age <= limit)
		return (GUARD_PASS);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "%s/%s was heard %lld s ago, limit %lld s", f->effect->node,
	    f->effect->metric, (long long)(age / US_PER_SECOND),
	    (long long)(limit / US_PER_SECOND));
	return (GUARD_WAIT);
}

static enum guard_verdict
breaker(const struct guard_facts *f, struct guard_result *r)
{
	const struct breaker_state *b = f->breaker;

	if (b == NULL)
		return (GUARD_PASS);
	if (breaker_is_open(b, f->now_us)) {
		r->wait_until_us = b->open_until_us;
		(void)snprintf(r->detail, sizeof(r->detail),
		    "gateway %s is open after %d failures", f->command->gateway,
		    b->failures);
		return (GUARD_WAIT);
	}
	if (!breaker_is_probing(b, f->now_us) || !f->probe_out)
		return (GUARD_PASS);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "gateway %s is being probed", f->command->gateway);
	return (GUARD_WAIT);
}

static const struct {
	const char *name;
	guard_fn *fn;
} guards[] = {
    {"not_after", not_after},
    {"plan_standing", plan_standing},
    {"link_free", link_free},
    {"data_fresh", data_fresh},
    {"breaker", breaker},
};

void
guard_check(const struct guard_facts *f, struct guard_result *ret)
{
	size_t i;

	*ret = (struct guard_result){
	    .verdict = GUARD_PASS, .wait_until_us = f->now_us + GUARD_WAIT_US};
	for (i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
		ret->guard = guards[i].name;
		if ((ret->verdict = guards[i].fn(f, ret)) != GUARD_PASS)
			return;
	}
	ret->guard = NULL;
}
