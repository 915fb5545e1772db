/* Rules through the whole loop, on the twin: each operator, gaps in data, late
 * data, restarts, shadow and changed versions. */
#include "core/instant.h"
#include "ingest/rule_json.h"
#include "mape/loop.h"
#include "store/twin.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NOON   (INT64_C(1763640000) * US_PER_SECOND)
#define FLOW   1
#define LEVEL  2
#define LEVEL2 3

static struct twin *t;
static struct ports ports;
static struct loop_ctx loop;
static struct series series[3];
static struct rule_text texts[2];

static void
start(void)
{
	const struct series model = {.id = FLOW,
	    .node_id = 1,
	    .node = "A",
	    .node_type = "dma",
	    .zone = "Z",
	    .metric = "flow",
	    .unit = "m3/h",
	    .max_rate_per_min = NAN,
	    .silence_us = 180 * US_PER_SECOND};

	series[0] = series[1] = series[2] = model;
	series[1].id = LEVEL;
	series[2].id = LEVEL2;
	series[1].metric = series[2].metric = "level";
	series[2].node_id = 2;
	series[2].node = "B";
	t = twin_new(NOON, 1);
	t->knowledge.series = series;
	t->knowledge.nseries = 3;
	twin_ports(t, &ports);
	loop_init(&loop);
	loop.read_rule = rule_json_read;
}

static void
stop(void)
{
	cr_assert_str_eq(t->violation, "");
	loop_done(&loop);
	twin_free(t);
}

TestSuite(rules, .init = start, .fini = stop);

static void
set(size_t i, int version, bool shadow, const char *when)
{
	static char bodies[2][4096];

	(void)snprintf(bodies[i], sizeof(bodies[i]),
	    "{\"when\":%s,\"severity\":\"critical\",\"type\":\"burst\","
	    "\"message\":\"look\"}",
	    when);
	texts[i] = (struct rule_text){
	    7 + (int)i - (int)shadow, version, shadow, "code", bodies[i]};
	t->knowledge.rules = texts;
	t->knowledge.nrules = i + 1;
	t->knowledge.version++;
}

static void
cycle(int at_s)
{
	struct loop_figures f;
	struct err_info info = {0};

	t->now_us = NOON + at_s * US_PER_SECOND;
	cr_assert_eq(
	    loop_cycle(&loop, &ports, &f, &info), ERR_OK, "%s", info.detail);
}

static void
read_at(int s, int at_s, double value)
{
	int64_t at = NOON + at_s * US_PER_SECOND;

	twin_log(t, &(struct reading){s, 0, value, at, at}, 1);
}

/* One reading and its cycle. */
static void
step(int s, int at_s, double value)
{
	read_at(s, at_s, value);
	cycle(at_s);
}

static bool
is_open(void)
{
	size_t i;

	for (i = t->nanomalies; i-- > 0;) {
		if (t->anomalies[i].anomaly.condition.rule != 0)
			return (t->anomalies[i].state == ANOMALY_OPEN);
	}
	return (false);
}

#define HIGH "{\"series\":\"A/flow\",\"value\":{\"above\":10}}"
#define LOW  "{\"series\":\"A/level\",\"value\":{\"below\":1}}"

Test(rules, and_for_over_two_series)
{
	const struct twin_anomaly *o;

	set(0, 3, false,
	    "{\"for\":{\"seconds\":120,\"of\":{\"and\":[" HIGH "," LOW "]}}}");
	step(FLOW, 0, 12);
	step(LEVEL, 60, 0.5); /* both, from here */
	step(FLOW, 120, 13);
	cr_assert_not(is_open());
	step(LEVEL, 180, 0.4);
	cr_assert(is_open());
	o = &t->anomalies[t->nanomalies - 1];
	cr_assert_str_eq(o->anomaly.rule_id, "R:code@3");
	cr_assert_eq(o->anomaly.condition.type, ANOMALY_BURST);
	cr_assert_eq(o->anomaly.condition.series, FLOW);
	cr_assert_eq(o->anomaly.condition.severity, SEVERITY_CRITICAL);
	cr_assert_eq(o->anomaly.first_us, NOON + 180 * US_PER_SECOND);
	cr_assert(strstr(o->anomaly.evidence, "\"message\":\"look\""));
	cr_assert(strstr(o->anomaly.evidence, "\"A/level\""));
	step(FLOW, 240, 2);
	cr_assert_not(is_open());
}

/* Nobody knows what was in an hour without readings: it did not hold. */
Test(rules, a_gap_breaks_what_has_to_last)
{
	set(0, 1, false, "{\"for\":{\"seconds\":600,\"of\":" HIGH "}}");
	step(FLOW, 0, 12);
	step(FLOW, 3600, 12);
	cr_assert_not(is_open());
	step(FLOW, 3700, 12);
	step(FLOW, 3850, 12);
	step(FLOW, 4000, 12);
	step(FLOW, 4150, 12);
	cr_assert_not(is_open());
	step(FLOW, 4200, 12);
	cr_assert(is_open());
	/* What is unknown clears nothing. */
	step(LEVEL, 9000, 5);
	cr_assert(is_open());
}

Test(rules, what_is_stale_is_unknown)
{
	set(0, 1, false, "{\"and\":[" HIGH "," LOW "]}");
	step(FLOW, 0, 12);
	step(LEVEL, 181, 0.5); /* three cadences of flow are over */
	cr_assert_not(is_open());
	step(FLOW, 200, 12);
	cr_assert(is_open());
}

Test(rules, late_data_is_passed_over)
{
	set(0, 1, false, HIGH);
	step(FLOW, 100, 2);
	step(FLOW, 50, 20);
	cr_assert_not(is_open());
	step(FLOW, 110, 20);
	cr_assert(is_open());
	step(FLOW, 105, 2);
	cr_assert(is_open());
}

/* The other series' reading is older than what was judged: it counts from
 * now on. */
Test(rules, late_data_of_another_series_counts_now)
{
	set(0, 1, false,
	    "{\"for\":{\"seconds\":60,\"of\":{\"and\":[" HIGH "," LOW "]}}}");
	step(FLOW, 100, 12);
	step(LEVEL, 20, 0.5);
	step(FLOW, 110, 12);
	cr_assert_not(is_open());
	step(FLOW, 160, 12);
	cr_assert(is_open());
}

Test(rules, or_not)
{
	set(0, 1, false, "{\"or\":[" HIGH ",{\"not\":" LOW "}]}");
	step(LEVEL, 0, 0.5);
	cr_assert_not(is_open());
	step(LEVEL, 10, 2);
	cr_assert(is_open());
	step(LEVEL, 20, 0.5); /* flow is not known: nothing ends */
	cr_assert(is_open());
	step(FLOW, 30, 2);
	cr_assert_not(is_open());
}

Test(rules, within)
{
	set(0, 1, false,
	    "{\"within\":{\"seconds\":60,\"of\":[" HIGH "," LOW "]}}");
	step(FLOW, 0, 12);
	step(FLOW, 10, 2);
	step(LEVEL, 11, 2);
	cr_assert_not(is_open());
	step(LEVEL, 60, 0.5);
	cr_assert(is_open());
	step(LEVEL, 70, 0.5);
	cr_assert_not(is_open());
}

Test(rules, sequence_has_an_order)
{
	const char *when =
	    "{\"sequence\":{\"seconds\":60,\"of\":[" HIGH "," LOW "]}}";

	set(0, 1, false, when);
	step(FLOW, 0, 2);
	step(LEVEL, 0, 2);
	step(LEVEL, 10, 0.5); /* the wrong way round */
	step(LEVEL, 15, 2);
	step(FLOW, 20, 12);
	step(FLOW, 25, 2);
	cr_assert_not(is_open());
	step(LEVEL, 79, 0.5);
	cr_assert(is_open());
	step(LEVEL, 81, 2);
	cr_assert_not(is_open());
	step(FLOW, 100, 12);
	step(FLOW, 101, 2);
	step(LEVEL, 161, 0.5); /* too late */
	cr_assert_not(is_open());
	step(FLOW, 205, 12); /* the level has been low since before */
	step(FLOW, 210, 2);
	cr_assert_not(is_open());
}

Test(rules, one_that_its_zone_outgrew_ends)
{
	static struct series many[RULE_SERIES + 2];
	size_t i;

	set(0, 1, false, "{\"metric\":\"level\",\"value\":{\"above\":10}}");
	step(LEVEL, 0, 12);
	cr_assert(is_open());
	for (i = 0; i < RULE_SERIES + 2; i++) {
		many[i] = series[i == 0 ? 0 : 1];
		many[i].id = (int32_t)i + 1;
	}
	t->knowledge.series = many;
	t->knowledge.nseries = RULE_SERIES + 1;
	t->knowledge.version++;
	cycle(10);
	cr_assert(is_open()); /* as many as may be */
	t->knowledge.nseries++;
	t->knowledge.version++;
	cycle(20);
	cr_assert_not(is_open());
	cr_assert_eq(t->nrules, 0);
}

Test(rules, rate_quality_age)
{
	set(0, 1, false,
	    "{\"series\":\"A/flow\",\"rate_per_min\":{\"at_least\":6}}");
	step(FLOW, 0, 0);
	step(FLOW, 60, 5);
	cr_assert_not(is_open());
	step(FLOW, 120, 11);
	cr_assert(is_open());
	set(0, 2, false, "{\"series\":\"A/flow\",\"quality\":\"suspect\"}");
	cycle(121); /* another version: what the old one had open ends */
	cr_assert_not(is_open());
	twin_log(t,
	    &(struct reading){FLOW, QUALITY_CLOCK_AHEAD, 1,
		NOON + 180 * US_PER_SECOND, NOON + 180 * US_PER_SECOND},
	    1);
	cycle(180);
	cr_assert(is_open());
	set(0, 3, false, "{\"series\":\"A/flow\",\"age_s\":{\"above\":100}}");
	step(FLOW, 240, 1);
	cr_assert_not(is_open());
	cycle(340);
	cr_assert_not(is_open());
	cycle(341);
	cr_assert(is_open());
	step(FLOW, 350, 1);
	cr_assert_not(is_open());
}

/* While the loop stood still nobody was silent. */
Test(rules, ages_begin_when_the_loop_does)
{
	set(0, 1, false, "{\"series\":\"A/flow\",\"age_s\":{\"above\":100}}");
	step(FLOW, 0, 1);
	loop_forget(&loop);
	cycle(1000);
	cr_assert_not(is_open());
	cycle(1101);
	cr_assert(is_open());
}

Test(rules, any_and_all_of_a_zone)
{
	set(0, 1, false,
	    "{\"metric\":\"level\",\"where\":{\"zone\":\"Z\"},"
	    "\"match\":\"all\",\"value\":{\"below\":1}}");
	step(LEVEL, 0, 0.5);
	cr_assert_not(is_open());
	step(LEVEL2, 10, 0.5);
	cr_assert(is_open());
	set(0, 2, false,
	    "{\"metric\":\"level\",\"where\":{\"node\":\"B\"},"
	    "\"value\":{\"at_most\":0.5}}");
	step(LEVEL, 20, 0.5);
	cr_assert_not(is_open());
	step(LEVEL2, 30, 0.5);
	cr_assert(is_open());
	cr_assert_eq(
	    t->anomalies[t->nanomalies - 1].anomaly.condition.series, LEVEL2);
}

/* HIGH, and over once it has been false for 120 s. */
static void
set_lasting(void)
{
	static const char body[] =
	    "{\"when\":" HIGH ",\"severity\":\"critical\","
	    "\"message\":\"look\",\"clear_after_s\":120}";

	texts[0] = (struct rule_text){7, 1, false, "code", body};
	t->knowledge.rules = texts;
	t->knowledge.nrules = 1;
	t->knowledge.version++;
}

Test(rules, over_only_after_a_while)
{
	set_lasting();
	step(FLOW, 0, 12);
	step(FLOW, 60, 2);
	cr_assert(is_open());
	step(FLOW, 120, 12); /* it flaps: one anomaly */
	step(FLOW, 180, 2);
	loop_forget(&loop);
	step(FLOW, 290, 2);
	cr_assert(is_open());
	cr_assert_eq(
	    t->anomalies[0].anomaly.last_us, NOON + 120 * US_PER_SECOND);
	loop_forget(&loop);
	step(FLOW, 300, 2);
	cr_assert_not(is_open());
	cr_assert_eq(t->nanomalies, 1);
	cr_assert_eq(t->anomalies[0].cleared_us, NOON + 300 * US_PER_SECOND);
	step(FLOW, 360, 12);
	cr_assert(is_open());
	cr_assert_eq(t->nanomalies, 2);
}

Test(rules, a_gap_begins_the_while_anew)
{
	set_lasting();
	step(FLOW, 0, 12);
	step(FLOW, 60, 2);
	step(FLOW, 260, 2); /* nothing was heard for more than 180 s */
	cr_assert(is_open());
	step(FLOW, 379, 2);
	cr_assert(is_open());
	step(FLOW, 380, 2);
	cr_assert_not(is_open());
}

/* A restart, after every reading, changes nothing. */
Test(rules, restart)
{
	set(0, 1, false,
	    "{\"or\":[{\"sequence\":{\"seconds\":300,\"of\":[" HIGH
	    ",{\"for\":{\"seconds\":60,\"of\":" LOW "}}]}},"
	    "{\"series\":\"A/flow\",\"rate_per_min\":{\"above\":1000}}]}");
	step(FLOW, 0, 2);
	loop_forget(&loop);
	step(FLOW, 10, 12);
	loop_forget(&loop);
	step(LEVEL, 20, 0.5);
	loop_forget(&loop);
	step(FLOW, 30, 2);
	loop_forget(&loop);
	cr_assert_not(is_open());
	step(LEVEL, 80, 0.5);
	cr_assert(is_open());
	loop_forget(&loop);
	step(FLOW, 90, 2);
	cr_assert(is_open());
	loop_forget(&loop);
	step(FLOW, 400, 2);
	step(LEVEL, 400, 2);
	cr_assert(is_open()); /* the rate is not known after the gap */
	step(FLOW, 460, 2);
	cr_assert_not(is_open());
	cr_assert_eq(t->nanomalies, 1);
}

/* However readings are cut into batches: the same. */
Test(rules, batches_make_no_difference)
{
	static const double flow[] = {2, 12, 13, 2, 12, 12, 12, 2};
	int64_t first[2][8];
	size_t n[2] = {0, 0}, i, k;

	for (k = 0; k < 2; k++) {
		if (k == 1) {
			stop();
			start();
		}
		set(0, 1, false, "{\"for\":{\"seconds\":60,\"of\":" HIGH "}}");
		for (i = 0; i < 8; i++) {
			read_at(FLOW, (int)i * 60, flow[i]);
			if (k == 0)
				cycle((int)i * 60);
		}
		cycle(480);
		for (i = 0; i < t->nanomalies; i++)
			first[k][n[k]++] = t->anomalies[i].anomaly.first_us;
	}
	cr_assert_geq(n[0], 1);
	cr_assert_eq(n[0], n[1]);
	for (i = 0; i < n[0]; i++)
		cr_assert_eq(first[0][i], first[1][i]);
}

Test(rules, shadow_raises_nothing)
{
	set(0, 1, false, HIGH);
	set(1, 2, true, "{\"series\":\"A/flow\",\"value\":{\"above\":5}}");
	step(FLOW, 0, 7);
	cr_assert_eq(t->nanomalies, 0);
	cr_assert_eq(t->nfindings, 1);
	cr_assert_eq(t->findings[0].version, 2);
	cr_assert_not(t->findings[0].clear);
	cr_assert(strstr(t->findings[0].evidence, "R:code@2"));
	step(FLOW, 10, 12);
	cr_assert_eq(t->nanomalies, 1);
	step(FLOW, 20, 1);
	cr_assert_not(is_open());
	cr_assert_eq(t->nfindings, 2);
	cr_assert(t->findings[1].clear);
}

static struct reading theirs;

static bool
owns(void *self, int32_t id)
{
	(void)self;
	return (id != LEVEL);
}

static enum err
newest(void *self, struct arena *a, const int32_t *ids, size_t n,
    struct reading **ret, size_t *ret_n, struct err_info *info)
{
	(void)self;
	(void)a;
	(void)info;
	cr_assert_eq(n, 1);
	cr_assert_eq(ids[0], LEVEL);
	*ret = &theirs;
	*ret_n = theirs.series != 0;
	return (ERR_OK);
}

/* Another loop watches the level. */
Test(rules, series_of_another_loop)
{
	ports.telemetry.owns = owns;
	ports.telemetry.newest = newest;
	theirs = (struct reading){0};
	set(0, 1, false, "{\"and\":[" HIGH "," LOW "]}");
	step(FLOW, 0, 12);
	cr_assert_not(is_open());
	theirs = (struct reading){
	    .series = LEVEL, .value = 0.5, .t_us = NOON + 10 * US_PER_SECOND};
	cycle(11);
	cr_assert(is_open());
	cycle(12);
	theirs.t_us += 10 * US_PER_SECOND;
	theirs.value = 2;
	cycle(21);
	cr_assert_not(is_open());
	/* A rule whose first series is theirs is theirs. */
	set(0, 2, false, LOW);
	theirs.t_us += 10 * US_PER_SECOND;
	theirs.value = 0.5;
	cycle(31);
	cr_assert_not(is_open());
}

Test(rules, taken_away)
{
	set(0, 1, false, HIGH);
	step(FLOW, 0, 12);
	cr_assert(is_open());
	t->knowledge.nrules = 0;
	t->knowledge.version++;
	cycle(10);
	cr_assert_not(is_open());
	cr_assert_eq(t->nrules, 0);
}

/* Whatever call fails, what is stored goes on as if nothing had been. */
Test(rules, faults)
{
	int64_t n;

	for (n = 1; n < 60; n++) {
		struct loop_figures f;
		struct err_info info = {0};

		set(0, 1, false, "{\"for\":{\"seconds\":60,\"of\":" HIGH "}}");
		step(FLOW, 0, 12);
		read_at(FLOW, 60, 12);
		t->now_us = NOON + 60 * US_PER_SECOND;
		t->fail_at = t->calls + n;
		t->fault = TWIN_FAULT_FAIL;
		(void)loop_cycle(&loop, &ports, &f, &info);
		t->fault = TWIN_FAULT_NONE;
		cycle(61);
		cr_assert(is_open(), "call %d", (int)n);
		cr_assert_eq(t->nanomalies, 1);
		cr_assert_eq(t->anomalies[0].anomaly.first_us,
		    NOON + 60 * US_PER_SECOND);
		stop();
		start();
	}
}

/* What was remembered before rules could wait keeps its open anomaly. */
Test(rules, a_state_of_the_version_before)
{
	unsigned char buf[RULE_STATE_BYTES];
	struct rule_seen seen[1] = {{.series = FLOW}};
	struct rule_state s;
	struct condition open;
	size_t n;

	rule_state_init(&s, seen, 1);
	s.clock_us = NOON;
	s.since_us = NOON - 5;
	s.open = true;
	s.condition.series = FLOW;
	seen[0].t_us = NOON;
	n = rule_state_encode(&s, 2, buf);
	buf[0] = 1;
	memmove(buf + 24, buf + 32, n - 32); /* it had no false_us */
	rule_state_init(&s, seen, 1);
	cr_assert(rule_state_decode(&s, 2, buf, n - 8));
	cr_expect(s.open);
	cr_expect_eq(s.since_us, NOON - 5);
	cr_expect_eq(s.false_us, INSTANT_NONE);
	cr_expect_eq(seen[0].t_us, NOON);
	cr_assert(rule_state_open(buf, n - 8, &open));
	cr_expect_eq(open.series, FLOW);
}
