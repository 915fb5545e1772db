/* Roll-ups that were packed come out bit for bit, and take little room. */
#include "core/instant.h"
#include "core/quantity.h"
#include "domain/packed_rollup.h"
#include "domain/rollup.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KINDS 8

static uint64_t seed = 88172645463325252u;

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

static double
value_of(int kind, double walk)
{
	static const double odd[] = {INFINITY, -INFINITY, -0.0, 0.0, 1e300,
	    -1e300, 5e-324, 1.7976931348623157e308, 0.1, 9007199254740993.0};
	uint64_t bits;
	double v;

	switch (kind) {
	case 0:
		return (round(walk * 100) / 100);
	case 1:
		return (round(walk * 10) / 10 * 3.6);
	case 2:
		return (unit_to_canonical(
		    unit_find("degF", 4), round(walk * 10) / 10));
	case 3:
		return (walk);
	case 4:
		bits = rnd();
		memcpy(&v, &bits, sizeof(v));
		return (v);
	case 5:
		return (odd[rnd() % (sizeof(odd) / sizeof(odd[0]))]);
	case 6:
		return (rnd() % 50 == 0 ? 1 / 3.0 : round(walk));
	default:
		return (42);
	}
}

static size_t
make(struct reading *r, size_t n, int kind, int64_t step_us)
{
	int64_t t = INT64_C(1609459200000000) + (int64_t)(rnd() % 1000) * 1000;
	double walk = 50;
	size_t i;

	for (i = 0; i < n; i++, t += step_us) {
		walk += uniform() - 0.5;
		r[i] = (struct reading){.t_us = t,
		    .value = value_of(kind, walk),
		    .quality = rnd() % 40 == 0};
		if (step_us >= US_PER_HOUR && rnd() % 9 == 0)
			r[i].quality = 1;
	}
	return (n);
}

/* Bytes of `n` roll-ups of one span. */
static size_t
round_trip(const struct rollup *u, size_t n)
{
	struct rollup *back = calloc(n, sizeof(*back));
	void *data = malloc(packed_rollup_bound(n)), *exact;
	size_t len = packed_rollup_encode(u, n, data), i;

	cr_assert_leq(len, packed_rollup_bound(n));
	exact = malloc(len); /* so that a sanitizer sees one byte too far */
	memcpy(exact, data, len);
	cr_assert_eq(packed_rollup_count(exact, len), n);
	cr_assert_eq(
	    packed_rollup_decode(exact, len, u[0].series, u[0].width_s, back),
	    ERR_OK);
	for (i = 0; i < n; i++)
		cr_assert_eq(memcmp(&back[i], &u[i], sizeof(*u)), 0,
		    "%zu of %zu: %a %a %a %a %a %a", i, n, u[i].sum,
		    back[i].sum, u[i].sumsq, back[i].sumsq, u[i].min,
		    back[i].min);
	free(back);
	free(data);
	free(exact);
	return (len);
}

/* Bytes of all, span by span, a width at a time; counts the buckets. */
static size_t
all_spans(const struct rollup *u, size_t n, size_t *ret_buckets)
{
	size_t at, end, bytes = 0;
	int64_t over;

	for (at = 0; at < n; at = end) {
		over = packed_rollup_span(u[at].width_s, u[at].bucket_us, 1);
		for (end = at; end < n && u[end].width_s == u[at].width_s &&
		     u[end].bucket_us < over;
		     end++)
			;
		bytes += round_trip(u + at, end - at);
	}
	*ret_buckets += n;
	return (bytes);
}

static double
per_bucket(int kind, int64_t step_us, int32_t width_s, size_t readings)
{
	struct reading *r = calloc(readings, sizeof(*r));
	struct rollup *u;
	size_t days, n, i, k, bytes, buckets = 0;

	make(r, readings, kind, step_us);
	n = rollup_count(r, readings, &days);
	u = calloc(n, sizeof(*u));
	(void)rollup_readings(u, r, readings);
	for (i = 0; i < n && u[i].width_s != width_s; i++)
		;
	for (k = i; k < n && u[k].width_s == width_s; k++)
		;
	bytes = all_spans(u + i, k - i, &buckets);
	free(r);
	free(u);
	return ((double)bytes / (double)buckets);
}

Test(packed_rollup, comes_out_bit_for_bit)
{
	static const int64_t steps[] = {15 * US_PER_SECOND, US_PER_MINUTE,
	    US_PER_HOUR, 6 * US_PER_HOUR, 17 * US_PER_MINUTE + 1};
	int kind;
	size_t i, w;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < 5; i++)
			for (w = 0; w < ROLLUP_WIDTHS; w++)
				(void)per_bucket(kind, steps[i],
				    rollup_widths_s[w],
				    1 + rnd() % (i < 2 ? 20000 : 3000));
}

/* Sums that are not those of the values, as two parts of a bucket make them,
 * or anybody by SQL. */
Test(packed_rollup, takes_any_numbers)
{
	struct rollup u[PACKED_ROLLUP_MAX];
	double *field;
	size_t i, k, n, round;

	for (round = 0; round < 200; round++) {
		n = 1 + rnd() % PACKED_ROLLUP_MAX;
		memset(u, 0, sizeof(u));
		for (i = 0; i < n; i++) {
			u[i].width_s = 3600;
			u[i].bucket_us =
			    (int64_t)(rnd() % 3 + 3 * i) * US_PER_HOUR;
			u[i].count = 1 + (int64_t)(rnd() % 4);
			u[i].good = 1 + (int64_t)(rnd() % (uint64_t)u[i].count);
			u[i].first_us = (int64_t)(rnd() >> 8);
			u[i].last_us = (int64_t)(rnd() >> 8);
			double *const fields[] = {&u[i].sum, &u[i].sumsq,
			    &u[i].min, &u[i].max, &u[i].first, &u[i].last};
			for (k = 0; k < 6; k++) {
				field = fields[k];
				*field =
				    value_of((int)(round % 7), uniform() * 90);
			}
		}
		(void)round_trip(u, n);
	}
}

Test(packed_rollup, spans_are_days_months_and_years)
{
	int64_t t = instant_from_civil(2024, 2, 29, US_PER_HOUR);

	cr_assert_eq(
	    packed_rollup_span(300, t, 0), instant_from_civil(2024, 2, 29, 0));
	cr_assert_eq(
	    packed_rollup_span(300, t, 1), instant_from_civil(2024, 3, 1, 0));
	cr_assert_eq(
	    packed_rollup_span(3600, t, 0), instant_from_civil(2024, 2, 1, 0));
	cr_assert_eq(
	    packed_rollup_span(3600, t, 1), instant_from_civil(2024, 3, 1, 0));
	cr_assert_eq(
	    packed_rollup_span(86400, t, 0), instant_from_civil(2024, 1, 1, 0));
	cr_assert_eq(
	    packed_rollup_span(86400, t, 1), instant_from_civil(2025, 1, 1, 0));
	cr_assert_eq(packed_rollup_span(86400, -1, 0),
	    instant_from_civil(1969, 1, 1, 0));
}

Test(packed_rollup, takes_little_room)
{
	cr_expect_lt(per_bucket(0, 15 * US_PER_SECOND, 300, 50000), 14);
	cr_expect_lt(per_bucket(0, US_PER_MINUTE, 300, 50000), 11);
	cr_expect_lt(per_bucket(0, US_PER_HOUR, 3600, 5000), 3);
	cr_expect_lt(per_bucket(7, US_PER_HOUR, 3600, 5000), 1);
}

Test(packed_rollup, whatever_the_bytes_nothing_breaks)
{
	struct rollup u[PACKED_ROLLUP_MAX];
	unsigned char data[400];
	size_t i, len, round;

	for (round = 0; round < 20000; round++) {
		len = rnd() % sizeof(data);
		for (i = 0; i < len; i++)
			data[i] = (unsigned char)(rnd() % (1 + rnd() % 256));
		data[0] = 1;
		(void)packed_rollup_decode(data, len, 1, 300, u);
	}
}
