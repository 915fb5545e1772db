#include "warm_fixture.h"

#include <math.h>

#define DAY_US US_PER_DAY

TestSuite(
    warm_telemetry, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct decisions_port *d = &fx.ports.decisions;
static struct telemetry_port *t = &fx.ports.telemetry;

static size_t
take(size_t max, struct reading **ret, bool *ret_more)
{
	size_t n = 0;

	ok(t->take(t->self, &fx.arena, max, ret, &n, ret_more, &fx.info));
	return (n);
}

/* Stores readings of one series and day as one segment. */
static enum err
store(struct reading *r, size_t n)
{
	struct segment s = {r[0].series, r, n};
	struct merge m = {
	    .segments = &s, .nsegments = 1, .latest = &r[n - 1], .nlatest = 1};

	err_clear(&fx.info);
	return (t->store(t->self, &m, &fx.info));
}

static void
put(struct reading *r, size_t n)
{
	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(store(r, n), ERR_OK, "%s", fx.info.detail);
	ok(d->commit(d->self, &fx.info));
}

static void
cycle(size_t expected)
{
	struct reading *r;
	bool more;

	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(take(1000, &r, &more), expected);
	if (expected > 0)
		cr_assert_eq(store(r, expected), ERR_OK, "%s", fx.info.detail);
	ok(d->commit(d->self, &fx.info));
}

Test(warm_telemetry, takes_readings_as_logged)
{
	struct reading *r;
	bool more = true;

	log_row(fx.series[1], NOON, 2, 1.5);
	log_row(fx.series[0], NOON - DAY_US, 1, -0.1);
	cr_assert_eq(take(1000, &r, &more), 3);
	cr_assert_not(more);
	cr_assert_eq(r[0].series, fx.series[1]);
	cr_assert_eq(r[0].t_us, NOON);
	cr_assert_eq(r[0].value, 1.5);
	cr_assert_eq(r[1].t_us, NOON + 60 * US_PER_SECOND);
	cr_assert_eq(r[1].value, 2.5);
	cr_assert_eq(r[2].series, fx.series[0]);
	cr_assert_eq(r[2].t_us, NOON - DAY_US);
	cr_assert_eq(r[2].value, -0.1);
	cr_assert_eq(r[2].received_us, NOON);
	cr_assert_eq(r[2].quality, 0);
}

Test(warm_telemetry, takes_whole_rows_up_to_a_bound)
{
	struct reading *r;
	bool more = false;
	size_t n, all = 0;
	int i, rounds;

	for (i = 0; i < 100; i++)
		log_row(fx.series[0], NOON + i * US_PER_HOUR, 7, i);
	for (rounds = 0; all < 700 && rounds < 100; rounds++) {
		ok(d->begin(d->self, &fx.info));
		n = take(50, &r, &more);
		cr_assert_geq(n, 7);
		cr_assert_eq(n % 7, 0);
		cr_assert_leq(n, 16 * 7);
		all += n;
		ok(t->store(t->self, &(struct merge){0}, &fx.info));
		ok(d->commit(d->self, &fx.info));
	}
	cr_assert_eq(all, 700);
	cr_assert_eq(take(50, &r, &more), 0);
	cr_assert_not(more);
}

Test(warm_telemetry, takes_little_where_long_rows_follow_short_ones)
{
	struct reading *r;
	bool more = false;
	size_t n;
	int i;

	for (i = 0; i < 20; i++)
		log_row(fx.series[0], NOON + i * US_PER_MINUTE, 1, i);
	for (i = 0; i < 40; i++)
		log_row(fx.series[1], NOON, 1000, i);
	n = take(500, &r, &more);
	cr_assert_eq(n, 1020, "%zu", n);
	cr_assert(more);
}

Test(warm_telemetry, sets_bad_rows_aside_and_goes_on)
{
	static const char *const bad[] = {
	    "'{1,1}', '{2026-01-01,2026-01-02}', '{1}', '{0,0}'",
	    "'{1}', '{2026-01-01}', '{NULL}', '{0}'",
	    "'{{1}}', '{{2026-01-01}}', '{{1}}', '{{0}}'",
	    "'{1,1}', '{2026-01-01,infinity}', '{7,8}', '{0,0}'",
	    "'{1,1}', '{2026-01-03,2026-01-04}', '{NaN,9}', '{0,0}'",
	    "'{1,1}', '{2026-01-05,2026-01-06}', '{1e101,4}', '{0,0}'",
	};
	struct reading *r;
	bool more;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, "
		    "series, ts, value, quality) VALUES (now(), now(), now(), "
		    "%s)",
		    bad[i]);
	log_row(fx.series[0], NOON, 1, 5);
	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(take(1000, &r, &more), 4);
	cr_assert_eq(r[0].value, 7);
	cr_assert_eq(r[1].value, 9);
	cr_assert_eq(r[2].value, 4);
	cr_assert_eq(r[3].value, 5);
	d->rollback(d->self);
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log"), 7);
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log_aside"), 0);

	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(take(1000, &r, &more), 4);
	cr_assert_eq(store(&r[3], 1), ERR_OK, "%s", fx.info.detail);
	ok(d->commit(d->self, &fx.info));
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log"), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log_aside "
			     "WHERE reason <> ''"),
	    6);
}

Test(warm_telemetry, stores_what_the_view_then_shows)
{
	struct reading r[] = {
	    {.series = fx.series[0],
		.t_us = NOON,
		.value = 0.1,
		.quality = 1,
		.received_us = NOON + 1000},
	    {.series = fx.series[0],
		.t_us = NOON + 1,
		.value = -1e300,
		.received_us = NOON + 2000},
	};

	put(r, 2);
	cr_assert_eq(sql_int("SELECT count(*) FROM readings"), 2);
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM readings WHERE node = 'N1' AND "
		    "metric = 'pressure' AND merged AND ("
		    "(value = 0.1 AND quality = 1 AND ts = "
		    "'2026-11-20T12:00:00Z' AND received_at = "
		    "'2026-11-20T12:00:00.001Z') OR (value = -1e300 AND "
		    "quality = 0 AND ts = '2026-11-20T12:00:00.000001Z' AND "
		    "received_at = '2026-11-20T12:00:00.002Z'))"),
	    2);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments WHERE n = 2 AND "
			     "class = 1 AND t0 = '2026-11-20T12:00:00Z' AND "
			     "t1 = '2026-11-20T12:00:00.000001Z'"),
	    1);
}

Test(warm_telemetry, makes_partitions_for_any_month)
{
	static const int64_t at[] = {INT64_C(-86400000000),
	    INT64_C(951782399000000) /* 2000-02-28T23:59:59Z */,
	    INT64_C(951868800000000) /* 2000-03-01 */, NOON};
	struct reading r = {.series = fx.series[0], .value = 1};
	size_t i;

	for (i = 0; i < 4; i++) {
		r.t_us = at[i];
		put(&r, 1);
	}
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 4);
	cr_assert_eq(
	    sql_int("SELECT count(DISTINCT tableoid) FROM segments"), 4);
}

/* As many as one request may hold; a server's locks are fewer. */
Test(warm_telemetry, merges_a_reading_of_each_of_5000_months)
{
	static struct reading r[5000];
	static struct segment s[5000];
	struct merge m = {.segments = s, .nsegments = 5000};
	size_t i;

	for (i = 0; i < 5000; i++) {
		r[i] = (struct reading){.series = fx.series[0],
		    .t_us = NOON - (int64_t)i * 30 * DAY_US,
		    .value = 1};
		s[i] = (struct segment){fx.series[0], &r[i], 1};
	}
	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(
	    t->store(t->self, &m, &fx.info), ERR_OK, "%s", fx.info.detail);
	d->rollback(d->self);
	/* They stay, and other tests empty every partition. */
	sql("DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT relid "
	    "FROM pg_partition_tree('segments') WHERE isleaf LOOP "
	    "EXECUTE format('DROP TABLE %%s', p); COMMIT; END LOOP; END $$");
}

/* A statement that was planned before it would not look into it. */
Test(warm_telemetry, fills_no_partition_that_is_not_committed)
{
	struct reading r[] = {{.series = fx.series[0], .t_us = NOON},
	    {.series = fx.series[0], .t_us = NOON + 31 * DAY_US},
	    {.series = fx.series[0], .t_us = NOON + 62 * DAY_US}};
	int i;

	sql("DROP TABLE IF EXISTS segments_1_202611, segments_1_202612, "
	    "segments_1_202701");
	ok(d->begin(d->self, &fx.info));
	for (i = 0; i < 3; i++) {
		cr_assert_eq(store(&r[i], 1), ERR_OK, "%s", fx.info.detail);
		cr_assert_eq(sql_int("SELECT count(*) FROM "
				     "pg_partition_tree('segments') WHERE "
				     "relid::text IN ('segments_1_202611', "
				     "'segments_1_202612', "
				     "'segments_1_202701')"),
		    i + 1);
	}
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 0);
	ok(d->commit(d->self, &fx.info));
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 3);
}

Test(warm_telemetry, removes_exactly_the_rows_it_took)
{
	struct reading *r;
	bool more;

	log_row(fx.series[0], NOON, 3, 1);
	log_row(fx.series[0], NOON + US_PER_HOUR, 2, 1);
	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(take(1000, &r, &more), 5);
	/* Logged meanwhile, with an id before and one after those taken. */
	sql("INSERT INTO ingest_log (id, received_at, min_ts, max_ts, series, "
	    "ts, value, quality) OVERRIDING SYSTEM VALUE VALUES (-1, now(), "
	    "now(), now(), '{1}', '{2020-01-01}', '{4}', '{0}')");
	log_row(fx.series[0], NOON + DAY_US, 1, 1);
	cr_assert_eq(store(r, 5), ERR_OK, "%s", fx.info.detail);
	ok(d->commit(d->self, &fx.info));
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log"), 2);
	cycle(2);
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log"), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM readings"), 7);
	cycle(0);
}

Test(warm_telemetry, refuses_a_merge_of_rows_that_another_took)
{
	struct reading *r;
	bool more;
	int64_t id = log_row(fx.series[0], NOON, 3, 1);

	ok(d->begin(d->self, &fx.info));
	cr_assert_eq(take(1000, &r, &more), 3);
	sql("DELETE FROM ingest_log WHERE id = %lld", (long long)id);
	cr_assert_eq(store(r, 3), ERR_CONFLICT);
	d->rollback(d->self);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 0);
}

Test(warm_telemetry, rollups_add_up)
{
	struct rollup a = {fx.series[0], 300, NOON, 2, 1, 3, 1, 2, 5, NOON + 10,
	    NOON + 20, 1, 2};
	struct rollup b = {fx.series[0], 300, NOON, 1, 1, 9, 0.5, 9, 81,
	    NOON + 5, NOON + 5, 7, 7};
	struct merge m = {.rollups = &a, .nrollups = 1};

	ok(t->store(t->self, &m, &fx.info));
	m.rollups = &b;
	ok(t->store(t->self, &m, &fx.info));
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM rollups WHERE n = 3 AND good = 2 "
		    "AND sum = 12 AND min = 0.5 AND max = 9 AND sumsq = 86 "
		    "AND first = 7 AND last = 2 AND first_ts = "
		    "'2026-11-20T12:00:00.000005Z' AND last_ts = "
		    "'2026-11-20T12:00:00.00002Z'"),
	    1);
}

Test(warm_telemetry, latest_is_newest_by_event_time)
{
	struct reading r = {.series = fx.series[0], .t_us = NOON, .value = 1};
	struct merge m = {.latest = &r, .nlatest = 1};

	ok(t->store(t->self, &m, &fx.info));
	r.t_us = NOON - 1;
	r.value = 2;
	ok(t->store(t->self, &m, &fx.info));
	cr_assert_eq(sql_int("SELECT value FROM series_latest"), 1);
	r.t_us = NOON + 1;
	r.value = 3;
	ok(t->store(t->self, &m, &fx.info));
	cr_assert_eq(sql_int("SELECT value FROM series_latest"), 3);
}

/* Two series, two days, an odd minute missing; keys in no order. */
Test(warm_telemetry, knows_exactly_what_is_stored)
{
	static struct reading r[1440], q[8000];
	static bool known[8000];
	size_t i, s, day, n = 0;

	for (s = 0; s < 2; s++)
		for (day = 0; day < 2; day++) {
			for (i = 0; i < 720; i++)
				r[i] = (struct reading){.series = fx.series[s],
				    .value = 1,
				    .t_us = instant_floor(NOON, DAY_US) +
					(int64_t)day * DAY_US +
					(int64_t)i * 2 * US_PER_MINUTE};
			put(r, 300);
			put(r + 300, 420);
		}
	for (s = 0; s < 2; s++)
		for (i = 0; i < 3 * 1440; i++)
			if (n < 8000)
				q[n++] =
				    (struct reading){.series = fx.series[s],
					.t_us = instant_floor(NOON, DAY_US) +
					    (int64_t)((i * 2731) % 4320) *
						US_PER_MINUTE};
	ok(t->known(t->self, q, n, known, &fx.info));
	for (i = 0; i < n; i++)
		cr_assert_eq(known[i],
		    q[i].t_us / US_PER_MINUTE % 2 == 0 &&
			q[i].t_us < instant_floor(NOON, DAY_US) + 2 * DAY_US,
		    "key %zu", i);
	ok(t->known(t->self, q, 0, known, &fx.info));
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 8);
}

Test(warm_telemetry, window_is_half_open_and_good_only)
{
	struct reading r[10];
	struct window_stats w;
	int i;

	for (i = 0; i < 10; i++)
		r[i] = (struct reading){.series = fx.series[0],
		    .t_us = NOON + i * US_PER_MINUTE,
		    .value = i};
	r[4].quality = 1;
	put(r, 10);
	ok(t->window(t->self, fx.series[0], NOON + 2 * US_PER_MINUTE,
	    NOON + 8 * US_PER_MINUTE, &w, &fx.info));
	cr_assert_eq(w.count, 5);
	cr_assert_eq(w.mean, (2 + 3 + 5 + 6 + 7) / 5.0);
	cr_assert_eq(w.min, 2);
	cr_assert_eq(w.max, 7);
	cr_assert_eq(w.first, 2);
	cr_assert_eq(w.last, 7);
	cr_assert_float_eq(w.variance, 4.3, 1e-12);
	cr_assert_eq(w.bad, 1);
	ok(t->window(t->self, fx.series[1], NOON, NOON + DAY_US, &w, &fx.info));
	cr_assert_eq(w.count, 0);
	cr_assert(isnan(w.mean) && isnan(w.first) && isnan(w.variance));
}

/* A row costs memory whatever it holds: of rows of one reading a bite takes
 * fewer than it may, and says that there are more. */
Test(warm_telemetry, takes_no_more_rows_than_memory_bears, .timeout = 120)
{
	struct reading *r;
	bool more = false;
	size_t n;

	sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts, "
	    "value, quality) SELECT t, t, t, '{%d}', ARRAY[t], '{1}', '{0}' "
	    "FROM generate_series(1, 252000), to_timestamp(%lld) t",
	    (int)fx.series[0], (long long)(NOON / US_PER_SECOND));
	ok(d->begin(d->self, &fx.info));
	n = take(4000000, &r, &more);
	d->rollback(d->self);
	cr_assert(n >= 250000 && n < 252000, "%zu", n);
	cr_assert(more);
}
