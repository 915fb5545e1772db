/*
 * lookup_warm() on a real PostgreSQL: what it finds must be what was stored,
 * wherever and in however many pieces it lies.
 */
#include "core/instant.h"
#include "domain/packed.h"
#include "store/lookup.h"
#include "store/pg.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 6000
/* 2024-05-01T00:00:00Z */
#define DAY INT64_C(1714521600000000)

static struct reading keys[MAX];
static size_t nkeys;
static bool done, found[MAX];
static double value[MAX];
static struct err_info answer;

static struct loop *loop;
static struct pg *pg;
static struct query_port port;

static void
on_known(void *arg, const bool *f, const double *v, size_t n,
    const struct err_info *info)
{
	cr_assert_eq(arg, &done);
	cr_assert_eq(n, nkeys);
	done = true;
	answer = *info;
	memcpy(found, f, n * sizeof(*f));
	memcpy(value, v, n * sizeof(*v));
}

static void
start(void)
{
	struct pg_lane_state s = {.connected = false};
	char conninfo[600];
	struct pg_config cf = {
	    .conninfo = conninfo, .name = "penstock test_lookup"};

	scratch_sql("TRUNCATE ingest_log, segments");
	/* The generic plan is what a worker lives with after five calls. */
	snprintf(conninfo, sizeof(conninfo),
	    "%s options='-c plan_cache_mode=force_generic_plan "
	    "-c statement_timeout=5000'",
	    scratch_database());
	loop = poll_loop_new();
	pg = pg_new(loop, &cf, NULL);
	port = pg_port(pg);
	for (int i = 0; i < 300 && !s.connected; i++) {
		poll_loop_turn(loop, 20);
		pg_state(pg, LANE_LOOKUP, &s);
	}
	nkeys = 0;
}

static void
stop(void)
{
	pg_free(pg);
	poll_loop_free(loop);
}

TestSuite(lookup, .init = start, .fini = stop);

static void
want(int32_t series, int64_t t_us)
{
	cr_assert_lt(nkeys, MAX);
	keys[nkeys++] = (struct reading){.series = series, .t_us = t_us};
}

static enum err
look(void)
{
	struct lookup_port lookup = lookup_warm(&port);

	done = false;
	cr_assert_eq(
	    lookup.known(lookup.self, keys, nkeys, on_known, &done, NULL),
	    ERR_OK);
	cr_assert(!done);
	cr_assert(poll_loop_until(loop, &done, 20000));
	return (answer.code);
}

static void
expect_found(size_t i, double v)
{
	cr_expect(found[i] && value[i] == v, "%zu: %d %g, not %g", i, found[i],
	    value[i], v);
}

/* One row of segments, encoded as the loop does. */
static void
store(const struct reading *r, size_t n)
{
	unsigned char *packed = malloc(packed_bound(n));
	size_t len = packed_encode(r, n, packed), i;
	char *hex = malloc(2 * len + 1);

	for (i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", packed[i]);
	scratch_sql("SELECT segments_ensure(1::int2, to_timestamp(%f))",
	    (double)r[0].t_us / 1e6);
	scratch_sql("INSERT INTO segments SELECT %d, 1, "
		    "packed_instant(%lld), packed_instant(%lld), %zu, '\\x%s'",
	    r[0].series, (long long)r[0].t_us, (long long)r[n - 1].t_us, n,
	    hex);
	free(hex);
	free(packed);
}

/* n readings from t on, `step` apart, worth their time in seconds. */
static void
store_run(int32_t series, int64_t t_us, int64_t step, size_t n)
{
	struct reading *r = calloc(n, sizeof(*r));

	for (size_t i = 0; i < n; i++, t_us += step)
		r[i] = (struct reading){.series = series,
		    .t_us = t_us,
		    .value = (double)(t_us - DAY) / 1e6,
		    .received_us = t_us};
	store(r, n);
	free(r);
}

static void
store_one(int32_t series, int64_t t_us, double v)
{
	store(&(struct reading){.series = series, .t_us = t_us, .value = v}, 1);
}

static void
log_row(const char *series, const char *seconds, const char *values)
{
	scratch_sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, "
		    "series, ts, value, quality) SELECT now(), min(t), max(t), "
		    "'%s', array_agg(t ORDER BY o), '%s', array_fill(0, "
		    "ARRAY[count(*)::int]) FROM (SELECT o, "
		    "'2024-05-01Z'::timestamptz + s * interval '1 s' AS t "
		    "FROM unnest('%s'::float8[]) WITH ORDINALITY u(s, o)) v",
	    series, values, seconds);
}

Test(lookup, in_segments_and_log)
{
	store_run(1, DAY, 10 * US_PER_HOUR, 2);
	store_run(1, DAY + 5 * US_PER_HOUR, US_PER_HOUR, 2);
	store_one(1, DAY + 31 * US_PER_DAY - 1, 5);
	store_one(2, DAY + 5 * US_PER_HOUR, 6);
	log_row("{1,3}", "{2678400,18000}", "{7,8}");
	want(1, DAY);
	want(1, DAY + 10 * US_PER_HOUR);
	want(1, DAY + 5 * US_PER_HOUR);
	want(1, DAY + 31 * US_PER_DAY - 1);
	want(1, DAY + 31 * US_PER_DAY);
	want(2, DAY + 5 * US_PER_HOUR);
	want(3, DAY + 5 * US_PER_HOUR);
	want(3, DAY + 5 * US_PER_HOUR + 1);
	want(1, DAY + 5 * US_PER_HOUR + 1);
	want(4, DAY);
	want(1, DAY); /* twice in one question */
	cr_assert_eq(look(), ERR_OK);
	expect_found(0, 0);
	expect_found(1, 36000);
	expect_found(2, 18000);
	expect_found(3, 5);
	expect_found(4, 7);
	expect_found(5, 6);
	expect_found(6, 8);
	expect_found(10, 0);
	for (size_t i = 7; i < 10; i++)
		cr_expect(!found[i], "%zu", i);
	nkeys = 0; /* few keys go another way through the log */
	want(3, DAY + 5 * US_PER_HOUR);
	cr_assert_eq(look(), ERR_OK);
	expect_found(0, 8);
}

Test(lookup, first_one_stored_counts)
{
	store_one(1, DAY, 1);
	log_row("{1,2,2}", "{0,0,0}", "{2,3,4}");
	log_row("{2}", "{0}", "{5}");
	want(1, DAY);
	want(2, DAY);
	cr_assert_eq(look(), ERR_OK);
	expect_found(0, 1);
	expect_found(1, 3);
}

/* 60 series-days of 15 s, far more than one answer gives. */
Test(lookup, more_than_one_answer_holds)
{
	for (int s = 1; s <= 20; s++)
		for (int day = 0; day < 3; day++)
			store_run(s, DAY + day * US_PER_DAY, 15 * US_PER_SECOND,
			    5760);
	srand(1);
	for (int i = 0; i < 5000; i++)
		want(1 + rand() % 21,
		    DAY + rand() % (4 * 17280) * 5 * US_PER_SECOND);
	cr_assert_eq(look(), ERR_OK);
	for (size_t i = 0; i < nkeys; i++) {
		int64_t since = keys[i].t_us - DAY;

		cr_assert_eq(found[i],
		    keys[i].series <= 20 && since < 3 * US_PER_DAY &&
			since % (15 * US_PER_SECOND) == 0,
		    "%zu", i);
		if (found[i])
			cr_assert_eq(value[i], (double)since / 1e6);
	}
}

/* Rows that lie across one another, more than an answer holds of each time;
 * and runs of keys, more than a question holds. */
Test(lookup, rows_across_one_another_and_many_groups)
{
	for (int i = 0; i < 6; i++)
		store_run(1, DAY + i, US_PER_SECOND, 30000);
	for (int s = 2; s < 300; s++)
		store_one(s, DAY, s);
	for (int i = 0; i < 7; i++)
		for (int k = 0; k < 500; k++)
			want(1, DAY + k * 60 * US_PER_SECOND + i);
	for (int s = 299; s > 0; s--)
		want(s, DAY);
	cr_assert_eq(look(), ERR_OK);
	for (size_t i = 0; i < nkeys; i++) {
		int64_t us = keys[i].t_us % US_PER_SECOND;

		cr_assert_eq(found[i], us < 6, "%zu", i);
		if (found[i])
			cr_assert_eq(value[i],
			    keys[i].series > 1
				? keys[i].series
				: (double)(keys[i].t_us - DAY) / 1e6);
	}
}

/* Whatever lies where, against what was put there first: 30 rounds into
 * segments, which hold a time once, then 30 into the log. */
Test(lookup, finds_what_was_stored_first)
{
	static struct reading model[4][400];
	char series[300], seconds[300], values[300];

	srand(7);
	for (int round = 0; round < 60; round++) {
		int s = 1 + rand() % 3, at = rand() % 300;
		size_t a = 0, b = 0, c = 0;

		for (int i = 0; i < 20 && at < 400; i++, at += rand() % 40) {
			struct reading *m = &model[s][at],
				       r = {.series = s,
					   .t_us = DAY + at * 3 * US_PER_HOUR,
					   .value = round};

			a += (size_t)snprintf(series + a, sizeof(series) - a,
			    "%c%d", i ? ',' : '{', s);
			b += (size_t)snprintf(seconds + b, sizeof(seconds) - b,
			    "%c%d", i ? ',' : '{', at * 10800);
			c += (size_t)snprintf(values + c, sizeof(values) - c,
			    "%c%d", i ? ',' : '{', round);
			if (m->series != 0)
				continue;
			*m = r;
			if (round < 30)
				store(&r, 1);
		}
		(void)snprintf(series + a, sizeof(series) - a, "}");
		(void)snprintf(seconds + b, sizeof(seconds) - b, "}");
		(void)snprintf(values + c, sizeof(values) - c, "}");
		if (round >= 30)
			log_row(series, seconds, values);
	}
	for (int i = 0; i < 400; i++)
		for (int s = 3; s > 0; s--)
			want(s, DAY + i * 3 * US_PER_HOUR);
	cr_assert_eq(look(), ERR_OK);
	for (size_t i = 0; i < nkeys; i++) {
		const struct reading *m = &model[keys[i].series][i / 3];

		cr_assert_eq(found[i], m->series != 0, "%zu", i);
		if (found[i])
			cr_assert_eq(value[i], m->value);
	}
}

Test(lookup, a_segment_that_is_none)
{
	scratch_sql("SELECT segments_ensure(1::int2, '2024-05-01Z')");
	scratch_sql("INSERT INTO segments VALUES (1, 1, '2024-05-01Z', "
		    "'2024-05-01Z', 1, '\\x0203')");
	want(1, DAY);
	cr_assert_eq(look(), ERR_INTERNAL);
	cr_expect_not_null(strstr(answer.detail, "series 1"));
}

/* Both questions fail, and one answer comes. */
Test(lookup, the_connection_is_lost)
{
	struct lookup_port lookup = lookup_warm(&port);

	for (int i = 0; i < 300; i++)
		want(i + 1, DAY);
	done = false;
	cr_assert_eq(
	    lookup.known(lookup.self, keys, nkeys, on_known, &done, NULL),
	    ERR_OK);
	scratch_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		    "WHERE application_name LIKE 'penstock test_lookup%%'");
	cr_assert(poll_loop_until(loop, &done, 20000));
	cr_expect(answer.code == ERR_DATABASE || answer.code == ERR_OK);
}
