/* The life of alarms on PostgreSQL, by the same calls as the loop's. */
#include "domain/alarm.h"
#include "mape/alarms.h"
#include "warm_fixture.h"

#include <string.h>

TestSuite(
    warm_alarms, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct decisions_port *d = &fx.ports.decisions;
static int64_t now;

static int64_t
now_us(void *self)
{
	(void)self;
	return (now);
}

static int64_t
raise_at(int64_t t_us, enum anomaly_type type, enum severity severity)
{
	struct anomaly a = {
	    .condition = {fx.series[0], type, DIRECTION_LOW, severity, 0},
	    .rule_id = "x",
	    .first_us = t_us,
	    .last_us = t_us,
	    .value = 9,
	    .limit = 10,
	    .evidence = "{\"unit\":\"m\"}",
	    .knowledge_version = 4,
	};
	int64_t id = 0;
	bool fresh;

	ok(d->anomaly_raise(d->self, &a, &id, &fresh, &fx.info));
	return (id);
}

static void
clear_at(int64_t t_us, enum anomaly_type type, enum severity severity)
{
	struct condition c = {fx.series[0], type, DIRECTION_LOW, severity, 0};
	struct move m = {"anomaly", 0, "A1", "open", "cleared", t_us, "{}", 4};

	ok(d->anomaly_clear(d->self, &c, &m, &fx.info));
}

/* What a cycle does about alarms, at that time. */
static void
look(int64_t t_us)
{
	struct knowledge k = {.version = 4};
	struct act a = {.ports = &fx.ports,
	    .arena = &fx.arena,
	    .knowledge = &k,
	    .now_us = t_us,
	    .info = &fx.info};

	now = t_us;
	fx.ports.clock = (struct clock_port){NULL, now_us};
	ok(d->begin(d->self, &fx.info));
	ok(alarms_move(&a));
	ok(d->commit(d->self, &fx.info));
}

static bool
is(int64_t id, const char *state)
{
	return (sql_int("SELECT count(*) FROM anomalies WHERE id = %lld AND "
			"alarm_state = '%s'",
		    (long long)id, state) == 1);
}

/* Its moves: "L1 L3". */
static bool
walked(int64_t id, const char *rows)
{
	return (sql_int("SELECT count(*) FROM (SELECT string_agg(row_id, ' ' "
			"ORDER BY id) AS s FROM transitions WHERE subject = "
			"'alarm' AND subject_id = %lld) t WHERE s = '%s'",
		    (long long)id, rows) == 1);
}

#define WARNING ANOMALY_THRESHOLD, SEVERITY_WARNING

Test(warm_alarms, raised_and_over_unseen_and_again)
{
	int64_t one = raise_at(NOON, WARNING), two;

	look(NOON);
	cr_assert(is(one, "unacknowledged"));
	cr_assert_eq(sql_int("SELECT count(*) FROM transitions WHERE row_id = "
			     "'L1' AND facts->>'unit' = 'm'"),
	    1);
	clear_at(NOON + 1, WARNING);
	look(NOON + US_PER_MINUTE);
	cr_assert(is(one, "returned_unacknowledged"));
	two = raise_at(NOON + 2, WARNING);
	cr_assert_neq(one, two);
	look(NOON + 2 * US_PER_MINUTE);
	cr_assert(is(one, "normal"));
	cr_assert(is(two, "unacknowledged"));
	cr_assert(walked(one, "L1 L3 L11"));
	cr_assert_eq(
	    sql_int("SELECT times FROM anomalies ORDER BY id DESC LIMIT 1"), 2);
}

/* The loop did not look in between, and nothing chatters. */
Test(warm_alarms, over_and_again_within_a_cycle_is_another)
{
	int64_t one = raise_at(NOON, WARNING), two;

	look(NOON);
	clear_at(NOON + 1, WARNING);
	two = raise_at(NOON + 2, WARNING);
	cr_assert_neq(one, two);
	look(NOON + US_PER_MINUTE);
	cr_assert(is(one, "normal"));
	cr_assert(is(two, "unacknowledged"));
	cr_assert(walked(one, "L1 L3 L11"));
}

/* Nothing is due that neither turned nor has a time that came. */
Test(warm_alarms, only_what_is_due_is_looked_at)
{
	struct alarm *x;
	size_t n = 1;

	(void)raise_at(NOON, WARNING);
	look(NOON);
	ok(d->begin(d->self, &fx.info));
	ok(d->alarms_due(
	    d->self, &fx.arena, NOON + US_PER_MINUTE, &x, &n, &fx.info));
	cr_assert_eq(n, 0);
	ok(d->alarms_due(
	    d->self, &fx.arena, NOON + 30 * US_PER_MINUTE, &x, &n, &fx.info));
	cr_assert_eq(n, 1, "it escalates");
	d->rollback(d->self);
}

Test(warm_alarms, escalation_is_told_of)
{
	int64_t id = raise_at(NOON, WARNING);

	look(NOON);
	look(NOON + 30 * US_PER_MINUTE);
	look(NOON + 60 * US_PER_MINUTE);
	cr_assert(walked(id, "L1 L35 L35"));
	cr_assert_eq(sql_int("SELECT count(*) FROM notifications WHERE kind = "
			     "'escalation' AND subject_id = %lld",
			 (long long)id),
	    2);
	cr_assert_eq(sql_int("SELECT max(level) FROM notifications"), 2);
}

Test(warm_alarms, a_shelved_one_goes_on_as_itself)
{
	int64_t id = raise_at(NOON, WARNING);

	look(NOON);
	sql("SELECT alarm_shelve(%lld, '{\"for_s\": 3600, \"reason\": \"x\"}', "
	    "'ada', NULL)",
	    (long long)id);
	sql("UPDATE anomalies SET shelved_until = '2026-11-20T13:00:00Z'");
	clear_at(NOON + 1, WARNING);
	look(NOON + US_PER_MINUTE);
	cr_assert_eq(raise_at(NOON + 2, WARNING), id);
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM transitions WHERE row_id = 'A2'"), 1);
	look(NOON + 59 * US_PER_MINUTE);
	cr_assert(is(id, "shelved"));
	look(NOON + US_PER_HOUR);
	cr_assert(is(id, "unacknowledged"));
	cr_assert(walked(id, "L1 L14 L21"));
}

Test(warm_alarms, a_window_begins_and_ends_by_the_loops_clock)
{
	int64_t id = raise_at(NOON, WARNING);

	sql("INSERT INTO alarm_holds (kind, node_id, from_at, to_at, reason, "
	    "created_by, turn_at) SELECT 'maintenance', node_id, "
	    "'2026-11-20T12:10:00Z', '2026-11-20T12:20:00Z', 'x', 'ada', "
	    "'2026-11-20T12:10:00Z' FROM series WHERE id = %d",
	    fx.series[0]);
	look(NOON);
	cr_assert(is(id, "unacknowledged"));
	look(NOON + 10 * US_PER_MINUTE);
	cr_assert(is(id, "suppressed_by_design"));
	cr_assert_eq(sql_int("SELECT held FROM alarm_holds"), 1);
	look(NOON + 20 * US_PER_MINUTE);
	cr_assert(is(id, "unacknowledged"));
	cr_assert_eq(sql_int("SELECT count(*) FROM alarm_holds WHERE ended_by "
			     "= 'loop' AND turn_at IS NULL"),
	    1);
	cr_assert_eq(sql_int("SELECT count(*) FROM notifications WHERE kind "
			     "LIKE 'maintenance_%%'"),
	    2);
}

Test(warm_alarms, a_flat_line_takes_what_is_built_on_it_along)
{
	int64_t id, fault;

	id = raise_at(NOON, WARNING);
	look(NOON);
	cr_assert(is(id, "unacknowledged"));
	fault = raise_at(NOON - 9, ANOMALY_FLATLINE, SEVERITY_WARNING);
	look(NOON + US_PER_MINUTE);
	cr_assert(is(id, "suppressed_by_design"));
	cr_assert(is(fault, "unacknowledged"));
	cr_assert_eq(sql_int("SELECT count(*) FROM transitions WHERE "
			     "(facts->>'sensor_fault')::int8 = %lld",
			 (long long)fault),
	    1);
	clear_at(NOON + 5, ANOMALY_FLATLINE, SEVERITY_WARNING);
	look(NOON + 2 * US_PER_MINUTE);
	cr_assert(is(id, "unacknowledged"));
}

/* What is seen before the fault began is no fault of the sensor's. */
Test(warm_alarms, an_alarm_older_than_the_fault_stands)
{
	int64_t id = raise_at(NOON, WARNING);

	(void)raise_at(NOON + 1, ANOMALY_FLATLINE, SEVERITY_WARNING);
	look(NOON + US_PER_MINUTE);
	cr_assert(is(id, "unacknowledged"));
}

Test(warm_alarms, what_is_kept_quiet_is_neither_counted_nor_planned)
{
	struct anomaly *a;
	int64_t open[3];
	size_t n;

	(void)raise_at(NOON, WARNING);
	sql("UPDATE anomalies SET alarm_state = 'suppressed_by_design'");
	ok(d->anomalies_open(d->self, open, &fx.info));
	cr_assert_eq(open[SEVERITY_WARNING], 0);
	ok(d->anomalies_unplanned(d->self, &fx.arena, NOON, &a, &n, &fx.info));
	cr_assert_eq(n, 0);
}

/* The loop waits for nobody: what a person holds comes in the next cycle. */
Test(warm_alarms, what_is_locked_is_left_for_the_next_cycle)
{
	int64_t id = raise_at(NOON, WARNING);

	sql("BEGIN");
	sql("SELECT FROM anomalies FOR UPDATE");
	look(NOON);
	sql("ROLLBACK");
	cr_assert(is(id, "normal"));
	look(NOON + 1);
	cr_assert(is(id, "unacknowledged"));
}

Test(warm_alarms, one_that_chatters_is_one_anomaly)
{
	int64_t id = 0;
	int i;

	sql("UPDATE alarm_classes SET escalate_after_s = NULL");
	for (i = 0; i < 9; i++) {
		id = raise_at(NOON + 2 * i, WARNING);
		look(NOON + 2 * i * US_PER_MINUTE);
		clear_at(NOON + 2 * i + 1, WARNING);
		look(NOON + (2 * i + 1) * US_PER_MINUTE);
	}
	cr_assert_eq(sql_int("SELECT count(*) FROM anomalies"), 3);
	cr_assert_eq(sql_int("SELECT times FROM anomalies WHERE id = %lld",
			 (long long)id),
	    9);
	cr_assert(is(id, "unacknowledged"), "held");
	cr_assert_neq(raise_at(NOON + US_PER_HOUR, WARNING), id,
	    "history that comes at once is not held together");
	sql("DELETE FROM anomalies WHERE id <> %lld AND state = 'open'",
	    (long long)id);
	look(NOON + 60 * US_PER_MINUTE);
	cr_assert(is(id, "returned_unacknowledged"));
	cr_assert(walked(id, "L1 L3"));
	sql("UPDATE alarm_classes SET escalate_after_s = 1800 WHERE id = "
	    "'warning'");
}
