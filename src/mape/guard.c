#include "mape/guard.h"

#include "core/instant.h"
#include "core/text.h"
#include "mape/breaker.h"
#include "mape/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REASON 250 /* bytes of what a person wrote */

typedef enum guard_verdict
guard_fn(const struct guard_facts *, struct guard_result *, struct text *);

static enum guard_verdict
not_after(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	char now[INSTANT_TEXT], end[INSTANT_TEXT] = "unset";

	if (f->command->not_after_us != INSTANT_NONE &&
	    f->now_us <= f->command->not_after_us)
		return (GUARD_PASS);
	json_instant(v, "now", f->now_us);
	if (f->command->not_after_us != INSTANT_NONE)
		json_instant(v, "not_after", f->command->not_after_us);
	instant_format(f->now_us, now);
	if (f->command->not_after_us != INSTANT_NONE)
		instant_format(f->command->not_after_us, end);
	(void)snprintf(
	    r->detail, sizeof(r->detail), "now %s, not after %s", now, end);
	return (GUARD_EXPIRE);
}

static enum guard_verdict
plan_standing(
    const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct plan *p = f->plan;

	json_int(v, "plan", f->command->plan_id);
	if (p == NULL ||
	    (p->state != PLAN_APPROVED && p->state != PLAN_EXECUTING))
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
link_free(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	if (f->contested_by == 0)
		return (GUARD_PASS);
	json_string(v, "link", f->command->link);
	json_int(v, "plan", f->contested_by);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "link %s is being moved by plan %lld", f->command->link,
	    (long long)f->contested_by);
	return (GUARD_REFUSE);
}

/* How old the newest of a series is, and since when it is silent. */
static enum guard_verdict
is_fresh(const struct series *series, const struct series_state *st,
    int64_t now_us, struct guard_result *r, struct text *v)
{
	int64_t limit = 3 * series->cadence_us, heard, age;
	int n = snprintf(r->detail, sizeof(r->detail), "%s/%s ", series->node,
	    series->metric);
	char *end = r->detail + n;
	size_t room = sizeof(r->detail) - (size_t)n;

	if (series->cadence_us <= 0)
		return (GUARD_PASS);
	if (limit < GUARD_FRESH_LEAST_US)
		limit = GUARD_FRESH_LEAST_US;
	json_string(v, "node", series->node);
	json_string(v, "metric", series->metric);
	if (st == NULL || st->heard_us == INSTANT_NONE) {
		(void)snprintf(end, room, "was never heard");
		return (GUARD_WAIT);
	}
	age = now_us - st->last_us;
	heard = now_us - st->heard_us;
	json_int(v, "age_s", age / US_PER_SECOND);
	json_int(v, "heard_s", heard / US_PER_SECOND);
	json_int(v, "limit_s", limit / US_PER_SECOND);
	if (age <= PLAN_HISTORY_US && heard <= limit)
		return (GUARD_PASS);
	if (age > PLAN_HISTORY_US)
		(void)snprintf(end, room, "has a newest that is %lld s old",
		    (long long)(age / US_PER_SECOND));
	else
		(void)snprintf(end, room, "was heard %lld s ago, limit %lld s",
		    (long long)(heard / US_PER_SECOND),
		    (long long)(limit / US_PER_SECOND));
	return (GUARD_WAIT);
}

static enum guard_verdict
data_fresh(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	if (f->effect == NULL)
		return (GUARD_PASS);
	return (is_fresh(f->effect, f->effect_state, f->now_us, r, v));
}

/* Cut: values that do not fit would all be lost. */
static void
add_reason(struct text *v, const char *why)
{
	if (why == NULL)
		json_null(v, "reason");
	else
		json_stringn(v, "reason", why, strnlen(why, REASON));
}

static enum guard_verdict
hands_off(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct guard_asset *a = f->asset;

	if (a == NULL || a->hands_off == NULL)
		return (GUARD_PASS);
	json_string(v, "where", a->hands_off);
	json_string(v, "by", a->hands_off_by);
	add_reason(v, a->hands_off_why);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "%.60s took hands off: %.60s", a->hands_off_by, a->hands_off);
	return (GUARD_REFUSE);
}

static enum guard_verdict
asset_lock(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct guard_asset *a = f->asset;

	if (a == NULL || a->locked_by == NULL)
		return (GUARD_PASS);
	json_string(v, "link", f->command->link);
	json_string(v, "by", a->locked_by);
	add_reason(v, a->lock_why);
	(void)snprintf(r->detail, sizeof(r->detail), "link %s is locked by %s",
	    f->command->link, a->locked_by);
	return (GUARD_REFUSE);
}

static enum guard_verdict
exclusion(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct guard_asset *a = f->asset;

	if (a == NULL || a->excluding_plan == 0)
		return (GUARD_PASS);
	json_string(v, "group", a->exclusion);
	json_string(v, "link", a->excluding);
	json_int(v, "plan", a->excluding_plan);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "plan %lld moves link %s of group %s", (long long)a->excluding_plan,
	    a->excluding, a->exclusion);
	return (GUARD_REFUSE);
}

static void
tell_bounds(const struct guard_level *l, double value, struct guard_result *r)
{
	char bounds[64];

	if (isnan(l->high))
		(void)snprintf(bounds, sizeof(bounds), "at least %g", l->low);
	else if (isnan(l->low))
		(void)snprintf(bounds, sizeof(bounds), "at most %g", l->high);
	else
		(void)snprintf(
		    bounds, sizeof(bounds), "from %g to %g", l->low, l->high);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "%s/%s is %g, which must be %s", l->series->node, l->series->metric,
	    value, bounds);
}

static enum guard_verdict
within(const struct guard_level *l, int64_t now_us, struct guard_result *r,
    struct text *v)
{
	enum guard_verdict fresh = is_fresh(l->series, l->state, now_us, r, v);
	double value;

	/* A cadence nobody knows is no excuse for a value nobody has. */
	if (fresh == GUARD_PASS &&
	    (l->state == NULL || l->state->last_us == INSTANT_NONE)) {
		(void)snprintf(r->detail, sizeof(r->detail),
		    "%s/%s was never heard", l->series->node,
		    l->series->metric);
		fresh = GUARD_WAIT;
	}
	if (fresh != GUARD_PASS)
		return (fresh);
	value = l->state->last_value;
	if (!(value < l->low) && !(value > l->high))
		return (GUARD_PASS);
	json_double(v, "value", value);
	json_double(v, "low", l->low);
	json_double(v, "high", l->high);
	tell_bounds(l, value, r);
	return (GUARD_REFUSE);
}

static enum guard_verdict
limits(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	enum guard_verdict verdict = GUARD_PASS;
	size_t i;

	for (i = 0; i < f->nlevels && verdict == GUARD_PASS; i++) {
		/* Each says what it saw alone. */
		text_init_fixed(v, r->values, sizeof(r->values));
		json_object(v, NULL);
		if (f->levels[i].name != NULL && f->levels[i].name[0] != '\0')
			json_string(v, "name", f->levels[i].name);
		if (f->levels[i].series != NULL) {
			verdict = within(&f->levels[i], f->now_us, r, v);
			continue;
		}
		(void)snprintf(r->detail, sizeof(r->detail),
		    "a series that bounds link %s is retired or missing",
		    f->command->link);
		verdict = GUARD_REFUSE;
	}
	return (verdict);
}

static enum guard_verdict
per_hour(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct guard_asset *a = f->asset;

	if (a == NULL || a->max_per_hour == 0 || a->moves < a->max_per_hour)
		return (GUARD_PASS);
	json_string(v, "link", f->command->link);
	json_int(v, "moves", a->moves);
	json_int(v, "most", a->max_per_hour);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "link %s was moved %lld times within the hour, most %d",
	    f->command->link, (long long)a->moves, a->max_per_hour);
	return (GUARD_WAIT);
}

static enum guard_verdict
interval(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct guard_asset *a = f->asset;

	if (a == NULL || a->min_interval_us == 0 ||
	    a->moved_us == INSTANT_NONE ||
	    f->now_us >= a->moved_us + a->min_interval_us)
		return (GUARD_PASS);
	r->wait_until_us = a->moved_us + a->min_interval_us;
	json_string(v, "link", f->command->link);
	json_instant(v, "moved_at", a->moved_us);
	json_int(v, "least_s", a->min_interval_us / US_PER_SECOND);
	(void)snprintf(r->detail, sizeof(r->detail),
	    "link %s was moved %lld s ago, least %lld s", f->command->link,
	    (long long)((f->now_us - a->moved_us) / US_PER_SECOND),
	    (long long)(a->min_interval_us / US_PER_SECOND));
	return (GUARD_WAIT);
}

static enum guard_verdict
breaker(const struct guard_facts *f, struct guard_result *r, struct text *v)
{
	const struct breaker_state *b = f->breaker;

	if (b == NULL)
		return (GUARD_PASS);
	json_string(v, "gateway", f->command->gateway);
	json_int(v, "failures", b->failures);
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
    {"hands_off", hands_off},
    {"asset_lock", asset_lock},
    {"link_free", link_free},
    {"exclusion", exclusion},
    {"data_fresh", data_fresh},
    {"limits", limits},
    {"per_hour", per_hour},
    {"interval", interval},
    {"breaker", breaker},
};

static enum guard_verdict
look(size_t i, const struct guard_facts *f, struct guard_result *r)
{
	struct text v;

	text_init_fixed(&v, r->values, sizeof(r->values));
	json_object(&v, NULL);
	r->verdict = guards[i].fn(f, r, &v);
	json_object_end(&v);
	if (!text_ok(&v))
		(void)snprintf(r->values, sizeof(r->values), "{}");
	return (r->verdict);
}

void
guard_check(const struct guard_facts *f, struct guard_result *ret)
{
	size_t i;

	*ret = (struct guard_result){
	    .verdict = GUARD_PASS, .wait_until_us = f->now_us + GUARD_WAIT_US};
	for (i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
		ret->guard = guards[i].name;
		if (look(i, f, ret) != GUARD_PASS)
			return;
	}
	ret->guard = NULL;
}
