#include "ingest/decimal.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
bits(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof(u));
	return (u);
}

static void
agree(const char *s)
{
	double ours = -7, theirs = strtod(s, NULL);
	size_t n = decimal_parse(s, s + strlen(s), 400, &ours);

	cr_assert_eq(n, strlen(s), "%s read to %zu", s, n);
	cr_assert_eq(
	    bits(ours), bits(theirs), "%s gave %a, not %a", s, ours, theirs);
}

static uint64_t
random_bits(void)
{
	return ((uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^
	    (uint64_t)random());
}

/* Shapes a sender may print, and all bit patterns. */
static void
random_text(int i, char *buf, size_t size)
{
	uint64_t u = random_bits();
	double d;

	switch (i % 5) {
	case 0:
		memcpy(&d, &u, sizeof(d));
		(void)snprintf(buf, size, "%.17g", isfinite(d) ? d : 1.5);
		break;
	case 1:
		(void)snprintf(buf, size, "%.*f", (int)(u % 12),
		    (double)(random() % 2000000) / 1000 - 1000);
		break;
	case 2:
		(void)snprintf(buf, size, "%llue%d", (unsigned long long)u,
		    (int)(random() % 80) - 40);
		break;
	case 3:
		(void)snprintf(buf, size, "-%llu.%llu",
		    (unsigned long long)u >> (random() % 64),
		    (unsigned long long)random_bits());
		break;
	default:
		(void)snprintf(buf, size, "%.16g",
		    (double)random() / (double)(random() % 100000 + 1));
	}
}

Test(decimal, agrees_with_strtod_on_a_million)
{
	char buf[512];
	int i;

	srandom(4);
	for (i = 0; i < 1000000; i++) {
		random_text(i, buf, sizeof(buf));
		agree(buf);
	}
}

/* Halfway between two doubles, and one unit in the 19th digit beside it. */
Test(decimal, rounds_ties_to_even)
{
	static const char *const hard[] = {"9007199254740993",
	    "9007199254740992.9", "9007199254740993.0000000000000001",
	    "9007199254740995", "18014398509481990", "36028797018963972",
	    "72057594037927944", "9223372036854776832", "9223372036854775807",
	    "1.00000000000000011102230246251565404",
	    "1.000000000000000111022302462515654",
	    "1.0000000000000003330669073875469",
	    "0.500000000000000166533453693773481063544750213623046875",
	    "8.5e22", "1e23", "9e22", "1e22", "123456789012345678e-27",
	    "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
	    "2.2250738585072011e-308", "2.2250738585072012e-308",
	    "1.7976931348623157e308", "1.7976931348623158e308",
	    "1.7976931348623159e308", "1e309", "-1e999999999999",
	    "1e-999999999999", "0e999999999999", "-0", "0.0", "-0.0e-5",
	    "0.000000000000000000000000000000000000000000001",
	    "1000000000000000000000000000000000000000000000",
	    "12345678901234567890123456789012345678901234567890e-49"};
	size_t i;

	for (i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		agree(hard[i]);
}

Test(decimal, near_ties_in_64_bits)
{
	char buf[64];
	uint64_t m;
	int i;

	/* 54-bit integers are ties or one off them, for every exponent that
	 * a quotient of exact numbers can take. */
	srandom(5);
	for (i = 0; i < 200000; i++) {
		m = (random_bits() & ((UINT64_C(1) << 53) - 1)) |
		    UINT64_C(1) << 53;
		(void)snprintf(buf, sizeof(buf), "%llue%d",
		    (unsigned long long)((m << (i % 9)) + i % 3 - 1),
		    i % 46 - 23);
		agree(buf);
	}
}

Test(decimal, takes_the_json_grammar_only)
{
	static const struct {
		const char *s;
		size_t len;
	} vectors[] = {{"", 0}, {"-", 0}, {"+1", 0}, {".5", 0}, {"1.", 0},
	    {"1.e5", 0}, {"1e", 0}, {"1e+", 0}, {"1E-x", 0}, {"01", 0},
	    {"-01", 0}, {"00", 0}, {"NaN", 0}, {"nan", 0}, {"Infinity", 0},
	    {"-Infinity", 0}, {"0x10", 1}, {"1,5", 1}, {"1 2", 1}, {"1.5}", 3},
	    {"-0.5e+3]", 7}, {"1_000", 1}, {"\xd9\xa1", 0}};
	double v;
	size_t i, n;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		n = decimal_parse(
		    vectors[i].s, vectors[i].s + strlen(vectors[i].s), 400, &v);
		cr_expect_eq(
		    n, vectors[i].len, "\"%s\" gave %zu", vectors[i].s, n);
	}
}

Test(decimal, bounds_the_length)
{
	char buf[500];
	double v = 0;

	memset(buf, '1', sizeof(buf));
	cr_expect_eq(decimal_parse(buf, buf + 400, 400, &v), 400);
	cr_expect_eq(decimal_parse(buf, buf + 401, 400, &v), 0);
	cr_expect_eq(decimal_parse(buf, buf + 500, 1000, &v), 0);
	cr_expect_eq(decimal_parse(buf, buf + 11, 10, &v), 0);
	cr_expect_eq(decimal_parse(buf, buf + 10, 10, &v), 10);
	cr_expect_eq(v, 1111111111);
	/* A number ends at `end`, whatever stands there. */
	cr_expect_eq(decimal_parse(buf, buf + 2, 400, &v), 2);
	cr_expect_eq(v, 11);
}

Test(decimal, does_not_know_the_locale)
{
	static const char text[] = "1.5e-300";
	double v;

	if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL &&
	    setlocale(LC_ALL, "it_IT.UTF-8") == NULL)
		cr_log_info("no locale with a decimal comma here");
	cr_expect_eq(decimal_parse(text, text + 8, 400, &v), 8);
	cr_expect_eq(v, 1.5e-300);
}
