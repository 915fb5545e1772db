#include "domain/calendar.h"

#include <criterion/criterion.h>

/* 2026-12-25, 2027-12-25, 2024-02-29, 2000-02-29 in days since 1970. */
#define CHRISTMAS 20812
#define A_YEAR	  365
#define LEAP	  19782
#define LEAP_2000 11016

Test(calendar, a_name_is_a_feast)
{
	cr_assert_eq(calendar_feast("Easter", 1), calendar_feast("Easter", 90));
	cr_assert_neq(calendar_feast("Easter", 1), calendar_feast("Whit", 1));
	cr_assert_geq(calendar_feast("Easter", 1), 0);
}

Test(calendar, without_a_name_it_is_the_date)
{
	cr_assert_eq(calendar_feast(NULL, CHRISTMAS), -(12 * 32 + 25));
	cr_assert_eq(calendar_feast("", CHRISTMAS + A_YEAR), -(12 * 32 + 25));
	cr_assert_eq(calendar_feast("", CHRISTMAS + 1), -(12 * 32 + 26));
	cr_assert_eq(calendar_feast("", LEAP), -(2 * 32 + 29));
	cr_assert_eq(calendar_feast("", LEAP_2000), -(2 * 32 + 29));
	cr_assert_eq(calendar_feast("", LEAP + 1), -(3 * 32 + 1));
	cr_assert_eq(calendar_feast("", 0), -(1 * 32 + 1));
	cr_assert_eq(calendar_feast("", -1), -(12 * 32 + 31));
	/* Any day is one of twelve months, of 31. */
	for (int64_t day = INT32_MIN; day <= INT32_MAX; day += 99991) {
		const int32_t date = -calendar_feast("", (int32_t)day);

		cr_assert(date / 32 >= 1 && date / 32 <= 12);
		cr_assert(date % 32 >= 1 && date % 32 <= 31);
	}
}

Test(calendar, days_rise_and_come_once)
{
	struct calendar_day d[] = {{3, 1}, {1, 2}, {3, 1}, {2, 3}, {1, 2}};

	cr_assert_eq(calendar_sort(d, 5), 3);
	for (int32_t i = 0; i < 3; i++)
		cr_assert_eq(d[i].day, i + 1);
	cr_assert_eq(d[1].feast, 3);
	cr_assert_eq(calendar_sort(d, 0), 0);
}
