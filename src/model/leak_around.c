#include "model/leak_around.h"

#include <math.h>
#include <stdint.h>

#define DAY	     24
#define DAYS	     7
#define DAYS_LEAST   4
#define HOURS_LEAST  3
#define TRIALS_LEAST 4
#define SIGNIFICANT  3.0
#define SD_SHARE     0.002 /* of the series' mean, at least: its resolution */
#define OPPOSED_LOW  0.5   /* of the size */
#define OPPOSED_HIGH 1.5
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

static double
fallen(const struct leak_change *c, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (c[i].known && c[i].z < -SIGNIFICANT)
			sum -= c[i].change;
	return (sum);
}

struct leak_around
leak_weigh(double size, double confidence, const struct leak_change *pressures,
    size_t npressures, const struct leak_change *neighbours, size_t nneighbours)
{
	struct leak_around a = {LEAK_PLAIN, confidence, SIZE_MAX};
	const double opposed = fallen(neighbours, nneighbours);
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
	if (opposed > OPPOSED_LOW * size && opposed < OPPOSED_HIGH * size) {
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
