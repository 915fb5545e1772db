#include "model/leak_around.h"

#include <math.h>
#include <string.h>

#define DAY	     24
#define DAYS	     7
#define DAYS_LEAST   4
#define HOURS_LEAST  3
#define TRIALS_LEAST 4
#define SIGNIFICANT  3.0
#define SD_SHARE     0.002 /* of the series' mean, at least: its resolution */
#define OPPOSED	     0.5   /* of the size: what neighbours lost */
#define UNCHANGED    0.5   /* of the size: the sum of all is what it was */
#define NIGHT_FROM   2
#define NIGHT_TO     5
#define GROWTH_WEEK  (7 * DAY)
#define HOURS_MOST   (LEAK_GROWTH_BEFORE + LEAK_GROWTH_AFTER)
#define ROSE	     0.5 /* of the pressures */
/* What evidence leaves of the confidence, or of what is missing to 1. */
#define IF_OPPOSED 0.3
#define IF_ROSE	   0.6
#define IF_FELL	   0.5

const char *
leak_looks_name(enum leak_looks l)
{
	static const char *const names[] = {
	    NULL, "boundary valve", "pressure rise"};

	return (names[l]);
}

static double
change_at(const double *x, size_t n, size_t onset)
{
	double all = 0, hours = 0;
	size_t h, d;

	for (h = onset; h < n && h < onset + LEAK_AROUND_AFTER; h++) {
		double sum = 0, have = 0;

		for (d = 1; d <= DAYS && h >= d * DAY; d++) {
			const double before = x[h - d * DAY];

			if (h - d * DAY >= onset || isnan(before))
				continue;
			sum += before;
			have++;
		}
		if (isnan(x[h]) || have < DAYS_LEAST)
			continue;
		all += x[h] - sum / have;
		hours++;
	}
	return (hours < HOURS_LEAST ? NAN : all / hours);
}

struct leak_change
leak_change(const double *x, size_t n, size_t onset)
{
	const size_t hours = n > onset ? n - onset : 0;
	const double now = change_at(x, n, onset);
	double squares = 0, mean = 0, trials = 0, have = 0, sd;
	size_t back, h;

	for (back = DAY; back <= onset; back += DAY) {
		const size_t from = onset - back;
		const double c = change_at(x, from + hours, from);

		if (from + hours > onset || isnan(c))
			continue;
		squares += c * c;
		trials++;
	}
	for (h = 0; h < onset && h < n; h++)
		if (!isnan(x[h])) {
			mean += fabs(x[h]);
			have++;
		}
	if (isnan(now) || trials < TRIALS_LEAST || have == 0)
		return ((struct leak_change){0, 0, false});
	sd = fmax(sqrt(squares / trials), SD_SHARE * mean / have);
	return ((struct leak_change){now, sd > 0 ? now / sd : 0, true});
}

/* What neighbours lost is about what the area gained, and so is what they lost
 * in sum: parallel pipes that feed one leak gain together. */
static bool
moved(double size, const struct leak_change *c, size_t n)
{
	double lost = 0, sum = size;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!c[i].known || fabs(c[i].z) <= SIGNIFICANT)
			continue;
		lost -= fmin(0, c[i].change);
		sum += c[i].change;
	}
	return (lost > OPPOSED * size && fabs(sum) < UNCHANGED * size);
}

struct leak_around
leak_weigh(double size, double confidence, const struct leak_change *pressures,
    size_t npressures, const struct leak_change *neighbours, size_t nneighbours)
{
	struct leak_around a = {LEAK_PLAIN, confidence, SIZE_MAX};
	double least = -SIGNIFICANT, rose = 0, known = 0;
	size_t i;

	for (i = 0; i < npressures; i++) {
		known += pressures[i].known;
		rose += pressures[i].z > SIGNIFICANT;
		if (pressures[i].z >= least)
			continue;
		least = pressures[i].z;
		a.lowest = i;
	}
	if (moved(size, neighbours, nneighbours)) {
		a.looks = LEAK_BOUNDARY;
		a.confidence *= IF_OPPOSED;
	} else if (a.lowest != SIZE_MAX) {
		a.confidence = 1 - (1 - confidence) * IF_FELL;
	} else if (known > 0 && rose > ROSE * known) {
		a.looks = LEAK_PRESSURE_ROSE;
		a.confidence *= IF_ROSE;
	}
	return (a);
}

static bool
all_there(const struct leak_hours *h, size_t i)
{
	size_t m;

	for (m = 0; m < h->meters; m++)
		if (isnan(h->x[m][i]))
			return (false);
	return (true);
}

/* What each hour counts for in the means before and after. */
struct weights {
	double before[HOURS_MOST], after[HOURS_MOST];
};

static void
weigh_step(const struct leak_hours *h, struct weights *w)
{
	size_t i, d;

	for (i = h->onset; i < h->n && i < h->onset + LEAK_AROUND_AFTER; i++) {
		size_t at[DAYS], have = 0;

		for (d = 1; d <= DAYS && d * DAY <= i; d++)
			if (all_there(h, i - d * DAY))
				at[have++] = i - d * DAY;
		if (have < DAYS_LEAST || !all_there(h, i))
			continue;
		w->after[i] = 1;
		for (d = 0; d < have; d++)
			w->before[at[d]] += 1 / (double)have;
	}
}

static void
weigh_growth(const struct leak_hours *h, struct weights *w)
{
	const size_t until = h->onset + LEAK_GROWTH_AFTER;
	size_t i;

	for (i = 0; i < h->n; i++) {
		const int64_t clock = (h->wall[i] % DAY + DAY) % DAY;

		if (clock < NIGHT_FROM || clock >= NIGHT_TO || !all_there(h, i))
			continue;
		w->before[i] = i < h->onset;
		w->after[i] = i >= until - GROWTH_WEEK && i < until;
	}
}

static double
mean_by(const double *weight, const double *x, size_t n)
{
	double sum = 0, all = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (weight[i] > 0) {
			sum += weight[i] * x[i];
			all += weight[i];
		}
	return (all > 0 ? sum / all : NAN);
}

bool
leak_parts(const struct leak_hours *h, struct leak_part *ret)
{
	struct weights w;
	double rise = 0;
	size_t m;

	if (h->meters == 0 || h->n > HOURS_MOST)
		return (false);
	memset(&w, 0, sizeof(w));
	if (h->wall == NULL)
		weigh_step(h, &w);
	else
		weigh_growth(h, &w);
	if (isnan(mean_by(w.before, h->x[0], h->n)) ||
	    isnan(mean_by(w.after, h->x[0], h->n)))
		return (false);
	for (m = 0; m < h->meters; m++) {
		ret[m].before = mean_by(w.before, h->x[m], h->n);
		ret[m].after = mean_by(w.after, h->x[m], h->n);
		rise += fmax(0, ret[m].after - ret[m].before);
	}
	for (m = 0; m < h->meters; m++)
		ret[m].share = h->meters == 1 ? 1
		    : rise > 0 ? fmax(0, ret[m].after - ret[m].before) / rise
			       : NAN;
	return (true);
}
