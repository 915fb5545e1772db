#include "warm_fixture.h"

#include <libpq-fe.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(
    warm_knowledge, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct knowledge_port *k = &fx.ports.knowledge;

static int64_t
version(void)
{
	int64_t v = -2;

	ok(k->version(k->self, &v, &fx.info));
	return (v);
}

static void
check_loaded(const struct knowledge *w)
{
	const struct series *s = w->series;
	const struct plan_template *t = w->templates;

	cr_assert_eq(w->nseries, 2);
	cr_assert_eq(s[0].id, fx.series[0]);
	cr_assert_str_eq(s[0].node, "N1");
	cr_assert_str_eq(s[0].node_type, "junction");
	cr_assert_str_eq(s[0].zone, "Z1");
	cr_assert_str_eq(s[0].metric, "pressure");
	cr_assert_str_eq(s[0].unit, "m");
	cr_assert_eq(s[0].cadence_us, 60 * US_PER_SECOND);
	cr_assert_eq(s[0].silence_us, 180 * US_PER_SECOND);
	cr_assert(isnan(s[0].max_rate_per_min));
	cr_assert_eq(s[0].outlier_k, 0);
	cr_assert_not(s[0].unwatched);
	cr_assert(s[1].unwatched);
	cr_assert_eq(s[0].nthresholds, 1);
	cr_assert_eq(s[0].thresholds[0].direction, DIRECTION_LOW);
	cr_assert_eq(s[0].thresholds[0].severity, SEVERITY_CRITICAL);
	cr_assert_eq(s[0].thresholds[0].set, 10);
	cr_assert_eq(s[0].thresholds[0].clear, 12.5);
	cr_assert_eq(s[0].thresholds[0].on_delay_us, 90 * US_PER_SECOND);
	cr_assert_eq(s[1].nthresholds, 0);
	cr_assert_eq(s[1].silence_us, 0);
	cr_assert_eq(w->ntemplates, 1);
	cr_assert_str_eq(t[0].metric, "pressure");
	cr_assert_str_eq(t[0].anomaly_type, "");
	cr_assert_eq(t[0].direction, DIRECTION_NONE);
	cr_assert_eq(t[0].effect_direction, DIRECTION_HIGH);
	cr_assert_eq(t[0].effect_window_us, 60 * US_PER_SECOND);
	cr_assert_eq(t[0].command_life_us, 300 * US_PER_SECOND);
	cr_assert_eq(t[0].risk, RISK_HIGH);
	cr_assert(t[0].effect_in_zone);
	cr_assert_eq(t[0].trials, 9);
	cr_assert_eq(t[0].successes, 4);
	cr_assert_str_eq(t[0].guard_metrics, "pressure");
	cr_assert_not(t[0].preapproved);
	cr_assert_eq(t[0].nactions, 1);
	cr_assert_str_eq(t[0].actions[0].action, "close_valve");
	cr_assert_str_eq(t[0].actions[0].target_relation, "inlet");
	cr_assert_eq(w->nactuators, 1);
	cr_assert_str_eq(w->actuators[0].link, "V1");
	cr_assert_eq(w->actuators[0].to_node_id, s[0].node_id);
	cr_assert_str_eq(w->actuators[0].to_zone, "Z1");
	cr_assert_str_eq(w->actuators[0].gateway, "G1");
}

/* Nothing of the lock under which it is read may outlive the load. */
static int64_t
locks(void)
{
	return (sql_int("SELECT count(*) FROM pg_locks WHERE locktype = "
			"'advisory' AND objid = 7305804402 & 4294967295"));
}

Test(warm_knowledge, loads_all_parts)
{
	struct decisions_port *d = &fx.ports.decisions;
	struct knowledge w = {0};

	sql("UPDATE series SET watched = false WHERE id = %d", fx.series[1]);
	ok(k->load(k->self, &fx.arena, &w, &fx.info));
	check_loaded(&w);
	cr_assert_eq(w.version, version());
	cr_assert_eq(locks(), 0);
	ok(d->begin(d->self, &fx.info));
	ok(k->load(k->self, &fx.arena, &w, &fx.info));
	check_loaded(&w);
	cr_assert_eq(locks(), 0);
	ok(d->commit(d->self, &fx.info));
}

Test(warm_knowledge, leaves_retired_ones_out)
{
	struct knowledge w = {0};

	sql("UPDATE series SET retired_at = now() WHERE id = %d", fx.series[0]);
	sql("UPDATE plan_templates SET enabled = false");
	ok(k->load(k->self, &fx.arena, &w, &fx.info));
	cr_assert_eq(w.nseries, 1);
	cr_assert_eq(w.series[0].id, fx.series[1]);
	cr_assert_eq(w.ntemplates, 0);
}

Test(warm_knowledge, version_never_counts_what_is_not_committed)
{
	PGconn *other = PQconnectdb(getenv("PENSTOCK_TEST_DATABASE"));
	int64_t before = version();

	PQclear(PQexec(other, "BEGIN; UPDATE nodes SET name = 'x'"));
	cr_assert_eq(version(), before);
	PQclear(PQexec(other, "COMMIT"));
	cr_assert_gt(version(), before);
	before = version();
	sql("DELETE FROM thresholds");
	cr_assert_gt(version(), before);
	cr_assert_eq(locks(), 0);
	PQfinish(other);
}

Test(warm_knowledge, states_come_back_as_saved)
{
	struct series_state in[2], out[3];
	int32_t ids[] = {fx.series[0], fx.series[1], 999};
	unsigned char a[SERIES_STATE_BYTES], b[SERIES_STATE_BYTES];
	size_t n;
	int i;

	for (i = 0; i < 2; i++) {
		series_state_init(&in[i], ids[i]);
		in[i].last_us = NOON + i;
		in[i].last_value = 0.1 * i;
		in[i].live = true;
	}
	ok(k->states_save(k->self, in, 2, &fx.info));
	in[1].last_us = NOON + 7;
	ok(k->states_save(k->self, in, 2, &fx.info));
	ok(k->states_load(k->self, ids, 3, out, &fx.info));
	for (i = 0; i < 2; i++) {
		n = series_state_encode(&in[i], a);
		cr_assert_eq(series_state_encode(&out[i], b), n);
		cr_assert_eq(memcmp(a, b, n), 0);
		cr_assert_eq(out[i].series, ids[i]);
	}
	cr_assert_eq(out[2].series, 999);
	cr_assert_eq(out[2].last_us, INSTANT_NONE);
	sql("UPDATE series_states SET state = '\\xdeadbeef'");
	ok(k->states_load(k->self, ids, 1, out, &fx.info));
	cr_assert_eq(out[0].last_us, INSTANT_NONE);
}

Test(warm_knowledge, pause_and_report)
{
	bool paused = true;

	ok(k->paused(k->self, &paused, &fx.info));
	cr_assert_not(paused);
	sql("UPDATE loop_status SET paused = true");
	ok(k->paused(k->self, &paused, &fx.info));
	cr_assert(paused);
	ok(k->report(k->self, "alert", "{\"merged\": 3}", &fx.info));
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM loop_status WHERE system_state = "
		    "'alert' AND figures->>'merged' = '3' AND cycle = 1 AND "
		    "now() - cycle_at < '10 s' AND instance <> ''"),
	    1);
}

Test(warm_knowledge, one_loop_leads)
{
	struct warm *other = warm_new(fixture_serving(), "penstock test");
	struct warm_gauges g;
	bool leader = true;

	ok(warm_lead(other, &leader, &fx.info));
	cr_assert_not(leader);
	ok(warm_lead(fx.warm, &leader, &fx.info));
	cr_assert(leader);
	sql_kill_loop();
	cr_assert_eq(warm_lead(fx.warm, &leader, &fx.info), ERR_DATABASE);
	cr_assert_eq(warm_lead(other, &leader, &fx.info), ERR_DATABASE);
	ok(warm_lead(other, &leader, &fx.info));
	cr_assert(leader);
	ok(warm_lead(fx.warm, &leader, &fx.info));
	cr_assert_not(leader);
	ok(warm_name(other, "abc-1", &fx.info));
	cr_assert_eq(sql_int("SELECT count(*) FROM pg_stat_activity WHERE "
			     "application_name = 'penstock test abc-1'"),
	    1);
	ok(warm_gauges(other, &g, &fx.info));
	cr_assert_eq(g.plans[PLAN_PROPOSED], 0);
	warm_free(other);
}
