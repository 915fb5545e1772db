/*
 * latest_by_series: the newest of what the log and series_latest hold.
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
ask(const char *series)
{
	static struct answer a;
	struct param p = {series, -1, false};
	struct query q = {.statement = ST_latest_by_series,
	    .lane = LANE_LOG,
	    .params = &p,
	    .nparams = 1};
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
start(void)
{
	scratch_sql("TRUNCATE ingest_log, series_latest");
}

TestSuite(pg_lookup, .init = start);

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
	cr_assert_str_eq(ask("{1,2,3,4,5}"),
	    "1 2024-05-01 00:00:01+00 10 0|2 2024-05-01 00:00:00+00 2 1|"
	    "3 2024-05-01 00:00:00+00 3 0|4 2024-01-02 00:00:00+00 41 0");
	cr_assert_str_eq(ask("{1,2,3,4,5,6,7,8,9,10,11,12}"),
	    "1 2024-05-01 00:00:01+00 10 0|2 2024-05-01 00:00:00+00 2 1|"
	    "3 2024-05-01 00:00:00+00 3 0|4 2024-01-02 00:00:00+00 41 0");
}
