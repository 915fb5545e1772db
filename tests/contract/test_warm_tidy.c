/* The nightly joining, partitions made ahead, and the log's size on disk. */
#include "warm_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(
    warm_tidy, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct decisions_port *d = &fx.ports.decisions;
static struct telemetry_port *t = &fx.ports.telemetry;

static const char digest[] =
    "SELECT ('x' || md5(string_agg(readings::text, '|' ORDER BY node, "
    "metric, ts)))::bit(60)::int8 FROM readings";

static void
put(struct reading *r, size_t n)
{
	struct segment s = {r[0].series, r, n};
	struct merge m = {
	    .segments = &s, .nsegments = 1, .latest = &r[n - 1], .nlatest = 1};

	ok(d->begin(d->self, &fx.info));
	ok(t->store(t->self, &m, &fx.info));
	ok(d->commit(d->self, &fx.info));
}

static void
put_one(int32_t series, int64_t t_us, double value)
{
	put(&(struct reading){.series = series, .t_us = t_us, .value = value},
	    1);
}

static int64_t
tidy(int64_t now_us)
{
	int64_t n, all = 0;
	int i;

	for (i = 0; i < 100; i++, all += n)
		ok(warm_tidy(fx.warm, now_us, &n, &fx.info));
	return (all);
}

/* The segments' spans overlap, as late readings make them. */
Test(warm_tidy, joins_hours_and_days_that_are_over)
{
	struct reading r[4];
	int64_t before;
	int i, j, s;

	for (s = 0; s < 2; s++)
		for (i = 0; i < 20; i++) {
			for (j = 0; j < 4; j++)
				r[j] = (struct reading){.series = fx.series[s],
				    .t_us = NOON + i * US_PER_MINUTE * 4 +
					j * 90 * US_PER_SECOND,
				    .value = i + j * 100,
				    .quality = (int16_t)(j & 1),
				    .received_us = NOON + i};
			put(r, 4);
		}
	before = sql_int(digest);
	cr_assert_eq(tidy(NOON + 64 * US_PER_MINUTE), 0);
	cr_assert_gt(tidy(NOON + 65 * US_PER_MINUTE), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments WHERE t1 < "
			     "'2026-11-20T13:00:00Z'"),
	    2);
	cr_assert_gt(sql_int("SELECT count(*) FROM segments"), 2);
	cr_assert_eq(sql_int(digest), before);
	cr_assert_eq(tidy(NOON + 66 * US_PER_MINUTE), 0);
	put_one(fx.series[0], NOON + 1, 3);
	before = sql_int(digest);
	cr_assert_gt(tidy(NOON + US_PER_DAY), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 2);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments g, LATERAL (SELECT "
			     "count(*) AS n, min(ts) AS t0, max(ts) AS t1 FROM "
			     "packed_readings(g.data)) p WHERE (g.n, g.t0, "
			     "g.t1) IS DISTINCT FROM (p.n, p.t0, p.t1)"),
	    0);
	cr_assert_eq(sql_int(digest), before);
}

/* Once a day was joined, what comes later for it is joined, too, but not at
 * every cycle. */
Test(warm_tidy, joins_a_day_again_when_something_late_came)
{
	int64_t later = NOON + US_PER_DAY, before;
	int i;

	for (i = 0; i < 5; i++)
		put_one(fx.series[i % 2], NOON + i * US_PER_SECOND, i);
	cr_assert_eq(tidy(later), 5);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 2);
	cr_assert_eq(tidy(later + US_PER_HOUR), 0);
	put_one(fx.series[0], NOON - 1, 7);
	before = sql_int(digest);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 3);
	cr_assert_eq(tidy(later + US_PER_MINUTE), 0);
	cr_assert_eq(tidy(later + US_PER_HOUR), 2);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 2);
	cr_assert_eq(sql_int(digest), before);
	cr_assert_eq(
	    sql_int("SELECT n FROM segments WHERE series = %d", fx.series[0]),
	    4);
}

/* November 2026 has 30 days. One series has hourly readings, the other one
 * every five minutes. */
Test(warm_tidy, joins_sparse_months_and_leaves_dense_ones_in_days)
{
	static struct reading r[288];
	int64_t first = INT64_C(1793491200000000), before;
	int day, i, s, n;

	for (day = 0; day < 30; day++)
		for (s = 0; s < 2; s++) {
			n = s == 0 ? 24 : 288;
			for (i = 0; i < n; i++)
				r[i] = (struct reading){.series = fx.series[s],
				    .t_us = first + day * US_PER_DAY +
					US_PER_DAY / n * i,
				    .value = i / 10.0};
			put(r, (size_t)n);
		}
	before = sql_int("SELECT sum(n) FROM segments");
	cr_assert_eq(tidy(first + 31 * US_PER_DAY), 30);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 31);
	cr_assert_eq(sql_int("SELECT sum(n) FROM segments"), before);
	cr_assert_eq(
	    sql_int("SELECT n FROM segments WHERE series = %d", fx.series[0]),
	    720);
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM readings WHERE value <> (CASE metric "
		    "WHEN 'pressure' THEN extract(hour FROM ts) ELSE "
		    "extract(epoch FROM ts)::int8 %% 86400 / 300 END) / 10.0"),
	    0);
	put_one(fx.series[0], first + 1, 7);
	cr_assert_eq(tidy(first + 32 * US_PER_DAY), 2);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 31);
}

/* November 2026, a row per reading of two series: once its rows are joined the
 * partition is two pages of heap or one, two of key and one of the empty TOAST
 * table's index. Who reads it is waited for, and waits for nobody. */
Test(warm_tidy, writes_a_small_month_anew)
{
	static const char bytes[] =
	    "SELECT pg_total_relation_size('segments_1_202611')";
	int64_t first = INT64_C(1793491200000000), before, after;
	int i;

	for (i = 0; i < 1440; i++)
		put_one(fx.series[i % 2], first + i * US_PER_MINUTE * 30, i);
	before = sql_int(digest);
	sql("BEGIN");
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 1440);
	after = first + 31 * US_PER_DAY;
	cr_assert_gt(tidy(after), 0);
	cr_assert_gt(sql_int(bytes), 20 * 8192);
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM segment_spans WHERE loose"), 1);
	sql("COMMIT");
	(void)tidy(after + US_PER_MINUTE);
	cr_assert_leq(sql_int(bytes), 5 * 8192);
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM segment_spans WHERE loose"), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 2);
	cr_assert_eq(sql_int(digest), before);
	put_one(fx.series[0], first + 1, 7);
	cr_assert_eq(tidy(after + US_PER_HOUR), 2);
	cr_assert_eq(sql_int("SELECT sum(n) FROM segments"), 1441);
}

/* A pass that ends half-way goes on where it was, in another's hands. */
Test(warm_tidy, another_goes_on_with_a_pass)
{
	int64_t joined = 0;
	int i;

	for (i = 0; i < 6; i++)
		put_one(fx.series[i % 2], NOON + i * US_PER_SECOND, i);
	sql("UPDATE segment_spans SET dirty = false, done = %d "
	    "WHERE NOT monthly",
	    fx.series[0]);
	ok(warm_tidy(fx.warm, NOON + US_PER_DAY, &joined, &fx.info));
	cr_assert_eq(joined, 3);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments WHERE series = %d",
			 fx.series[0]),
	    3);
	cr_assert_eq(sql_int("SELECT count(*) FROM segment_spans "
			     "WHERE done IS NOT NULL"),
	    0);
}

Test(warm_tidy, partitions_are_made_ahead)
{
	int64_t joined, now = INT64_C(1798718400000000); /* 2026-12-31T12Z */

	ok(warm_tidy(fx.warm, now, &joined, &fx.info));
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM retention_classes c, "
		    "unnest('{202612,202701}'::text[]) m WHERE "
		    "to_regclass('segments_' || c.id || '_' || m) IS NOT NULL"),
	    2 * 3);
}
