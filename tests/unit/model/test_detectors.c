#include "core/instant.h"
#include "model/flatline.h"
#include "model/outlier.h"
#include "model/rate.h"
#include "model/silence.h"
#include "model/threshold.h"

#include <criterion/criterion.h>
#include <math.h>

#define MIN US_PER_MINUTE

static const struct threshold high = {
    1, DIRECTION_HIGH, SEVERITY_WARNING, 10, 8, 2 * MIN, 3 * MIN};

struct step {
	double value;
	enum verdict want;
};

/* One reading a minute. */
static void
walk(const struct threshold *th, const struct step *steps, size_t n)
{
	struct level_state s = {LEVEL_NORMAL, INSTANT_NONE};
	size_t i;

	for (i = 0; i < n; i++)
		cr_expect_eq(
		    threshold_judge(th, &s, steps[i].value, (int64_t)i * MIN),
		    steps[i].want, "step %zu", i);
}

Test(threshold, delays_and_dead_band)
{
	static const struct step steps[] = {
	    {9, VERDICT_NORMAL},
	    {11, VERDICT_NORMAL}, /* on-delay begins */
	    {11, VERDICT_NORMAL},
	    {10, VERDICT_NORMAL}, /* not beyond: begins anew */
	    {12, VERDICT_NORMAL},
	    {12, VERDICT_NORMAL},
	    {12, VERDICT_RAISE},
	    {9, VERDICT_HOLD}, /* in the dead band */
	    {7, VERDICT_HOLD}, /* off-delay begins */
	    {7, VERDICT_HOLD},
	    {8, VERDICT_HOLD}, /* not past clear: begins anew */
	    {7, VERDICT_HOLD},
	    {7, VERDICT_HOLD},
	    {7, VERDICT_HOLD},
	    {7, VERDICT_CLEAR},
	    {7, VERDICT_NORMAL},
	};

	walk(&high, steps, sizeof(steps) / sizeof(steps[0]));
}

Test(threshold, low_without_delays)
{
	static const struct threshold low = {
	    2, DIRECTION_LOW, SEVERITY_CRITICAL, 15, 18, 0, 0};
	static const struct step steps[] = {
	    {15, VERDICT_NORMAL},
	    {14.9, VERDICT_RAISE},
	    {18, VERDICT_HOLD},
	    {18.1, VERDICT_CLEAR},
	    {14, VERDICT_RAISE},
	    {20, VERDICT_CLEAR},
	};

	walk(&low, steps, sizeof(steps) / sizeof(steps[0]));
}

Test(threshold, knows_since_when)
{
	struct level_state s = {LEVEL_NORMAL, INSTANT_NONE};

	(void)threshold_judge(&high, &s, 11, 5 * MIN);
	cr_assert_eq(threshold_judge(&high, &s, 11, 9 * MIN), VERDICT_RAISE);
	cr_assert_eq(s.since_us, 5 * MIN);
	cr_assert(threshold_is_open(&s));
}

Test(rate, per_minute_and_signed)
{
	cr_assert_float_eq(
	    rate_per_min(10, 0, 13, 30 * US_PER_SECOND), 6, 1e-12);
	cr_assert_eq(rate_judge(6, 6), DIRECTION_NONE);
	cr_assert_eq(rate_judge(6, 6.1), DIRECTION_HIGH);
	cr_assert_eq(rate_judge(6, -6.1), DIRECTION_LOW);
	cr_assert_eq(rate_judge(6, NAN), DIRECTION_NONE);
}

static bool
flat(struct series_state *s, double value, int64_t t_us)
{
	bool verdict = flatline_judge(10 * MIN, s, value, t_us);

	s->last_us = t_us;
	s->last_value = value;
	return (verdict);
}

Test(flatline, the_same_for_the_whole_span)
{
	struct series_state s;
	int i;

	series_state_init(&s, 1);
	for (i = 0; i < 10; i++)
		cr_assert_not(flat(&s, 3, i * MIN));
	cr_assert(flat(&s, 3, 10 * MIN));
	cr_assert_eq(s.flat_since_us, 0);
	cr_assert_not(flat(&s, 3.0001, 11 * MIN));
	cr_assert_not(flat(&s, 3.0001, 20 * MIN));
	cr_assert(flat(&s, 3.0001, 21 * MIN));
}

Test(flatline, a_gap_proves_nothing)
{
	struct series_state s;

	series_state_init(&s, 1);
	cr_assert_not(flat(&s, 3, 0));
	cr_assert_not(flat(&s, 3, 11 * MIN));
	cr_assert_not(flat(&s, 3, 20 * MIN));
	cr_assert(flat(&s, 3, 21 * MIN));
}

Test(silence, only_who_was_heard_live)
{
	struct series_state s;
	int64_t year = 365 * US_PER_DAY;

	series_state_init(&s, 1);
	cr_assert_not(silence_judge(3 * MIN, &s, 0, year), "never heard");
	silence_heard(3 * MIN, &s, 0, year);
	cr_assert_not(silence_judge(3 * MIN, &s, 0, 2 * year), "only history");
	silence_heard(3 * MIN, &s, year, year + MIN);
	cr_assert_not(silence_judge(3 * MIN, &s, 0, year + 4 * MIN));
	cr_assert(silence_judge(3 * MIN, &s, 0, year + 4 * MIN + 1));
	cr_assert_eq(silence_due(3 * MIN, &s, 0), year + 4 * MIN + 1);
	cr_assert_not(silence_judge(0, &s, 0, 2 * year), "rule off");
	silence_heard(3 * MIN, &s, year + MIN, year + 5 * US_PER_HOUR);
	cr_assert(silence_judge(3 * MIN, &s, 0, year + 6 * US_PER_HOUR),
	    "once live, a late batch does not hide the next silence");
}

Test(silence, an_older_reading_is_heard_if_it_is_young)
{
	struct series_state s;

	series_state_init(&s, 1);
	silence_heard(3 * MIN, &s, 10 * MIN, 6 * MIN); /* its clock is ahead */
	cr_assert(silence_heard_late(3 * MIN, &s, 7 * MIN, 10 * MIN));
	cr_assert_not(silence_judge(3 * MIN, &s, 0, 13 * MIN));
	cr_assert(silence_judge(3 * MIN, &s, 0, 13 * MIN + 1));
	cr_assert_not(silence_heard_late(3 * MIN, &s, 9 * MIN, 12 * MIN + 1),
	    "it lay somewhere for too long");
	cr_assert_not(silence_heard_late(3 * MIN, &s, 9 * MIN, 10 * MIN));
	cr_assert_eq(s.heard_us, 10 * MIN);
}

/* By hand: two weeks and 1 alarm a week bear once the longest, so it is thrice;
 * 1/100 bear ten times, and four times as long half of that. */
Test(silence, who_never_said_is_known_by_its_waits)
{
	const int64_t hour = US_PER_HOUR, weeks = 14 * US_PER_DAY;
	struct series_state s;
	int i;

	series_state_init(&s, 7);
	for (i = 0; i < 14 * 24; i++) {
		cr_assert_eq(silence_usual(&s, 1, weeks), 0);
		silence_waited(&s, hour);
	}
	cr_assert_eq(s.waited_us, weeks);
	cr_assert_eq(s.longest_us, hour);
	cr_assert_eq(silence_usual(&s, 1, weeks), 3 * hour);
	cr_assert_eq(silence_usual(&s, 0.01, weeks), 10 * hour);
	cr_assert_eq(silence_usual(&s, 0, weeks), 0);
	s.waited_us *= 4;
	cr_assert_eq(silence_usual(&s, 0.01, weeks), 5 * hour);
	s.longest_us = MIN;
	cr_assert_eq(silence_usual(&s, 0.01, weeks), hour, "an hour at least");
}

Test(silence, who_was_away_is_as_patient_as_it_takes)
{
	const int64_t hour = US_PER_HOUR;
	struct series_state s;

	series_state_init(&s, 7);
	silence_heard(0, &s, 0, hour);
	silence_waited(&s, 0);
	silence_waited(&s, -hour);
	cr_assert_eq(s.waited_us, 0);
	silence_waited(&s, 5 * hour);
	cr_assert_eq(s.longest_us, 5 * hour);
	cr_assert_eq(silence_usual_due(15 * hour, &s, 0), 16 * hour + 1);
	cr_assert_eq(
	    silence_usual_due(15 * hour, &s, 14 * hour), 19 * hour + 1);
	cr_assert_eq(silence_usual_due(0, &s, 0), INT64_MAX);
	s.live = false;
	cr_assert_eq(silence_usual_due(15 * hour, &s, 0), INT64_MAX);
}

Test(silence, who_was_away_listens_first)
{
	struct series_state s;
	int64_t day = US_PER_DAY, hour = US_PER_HOUR;

	series_state_init(&s, 1);
	silence_heard(3 * MIN, &s, 0, 0);
	cr_assert_not(silence_judge(3 * MIN, &s, day, day + 3 * MIN));
	cr_assert(silence_judge(3 * MIN, &s, day, day + 3 * MIN + 1));
	cr_assert_not(silence_judge(day, &s, 2 * day, 2 * day + hour));
	cr_assert(silence_judge(day, &s, 2 * day, 2 * day + hour + 1));
}

static enum direction
look(const struct series_state *s, double value, struct outlier_stats *st)
{
	struct outlier_window w;

	outlier_window_init(&w, s);
	return (outlier_judge(5, &w, value, st));
}

static void
enter(struct series_state *s, double value)
{
	struct outlier_window w;

	outlier_window_init(&w, s);
	outlier_remember(s, &w, value);
}

static enum direction
judge(struct series_state *s, double value, struct outlier_stats *st)
{
	enum direction d = look(s, value, st);

	enter(s, value);
	return (d);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

static double
median_of(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_size);
	return (n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2);
}

/* A window kept in order says what the definition says, reading by reading. */
Test(outlier, window_in_order_agrees_with_the_definition)
{
	struct series_state s;
	struct outlier_window w;
	struct outlier_stats st;
	double v[OUTLIER_WINDOW], m, value;
	unsigned random = 1;
	int i, n, round;

	series_state_init(&s, 1);
	outlier_window_init(&w, &s);
	for (round = 0; round < 3000; round++) {
		random = random * 1103515245 + 12345;
		value =
		    (double)(random >> 16 & 63) / (round % 400 < 200 ? 4 : 64);
		(void)outlier_judge(5, &w, value, &st);
		n = s.outlier_n;
		memcpy(v, s.outlier_values, sizeof(v));
		if (n >= OUTLIER_LEAST) {
			m = median_of(v, n);
			for (i = 0; i < n; i++)
				v[i] = fabs(v[i] - m);
			cr_assert_float_eq(st.median, m, 1e-12);
			if ((m = median_of(v, n)) > 0)
				cr_assert_float_eq(st.sigma, 1.4826 * m, 1e-9);
		}
		outlier_remember(&s, &w, value);
		cr_assert_eq(w.n, s.outlier_n);
	}
}

/* Vector: 1..31, median 16, MAD 8. */
Test(outlier, hampel_vector)
{
	struct outlier_stats st;
	struct series_state s;
	int i;

	series_state_init(&s, 1);
	for (i = 0; i < 31; i++)
		enter(&s, (i * 7) % 31 + 1);
	cr_assert_eq(look(&s, 16 + 5 * 1.4826 * 8 - 1e-9, &st), DIRECTION_NONE);
	cr_assert_float_eq(st.median, 16, 1e-12);
	cr_assert_float_eq(st.sigma, 1.4826 * 8, 1e-12);
	cr_assert_eq(look(&s, 16 + 5 * 1.4826 * 8 + 1e-9, &st), DIRECTION_HIGH);
	cr_assert_eq(look(&s, -44, &st), DIRECTION_LOW);
}

/* Vector: 1..16, median 8.5, deviations 0.5..7.5 twice, MAD 4. */
Test(outlier, even_window)
{
	struct outlier_stats st;
	struct series_state s;
	int i;

	series_state_init(&s, 1);
	for (i = 0; i < OUTLIER_LEAST; i++) {
		cr_assert_eq(judge(&s, (i * 5) % 16 + 1, &st), DIRECTION_NONE);
		cr_assert_eq(st.sigma, 0, "too few to judge");
	}
	(void)look(&s, 0, &st);
	cr_assert_float_eq(st.median, 8.5, 1e-12);
	cr_assert_float_eq(st.sigma, 1.4826 * 4, 1e-12);
}

Test(outlier, spike_clears_at_once_and_a_step_when_it_is_the_majority)
{
	struct outlier_stats st;
	struct series_state s;
	int i, flagged = 0;

	series_state_init(&s, 1);
	for (i = 0; i < 40; i++)
		(void)judge(&s, i % 3, &st);
	cr_assert_eq(judge(&s, 1000, &st), DIRECTION_HIGH);
	cr_assert_eq(judge(&s, 1, &st), DIRECTION_NONE);
	for (i = 0; i < 40; i++)
		flagged += judge(&s, 500 + i % 3, &st) != DIRECTION_NONE;
	cr_assert_eq(flagged, 15);
}

Test(outlier, no_spread_no_verdict_then_mean_deviation)
{
	struct outlier_stats st;
	struct series_state s;
	int i;

	series_state_init(&s, 1);
	for (i = 0; i < 31; i++)
		enter(&s, 4);
	cr_assert_eq(look(&s, 1e9, &st), DIRECTION_NONE);
	enter(&s, 5); /* one in 31: sigma 1.2533 / 31 */
	cr_assert_eq(look(&s, 4.2, &st), DIRECTION_NONE);
	cr_assert_eq(look(&s, 4.3, &st), DIRECTION_HIGH);
}
