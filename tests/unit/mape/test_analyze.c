#include "core/instant.h"
#include "domain/anomaly.h"
#include "mape/analyze.h"
#include "store/twin.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define MIN US_PER_MINUTE
#define T0  (instant_from_civil(2026, 5, 1, 12 * US_PER_HOUR))

static struct twin *t;
static struct ports ports;
static struct arena arena;
static struct analysis a;
static struct series s;
static struct series_state st;

static void
start(void)
{
	t = twin_new(T0, 1);
	t->in_unit = true;
	twin_ports(t, &ports);
	arena_init(&arena, 1 << 24);
	a = (struct analysis){.ports = &ports,
	    .arena = &arena,
	    .now_us = T0,
	    .knowledge_version = 4};
	s = (struct series){
	    .id = 5,
	    .node = "N",
	    .metric = "level",
	    .unit = "m",
	    .max_rate_per_min = NAN,
	    .thresholds = {{17, DIRECTION_HIGH, SEVERITY_CRITICAL, 4, 3, 0, 0}},
	    .nthresholds = 1,
	};
	series_state_init(&st, 5);
}

static void
stop(void)
{
	cr_assert_str_eq(t->violation, "");
	arena_done(&arena);
	twin_free(t);
}

TestSuite(analyze, .init = start, .fini = stop);

/* One reading a minute from `from`, heard when it was taken. */
static void
feed(int64_t from_us, const double *values, size_t n)
{
	struct reading r[64];
	size_t i;

	for (i = 0; i < n; i++)
		r[i] = (struct reading){5, 0, values[i],
		    from_us + (int64_t)i * MIN, from_us + (int64_t)i * MIN};
	cr_assert_eq(analyze_readings(&a, &s, &st, r, n), ERR_OK);
}

static void
sweep(int64_t now_us)
{
	bool changed;

	a.now_us = now_us;
	cr_assert_eq(analyze_sweep(&a, &s, &st, &changed), ERR_OK);
}

Test(analyze, one_anomaly_from_first_to_clear)
{
	static const double values[] = {2, 5, 6, 7, 3.5, 2};
	const struct twin_anomaly *o = t->anomalies;

	feed(T0, values, 6);
	cr_assert_eq(t->nanomalies, 1);
	cr_assert_eq(o->state, ANOMALY_CLEARED);
	cr_assert_eq(o->anomaly.first_us, T0 + MIN);
	cr_assert_eq(o->anomaly.last_us, T0 + 4 * MIN);
	cr_assert_eq(o->anomaly.value, 3.5);
	cr_assert_eq(o->anomaly.limit, 4);
	cr_assert_eq(o->cleared_us, T0 + 5 * MIN);
	cr_assert_eq(o->anomaly.knowledge_version, 4);
	cr_assert_str_eq(o->anomaly.rule_id, "threshold:17");
	cr_assert(strstr(o->anomaly.evidence, "\"rule\":\"threshold:17\""));
	cr_assert(strstr(o->anomaly.evidence, "\"unit\":\"m\""));
	cr_assert(strstr(o->anomaly.evidence, "\"value\":3.5"));
	cr_assert_eq(a.raised, 1);
	cr_assert_eq(a.cleared, 1);
	cr_assert_eq(t->notes, 1);
	cr_assert_str_eq(t->transitions[0].row_id, "A1");
}

Test(analyze, late_readings_are_not_judged)
{
	static const double low[] = {1, 1}, high[] = {9};

	feed(T0, low, 2);
	feed(T0 - MIN, high, 1);
	feed(T0 + MIN, high, 1);
	cr_assert_eq(t->nanomalies, 0);
	cr_assert_eq(st.last_us, T0 + MIN);
	cr_assert_eq(st.last_value, 1);
}

/* What happened while the rule was off counts for nothing. */
Test(analyze, a_flat_line_is_not_remembered_across_its_rule)
{
	static const double same[] = {1, 1, 1, 1}, varied[] = {1, 2, 3, 1};

	s.flatline_us = 4 * MIN;
	feed(T0, same, 4);
	s.flatline_us = 0;
	feed(T0 + 4 * MIN, varied, 4);
	s.flatline_us = 4 * MIN;
	feed(T0 + 8 * MIN, same, 3);
	cr_assert_eq(t->nanomalies, 0);
	feed(T0 + 11 * MIN, same, 1);
	cr_assert_eq(t->nanomalies, 1);
	cr_assert_eq(t->anomalies[0].anomaly.first_us, T0 + 7 * MIN);
}

/* However a history is cut into batches, the findings are the same. */
Test(analyze, history_is_judged_like_live)
{
	static const double values[] = {1, 5, 1, 5, 5, 1, 1, 6, 2, 2};
	size_t cut, i;

	for (cut = 1; cut <= 10; cut++) {
		series_state_init(&st, 5);
		for (i = 0; i < 10; i += cut)
			feed(T0 - 1000 * US_PER_DAY + (int64_t)i * MIN,
			    &values[i], cut < 10 - i ? cut : 10 - i);
		cr_assert_eq(t->nanomalies, 3 * cut);
		for (i = 0; i < 3; i++) {
			const struct twin_anomaly *o =
			    &t->anomalies[3 * (cut - 1) + i];

			cr_assert_eq(o->state, ANOMALY_CLEARED);
			cr_assert_eq(o->anomaly.last_us,
			    t->anomalies[i].anomaly.last_us);
			cr_assert_eq(o->anomaly.first_us,
			    t->anomalies[i].anomaly.first_us);
		}
		sweep(T0);
	}
}

Test(analyze, rate_turns_from_high_to_low)
{
	static const double values[] = {0, 5, 0, 0.5};

	s.nthresholds = 0;
	s.max_rate_per_min = 2;
	feed(T0, values, 4);
	cr_assert_eq(t->nanomalies, 2);
	cr_assert_eq(
	    t->anomalies[0].anomaly.condition.direction, DIRECTION_HIGH);
	cr_assert_eq(
	    t->anomalies[1].anomaly.condition.direction, DIRECTION_LOW);
	cr_assert_eq(t->anomalies[1].state, ANOMALY_CLEARED);
	cr_assert(
	    strstr(t->anomalies[1].anomaly.evidence, "\"rate_per_min\":-5"));
	cr_assert_eq(t->ntransitions, 2);
}

Test(analyze, outlier_clears_by_itself)
{
	double values[33];
	int i;

	s.nthresholds = 0;
	s.outlier_k = 6;
	for (i = 0; i < 33; i++)
		values[i] = i % 4;
	values[31] = 77;
	feed(T0, values, 33);
	cr_assert_eq(t->nanomalies, 1);
	cr_assert_eq(t->anomalies[0].anomaly.value, 77);
	cr_assert_eq(t->anomalies[0].anomaly.condition.severity, SEVERITY_INFO);
	cr_assert_eq(t->anomalies[0].state, ANOMALY_CLEARED);
}

Test(analyze, flat_line)
{
	static const double values[] = {1, 2, 2, 2, 2, 2, 3};

	s.nthresholds = 0;
	s.flatline_us = 3 * MIN;
	feed(T0, values, 7);
	cr_assert_eq(t->nanomalies, 1);
	cr_assert_eq(t->anomalies[0].anomaly.first_us, T0 + MIN);
	cr_assert_eq(t->anomalies[0].anomaly.last_us, T0 + 5 * MIN);
	cr_assert_eq(t->anomalies[0].state, ANOMALY_CLEARED);
}

Test(analyze, silence_by_the_wall_clock)
{
	static const double one[] = {1};

	s.silence_us = 3 * MIN;
	sweep(T0);
	cr_assert_eq(t->nanomalies, 0, "never heard from");
	feed(T0, one, 1);
	sweep(T0 + 3 * MIN);
	cr_assert_eq(t->nanomalies, 0);
	sweep(T0 + 4 * MIN);
	sweep(T0 + 5 * MIN);
	cr_assert_eq(t->nanomalies, 1);
	cr_assert_eq(a.raised, 1);
	cr_assert_eq(t->anomalies[0].anomaly.first_us, T0);
	feed(T0 + 6 * MIN, one, 1);
	cr_assert_eq(t->anomalies[0].state, ANOMALY_CLEARED);
}

Test(analyze, a_rule_taken_away_closes_what_it_opened)
{
	static const double values[] = {0, 9, 9, 9};

	s.max_rate_per_min = 1;
	s.flatline_us = 2 * MIN;
	s.silence_us = MIN;
	feed(T0, values, 2);
	cr_assert_eq(t->nanomalies, 2, "level and rate");
	sweep(T0 + 10 * MIN);
	cr_assert_eq(t->nanomalies, 3, "silence");
	s.nthresholds = 0;
	s.max_rate_per_min = NAN;
	s.silence_us = 0;
	sweep(T0 + 11 * MIN);
	cr_assert_eq(t->ntransitions, 3);
	feed(T0 + MIN * 2, &values[2], 2);
	cr_assert_eq(t->nanomalies, 4, "flat line");
	s.flatline_us = 0;
	sweep(T0 + 12 * MIN);
	cr_assert_eq(t->ntransitions, 4);
}

Test(analyze, a_retired_series_only_moves_on)
{
	struct reading r = {5, 0, 99, T0, T0};

	cr_assert_eq(analyze_readings(&a, NULL, &st, &r, 1), ERR_OK);
	cr_assert_eq(t->nanomalies, 0);
	cr_assert_eq(st.last_us, T0);
}

Test(analyze, text_from_outside_stays_inside_its_string)
{
	static const double high[] = {9};

	s.unit = "m\",\"x\":\"";
	feed(T0, high, 1);
	cr_assert(strstr(t->anomalies[0].anomaly.evidence,
	    "\"unit\":\"m\\\",\\\"x\\\":\\\"\""));
}
