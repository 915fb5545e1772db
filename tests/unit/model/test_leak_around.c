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
	struct leak_change fell, rose, other, both[2];

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
	both[0] = fell;
	both[1] = drawn(90, 20, 10);
	cr_expect_eq(leak_weigh(10, 0.7, NULL, 0, both, 2).looks, LEAK_PLAIN,
	    "a parallel pipe gained, too: the sum rose");
	both[0] = drawn(100, 20, -20);
	cr_expect_eq(leak_weigh(10, 0.7, NULL, 0, both, 2).looks, LEAK_BOUNDARY,
	    "one gave to both");
	cr_expect_eq(
	    leak_weigh(10, 0.7, &rose, 1, NULL, 0).looks, LEAK_PRESSURE_ROSE);
}

static struct leak_part parts[2];

static bool
part(const double *a, const double *b, size_t n, const int64_t *wall)
{
	const double *const x[] = {a, b};
	const size_t onset = wall == NULL ? FROM : LEAK_GROWTH_BEFORE;

	return (leak_parts(
	    &(struct leak_hours){x, b == NULL ? 1 : 2, n, onset, wall}, parts));
}

Test(leak_around, shares_out_what_meters_rose_by)
{
	static double a[UNTIL], b[UNTIL];

	seed = 5;
	draw(a, 50, 5, 6);
	draw(b, 40, 5, 2);
	cr_assert(part(a, b, UNTIL, NULL));
	cr_expect_float_eq(parts[0].after - parts[0].before, 6, 0.4);
	cr_expect_float_eq(parts[0].share, 0.75, 0.05);
	cr_expect_float_eq(parts[0].share + parts[1].share, 1, 1e-12);
	/* What fell has no share, and is seen all the same. */
	draw(b, 40, 5, -2);
	cr_assert(part(a, b, UNTIL, NULL));
	cr_expect_eq(parts[0].share, 1);
	cr_expect_eq(parts[1].share, 0);
	cr_expect_float_eq(parts[1].after - parts[1].before, -2, 0.4);
	draw(a, 50, 5, -6);
	cr_assert(part(a, b, UNTIL, NULL));
	cr_expect(isnan(parts[0].share));
	cr_assert(part(a, NULL, UNTIL, NULL));
	cr_expect_eq(parts[0].share, 1);
}

/* Hours in which one is missing count for neither. */
Test(leak_around, shares_out_hours_in_which_all_are_there)
{
	static double a[UNTIL], b[UNTIL];
	size_t h;

	seed = 5;
	draw(a, 50, 0, 6);
	draw(b, 40, 0, 0);
	a[FROM] = 1000;
	b[FROM] = NAN;
	cr_assert(part(a, b, UNTIL, NULL));
	cr_expect_eq(parts[0].after, 56);
	cr_expect_not(part(a, b, FROM, NULL), "not one hour since");
	for (h = 0; h < FROM; h++)
		b[h] = NAN;
	cr_expect_not(part(a, b, UNTIL, NULL));
}

Test(leak_around, shares_out_growth_by_the_nights)
{
	static double x[LEAK_GROWTH_BEFORE + LEAK_GROWTH_AFTER];
	static int64_t wall[LEAK_GROWTH_BEFORE + LEAK_GROWTH_AFTER];
	const size_t n = sizeof(x) / sizeof(x[0]);
	size_t h;

	for (h = 0; h < n; h++) {
		const bool late = h >= LEAK_GROWTH_BEFORE + 8 * 24;

		wall[h] = (int64_t)h + 5;
		x[h] =
		    wall[h] % 24 >= 2 && wall[h] % 24 < 5 ? 10 + 4 * late : 77;
	}
	cr_assert(part(x, NULL, n, wall));
	cr_expect_eq(parts[0].before, 10);
	cr_expect_eq(parts[0].after, 14);
	cr_expect_not(part(x, NULL, LEAK_GROWTH_BEFORE, wall));
}
