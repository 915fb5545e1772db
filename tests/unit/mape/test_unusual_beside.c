/* Beside rules, leaks and loggers: who tells of a series, and when; and series
 * that are not watched. */
#include "usual.h"

#include "ingest/rule_json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(unusual_beside, .init = start, .fini = stop);

static struct rule_text rule = {.rule = 1, .version = 1, .code = "high"};

static void
set_rule(const char *body)
{
	ctx.read_rule = rule_json_read;
	rule.body = body;
	t->knowledge.rules = &rule;
	t->knowledge.nrules = 1;
	t->knowledge.version++;
}

#define RULE_HIGH                                                             \
	"{\"when\":{\"series\":\"M/flow\",\"value\":{\"above\":90}},"         \
	"\"severity\":\"warning\",\"type\":\"burst\",\"direction\":\"high\"," \
	"\"message\":\"look\"}"

Test(unusual_beside, what_a_rule_over_series_tells_is_told_once)
{
	series[1].node = "M";
	series[1].node_id = 2;
	set_rule(RULE_HIGH);
	steps(16 * DAY, 0);
	steps(8, 80);
	cr_assert_str_eq(found()->anomaly.rule_id, "R:high@1");
	cr_assert_eq(found()->anomaly.condition.series, 6);
	cr_assert_eq(found()->state, ANOMALY_OPEN);
}

/* An anomaly of somebody else's, of a series and since then. */
static void
open_leak(int32_t id, int64_t since_us)
{
	struct anomaly a = {.condition = {id, ANOMALY_LEAK, DIRECTION_HIGH,
				SEVERITY_WARNING, 0},
	    .rule_id = "leak:step",
	    .evidence = "{}",
	    .first_us = since_us};
	int64_t ret;
	bool new;

	cr_assert_eq(ports.decisions.begin(t, &info), ERR_OK);
	cr_assert_eq(
	    ports.decisions.anomaly_raise(t, &a, &ret, &new, &info), ERR_OK);
	cr_assert_eq(ports.decisions.commit(t, &info), ERR_OK);
}

Test(unusual_beside, a_leak_tells_of_its_own_series_from_its_onset)
{
	steps(16 * DAY, 0);
	open_leak(5, t->now_us);
	open_leak(6, t->now_us + 4 * STEP);
	open_leak(7, t->now_us);
	steps(8, 60);
	cr_assert_eq(t->nanomalies, 4);
	cr_assert_eq(t->anomalies[3].anomaly.condition.type, ANOMALY_UNUSUAL);
	cr_assert_lt(t->anomalies[3].anomaly.first_us, t->now_us - 4 * STEP);
	stop();
	start();
	steps(16 * DAY, 0);
	open_leak(6, t->now_us);
	steps(8, 60);
	cr_assert_eq(found()->anomaly.condition.type, ANOMALY_LEAK);
	cr_assert_not(unusual_find(&ctx.unusual, 6)->open.is);
}

Test(unusual_beside, of_what_is_not_watched_nothing_is_left)
{
	steps(16 * DAY, 0);
	steps(4, 60);
	cr_assert_eq(found()->state, ANOMALY_OPEN);
	cr_assert_eq(ctx.unusual.share, 1.0 / SERIES);
	series[1].unwatched = true;
	t->knowledge.version++;
	steps(4, 60);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
	cr_assert_eq(figures.judged, 2);
	cr_assert_eq(ctx.unusual.share, 1.0 / (SERIES - 1));
	cr_assert_null(unusual_find(&ctx.unusual, 6));
	cr_assert_not_null(unusual_find(&ctx.unusual, 5));
	cr_assert_eq(twin_find_watch(t, 6)->row.len, 0);
	cr_assert_eq(twin_find_watch(t, 6)->row.tail_len, 0);
	cr_assert_eq(twin_find_watch(t, 6)->row.open, 0);
	series[1].unwatched = false;
	t->knowledge.version++;
	steps(2, 0);
	cr_assert_eq(unusual_find(&ctx.unusual, 6)->state.seen, 2);
	cr_assert_eq(t->nanomalies, 1);
}

/* Also by who has nothing of it in memory, and after a cycle that failed. */
Test(unusual_beside, a_restart_clears_what_is_not_watched_too)
{
	steps(16 * DAY, 0);
	steps(4, 60);
	loop_done(&ctx);
	begin();
	series[1].unwatched = true;
	t->knowledge.version++;
	t->fault = TWIN_FAULT_LATE;
	t->now_us += STEP;
	t->fail_at = t->calls + 20;
	(void)cycle();
	t->fault = TWIN_FAULT_NONE;
	steps(1, 0);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
	cr_assert_eq(twin_find_watch(t, 6)->row.len, 0);
}

#define MANY 1010

Test(unusual_beside, many_that_are_not_watched_are_left_bit_by_bit)
{
	static struct series many[MANY];
	int32_t i, left;

	for (i = 0; i < MANY; i++) {
		many[i] = series[0];
		many[i].id = i + 1;
	}
	t->knowledge.series = many;
	t->knowledge.nseries = MANY;
	for (i = 0; i < MANY; i++)
		hear(i + 1, 50);
	cr_assert_eq(cycle(), ERR_OK, "%s", info.detail);
	cr_assert_eq(ctx.unusual.n, MANY);
	for (i = 1; i < MANY; i++)
		many[i].unwatched = true;
	t->knowledge.version++;
	cr_assert_eq(cycle(), ERR_OK);
	left = (int32_t)ctx.unusual.n;
	cr_assert(left > 1 && left < MANY, "%d", left);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(ctx.unusual.n, 1);
	cr_assert_gt(twin_find_watch(t, 1)->row.tail_len, 0);
	for (i = 1; i < MANY; i++)
		cr_assert_eq(twin_find_watch(t, i + 1)->row.tail_len, 0);
}

/* What was told, and when by the readings' own times. */
struct told {
	char rule[40];
	int64_t first_us, cleared_us;
};

#define TOLD 32

/* A fortnight and a day, then one with a burst, a spike and a frozen sensor. */
static double
logged(int64_t step)
{
	double day = (double)(step % DAY) / DAY;

	if (step >= 17 * DAY + 20 && step < 17 * DAY + 32)
		return (120 + random_part());
	if (step >= 17 * DAY + 40 && step < 18 * DAY)
		return (47);
	return (50 - 20 * cos(2 * M_PI * day) + 4 * random_part());
}

/* Uploads every `each` steps what was read meanwhile; series 6. */
static size_t
upload(int each, struct told *ret)
{
	struct reading r[DAY];
	size_t i, n;
	int64_t step;

	series[1].node = "M";
	series[1].node_id = 2;
	series[1].thresholds[0] = (struct threshold){
	    1, DIRECTION_HIGH, SEVERITY_CRITICAL, 90, 85, 2 * STEP, 3 * STEP};
	series[1].nthresholds = 1;
	set_rule(RULE_HIGH);
	for (step = 0, n = 0; step < 19 * DAY; step++) {
		t->now_us += STEP;
		r[n++] = (struct reading){
		    6, QUALITY_GOOD, logged(step), t->now_us, 0};
		if (n < (size_t)each)
			continue;
		for (i = 0; i < n; i++)
			r[i].received_us = t->now_us;
		twin_log(t, r, n);
		cr_assert_eq(cycle(), ERR_OK, "%s", info.detail);
		cr_assert_eq(figures.late, 0);
		cr_assert_eq(figures.judged, each);
		n = 0;
	}
	for (i = 0; i < t->nanomalies && i < TOLD; i++) {
		(void)snprintf(ret[i].rule, sizeof(ret[i].rule), "%s",
		    t->anomalies[i].anomaly.rule_id);
		ret[i].first_us = t->anomalies[i].anomaly.first_us;
		ret[i].cleared_us = t->anomalies[i].cleared_us;
	}
	return (t->nanomalies);
}

static const struct told *
find_told(const struct told *in, size_t n, const char *id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(in[i].rule, id) == 0)
			return (&in[i]);
	return (NULL);
}

/* Who sends a day's readings at once is judged as who sends each: by limits,
 * by rules and by its own past, at the times at which it read them. */
Test(unusual_beside, a_logger_is_judged_by_the_times_of_its_readings)
{
	static const char *const rules[] = {
	    "threshold:1", "R:high@1", "unusual:freeze"};
	const int64_t start_us = T0 + STEP;
	struct told live[TOLD], daily[TOLD];
	const struct told *a, *b;
	size_t i, n = upload(1, live), m;

	stop();
	start();
	m = upload(DAY, daily);
	cr_assert_eq(n, m, "%zu, %zu", n, m);
	for (i = 0; i < 3; i++) {
		a = find_told(live, n, rules[i]);
		b = find_told(daily, m, rules[i]);
		cr_assert(a != NULL && b != NULL, "%s", rules[i]);
		cr_assert_eq(a->first_us, b->first_us, "%s", rules[i]);
		cr_assert_eq(a->cleared_us, b->cleared_us, "%s", rules[i]);
	}
	a = find_told(daily, m, "threshold:1");
	cr_assert_eq(a->first_us, start_us + (17 * DAY + 20) * STEP);
	cr_assert_eq(a->cleared_us, start_us + (17 * DAY + 35) * STEP);
	a = find_told(daily, m, "unusual:freeze");
	cr_assert_eq(a->first_us, start_us + (17 * DAY + 40) * STEP);
}
