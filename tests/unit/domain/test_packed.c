/* What was packed comes out bit for bit; what was not packed does no harm. */
#include "core/instant.h"
#include "core/quantity.h"
#include "domain/packed.h"
#include "domain/packed_column.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed);
}

static double
uniform(void)
{
	return ((double)(rnd() >> 11) / 9007199254740992.0);
}

static size_t
encode(const struct reading *r, size_t n, void **ret)
{
	*ret = malloc(packed_bound(n));
	cr_assert_not_null(*ret);
	return (packed_encode(r, n, *ret));
}

/* Returns the bytes it took. */
static size_t
round_trip(const struct reading *r, size_t n)
{
	struct reading *back = calloc(n, sizeof(*back));
	void *data, *exact;
	size_t len = encode(r, n, &data), i;

	cr_assert_leq(len, packed_bound(n));
	exact = malloc(len); /* so that a sanitizer sees one byte too far */
	memcpy(exact, data, len);
	cr_assert_eq(packed_count(exact, len), n);
	cr_assert_eq(packed_decode(exact, len, 77, back), ERR_OK);
	for (i = 0; i < n; i++) {
		cr_assert_eq(back[i].series, 77);
		cr_assert_eq(back[i].t_us, r[i].t_us, "time %zu", i);
		cr_assert_eq(back[i].received_us, r[i].received_us);
		cr_assert_eq(back[i].quality, r[i].quality);
		cr_assert_eq(memcmp(&back[i].value, &r[i].value, 8), 0,
		    "value %zu: %a is not %a", i, back[i].value, r[i].value);
	}
	free(back);
	free(data);
	free(exact);
	return (len);
}

/* Kinds of values a series may have. */
static double
value_of(int kind, size_t i)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e300,
	    -1e-300, 5e-324, 1.7976931348623157e308, 0.1, 9007199254740993.0};
	uint64_t bits;
	double v;

	switch (kind) {
	case 0:
		return (round(uniform() * 1e4) / 100);
	case 1:
		return ((round(uniform() * 1e4) / 100) * 3.6);
	case 2: /* degF */
		return (unit_to_canonical(
		    unit_find("degF", 4), round(uniform() * 900) / 10));
	case 3:
		return (uniform() * 100);
	case 4:
		bits = rnd();
		memcpy(&v, &bits, sizeof(v));
		return (v);
	case 5:
		return (odd[rnd() % (sizeof(odd) / sizeof(odd[0]))]);
	case 6:
		return (rnd() % 50 == 0 ? -0.0 : round(uniform() * 100) / 10);
	case 7:
		return ((double)(float)(uniform() * 80));
	case 8:
		return ((double)i * 0.25 + (rnd() % 97 == 0 ? 1e6 : 0));
	default:
		return (42);
	}
}

static void
make(struct reading *r, size_t n, int kind)
{
	int64_t t = (int64_t)(rnd() % 4000000000u) * 1000000, step;
	size_t i;
	int pace = (int)(rnd() % 4), arrival = (int)(rnd() % 4);

	for (i = 0; i < n; i++) {
		step = pace == 0 ? 15000000
		    : pace == 1	 ? 1 + (int64_t)(rnd() % 3)
		    : pace == 2	 ? 1000 * (1 + (int64_t)(rnd() % 100000))
				 : 1 + (int64_t)(rnd() >> (24 + rnd() % 40));
		t += step;
		r[i] = (struct reading){.t_us = t, .value = value_of(kind, i)};
		if (rnd() % 20 == 0)
			r[i].quality = (int16_t)(rnd() % 3 == 0 ? rnd() : 1);
		r[i].received_us = arrival == 0 ? 1700000000000000
		    : arrival == 1 ? t + (int64_t)(rnd() % 900) * 1000
		    : arrival == 2 ? (t / 3600000000 + 1) * INT64_C(3600000000)
				   : (int64_t)rnd();
	}
}

Test(packed, random_series_come_back)
{
	static struct reading r[2000];
	size_t n;
	int kind, i;

	seed = 88172645463325252u;
	for (kind = 0; kind < 10; kind++) {
		for (i = 0; i < 120; i++) {
			n = 1 + rnd() % (i % 4 == 0 ? 2000 : 70);
			make(r, n, kind);
			round_trip(r, n);
		}
	}
}

Test(packed, the_longest_run_comes_back)
{
	struct reading *r = calloc(PACKED_MAX, sizeof(*r));
	int kind;

	seed = 7;
	for (kind = 0; kind < 10; kind++) {
		make(r, PACKED_MAX, kind);
		round_trip(r, PACKED_MAX);
	}
	free(r);
}

Test(packed, numbers_at_the_ends_come_back)
{
	static const int64_t ends[] = {
	    INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
	struct reading r[7] = {0};
	size_t i;

	for (i = 0; i < 7; i++) {
		r[i].t_us = ends[i];
		r[i].received_us = ends[(i * 3) % 7];
		r[i].quality = i % 2 == 0 ? INT16_MIN : INT16_MAX;
	}
	for (i = 0; i < 7; i++)
		round_trip(r + i, 7 - i);
}

/* The sizes that the growth plan counts on. */
Test(packed, steady_series_take_few_bytes)
{
	static struct reading r[5760];
	size_t i, n = 5760;

	seed = 3;
	for (i = 0; i < n; i++) {
		r[i] = (struct reading){.t_us = (int64_t)i * 15000000};
		r[i].received_us = r[i].t_us + 350000;
		r[i].value = 42.5;
	}
	cr_assert_lt(round_trip(r, n), 300);
	for (i = 0; i < n; i++)
		r[i].value = (round(uniform() * 255) / 10) * 3.6;
	cr_assert_lt(round_trip(r, n), n * 11 / 10);
	for (i = 0; i < n; i++)
		r[i].received_us += (int64_t)(rnd() % 256) * 1000;
	cr_assert_lt(round_trip(r, n), n * 22 / 10);
	r[99].value = 1e99 / 3; /* one stranger is not the others' loss */
	cr_assert_lt(round_trip(r, n), n * 23 / 10);
}

/* Changed, cut and made-up bytes: an error or readings, never more. */
Test(packed, broken_bytes_do_no_harm)
{
	static struct reading r[300], back[PACKED_MAX];
	uint8_t *data, *bad;
	size_t n, len, cut;
	int i;

	seed = 99;
	for (i = 0; i < 4000; i++) {
		n = 1 + rnd() % 300;
		make(r, n, i % 10);
		len = encode(r, n, (void **)&data);
		cut = rnd() % len;
		bad = malloc(cut + 1);
		memcpy(bad, data, cut);
		cr_assert_neq(packed_decode(bad, cut, 1, back), ERR_OK);
		memcpy(bad, data, cut + 1);
		bad[rnd() % (cut + 1)] = (uint8_t)rnd();
		if (packed_count(bad, cut + 1) > 0)
			(void)packed_decode(bad, cut + 1, 1, back);
		free(data);
		free(bad);
	}
}

Test(packed, what_cannot_have_been_written_is_refused)
{
	struct reading r[2] = {{.t_us = 5}, {.t_us = 9}}, back[PACKED_MAX];
	uint8_t *data, longer[200];
	size_t len = encode(r, 2, (void **)&data);

	memcpy(longer, data, len);
	longer[len] = 0;
	cr_assert_eq(packed_decode(longer, len + 1, 1, back), ERR_INTERNAL);
	longer[0] = 2;
	cr_assert_eq(packed_count(longer, len), 0);
	cr_assert_eq(packed_count(longer, 0), 0);
	cr_assert_eq(packed_decode("\1\0", 2, 1, back), ERR_INTERNAL);
	cr_assert_eq(packed_count("\1\x81\x80\x04", 4), 0); /* 65,537 */
	/* Times that do not rise: both 0. */
	cr_assert_eq(packed_decode("\1\2\0\0\0\0\0\0\0\0\0\0\0", 11, 1, back),
	    ERR_INTERNAL);
	free(data);
}
