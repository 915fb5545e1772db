#include "core/instant.h"
#include "domain/totaliser.h"
#include "domain/volumes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE US_PER_MINUTE
#define MANY   4000

struct index {
	int64_t t_us;
	double x;
};

/* What a totaliser gave. */
static struct totaliser_step steps[2 * MANY];
static size_t nsteps;

static void
keep(void *arg, const struct totaliser_step *s)
{
	(void)arg;
	steps[nsteps++] = *s;
}

static struct totaliser
meter(double width, const struct meter_event *events, size_t n)
{
	nsteps = 0;
	return ((struct totaliser){.width = width,
	    .max_rate_per_min = NAN,
	    .events = events,
	    .nevents = n,
	    .step = keep});
}

static void
feed(struct totaliser *m, const struct index *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		totaliser_reading(m, v[i].t_us, v[i].x);
	totaliser_end(m);
}

/* One reading a minute from minute 0 on. */
static void
feed_minutes(struct totaliser *m, const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		totaliser_reading(m, (int64_t)i * MINUTE, x[i]);
	totaliser_end(m);
}
#define FEED(m, ...)                                   \
	feed_minutes(m, (const double[]){__VA_ARGS__}, \
	    sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static double
sum(void)
{
	double v = 0;

	for (size_t i = 0; i < nsteps; i++)
		if (!isnan(steps[i].volume)) {
			cr_assert_geq(steps[i].volume, 0);
			v += steps[i].undo ? -steps[i].volume : steps[i].volume;
		}
	return (v);
}

static unsigned
all_flags(void)
{
	unsigned flags = 0;

	for (size_t i = 0; i < nsteps; i++)
		flags |= steps[i].flags;
	return (flags);
}

static bool
near(double a, double b)
{
	return (fabs(a - b) < 1e-6);
}

Test(totaliser, a_register_that_goes_on)
{
	struct totaliser m = meter(NAN, NULL, 0);

	FEED(&m, 5, 5, 7.5, 100);
	cr_assert_eq(nsteps, 3);
	cr_assert(near(sum(), 95));
	cr_assert_eq(all_flags(), 0);
	m = meter(NAN, NULL, 0);
	FEED(&m, 5);
	cr_assert_eq(nsteps, 0);
}

Test(totaliser, a_fall_from_the_last_tenth_into_the_first_is_a_rollover)
{
	struct totaliser m = meter(1000, NULL, 0);

	FEED(&m, 980, 990, 3, 7);
	cr_assert(near(sum(), 27));
	cr_assert_eq(all_flags(), TOTALISER_ROLLOVER);
	cr_assert(near(steps[1].volume, 13));
}

Test(totaliser, other_falls_have_no_volume)
{
	struct totaliser m = meter(1000, NULL, 0);

	FEED(&m, 500, 510, 3, 7);
	cr_assert(near(sum(), 14));
	cr_assert(isnan(steps[1].volume));
	cr_assert_eq(all_flags(), TOTALISER_FALL);
	m = meter(NAN, NULL, 0);
	FEED(&m, 980, 990, 3, 7);
	cr_assert(near(sum(), 14));
	m = meter(1000, NULL, 0);
	FEED(&m, 1200, 1300, 3, 7); /* the register is not that wide */
	cr_assert(near(sum(), 104));
	cr_assert_eq(all_flags(), TOTALISER_FALL);
}

Test(totaliser, a_misread_moves_nothing)
{
	struct totaliser m = meter(1000, NULL, 0);

	FEED(&m, 100, 101, 9, 103, 104); /* a digit was lost */
	cr_assert(near(sum(), 4));
	cr_assert_eq(all_flags(), TOTALISER_MISREAD);
	m = meter(NAN, NULL, 0);
	FEED(&m, 100, 101, 902, 103, 104); /* a digit too much */
	cr_assert(near(sum(), 4));
	cr_assert_eq(all_flags(), TOTALISER_MISREAD);
	m = meter(1000, NULL, 0);
	FEED(&m, 3, 999, 5); /* no rollover */
	cr_assert(near(sum(), 2));
}

Test(totaliser, a_rise_of_more_than_half_the_register_or_the_rate_is_none)
{
	struct totaliser m = meter(1000, NULL, 0);

	FEED(&m, 3, 700, 701);
	cr_assert(near(sum(), 1));
	cr_assert_eq(all_flags(), TOTALISER_IMPLAUSIBLE);
	m = meter(NAN, NULL, 0);
	m.max_rate_per_min = 2;
	FEED(&m, 3, 5, 8, 9);
	cr_assert(near(sum(), 3));
	cr_assert(isnan(steps[1].volume));
}

Test(totaliser, events_say_what_happened)
{
	static const struct meter_event swap[] = {
	    {90 * US_PER_SECOND, METER_SWAP, 512, 40, NAN}};
	static const struct meter_event unknown[] = {
	    {90 * US_PER_SECOND, METER_SWAP, NAN, 40, NAN}};
	static const struct meter_event at_reading[] = {
	    {2 * MINUTE, METER_RESET, 512, 0, NAN}};
	struct totaliser m = meter(NAN, swap, 1);

	FEED(&m, 500, 510, 43, 50);
	cr_assert(near(sum(), 10 + 2 + 3 + 7));
	cr_assert_eq(all_flags(), TOTALISER_EVENT);
	m = meter(NAN, unknown, 1);
	FEED(&m, 500, 510, 43, 50);
	cr_assert(near(sum(), 10 + 3 + 7));
	cr_assert_eq(all_flags(), TOTALISER_EVENT | TOTALISER_UNKNOWN);
	m = meter(NAN, at_reading, 1);
	FEED(&m, 500, 510, 0, 7);
	cr_assert(near(sum(), 10 + 2 + 7));
}

Test(totaliser, a_swap_may_bring_another_register)
{
	static const struct meter_event swap[] = {
	    {30 * US_PER_SECOND, METER_SWAP, 501, 990, 1000}};
	struct totaliser m = meter(100000, swap, 1);

	FEED(&m, 500, 991, 999, 4);
	cr_assert(near(sum(), 1 + 1 + 8 + 5));
	m = meter(100000, swap, 1);
	totaliser_reading(&m, MINUTE, 999); /* after it */
	totaliser_reading(&m, 2 * MINUTE, 4);
	totaliser_end(&m);
	cr_assert(near(sum(), 5));
}

Test(totaliser, an_event_told_late_adds_nothing)
{
	static const struct meter_event swap[] = {
	    {150 * US_PER_SECOND, METER_SWAP, 4999, 0, NAN}};
	struct totaliser m = meter(NAN, swap, 1);

	FEED(&m, 4990, 4998, 1, 4, 9);
	cr_assert(near(sum(), 8 + 3 + 5));
	cr_assert(all_flags() & TOTALISER_MISPLACED);
}

Test(totaliser, an_event_told_early_adds_nothing)
{
	static const struct meter_event swap[] = {
	    {90 * US_PER_SECOND, METER_SWAP, 4999, 0, NAN}};
	struct totaliser m = meter(NAN, swap, 1);

	FEED(&m, 4990, 4992, 4995, 4998, 1, 4);
	cr_assert(near(sum(), 2 + 3 + 3 + 3), "%g", sum());
	cr_assert(all_flags() & TOTALISER_MISPLACED);
}

/* A meter's life, known in full. */
struct life {
	struct index v[MANY];
	double used[MANY]; /* from the first reading up to this one */
	size_t n;
	struct meter_event events[MANY];
	size_t nevents;
};

static double
chance(void)
{
	return ((double)rand() / ((double)RAND_MAX + 1));
}

/* Steps of up to 1 % of the register; rollovers told or not, resets, swaps,
 * now and then at a reading's very time. */
static void
live(struct life *l, double width, bool told)
{
	double x = chance() * width, total = 0, part, old;
	int64_t t = (int64_t)(chance() * 1e15);
	struct meter_event *e;

	*l = (struct life){.n = 0};
	for (size_t i = 0; i < MANY; i++) {
		if (i > 0) {
			t += 1 + (int64_t)(chance() * 2 * (double)US_PER_HOUR);
			part = chance() < 0.3 ? 0 : chance() * width / 100;
			x += part;
			total += part;
		}
		if (x >= width) {
			x -= width;
			if (told)
				l->events[l->nevents++] = (struct meter_event){
				    t, METER_ROLLOVER, width, 0, NAN};
		} else if (i > 0 && chance() < 0.02) {
			old = x;
			x = chance() < 0.5 ? 0 : chance() * width * 0.9;
			e = &l->events[l->nevents++];
			*e = (struct meter_event){t, METER_SWAP, old, x, NAN};
			if (chance() < 0.5) { /* before the reading */
				part = chance();
				x += part;
				total += part;
				t += 1 + (int64_t)(chance() * 1e9);
			}
		}
		l->v[l->n] = (struct index){t, x};
		l->used[l->n++] = total;
	}
}

Test(totaliser, any_history_gives_back_what_was_used)
{
	static struct life l;
	struct totaliser m;

	srand(7);
	for (int round = 0; round < 200; round++) {
		bool told = round % 2 == 0;

		live(&l, 1000, told);
		m = meter(1000, l.events, l.nevents);
		feed(&m, l.v, l.n);
		cr_assert(fabs(sum() - l.used[l.n - 1]) < 1e-5,
		    "%d: %f, not %f", round, sum(), l.used[l.n - 1]);
		cr_assert(!(all_flags() &
		    ~(unsigned)(TOTALISER_EVENT |
			(told ? 0 : TOTALISER_ROLLOVER))));
	}
}

/* What came late or never: with every rollover told, any readings of the
 * history give what was used between the first and the last of them. */
Test(totaliser, readings_left_out_change_no_sum)
{
	static struct life l;
	static struct index some[MANY];
	static double used[MANY];
	struct totaliser m;
	size_t n;

	srand(8);
	for (int round = 0; round < 100; round++) {
		live(&l, 1000, true);
		n = 0;
		for (size_t i = 0; i < l.n; i++)
			if (chance() < 0.3) {
				used[n] = l.used[i];
				some[n++] = l.v[i];
			}
		m = meter(1000, l.events, l.nevents);
		feed(&m, some, n);
		cr_assert(fabs(sum() - (used[n - 1] - used[0])) < 1e-5);
	}
}

/* A person's watch is wrong by hours: what is found is never more than was
 * used, and a swap in three days at most is told. */
Test(totaliser, events_at_wrong_times_invent_nothing)
{
	struct index v[500];
	struct meter_event events[20];
	struct totaliser m;
	double x, used, part;
	size_t n, next;

	srand(10);
	for (int round = 0; round < 500; round++) {
		x = 5000 + chance() * 1000;
		used = 0;
		n = 0;
		next = 20;
		for (size_t i = 0; i < 500; i++) {
			part = chance() * 3;
			x += part;
			used += part;
			if (i == next) {
				events[n++] = (struct meter_event){
				    (int64_t)(i * US_PER_HOUR) +
					(int64_t)((chance() - 0.5) * 40 *
					    (double)US_PER_HOUR),
				    METER_SWAP, x, 0, NAN};
				x = 0;
				next += 72 + (size_t)(chance() * 100);
			}
			v[i] = (struct index){(int64_t)(i * US_PER_HOUR), x};
		}
		m = meter(NAN, events, n);
		feed(&m, v, 500);
		cr_assert_leq(sum(), used + 1e-6, "%d", round);
		cr_assert_geq(sum(), used - 4 * (double)n - 3);
	}
}

/* Buckets */

#define EDGES 5
static const int64_t edges[EDGES] = {
    0, US_PER_HOUR, 2 * US_PER_HOUR, 3 * US_PER_HOUR, 4 * US_PER_HOUR};
static struct volume_cell cells[EDGES - 1];

static struct volumes
hours(int64_t gap_us)
{
	memset(cells, 0, sizeof(cells));
	return ((struct volumes){.edges_us = edges,
	    .cells = cells,
	    .n = EDGES - 1,
	    .gap_us = gap_us});
}

static void
step(struct volumes *v, double h0, double h1, double volume)
{
	volumes_step(v,
	    &(struct totaliser_step){.t0_us = (int64_t)(h0 * US_PER_HOUR),
		.t1_us = (int64_t)(h1 * US_PER_HOUR),
		.volume = volume,
		.flags = isnan(volume) ? TOTALISER_FALL : 0});
}

Test(volumes, a_step_in_a_bucket_is_measured)
{
	struct volumes v = hours(1);

	step(&v, 0, 0.5, 3);
	step(&v, 0.5, 1, 4);
	cr_assert(near(cells[0].volume, 7));
	cr_assert_eq(cells[0].estimated, 0);
	cr_assert_eq(cells[0].covered_us, US_PER_HOUR);
	cr_assert_eq(cells[1].covered_us, 0);
}

Test(volumes, a_step_across_bounds_is_prorated_and_told)
{
	struct volumes v = hours(4 * US_PER_HOUR);

	step(&v, 0.5, 2.5, 8);
	cr_assert(near(cells[0].volume, 2) && near(cells[0].estimated, 2));
	cr_assert(near(cells[1].volume, 4) && near(cells[2].volume, 2));
	cr_assert_eq(cells[1].covered_us, US_PER_HOUR);
	v = hours(4 * US_PER_HOUR);
	step(&v, -1, 1, 8); /* begins before */
	step(&v, 3.5, 5, 3);
	cr_assert(near(cells[0].volume, 4) && near(cells[3].volume, 1));
}

Test(volumes, a_long_gap_is_known_in_sum_alone)
{
	struct volumes v = hours(US_PER_HOUR);

	step(&v, 0.5, 2.5, 8);
	cr_assert_eq(cells[0].volume + cells[1].volume + cells[2].volume, 0);
	cr_assert(near(v.unplaced, 8));
	cr_assert_eq(v.unplaced_us, 2 * US_PER_HOUR);
	step(&v, -9, 0.5, 8); /* not all of it is of this span */
	cr_assert(near(v.unplaced, 8));
	v = hours(US_PER_HOUR);
	step(&v, 0.5, 2.5, 0); /* nothing is nothing everywhere */
	cr_assert_eq(cells[1].covered_us, US_PER_HOUR);
}

Test(volumes, no_volume_is_flagged_and_not_covered)
{
	struct volumes v = hours(4 * US_PER_HOUR);

	step(&v, 0.5, 2, NAN);
	cr_assert_eq(cells[0].flags, TOTALISER_FALL);
	cr_assert_eq(cells[1].flags, TOTALISER_FALL);
	cr_assert_eq(cells[2].flags, 0);
	cr_assert_eq(cells[1].covered_us, 0);
}

Test(volumes, a_step_without_time_is_of_the_bucket_before_it)
{
	struct volumes v = hours(1);

	step(&v, 0, 0, 5); /* of the span before */
	step(&v, 1, 1, 6);
	step(&v, 4, 4, 7);
	step(&v, 4, 4, NAN);
	step(&v, 5, 5, 8);
	cr_assert(near(cells[0].volume, 6) && cells[0].points == 1);
	cr_assert(near(cells[3].volume, 7));
	cr_assert_eq(cells[3].flags, TOTALISER_FALL);
}

/* Whatever the buckets, they hold what was used, wherever it was cut. */
Test(volumes, buckets_add_up_to_the_whole)
{
	static struct life l;
	static int64_t bounds[101];
	static struct volume_cell many[100];
	struct volumes v;
	struct totaliser m;
	double all;

	srand(9);
	for (int round = 0; round < 50; round++) {
		live(&l, 1000, true);
		m = meter(1000, l.events, l.nevents);
		feed(&m, l.v, l.n);
		memset(many, 0, sizeof(many));
		for (int64_t i = 0; i <= 100; i++)
			bounds[i] = l.v[0].t_us +
			    (l.v[l.n - 1].t_us - l.v[0].t_us) * i / 100;
		v = (struct volumes){.edges_us = bounds,
		    .cells = many,
		    .n = 100,
		    .gap_us = round % 2 == 0 ? US_PER_HOUR : US_PER_DAY};
		for (size_t i = 0; i < nsteps; i++)
			volumes_step(&v, &steps[i]);
		all = v.unplaced;
		for (size_t i = 0; i < 100; i++) {
			cr_assert_geq(many[i].volume, many[i].estimated - 1e-9);
			cr_assert_leq(
			    many[i].covered_us, bounds[i + 1] - bounds[i]);
			all += many[i].volume;
		}
		/* The first step of all begins at the first bound. */
		cr_assert(fabs(all - l.used[l.n - 1]) < 1e-5);
	}
}

Test(volumes, a_flow_is_integrated_between_near_neighbours)
{
	struct volumes v = hours(US_PER_HOUR);

	volumes_flow(&v, 0, 10, US_PER_HOUR, 20);
	cr_assert(near(cells[0].volume, 15));
	/* From 20 at 1:00 down to 0 at 2:00, cut at no bound; then across. */
	volumes_flow(&v, US_PER_HOUR * 3 / 2, 10, US_PER_HOUR * 5 / 2, 30);
	cr_assert(near(cells[1].volume, (10 + 20) / 2.0 / 2));
	cr_assert(near(cells[2].volume, (20 + 30) / 2.0 / 2));
	volumes_flow(&v, 0, 10, 4 * US_PER_HOUR, 10); /* too far apart */
	cr_assert_eq(cells[3].covered_us, 0);
}

Test(volumes, agreement_needs_cover_of_both)
{
	struct volume_cell flow = {.volume = 104, .covered_us = US_PER_HOUR};
	struct volume_cell total = {.volume = 100, .covered_us = US_PER_HOUR};

	cr_assert_eq(
	    volumes_compare(&flow, &total, US_PER_HOUR, 0.05, 0), AGREE);
	flow.volume = 90;
	cr_assert_eq(
	    volumes_compare(&flow, &total, US_PER_HOUR, 0.05, 0), DIFFER);
	cr_assert_eq(
	    volumes_compare(&flow, &total, US_PER_HOUR, 0.05, 6), AGREE);
	flow.covered_us = US_PER_HOUR * 97 / 100;
	cr_assert_eq(
	    volumes_compare(&flow, &total, US_PER_HOUR, 0.05, 0), NOT_PROVABLE);
	flow.covered_us = US_PER_HOUR;
	total.flags = TOTALISER_FALL;
	cr_assert_eq(
	    volumes_compare(&flow, &total, US_PER_HOUR, 0.05, 0), NOT_PROVABLE);
}
