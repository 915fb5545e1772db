/*
 * The warm tier's range port against a model of what is stored: packed rows
 * that overlap, and a log that repeats them, read in chunks of any size.
 */
#include "core/instant.h"
#include "domain/packed.h"
#include "store/pg.h"
#include "store/range.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES 2000000021 /* no row of `series` is needed: class 1 */
#define SLOTS  3000	  /* of one hour each: four months */
#define ROWS   60	  /* of each month */

static int64_t start_us;
static struct reading model[SLOTS];
static bool stored[SLOTS];
static struct loop *loop;
static struct pg *pg;
static struct query_port query;
static struct range_port warm;
static uint64_t seed;

static unsigned
pick(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return ((unsigned)(seed >> 33) % below);
}

static struct reading
make(size_t slot)
{
	return ((struct reading){.series = SERIES,
	    .quality = (int16_t)pick(2),
	    .value = pick(1000) / 8.0,
	    .t_us = start_us + (int64_t)slot * US_PER_HOUR,
	    .received_us = start_us + (int64_t)slot * US_PER_HOUR +
		(int64_t)pick(1000000) * 1000});
}

static void
put_segment(const struct reading *r, size_t n)
{
	static char hex[200000], packed[100000];
	size_t len = packed_encode(r, n, packed), i;

	cr_assert(len < sizeof(hex) / 2 && packed_bound(n) < sizeof(packed));
	for (i = 0; i < len; i++)
		(void)snprintf(
		    hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)packed[i]);
	(void)scratch_sql("INSERT INTO segments VALUES (%d, 1, "
			  "packed_instant(%lld), packed_instant(%lld), %zu, "
			  "'\\x%s')",
	    SERIES, (long long)r[0].t_us, (long long)r[n - 1].t_us, n, hex);
}

static void
put_log(const struct reading *r)
{
	(void)scratch_sql(
	    "INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts, "
	    "value, quality) SELECT packed_instant(%lld), t, t, "
	    "'{5,%d}', ARRAY[t, t], '{1,%.17g}', '{0,%d}' "
	    "FROM packed_instant(%lld) t",
	    (long long)r->received_us, SERIES, r->value, r->quality,
	    (long long)r->t_us);
}

/* Twenty slots from `at` on in one row, each of them twice. */
static void
put_long_log(size_t at)
{
	(void)scratch_sql(
	    "INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts, "
	    "value, quality) SELECT packed_instant(%lld), min(t), max(t), "
	    "array_agg(%d), array_agg(t ORDER BY i), array_agg(i ORDER BY i), "
	    "array_agg(0) FROM (SELECT i, packed_instant(%lld) + i %% 20 * "
	    "interval '1 hour' AS t FROM generate_series(0, 39) i) x",
	    (long long)start_us, SERIES,
	    (long long)(start_us + (int64_t)at * US_PER_HOUR));
	for (size_t i = at; i < at + 20; i++) {
		if (stored[i])
			continue;
		model[i].series = SERIES;
		model[i].quality = 0;
		model[i].value = (double)(i - at);
		model[i].received_us = start_us;
		stored[i] = true;
	}
}

/* Some slots of the month from `at` on, where nothing is yet. */
static size_t
put_row(size_t at, size_t end)
{
	struct reading row[SLOTS];
	size_t n = 0, step = 1 + pick(30), most = 1 + pick(60);

	for (at += pick((unsigned)(end - at)); at < end && n < most;
	     at += 1 + pick((unsigned)step))
		if (!stored[at]) {
			stored[at] = true;
			row[n++] = model[at] = make(at);
		}
	if (n > 0)
		put_segment(row, n);
	return (n);
}

static size_t
month_end(size_t slot)
{
	const char *s = scratch_sql(
	    "SELECT (extract(epoch FROM date_trunc('month', "
	    "packed_instant(%lld), 'UTC') + interval '1 month') / 3600)::int8",
	    (long long)(start_us + (int64_t)slot * US_PER_HOUR));
	size_t end = (size_t)(strtoll(s, NULL, 10) - start_us / US_PER_HOUR);

	return (end < SLOTS ? end : SLOTS);
}

static void
fill(void)
{
	struct reading r;
	size_t at, end;

	for (at = 0; at < SLOTS; at = end) {
		(void)scratch_sql("SELECT segments_ensure(1::int2, "
				  "packed_instant(%lld))",
		    (long long)(start_us + (int64_t)at * US_PER_HOUR));
		end = month_end(at);
		for (int i = 0; i < ROWS; i++)
			(void)put_row(at, end);
	}
	/* What is known already stays; of what is new the first counts. */
	for (int i = 0; i < 150; i++) {
		at = i < 50 ? SLOTS - 1 - pick(20) : pick(SLOTS);
		r = make(at);
		put_log(&r);
		if (!stored[at])
			model[at] = r;
		stored[at] = true;
	}
	put_long_log(pick(SLOTS / 2));
}

static void
setup(void)
{
	static const struct pg_config config = {.name = "penstock test_range"};
	struct pg_config cf = config;
	struct pg_lane_state s = {.connected = false};

	seed = 7;
	memset(stored, 0, sizeof(stored));
	start_us = instant_from_civil(2026, 1, 29, 0);
	(void)scratch_sql("TRUNCATE ingest_log, segments");
	cf.conninfo = scratch_database();
	loop = poll_loop_new();
	pg = pg_new(loop, &cf, NULL);
	query = pg_port(pg);
	warm = range_warm(&query);
	for (int i = 0; i < 300 && !s.connected; i++) {
		poll_loop_turn(loop, 20);
		pg_state(pg, LANE_SLOW, &s);
	}
	cr_assert(s.connected);
}

static void
teardown(void)
{
	pg_free(pg);
	poll_loop_free(loop);
	(void)scratch_sql("TRUNCATE ingest_log, segments");
}

TestSuite(range, .init = setup, .fini = teardown);

struct answer {
	bool done;
	enum err code;
	struct reading readings[SLOTS];
	size_t n;
	int64_t complete_us;
};

static void
on_part(void *arg, const struct range_part *part, const struct err_info *info)
{
	struct answer *a = arg;

	a->done = true;
	a->code = info->code;
	if (a->code != ERR_OK)
		return;
	cr_assert(part->n <= SLOTS);
	memcpy(a->readings, part->readings, part->n * sizeof(*a->readings));
	a->n = part->n;
	a->complete_us = part->complete_to_us;
}

static void
read_chunk(const struct range *range, struct answer *a)
{
	struct err_info info = {.code = ERR_OK};

	a->done = false;
	cr_assert_eq(warm.read(warm.self, range, on_part, a, &info), ERR_OK);
	cr_assert(poll_loop_until(loop, &a->done, 5000));
}

static bool
same(const struct reading *a, const struct reading *b)
{
	return (a->series == b->series && a->t_us == b->t_us &&
	    a->value == b->value && a->quality == b->quality &&
	    a->received_us == b->received_us);
}

/* All slots from `from` to `to` (excluded), chunk by chunk. */
static size_t
compare(size_t from, size_t to, size_t max)
{
	static struct answer a;
	struct range range = {.series = SERIES,
	    .from_us = start_us + (int64_t)from * US_PER_HOUR,
	    .to_us = start_us + (int64_t)to * US_PER_HOUR,
	    .max = max};
	size_t chunks = 0, at = from;

	while (range.from_us < range.to_us) {
		read_chunk(&range, &a);
		cr_assert_eq(a.code, ERR_OK);
		cr_assert_gt(a.complete_us, range.from_us);
		cr_assert_leq(a.complete_us, range.to_us);
		for (size_t i = 0; i < a.n; i++, at++) {
			for (; at < to && !stored[at]; at++)
				;
			cr_assert(at < to);
			cr_assert(same(&a.readings[i], &model[at]), "%zu", at);
		}
		for (; at < to && model[at].t_us < a.complete_us; at++)
			cr_assert(!stored[at], "%zu is missing", at);
		range.from_us = a.complete_us;
		chunks++;
	}
	return (chunks);
}

Test(range, any_span_in_chunks_of_any_size)
{
	static const size_t sizes[] = {1, 7, 100, 100000};
	size_t from, to;

	for (size_t i = 0; i < SLOTS; i++)
		model[i].t_us = start_us + (int64_t)i * US_PER_HOUR;
	fill();
	for (int i = 0; i < 40; i++) {
		from = pick(SLOTS);
		to = from + 1 + pick((unsigned)(SLOTS - from));
		(void)compare(from, to, sizes[i % 4]);
	}
	cr_expect_eq(compare(0, SLOTS, 100000), 1);
	cr_expect_gt(compare(0, SLOTS, 100), 5);
}

/* Fresh rows hold a reading each: more of them than one statement takes. */
Test(range, many_small_rows)
{
	start_us = instant_from_civil(2026, 5, 1, 0);
	(void)scratch_sql(
	    "SELECT segments_ensure(1::int2, packed_instant(%lld))",
	    (long long)start_us);
	for (size_t i = 0; i < 744; i++) {
		stored[i] = true;
		model[i] = make(i);
		put_segment(&model[i], 1);
	}
	cr_expect_eq(compare(0, 744, 100000), 2);
}

Test(range, nothing_is_stored)
{
	static struct answer a;
	struct range range = {.series = SERIES,
	    .from_us = start_us,
	    .to_us = start_us + 1,
	    .max = 10};

	read_chunk(&range, &a);
	cr_assert_eq(a.code, ERR_OK);
	cr_expect_eq(a.n, 0);
	cr_expect_eq(a.complete_us, range.to_us);
}

/* What is none of ours is an error, never a shorter answer. */
Test(range, broken_bytes)
{
	static struct answer a;
	struct range range = {.series = SERIES,
	    .from_us = start_us,
	    .to_us = start_us + 10 * US_PER_HOUR,
	    .max = 10};

	(void)scratch_sql(
	    "SELECT segments_ensure(1::int2, packed_instant(%lld))",
	    (long long)start_us);
	model[0] = make(0);
	put_segment(model, 1);
	(void)scratch_sql("UPDATE segments SET data = '\\x0105ff'");
	read_chunk(&range, &a);
	cr_expect_eq(a.code, ERR_INTERNAL);
}
