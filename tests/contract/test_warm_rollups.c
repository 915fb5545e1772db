/* Roll-ups of spans that are over are packed, and say the same as before. */
#include "warm_fixture.h"

#include "domain/packed_rollup.h"
#include "domain/rollup.h"
#include "mape/monitor.h"

#include <stdlib.h>
#include <string.h>

#define DAYS 400

TestSuite(
    warm_rollups, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct decisions_port *d = &fx.ports.decisions;
static struct telemetry_port *t = &fx.ports.telemetry;

/* 2025-10-27T00:00:00Z */
static const int64_t first = INT64_C(1761523200000000);

static void
put(struct reading *r, size_t n)
{
	size_t days, k = rollup_count(r, n, &days);
	struct rollup *u = calloc(k, sizeof(*u));
	struct segment s = {r[0].series, r, n};
	struct merge m = {.segments = &s,
	    .nsegments = 1,
	    .rollups = u,
	    .nrollups = k,
	    .latest = &r[n - 1],
	    .nlatest = 1};

	(void)rollup_readings(u, r, n);
	ok(d->begin(d->self, &fx.info));
	ok(t->store(t->self, &m, &fx.info));
	ok(d->commit(d->self, &fx.info));
	free(u);
}

static void
put_every(int32_t series, int64_t t_us, int64_t step_us, size_t n)
{
	struct reading *r = calloc(n, sizeof(*r));
	size_t i;

	for (i = 0; i < n; i++)
		r[i] = (struct reading){.series = series,
		    .t_us = t_us + (int64_t)i * step_us,
		    .value = (double)((i * 37 + (size_t)series) % 101) / 8,
		    .quality = i % 11 == 3};
	put(r, n);
	free(r);
}

/* As a cycle does it after which the newest reading was at last_us. */
static void
put_live(
    int32_t series, int64_t t_us, int64_t step_us, size_t n, int64_t last_us)
{
	struct series_state state = {.last_us = last_us}, *s = &state;
	struct reading *r = calloc(n, sizeof(*r));
	struct arena a;
	struct merge m;
	struct batch b;
	size_t i;

	for (i = 0; i < n; i++)
		r[i] = (struct reading){.series = series,
		    .t_us = t_us + (int64_t)i * step_us,
		    .value = (double)((i * 37 + n) % 101) / 8,
		    .quality = i % 11 == 3};
	arena_init(&a, 1 << 20);
	ok(monitor_sort(&a, r, n, &b, &fx.info));
	ok(monitor_build(&a, &b, &s, &m, &fx.info));
	ok(d->begin(d->self, &fx.info));
	ok(t->store(t->self, &m, &fx.info));
	ok(d->commit(d->self, &fx.info));
	arena_done(&a);
	free(r);
}

static void
tidy(int64_t now_us)
{
	int64_t n;
	int i;

	for (i = 0; i < 200; i++)
		ok(warm_tidy(fx.warm, now_us, &n, &fx.info));
}

static int64_t
fresh(int32_t width_s)
{
	return (sql_int(
	    "SELECT count(*) FROM rollups_fresh WHERE width_s = %d", width_s));
}

static int64_t
packed(int32_t width_s)
{
	return (sql_int(
	    "SELECT count(*) FROM rollups_packed WHERE width_s = %d", width_s));
}

/* Buckets of which the view says something else than raw readings do; the
 * values are such that sums are exact. */
static int64_t
wrong(void)
{
	return (sql_int(
	    "WITH r AS (SELECT series, w AS width_s, date_bin(w * interval "
	    "'1 s', ts, 'epoch') AS bucket, count(*) AS n, count(*) FILTER "
	    "(WHERE quality = 0) AS good, coalesce(sum(value) FILTER (WHERE "
	    "quality = 0), 0) AS sum, coalesce(sum(value * value) FILTER "
	    "(WHERE quality = 0), 0) AS sumsq, coalesce(min(value) FILTER "
	    "(WHERE quality = 0), 'infinity') AS min, coalesce(max(value) "
	    "FILTER (WHERE quality = 0), '-infinity') AS max, min(ts) AS "
	    "first_ts, max(ts) AS last_ts, (array_agg(value ORDER BY ts))[1] "
	    "AS first, (array_agg(value ORDER BY ts DESC))[1] AS last "
	    "FROM readings, unnest('{300,3600,86400}'::int[]) w "
	    "GROUP BY 1, 2, 3) SELECT count(*) FROM r FULL JOIN rollups u "
	    "USING (series, width_s, bucket) WHERE (r.n, r.good, r.sum, "
	    "r.sumsq, r.min, r.max, r.first_ts, r.first, r.last_ts, r.last) "
	    "IS DISTINCT FROM (u.n, u.good, u.sum, u.sumsq, u.min, u.max, "
	    "u.first_ts, u.first, u.last_ts, u.last)"));
}

Test(warm_rollups, of_a_day_that_is_over_are_packed)
{
	int64_t day = instant_floor(NOON, US_PER_DAY);

	put_every(fx.series[0], day, 20 * US_PER_SECOND, 1000);
	put_every(fx.series[1], day, US_PER_HOUR, 24);
	tidy(NOON);
	cr_assert_eq(packed(300) + packed(3600) + packed(86400), 0);
	tidy(day + US_PER_DAY + US_PER_HOUR);
	cr_assert_eq(packed(300), 2);
	cr_assert_eq(fresh(300), 0);
	/* Few hours and days of what goes on. */
	cr_assert_eq(fresh(3600), 6 + 24);
	cr_assert_eq(fresh(86400), 2);
	cr_assert_eq(wrong(), 0);
}

/* What comes late adds to what is packed, fresh and then packed again. */
Test(warm_rollups, late_readings_add_up)
{
	int64_t day = instant_floor(NOON, US_PER_DAY);
	int64_t later = day + US_PER_DAY + US_PER_HOUR;

	put_every(fx.series[0], day + US_PER_MINUTE, 10 * US_PER_MINUTE, 100);
	tidy(later);
	cr_assert_eq(fresh(300), 0);
	put_every(fx.series[0], day, 7 * US_PER_MINUTE + 1, 100);
	cr_assert_gt(fresh(300), 0);
	cr_assert_eq(wrong(), 0);
	tidy(later + US_PER_HOUR);
	cr_assert_eq(fresh(300), 0);
	cr_assert_eq(packed(300), 1);
	cr_assert_eq(wrong(), 0);
	tidy(INT64_C(1799000000000000)); /* January 2027 */
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_fresh"), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_packed"), 3);
	cr_assert_eq(wrong(), 0);
}

/* Hourly data of 13 months: what a dashboard's year takes. */
Test(warm_rollups, months_and_years)
{
	int i;

	for (i = 0; i < DAYS - 20; i++)
		put_every(
		    fx.series[0], first + i * US_PER_DAY, US_PER_HOUR, 24);
	tidy(first + (DAYS - 10) * US_PER_DAY);
	cr_assert_eq(fresh(300), 0);
	cr_assert_leq(fresh(3600), 2 * 48);
	cr_assert_leq(fresh(86400), 2 * 48);
	cr_assert_eq(packed(300), DAYS - 20);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_packed WHERE t0 <> "
			     "rollups_span(width_s, t0)"),
	    0);
	cr_assert_eq(wrong(), 0);
	sql("SELECT rollups_again(%d, '2026-02-10', '2026-02-12')",
	    fx.series[0]);
	cr_assert_eq(wrong(), 0);
	tidy(first + DAYS * US_PER_DAY);
	cr_assert_eq(fresh(300), 0);
	cr_assert_eq(wrong(), 0);
}

Test(warm_rollups, in_bytes_that_are_none_are_an_error)
{
	int64_t day = instant_floor(NOON, US_PER_DAY), n;

	put_every(fx.series[0], day, US_PER_HOUR, 3);
	sql("INSERT INTO rollups_packed VALUES (%d, 300, '2026-11-20Z', "
	    "'\\x0203')",
	    fx.series[0]);
	cr_assert_eq(
	    warm_tidy(fx.warm, day + US_PER_DAY + US_PER_HOUR, &n, &fx.info),
	    ERR_DATABASE);
	cr_assert_eq(fresh(300), 3);
	cr_assert_eq(packed(300), 1);
}

/* The newest 5 minutes of a series are one row, whichever the widths. */
Test(warm_rollups, open_ones_add_up)
{
	int64_t day = instant_floor(NOON, US_PER_DAY), at;
	int i;

	put_live(fx.series[0], day, US_PER_SECOND, 1, day - US_PER_SECOND);
	put_every(fx.series[1], day, US_PER_HOUR, 2);
	cr_assert_eq(fresh(300) + fresh(3600), 2 + 2);
	for (i = 0, at = day + US_PER_MINUTE; i < 100; i++) {
		put_live(fx.series[0], at, 20 * US_PER_SECOND, 3,
		    at - 20 * US_PER_SECOND);
		at += US_PER_MINUTE;
		cr_assert_eq(wrong(), 0, "after %d cycles", i);
	}
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 1);
	cr_assert_eq(fresh(300), 2 + 20);
	/* Late in what is open, in what is over, and in both. */
	put_live(fx.series[0], at - 59 * US_PER_SECOND, 1, 1, at);
	put_live(fx.series[0], day + 1, US_PER_SECOND, 400, at);
	put_live(fx.series[0], day + 500 * US_PER_SECOND + 7,
	    13 * US_PER_SECOND, 425, at);
	cr_assert_eq(wrong(), 0);
	/* Who knows no better takes an older one for the newest. */
	put_live(fx.series[0], day + 3, US_PER_SECOND, 9, day);
	cr_assert_eq(wrong(), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 1);
	sql("SELECT rollups_again(%d, '2026-11-20', '2026-11-21')",
	    fx.series[0]);
	cr_assert_eq(wrong(), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 0);
}

/* What is heard seldom is never open: its 5 minutes are over at once. */
Test(warm_rollups, of_sparse_series_are_never_open)
{
	int64_t day = instant_floor(NOON, US_PER_DAY), at = day;
	int i;

	for (i = 0; i < 10; i++, at += 5 * US_PER_MINUTE)
		put_live(fx.series[0], at, 1, 1, at - 5 * US_PER_MINUTE);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 0);
	cr_assert_eq(fresh(300), 10);
	cr_assert_eq(wrong(), 0);
}

/* Of a series that falls silent, or is heard once a day, nothing stays open
 * or fresh behind a day that is over. */
Test(warm_rollups, open_ones_are_closed_with_their_day)
{
	int64_t day = instant_floor(NOON, US_PER_DAY);

	put_live(fx.series[0], day, US_PER_MINUTE, 360, day - 20 * US_PER_HOUR);
	put_live(
	    fx.series[1], day + US_PER_DAY, US_PER_SECOND, 9, day + US_PER_DAY);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 2);
	tidy(day + US_PER_DAY + US_PER_HOUR);
	cr_assert_eq(sql_int("SELECT series FROM rollups_open"), fx.series[1]);
	cr_assert_eq(fresh(300), 0);
	cr_assert_eq(wrong(), 0);
	put_live(fx.series[0], day + 6 * US_PER_HOUR, US_PER_MINUTE, 1440,
	    day + 6 * US_PER_HOUR - US_PER_MINUTE);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 2);
	cr_assert_eq(wrong(), 0);
	tidy(day + 2 * US_PER_DAY + US_PER_HOUR);
	cr_assert_eq(sql_int("SELECT count(*) FROM rollups_open"), 0);
	cr_assert_eq(fresh(300), 0);
	cr_assert_eq(wrong(), 0);
}
