#include "model/contest.h"

#include <math.h>

#define WEEK   168
#define DAY    24
#define MARGIN 0.99 /* of the rival's error: chance alone changes nothing */

bool
contest_add(struct contest_sums *s, const struct forecast_series *y, size_t at,
    const struct forecast_point *p)
{
	double error, naive;

	if (at >= y->n || at < WEEK)
		return (false);
	error = fabs(p->value - y->y[at]);
	naive = fabs(y->y[at - WEEK] - y->y[at]);
	if (!isfinite(error) || !isfinite(naive))
		return (false);
	s->hours++;
	s->error += error;
	s->naive += naive;
	s->inside += y->y[at] >= p->lower && y->y[at] <= p->upper;
	return (true);
}

static void
add_day(struct contest_sums *s, const struct forecast_series *y, size_t from,
    const struct forecast_point *points, const struct forecast_point *rival)
{
	size_t h;

	for (h = 0; h < CONTEST_HOURS && from + h < y->n; h++) {
		if (rival != NULL && !isfinite(rival[h].value))
			continue;
		if (contest_add(s, y, from + h, &points[h]) && rival != NULL)
			s->rival += fabs(rival[h].value - y->y[from + h]);
	}
}

static bool
ask(const struct forecast_model *m, const struct forecast_series *past,
    struct arena *scratch, struct forecast_point *ret)
{
	arena_reset(scratch);
	return (m->horizon == CONTEST_HORIZON &&
	    forecast_answer(m, past, scratch, ret) == FORECAST_OK);
}

bool
contest_judge(const struct contest_pair *pair, const struct forecast_series *y,
    struct arena *scratch, struct contest_sums *ret)
{
	struct forecast_point points[CONTEST_HORIZON], rival[CONTEST_HORIZON];
	struct forecast_series past = *y;
	struct contest_sums s = {0};
	size_t d;

	for (d = CONTEST_DAYS; d > 0; d--) {
		if (y->n < (d + CONTEST_DAYS) * DAY)
			return (false);
		past.n = y->n - d * DAY;
		if (!ask(pair->model, &past, scratch, points) ||
		    (pair->rival != NULL &&
			!ask(pair->rival, &past, scratch, rival)))
			return (false);
		add_day(
		    &s, y, past.n, points, pair->rival != NULL ? rival : NULL);
	}
	*ret = s;
	return (true);
}

bool
contest_wins(const struct contest_sums *s)
{
	return (s->hours > 0 && s->error < MARGIN * s->rival);
}
