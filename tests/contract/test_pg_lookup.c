/*
 * reading_lookup and latest_by_series against what the view `readings` and
 * the rule "the first one stored stays" demand.
 */
#include "store/pg.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

struct answer {
	bool done;
	char text[2000];
};

static void
on_rows(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct answer *a = arg;
	size_t len = 0;
	const char *s;
	int row, col;

	a->done = true;
	if (rows == NULL) {
		snprintf(a->text, sizeof(a->text), "%s", info->detail);
		return;
	}
	for (row = 0; row < rows->n && len < sizeof(a->text); row++) {
		for (col = 0; col < rows->columns && col < 4; col++) {
			s = rows->get(rows, row, col, NULL);
			len += (size_t)snprintf(a->text + len,
			    sizeof(a->text) - len, "%s%s",
			    col > 0	  ? " "
				: row > 0 ? "|"
					  : "",
			    s);
		}
	}
}

static const char *
ask(enum statement st, const char *series, const char *ts)
{
	static struct answer a;
	struct param p[2] = {{series, -1, false}, {ts, -1, false}};
	struct query q = {.statement = st,
	    .lane = LANE_LOG,
	    .params = p,
	    .nparams = ts == NULL ? 1 : 2};
	char conninfo[600];
	struct pg_config cf = {
	    .conninfo = conninfo, .name = "penstock test_pg_lookup"};
	struct pg_lane_state s = {.connected = false};
	struct loop *loop = poll_loop_new();
	struct query_port port;
	struct pg *pg;
	int i;

	/* The generic plan is what a worker lives with after five calls. */
	snprintf(conninfo, sizeof(conninfo),
	    "%s options='-c plan_cache_mode="
	    "force_generic_plan -c statement_timeout=2000'",
	    scratch_database());
	pg = pg_new(loop, &cf, NULL);
	port = pg_port(pg);
	for (i = 0; i < 300 && !s.connected; i++) {
		poll_loop_turn(loop, 20);
		pg_state(pg, LANE_LOG, &s);
	}
	memset(&a, 0, sizeof(a));
	cr_assert_eq(port.run(port.self, &q, on_rows, &a, NULL), ERR_OK);
	cr_assert(poll_loop_until(loop, &a.done, 5000));
	pg_free(pg);
	poll_loop_free(loop);
	return (a.text);
}

static void
log_row(const char *series, const char *ts, const char *value)
{
	scratch_sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, "
		    "series, ts, value, quality) SELECT now(), min(t), max(t), "
		    "'%s', '%s'::timestamptz[], '%s', array_fill(0, "
		    "ARRAY[count(*)::int]) FROM unnest('%s'::timestamptz[]) t",
	    series, ts, value, ts);
}

static void
segment(int series, const char *ts, const char *value)
{
	scratch_sql("SELECT segments_ensure(1::int2, min(t)) "
		    "FROM unnest('%s'::timestamptz[]) t",
	    ts);
	scratch_sql(
	    "INSERT INTO segments SELECT %d, 1, min(t), max(t), count(*), "
	    "packed_from('%s'::timestamptz[], '%s', "
	    "array_fill(0::int2, ARRAY[count(*)::int]), "
	    "array_fill(now(), ARRAY[count(*)::int])) "
	    "FROM unnest('%s'::timestamptz[]) t",
	    series, ts, value, ts);
}

static void
start(void)
{
	scratch_sql("TRUNCATE ingest_log, segments, series_latest");
}

TestSuite(pg_lookup, .init = start);

Test(pg_lookup, finds_in_segments_and_log)
{
	segment(1, "{2024-05-01T00:00:00Z,2024-05-01T10:00:00Z}", "{1,2}");
	segment(1, "{2024-05-01T05:00:00Z,2024-05-01T06:00:00Z}", "{3,4}");
	segment(1, "{2024-05-31T23:59:59.999999Z}", "{5}");
	segment(2, "{2024-05-01T05:00:00Z}", "{6}");
	log_row(
	    "{1,3}", "{2024-06-01T00:00:00Z,2024-05-01T05:00:00Z}", "{7,8}");
	cr_assert_str_eq(ask(ST_reading_lookup, "{1,1,1,1,1,2,3,3,1,4}",
			     "{2024-05-01T00:00:00Z,2024-05-01T10:00:00Z,2024-"
			     "05-01T05:00:00Z,"
			     "2024-05-31T23:59:59.999999Z,2024-06-01T00:00:00Z,"
			     "2024-05-01T05:00:00Z,2024-05-01T05:00:00Z,2024-"
			     "05-01T05:00:01Z,"
			     "2024-05-01T05:00:01Z,2024-05-01T00:00:00Z}"),
	    "1 1|2 2|3 3|4 5|5 7|6 6|7 8");
	cr_assert_str_eq(
	    ask(ST_reading_lookup, "{3}", "{2024-05-01T05:00:00Z}"), "1 8",
	    "few keys go another way");
	cr_assert_str_eq(
	    ask(ST_reading_lookup, "{9}", "{2024-05-01T05:00:00Z}"), "");
}

Test(pg_lookup, first_one_stored_counts)
{
	segment(1, "{2024-05-01T00:00:00Z}", "{1}");
	log_row("{1,2,2}",
	    "{2024-05-01T00:00:00Z,2024-05-01T00:00:00Z,"
	    "2024-05-01T00:00:00Z}",
	    "{2,3,4}");
	log_row("{2}", "{2024-05-01T00:00:00Z}", "{5}");
	cr_assert_str_eq(ask(ST_reading_lookup, "{1,2,1}",
			     "{2024-05-01T00:00:00Z,2024-05-01T00:00:00Z,2024-"
			     "05-01T00:00:00Z}"),
	    "1 1|2 3|3 1");
}

Test(pg_lookup, many_keys)
{
	static char series[60000], ts[400000];
	size_t s = 0, t = 0;
	int i;

	scratch_sql("SELECT segments_ensure(1::int2, '2024-05-01Z')");
	scratch_sql(
	    "INSERT INTO segments SELECT s, 1, d, d + interval '23 h', "
	    "24, packed_from(array(SELECT d + h * interval '1 h' FROM "
	    "generate_series(0, 23) h), array(SELECT h::float8 FROM "
	    "generate_series(0, 23) h), array_fill(0::int2, ARRAY[24]), "
	    "array_fill(now(), ARRAY[24])) FROM generate_series(1, 20) s, "
	    "generate_series('2024-05-01Z'::timestamptz, '2024-05-10Z', "
	    "'1 day') d");
	for (i = 0; i < 4800; i++) {
		s += (size_t)snprintf(series + s, sizeof(series) - s, "%c%d",
		    i == 0 ? '{' : ',', 1 + i % 20);
		t += (size_t)snprintf(ts + t, sizeof(ts) - t,
		    "%c2024-05-%02dT%02d:00:00Z", i == 0 ? '{' : ',',
		    1 + i / 20 / 24, i / 20 % 24);
	}
	snprintf(series + s, sizeof(series) - s, "}");
	snprintf(ts + t, sizeof(ts) - t, "}");
	cr_assert_eq(
	    strncmp(ask(ST_reading_lookup, series, ts), "1 0|2 0|3 0", 11), 0);
}

Test(pg_lookup, latest_is_the_newest_of_both)
{
	scratch_sql("INSERT INTO series_latest VALUES "
		    "(1, '2024-05-01T00:00:00Z', 1, 0, now()), "
		    "(2, '2024-05-01T00:00:00Z', 2, 1, now()), "
		    "(3, '2024-05-01T00:00:00Z', 3, 0, now())");
	log_row("{1,2,4,4,3}",
	    "{2024-05-01T00:00:01Z,2024-04-01T00:00:00Z,"
	    "2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-05-01T00:00:00Z}",
	    "{10,20,40,41,30}");
	cr_assert_str_eq(ask(ST_latest_by_series, "{1,2,3,4,5}", NULL),
	    "1 2024-05-01 00:00:01+00 10 0|2 2024-05-01 00:00:00+00 2 1|"
	    "3 2024-05-01 00:00:00+00 3 0|4 2024-01-02 00:00:00+00 41 0");
	cr_assert_str_eq(
	    ask(ST_latest_by_series, "{1,2,3,4,5,6,7,8,9,10,11,12}", NULL),
	    "1 2024-05-01 00:00:01+00 10 0|2 2024-05-01 00:00:00+00 2 1|"
	    "3 2024-05-01 00:00:00+00 3 0|4 2024-01-02 00:00:00+00 41 0");
}
