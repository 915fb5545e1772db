#include "model/leak_around.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

static uint64_t seed;

static double
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

#define FROM  360
#define UNTIL (FROM + 20)

/* A day's shape, days that differ, and `change` since the onset. */
static void
draw(double *x, double level, double swing, double change)
{
	size_t h;

	for (h = 0; h < UNTIL; h++)
		x[h] = level + swing * sin((double)h / 24 * 6.2831853) +
		    swing * 0.1 * uniform() + (h >= FROM ? change : 0);
}

static struct leak_change
drawn(double level, double swing, double change)
{
	static double x[UNTIL];

	draw(x, level, swing, change);
	return (leak_change(x, UNTIL, FROM));
}

Test(leak_around, weighs_a_change_by_what_days_differ)
{
	static double x[UNTIL];
	struct leak_change c;
	size_t h;

	seed = 5;
	c = drawn(50, 5, -2);
	cr_expect(c.known);
	cr_expect_float_eq(c.change, -2, 0.2);
	cr_expect_lt(c.z, -3);
	c = drawn(50, 5, 0);
	cr_expect(c.known);
	cr_expect_lt(fabs(c.z), 3);
	draw(x, 50, 5, -2);
	for (h = 48; h < FROM; h++)
		x[h] = NAN;
	cr_expect_not(leak_change(x, UNTIL, FROM).known);
	cr_expect_not(leak_change(x, FROM + 2, FROM).known);
	cr_expect_not(leak_change(x, FROM, FROM).known);
	cr_expect_not(leak_change(x, 0, 0).known);
}

Test(leak_around, says_where_pressure_fell_most)
{
	struct leak_change p[3];
	struct leak_around a;

	seed = 5;
	p[0] = drawn(50, 5, -1);
	p[1] = drawn(45, 5, -4);
	p[2] = drawn(60, 5, 0);
	a = leak_weigh(10, 0.7, p, 3, NULL, 0);
	cr_expect_eq(a.looks, LEAK_PLAIN);
	cr_expect_eq(a.lowest, 1);
	cr_expect_gt(a.confidence, 0.7);
	cr_expect_null(leak_looks_name(a.looks));
	a = leak_weigh(10, 0.7, &p[2], 1, NULL, 0);
	cr_expect_eq(a.lowest, SIZE_MAX);
	cr_expect_eq(a.confidence, 0.7);
}

/* Only as much as the neighbour lost, and where pressure rose. */
Test(leak_around, tells_a_boundary_valve_from_a_leak)
{
	struct leak_change fell, rose, other;

	seed = 5;
	fell = drawn(100, 20, -10);
	rose = drawn(50, 5, 3);
	other = drawn(80, 20, 0);
	cr_expect_eq(
	    leak_weigh(10, 0.7, NULL, 0, &fell, 1).looks, LEAK_BOUNDARY);
	cr_expect_lt(leak_weigh(10, 0.7, NULL, 0, &fell, 1).confidence, 0.5);
	cr_expect_str_eq(leak_looks_name(LEAK_BOUNDARY), "boundary valve");
	cr_expect_eq(leak_weigh(30, 0.7, NULL, 0, &fell, 1).looks, LEAK_PLAIN);
	cr_expect_eq(leak_weigh(10, 0.7, NULL, 0, &other, 1).looks, LEAK_PLAIN);
	cr_expect_eq(
	    leak_weigh(10, 0.7, &rose, 1, NULL, 0).looks, LEAK_PRESSURE_ROSE);
}
