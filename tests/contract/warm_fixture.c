#include "warm_fixture.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SQL_MOST 4000

struct fixture fx;
static PGconn *admin;

static PGresult *
run(const char *text)
{
	PGresult *r = PQexec(admin, text);

	cr_assert(PQresultStatus(r) == PGRES_COMMAND_OK ||
		PQresultStatus(r) == PGRES_TUPLES_OK,
	    "%s: %s", text, PQerrorMessage(admin));
	return (r);
}

void
sql(const char *fmt, ...)
{
	char text[SQL_MOST];
	va_list ap;

	va_start(ap, fmt);
	cr_assert_lt(vsnprintf(text, sizeof(text), fmt, ap), SQL_MOST);
	va_end(ap);
	PQclear(run(text));
}

int64_t
sql_int(const char *fmt, ...)
{
	char text[SQL_MOST];
	PGresult *r;
	int64_t v;
	va_list ap;

	va_start(ap, fmt);
	cr_assert_lt(vsnprintf(text, sizeof(text), fmt, ap), SQL_MOST);
	va_end(ap);
	r = run(text);
	cr_assert_eq(PQntuples(r), 1, "%s", text);
	v = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return (v);
}

void
sql_kill_loop(void)
{
	int i;

	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE application_name LIKE 'penstock test%%'");
	for (i = 0; i < 1000; i++) {
		if (sql_int("SELECT count(*) FROM pg_stat_activity WHERE "
			    "application_name LIKE 'penstock test%%'") == 0)
			return;
		usleep(2000);
	}
	cr_assert_fail("the loop's backend did not end");
}

int64_t
log_row(int32_t series, int64_t t_us, int n, double v)
{
	return (sql_int(
	    "INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts, "
	    "value, quality) SELECT to_timestamp(%lld), min(t), max(t), "
	    "array_agg(%d), array_agg(t ORDER BY i), array_agg(%.17g + i "
	    "ORDER BY i), array_agg(0::int2) FROM (SELECT i, to_timestamp(%lld)"
	    " + i * interval '1 min' FROM generate_series(0, %d) i) g(i, t) "
	    "RETURNING id",
	    (long long)((t_us > NOON ? t_us : NOON) / US_PER_SECOND), series, v,
	    (long long)(t_us / US_PER_SECOND), n - 1));
}

static void
empty(void)
{
	sql("SET client_min_messages = warning");
	sql("TRUNCATE ingest_log, ingest_log_aside, import_marks, segments, "
	    "segment_spans, rollups_fresh, rollups_open, "
	    "rollups_packed, series_latest, series_states, watch_states, "
	    "transitions, "
	    "commands, plans, "
	    "anomalies, notifications, gateway_breakers, template_actions, "
	    "plan_templates, "
	    "thresholds, series, links, gateways, nodes, zones "
	    "RESTART IDENTITY CASCADE");
	sql("UPDATE loop_status SET paused = false, system_state = 'normal', "
	    "cycle = 0, cycle_at = NULL, figures = '{}'");
}

static void
fill(void)
{
	sql("INSERT INTO zones (code) VALUES ('Z1')");
	sql("INSERT INTO nodes (code, type, zone_id, change) VALUES "
	    "('N0', 'reservoir', NULL, 0), ('N1', 'junction', 1, 0)");
	sql("INSERT INTO gateways (code, url, change) VALUES "
	    "('G1', 'http://127.0.0.1:9/', 0)");
	fx.link = (int32_t)sql_int(
	    "INSERT INTO links (code, type, from_node, to_node, gateway_id, "
	    "change) VALUES ('V1', 'valve', 1, 2, 1, 0) RETURNING id");
	fx.series[0] = (int32_t)sql_int(
	    "INSERT INTO series (node_id, metric_id, unit, kind, cadence_s, "
	    "change) VALUES (2, 2, 'bar', 'instant', 60, 0) RETURNING id");
	fx.series[1] = (int32_t)sql_int(
	    "INSERT INTO series (node_id, metric_id, unit, kind, change) "
	    "VALUES (2, 1, 'L/s', 'instant', 0) RETURNING id");
	sql("INSERT INTO thresholds (series_id, direction, severity, "
	    "set_level, clear_level, on_delay_s, change) "
	    "VALUES (%d, 'low', 'critical', 10, 12.5, 90, 0)",
	    fx.series[0]);
	fx.template = (int32_t)sql_int(
	    "INSERT INTO plan_templates (code, name, metric_id, "
	    "least_severity, effect_metric_id, effect_direction, effect_least, "
	    "effect_window_s, change, risk, effect_at) VALUES ('T1', 'Close', "
	    "2, 'warning', 2, 'high', 0.5, 60, 0, 'high', 'zone') RETURNING "
	    "id");
	sql("INSERT INTO template_guards VALUES (%d, 'floor', 2, 5, NULL)",
	    fx.template);
	sql("INSERT INTO template_figures VALUES (%d, 9, 4, now(), 'eve')",
	    fx.template);
	sql("INSERT INTO template_actions VALUES (%d, 1, 'close_valve', "
	    "'valve', 'inlet', '{\"percent\": 100}')",
	    fx.template);
}

void
fixture_empty(void)
{
	empty();
	fill();
}

const char *
fixture_serving(void)
{
	static char conninfo[512];
	const char *owner = getenv("PENSTOCK_TEST_DATABASE");

	cr_assert_not_null(owner);
	snprintf(conninfo, sizeof(conninfo), "%s user=penstock_serve", owner);
	return (conninfo);
}

void
fixture_open(void)
{
	const char *conninfo = getenv("PENSTOCK_TEST_DATABASE");
	bool leader = false;

	if (conninfo == NULL || *conninfo == '\0')
		cr_skip_test("PENSTOCK_TEST_DATABASE is not set");
	admin = PQconnectdb(conninfo);
	cr_assert_eq(
	    PQstatus(admin), CONNECTION_OK, "%s", PQerrorMessage(admin));
	fixture_empty();
	arena_init(&fx.arena, (size_t)256 << 20);
	fx.warm = warm_new(fixture_serving(), "penstock test");
	cr_assert_not_null(fx.warm);
	ok(warm_lead(fx.warm, &leader, &fx.info));
	cr_assert(leader);
	warm_ports(fx.warm, &fx.ports);
}

void
fixture_close(void)
{
	if (admin == NULL)
		return;
	warm_free(fx.warm);
	arena_done(&fx.arena);
	PQfinish(admin);
}
