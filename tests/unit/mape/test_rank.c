#include "mape/rank.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct anomaly warning = {
    .condition = {1, ANOMALY_THRESHOLD, DIRECTION_HIGH, SEVERITY_WARNING, 0},
    .value = 30,
    .limit = 20,
};

static struct plan_template template(int trials, int successes, double least)
{
	return ((struct plan_template){
	    .id = 1,
	    .effect_direction = DIRECTION_LOW,
	    .effect_least = least,
	    .trials = trials,
	    .successes = successes,
	    .risk = RISK_MEDIUM,
	});
}

static double
score(struct plan_template t, int32_t effect)
{
	return ((double)rank_score(&t, &warning, effect).score / 1e6);
}

Test(rank, the_formula)
{
	cr_assert_float_eq(score(template(0, 0, 10), 1), 0.75, 1e-6);
	cr_assert_float_eq(score(template(6, 6, 10), 1), 1.35, 1e-6);
	cr_assert_float_eq(score(template(0, 0, 5), 1), 0.25, 1e-6);
	cr_assert_float_eq(score(template(0, 0, 99), 1), 0.75, 1e-6);
	cr_assert_float_eq(score(template(0, 0, 10), 2), 0.25, 1e-6);
	cr_assert_float_eq(score(template(0, 0, 10), 0), 0, 1e-6);
}

Test(rank, few_trials_weigh_little)
{
	cr_assert_lt(
	    score(template(1, 1, 10), 1), score(template(9, 8, 10), 1));
	cr_assert_gt(
	    score(template(1, 0, 10), 1), score(template(9, 1, 10), 1));
}

Test(rank, what_makes_it_worse_is_worth_nothing)
{
	struct plan_template t = template(50, 50, 10);

	t.effect_direction = DIRECTION_HIGH;
	cr_assert_float_eq(score(t, 1), -0.25, 1e-6);
}

Test(rank, a_value_nobody_has_is_half_believed)
{
	struct anomaly a = warning;
	struct plan_template t = template(0, 0, 10);

	a.value = NAN;
	cr_assert_eq(rank_score(&t, &a, 1).score, 250000);
	a.value = a.limit;
	cr_assert_eq(rank_score(&t, &a, 1).score, 250000);
}

Test(rank, equal_input_equal_order)
{
	struct plan_template t[3] = {
	    template(0, 0, 10), template(0, 0, 10), template(0, 0, 10)};
	struct ranked r[3];
	size_t i;

	t[0].id = 3;
	t[1].id = 2;
	t[2].id = 1;
	t[2].priority = 5;
	for (i = 0; i < 3; i++)
		r[i] = rank_score(&t[i], &warning, 1);
	rank_sort(r, 3);
	cr_assert_eq(r[0].t->id, 2);
	cr_assert_eq(r[1].t->id, 3);
	cr_assert_eq(r[2].t->id, 1);
}
