#include "core/instant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct vector {
	const char *text;
	int64_t t_us;
};

Test(instant, reads_rfc3339)
{
	static const struct vector good[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"1969-12-31T23:59:59.999999Z", -1},
	    {"2000-02-29T00:00:00Z", INT64_C(951782400000000)},
	    {"2024-02-29T23:59:59Z", INT64_C(1709251199000000)},
	    {"2026-11-20T09:27:04Z", INT64_C(1795166824000000)},
	    {"2026-11-20 09:27:04Z", INT64_C(1795166824000000)},
	    {"2026-11-20t09:27:04z", INT64_C(1795166824000000)},
	    {"2026-11-20T10:27:04+01:00", INT64_C(1795166824000000)},
	    {"2026-11-19T19:57:04-13:30", INT64_C(1795166824000000)},
	    {"2026-11-20T09:27:04-00:00", INT64_C(1795166824000000)},
	    {"2026-11-20T09:27:04.5Z", INT64_C(1795166824500000)},
	    {"2026-11-20T09:27:04.123456Z", INT64_C(1795166824123456)},
	    {"2026-11-20T09:27:04.123456789Z", INT64_C(1795166824123456)},
	    {"2026-11-20T09:27:04.000000999+00:00", INT64_C(1795166824000000)},
	    {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
	    {"2017-01-01T00:59:60.25+01:00", INT64_C(1483228800250000)},
	    {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000)},
	    {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
	};
	int64_t t;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		t = 1;
		cr_expect(
		    instant_parse(good[i].text, strlen(good[i].text), &t) &&
			t == good[i].t_us,
		    "%s gave %lld", good[i].text, (long long)t);
	}
}

Test(instant, refuses_what_is_no_time)
{
	static const char *const wrong[] = {"", "2026-11-20", "1795166824",
	    "2026-11-20T09:27:04", "2026-11-20T09:27Z", "2026-11-20T09:27:04 Z",
	    "2026-11-20T09:27:04Z ", "2026-11-20X09:27:04Z",
	    "2026-11-20T09:27:04.Z", "2026-11-20T09:27:04,5Z",
	    "2026-11-20T09:27:04.1234567890Z", "2026-11-20T09:27:04+0100",
	    "2026-11-20T09:27:04+01", "2026-11-20T09:27:04+24:00",
	    "2026-11-20T09:27:04+01:60", "2026-11-20T24:00:00Z",
	    "2026-11-20T09:60:00Z", "2026-11-20T09:27:61Z",
	    "2026-11-20T09:27:60Z", "2026-02-29T00:00:00Z",
	    "1900-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
	    "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
	    "2026-04-00T00:00:00Z", "0000-01-01T00:00:00Z",
	    "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
	    "+026-11-20T09:27:04Z", "2026-11-20T09:27:-4Z",
	    "2026/11/20T09:27:04Z", "2026-11-20T09.27.04Z",
	    "20261-11-20T09:27:04Z"};
	int64_t t = 77;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect(!instant_parse(wrong[i], strlen(wrong[i]), &t),
		    "%s was read", wrong[i]);
	cr_expect_eq(t, 77, "written although refused");
}

/* No byte beyond `len` decides anything. */
Test(instant, every_cut_of_a_time_is_refused)
{
	static const char text[] = "2026-11-20T09:27:04.123456+01:00";
	size_t len, whole = sizeof(text) - 1;
	int64_t t;
	char *exact;

	for (len = 0; len < whole; len++) {
		exact = malloc(len + 1);
		cr_assert_not_null(exact);
		memcpy(exact, text, len);
		cr_expect(!instant_parse(exact, len, &t), "length %zu", len);
		free(exact);
	}
}

Test(instant, agrees_with_the_c_library)
{
	char text[INSTANT_TEXT], theirs[80];
	int64_t t, back;
	struct tm tm;
	time_t s;
	int i;

	srandom(1);
	for (i = 0; i < 100000; i++) {
		s = (time_t)((random() << 8 ^ random()) % 253402300800 -
		    62135596800 / 2);
		cr_assert_not_null(gmtime_r(&s, &tm));
		(void)snprintf(theirs, sizeof(theirs),
		    "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
		t = (int64_t)s * US_PER_SECOND;
		cr_assert_eq(instant_format(t, text), strlen(text));
		cr_assert_str_eq(text, theirs);
		cr_assert(instant_parse(text, strlen(text), &back));
		cr_assert_eq(back, t);
	}
}

Test(instant, formats_within_its_buffer)
{
	char text[INSTANT_TEXT];

	cr_expect_eq(instant_format(INT64_MIN + 1, text), strlen(text));
	cr_expect_eq(instant_format(INT64_MAX, text), strlen(text));
	cr_expect_str_eq(text, "294247-01-10T04:00:54.775807Z");
	instant_format(-1, text);
	cr_expect_str_eq(text, "1969-12-31T23:59:59.999999Z");
}

Test(instant, floors_before_1970_too)
{
	cr_expect_eq(instant_floor(0, 300), 0);
	cr_expect_eq(instant_floor(299, 300), 0);
	cr_expect_eq(instant_floor(-1, 300), -300);
	cr_expect_eq(instant_floor(-300, 300), -300);
	cr_expect_eq(instant_from_civil(1970, 1, 2, 5), US_PER_DAY + 5);
	cr_expect_eq(instant_from_civil(2000, 3, 1, 0) -
		instant_from_civil(2000, 2, 28, 0),
	    2 * US_PER_DAY);
}

Test(instant, finds_the_month)
{
	int64_t t = instant_from_civil(2024, 2, 29, US_PER_DAY - 1);

	cr_expect_eq(instant_month(t, 0), instant_from_civil(2024, 2, 1, 0));
	cr_expect_eq(instant_month(t, 1), t + 1);
	cr_expect_eq(instant_month(t, 11), instant_from_civil(2025, 1, 1, 0));
	cr_expect_eq(instant_month(t, -2), instant_from_civil(2023, 12, 1, 0));
	cr_expect_eq(instant_month(-1, 0), instant_from_civil(1969, 12, 1, 0));
	cr_expect_eq(instant_month(0, 0), 0);
}
