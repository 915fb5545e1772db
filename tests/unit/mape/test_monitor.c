/* However readings are cut into batches, ordered, repeated or interrupted:
 * what is stored is the same. */
#include "core/instant.h"
#include "mape/loop.h"
#include "mape/monitor.h"
#include "store/twin.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N      3000
#define SERIES 7
#define T0     (instant_from_civil(2026, 3, 28, 20 * US_PER_HOUR))

static uint64_t seed;
static struct reading truth[N]; /* unique by (series, time) */

static uint64_t
rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return ((seed >> 11) % below);
}

static void
start(void)
{
	int i;

	seed = 88172645463325252u;
	for (i = 0; i < N; i++)
		truth[i] = (struct reading){
		    .series = 1 + (i % SERIES) * 5000,
		    .quality =
			rnd(10) == 0 ? QUALITY_CLOCK_AHEAD : QUALITY_GOOD,
		    .value = (double)rnd(1000) / 8, /* sums are exact */
		    .t_us = T0 + i / SERIES * 137 * US_PER_SECOND,
		    .received_us = T0 + i,
		};
}

TestSuite(monitor, .init = start);

static void
shuffle(struct reading *r, size_t n, size_t reach)
{
	struct reading swap;
	size_t i, j;

	for (i = 0; i < n; i++) {
		j = i + rnd(reach);
		if (j >= n)
			continue;
		swap = r[i];
		r[i] = r[j];
		r[j] = swap;
	}
}

static int
by_key(const void *pa, const void *pb)
{
	const struct reading *a = pa, *b = pb;

	return (a->t_us < b->t_us ? -1 : a->t_us > b->t_us);
}

static int
by_bucket(const void *pa, const void *pb)
{
	const struct rollup *a = pa, *b = pb;

	if (a->width_s != b->width_s)
		return (a->width_s < b->width_s ? -1 : 1);
	return (a->bucket_us < b->bucket_us ? -1 : a->bucket_us > b->bucket_us);
}

static void
check_rollups(struct twin *got, struct twin *want)
{
	struct twin_series *a, *b;
	size_t i;

	for (i = 0; i < want->nseries; i++) {
		b = &want->series[i];
		a = twin_find_series(got, b->id);
		cr_assert_eq(a->nrollups, b->nrollups);
		qsort(a->rollups, a->nrollups, sizeof(*a->rollups), by_bucket);
		qsort(b->rollups, b->nrollups, sizeof(*b->rollups), by_bucket);
		cr_assert_eq(memcmp(a->rollups, b->rollups,
				 a->nrollups * sizeof(*a->rollups)),
		    0);
	}
}

/* The same readings as `want`, to the byte. */
static void
check(struct twin *got, struct twin *want)
{
	struct twin_series *a, *b;
	size_t i, j;

	cr_assert_str_eq(got->violation, "");
	for (i = 0; i < want->nseries; i++) {
		b = &want->series[i];
		a = twin_find_series(got, b->id);
		cr_assert_eq(
		    a->n, b->n, "series %d: %zu, not %zu", b->id, a->n, b->n);
		qsort(a->readings, a->n, sizeof(*a->readings), by_key);
		for (j = 0; j < a->n; j++) {
			cr_assert_eq(a->readings[j].t_us, b->readings[j].t_us);
			cr_assert_eq(
			    a->readings[j].value, b->readings[j].value);
			cr_assert_eq(a->readings[j].received_us,
			    b->readings[j].received_us);
		}
		cr_assert_eq(a->latest.t_us, b->latest.t_us);
		cr_assert_eq(a->latest.value, b->latest.value);
	}
	check_rollups(got, want);
}

/* Runs cycles until the log is empty; every call numbered fail_at in
 * turn fails, and the process forgets all when it does. */
static int
drain(struct twin *t, int64_t fail_every, enum twin_fault fault)
{
	struct loop_figures f;
	struct loop_ctx ctx;
	struct ports ports;
	int failures = 0;

	loop_init(&ctx);
	twin_ports(t, &ports);
	t->fault = fault;
	t->fail_at = t->calls + fail_every;
	while (t->log_head < t->nlog) {
		ctx.take_max = 100;
		if (loop_cycle(&ctx, &ports, &f, NULL) == ERR_OK)
			continue;
		failures++;
		t->fail_at = t->calls + fail_every + failures;
		loop_done(&ctx);
		loop_init(&ctx);
	}
	loop_done(&ctx);
	return (failures);
}

static struct twin *
one_go(void)
{
	struct twin *t = twin_new(T0 + US_PER_DAY, 1);

	twin_log(t, truth, N);
	(void)drain(t, 0, TWIN_FAULT_NONE);
	return (t);
}

/* Batches of random size; some rows come again later, some reversed. */
static void
log_mixed(struct twin *t, size_t reach)
{
	static struct reading mixed[N];
	size_t at, n;

	memcpy(mixed, truth, sizeof(truth));
	shuffle(mixed, N, reach);
	for (at = 0; at < N; at += n) {
		n = 1 + rnd(200);
		if (n > N - at)
			n = N - at;
		twin_log(t, &mixed[at], n);
		if (rnd(3) == 0)
			twin_log(t, &mixed[rnd(at + n)], 1);
		if (rnd(4) == 0)
			twin_log(t, mixed, rnd(at + n));
	}
}

Test(monitor, any_order_any_batches)
{
	struct twin *want = one_go(), *t;
	size_t reach;
	int round;

	cr_assert_eq(want->series[0].n + want->series[1].n, 429 + 429);
	for (reach = 1; reach <= N; reach = reach * 7 + 1) {
		for (round = 0; round < 5; round++) {
			t = twin_new(T0 + US_PER_DAY, 1);
			log_mixed(t, reach);
			cr_assert_eq(drain(t, 0, TWIN_FAULT_NONE), 0);
			check(t, want);
			twin_free(t);
		}
	}
	twin_free(want);
}

Test(monitor, any_call_may_fail)
{
	struct twin *want = one_go(), *t;
	int64_t every;

	for (every = 1; every < 40; every++) {
		t = twin_new(T0 + US_PER_DAY, 1);
		log_mixed(t, N);
		cr_assert_gt(drain(t, every, TWIN_FAULT_FAIL), 0);
		check(t, want);
		twin_free(t);
		t = twin_new(T0 + US_PER_DAY, 1);
		log_mixed(t, 10);
		cr_assert_gt(drain(t, every, TWIN_FAULT_LATE), 0);
		check(t, want);
		twin_free(t);
	}
	twin_free(want);
}

Test(monitor, first_stays)
{
	struct reading in[] = {
	    {9, 0, 1, 100, 5},
	    {3, 0, 2, 100, 5},
	    {9, 0, 3, 100, 6},
	    {9, 0, 4, 50, 7},
	    {3, 0, 5, 100, 4},
	};
	struct arena a;
	struct batch b;

	arena_init(&a, 1 << 20);
	cr_assert_eq(monitor_sort(&a, in, 5, &b, NULL), ERR_OK);
	cr_assert_eq(b.n, 3);
	cr_assert_eq(b.duplicates, 2);
	cr_assert_eq(b.ngroups, 2);
	cr_assert_eq(b.groups[0].series, 3);
	cr_assert_eq(b.readings[0].value, 2);
	cr_assert_eq(b.groups[1].at, 1);
	cr_assert_eq(b.readings[1].value, 4);
	cr_assert_eq(b.readings[2].value, 1);
	arena_done(&a);
}

Test(monitor, segments_end_at_midnight_and_rollups_add_up)
{
	int64_t midnight = instant_from_civil(2026, 3, 29, 0);
	struct reading in[] = {
	    {1, 0, 2, midnight - 1, 0},
	    {1, 0, 4, midnight, 0},
	    {1, QUALITY_CLOCK_AHEAD, 9, midnight + 299999999, 0},
	    {1, 0, 6, midnight + 300000000, 0},
	};
	struct merge m;
	struct arena a;
	struct batch b;

	arena_init(&a, 1 << 20);
	cr_assert_eq(monitor_sort(&a, in, 4, &b, NULL), ERR_OK);
	cr_assert_eq(monitor_build(&a, &b, NULL, &m, NULL), ERR_OK);
	cr_assert_eq(m.nsegments, 2);
	cr_assert_eq(m.segments[0].n, 1);
	cr_assert_eq(m.segments[1].n, 3);
	cr_assert_eq(m.nrollups, 3 + 2 + 2);
	cr_assert_eq(m.rollups[1].bucket_us, midnight);
	cr_assert_eq(m.rollups[1].count, 2);
	cr_assert_eq(m.rollups[1].good, 1);
	cr_assert_eq(m.rollups[1].max, 4);
	cr_assert_eq(m.rollups[1].last, 9);
	cr_assert_eq(m.rollups[6].width_s, 86400);
	cr_assert_eq(m.rollups[6].sum, 10);
	cr_assert_eq(m.rollups[6].sumsq, 52);
	cr_assert_eq(m.nlatest, 1);
	cr_assert_eq(m.latest[0].value, 6);
	arena_done(&a);
}

Test(monitor, nothing_is_nothing)
{
	struct merge m;
	struct arena a;
	struct batch b;

	arena_init(&a, 1 << 20);
	cr_assert_eq(monitor_sort(&a, NULL, 0, &b, NULL), ERR_OK);
	cr_assert_eq(monitor_build(&a, &b, NULL, &m, NULL), ERR_OK);
	cr_assert_eq(m.nsegments + m.nrollups + m.nlatest, 0);
	arena_done(&a);
}

Test(monitor, a_full_arena_is_an_error_and_less_is_taken)
{
	struct loop_figures f;
	struct loop_ctx ctx;
	struct ports ports;
	struct twin *t = twin_new(T0 + US_PER_DAY, 1);
	int cycles;

	loop_init(&ctx);
	arena_done(&ctx.cycle);
	arena_init(&ctx.cycle, 400000);
	twin_ports(t, &ports);
	for (cycles = 0; cycles < 30; cycles++)
		twin_log(t, &truth[cycles * 100], 100);
	cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_NO_MEMORY);
	for (cycles = 0; cycles < 60 && t->log_head < t->nlog; cycles++)
		(void)loop_cycle(&ctx, &ports, &f, NULL);
	cr_assert_eq(t->log_head, t->nlog);
	cr_assert_str_eq(t->violation, "");
	loop_done(&ctx);
	twin_free(t);
}

static enum err (*real_store)(
    void *, const struct merge *, struct err_info *info);

static enum err
slow_store(void *self, const struct merge *m, struct err_info *info)
{
	size_t i, n = 0;

	for (i = 0; i < m->nsegments; i++)
		n += m->segments[i].n;
	if (n > 1500)
		return (err_set(info, ERR_DEADLINE, NULL, "%zu", n));
	return (real_store(self, m, info));
}

Test(monitor, takes_less_after_a_deadline)
{
	struct loop_figures f;
	struct loop_ctx ctx;
	struct ports ports;
	struct twin *t = twin_new(T0 + US_PER_DAY, 1);
	int cycles;

	loop_init(&ctx);
	twin_ports(t, &ports);
	real_store = ports.telemetry.store;
	ports.telemetry.store = slow_store;
	for (cycles = 0; cycles < 30; cycles++)
		twin_log(t, &truth[cycles * 100], 100);
	cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_DEADLINE);
	for (cycles = 0; cycles < 60 && t->log_head < t->nlog; cycles++)
		(void)loop_cycle(&ctx, &ports, &f, NULL);
	cr_assert_eq(t->log_head, t->nlog);
	loop_done(&ctx);
	twin_free(t);
}

#define TAKE_SMALL 1000 /* the least there is */

static int64_t merge_takes_us;
static struct twin *merging;

static enum err
lasting_store(void *self, const struct merge *m, struct err_info *info)
{
	merging->now_us += merge_takes_us;
	return (real_store(self, m, info));
}

/* Bites grow while a backlog's cycles are short, shrink when they are long,
 * though not below the first, and start anew once the log is empty. */
Test(monitor, bites_grow_with_the_backlog_and_shrink_with_time)
{
	struct loop_figures f;
	struct loop_ctx ctx;
	struct ports ports;
	struct twin *t = merging = twin_new(T0 + US_PER_DAY, 1);
	int i;

	loop_init(&ctx);
	ctx.take_max = TAKE_SMALL;
	twin_ports(t, &ports);
	real_store = ports.telemetry.store;
	ports.telemetry.store = lasting_store;
	for (i = 0; i < 120; i++)
		twin_log(t, &truth[i % 30 * 100], 100);
	merge_takes_us = LOOP_LONG_US / 2 - 1;
	cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_OK);
	cr_expect_eq(ctx.take_max, 2 * TAKE_SMALL);
	merge_takes_us = 0;
	cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_OK);
	cr_expect(f.more);
	cr_expect_eq(ctx.take_max, 8 * TAKE_SMALL);
	merge_takes_us = LOOP_LONG_US + 1;
	cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_OK);
	cr_expect(f.more);
	cr_expect_eq(ctx.take_max, 8 * TAKE_SMALL);
	merge_takes_us = 0;
	for (i = 0; i < 9 && f.more; i++)
		(void)loop_cycle(&ctx, &ports, &f, NULL);
	cr_assert_not(f.more);
	cr_expect_eq(ctx.take_max, LOOP_READINGS_FIRST);
	ctx.take_max = 2 * LOOP_READINGS_FIRST;
	for (i = 0; i < 401; i++)
		twin_log(t, truth, 1000);
	merge_takes_us = LOOP_LONG_US + 1;
	cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_OK);
	cr_expect(f.more);
	cr_expect_eq(ctx.take_max, LOOP_READINGS_FIRST);
	loop_done(&ctx);
	twin_free(t);
}

/* Of sparse series there are more roll-ups than readings: bites stay below
 * what the arena holds, and no cycle fails for one. */
Test(monitor, bites_grow_no_further_than_the_arena)
{
	struct reading r[100];
	struct loop_figures f;
	struct loop_ctx ctx;
	struct ports ports;
	struct twin *t = twin_new(T0 + 100 * US_PER_DAY, 1);
	int i, j;

	loop_init(&ctx);
	ctx.take_max = TAKE_SMALL;
	ctx.cycle.cap = TAKE_SMALL * 768;
	twin_ports(t, &ports);
	for (i = 0; i < 60; i++) {
		for (j = 0; j < 100; j++)
			r[j] = (struct reading){.series = 1 + j % 7,
			    .t_us = T0 + (i * 100 + j) * US_PER_MINUTE * 20};
		twin_log(t, r, 100);
	}
	do {
		cr_assert_eq(loop_cycle(&ctx, &ports, &f, NULL), ERR_OK,
		    "a bite of %zu", ctx.take_max);
		cr_expect_geq(ctx.take_max, TAKE_SMALL);
	} while (f.more);
	loop_done(&ctx);
	twin_free(t);
}
