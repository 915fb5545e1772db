#include "mape/rank.h"

#include <math.h>
#include <stdlib.h>

#define MILLION 1e6

static double
effect_share(
    const struct plan_template *t, const struct anomaly *a, int32_t effect)
{
	double beyond = fabs(a->value - a->limit);

	if (effect == 0 || t->effect_direction == DIRECTION_NONE)
		return (0.25);
	if (effect != a->condition.series)
		return (0.5);
	if (t->effect_direction == a->condition.direction)
		return (0);
	if (!isfinite(beyond) || beyond <= 0)
		return (0.5);
	return (fmin(1, t->effect_least / beyond));
}

struct ranked
rank_score(
    const struct plan_template *t, const struct anomaly *a, int32_t effect)
{
	static const double severities[] = {[SEVERITY_INFO] = 1,
	    [SEVERITY_WARNING] = 2,
	    [SEVERITY_CRITICAL] = 4};
	static const double risks[RISK_COUNT] = {
	    [RISK_LOW] = 0, [RISK_MEDIUM] = 0.25, [RISK_HIGH] = 0.75};
	struct ranked r = {
	    .t = t,
	    .severity = severities[a->condition.severity],
	    .success = (t->successes + 2.0) / (t->trials + 4.0),
	    .effect = effect_share(t, a, effect),
	    .risk = risks[t->risk],
	};

	r.score =
	    llround(MILLION * (r.severity * r.success * r.effect - r.risk));
	return (r);
}

static int
better_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->score != y->score)
		return (x->score > y->score ? -1 : 1);
	if (x->t->priority != y->t->priority)
		return (x->t->priority < y->t->priority ? -1 : 1);
	return ((x->t->id > y->t->id) - (x->t->id < y->t->id));
}

void
rank_sort(struct ranked *r, size_t n)
{
	qsort(r, n, sizeof(*r), better_first);
}

void
rank_write(struct text *text, const struct ranked *r)
{
	json_double(text, "score", (double)r->score / MILLION);
	json_double(text, "severity", r->severity);
	json_double(text, "success", r->success);
	json_int(text, "trials", r->t->trials);
	json_int(text, "successes", r->t->successes);
	json_double(text, "effect", r->effect);
	json_string(text, "risk", risk_name(r->t->risk));
	json_double(text, "risk_cost", r->risk);
	json_int(text, "priority", r->t->priority);
}
