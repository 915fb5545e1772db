/*
 * version 1, varint n; then columns (domain/packed_column.h):
 *   buckets, in units of 300 s since 1970
 *   n; n - good; first_ts - bucket, µs; last_ts - first_ts, µs
 *   head (domain/packed_scale.h) of the numbers F, MIN, MAX, L for first, min,
 *     max and last; columns F, MIN - F, MAX - F, L - F; if ODD those that do
 *     not fit, counted on through first, min, max and last
 *   S less what is expected of it; sum less what S says
 *   Q less what is expected of it; sumsq less what Q says
 * The doubles sum and sumsq are told from what is expected by the difference
 * of their bits in order. S and Q are the sums of the whole numbers, where
 * there are such and they stay exact; see expect() below. Of a bucket without
 * good readings MIN and MAX are F, and what follows is 0.
 */
#include "domain/packed_rollup.h"

#include "core/instant.h"
#include "domain/packed_scale.h"

#define VERSION 1
#define GRID_US (300 * US_PER_SECOND)
/* Years 1 to 9999, and some. */
#define GRID_MOST INT64_C(2000000000)
/* Whole numbers that a double holds exactly. */
#define WHOLE_MOST 9e15
/* Squares of these neither overflow nor vanish. */
#define SQUARE_LEAST 1e-100
#define SQUARE_MOST  1e100

enum { FIRST, MIN, MAX, LAST, VALUES };

/* The bytes' numbers of one span. */
struct sheet {
	struct packed_scale scale;
	bool bits; /* no scale */
	int64_t d[VALUES][PACKED_ROLLUP_MAX];
	int64_t sum[PACKED_ROLLUP_MAX]; /* S */
};

static uint64_t
u64(int64_t v)
{
	return ((uint64_t)v);
}

int64_t
packed_rollup_span(int32_t width_s, int64_t t_us, int spans)
{
	if (width_s == 300)
		return (instant_floor(t_us, US_PER_DAY) + spans * US_PER_DAY);
	if (width_s == 3600)
		return (instant_month(t_us, spans));
	return (instant_year(t_us, spans));
}

static int64_t
whole(double q)
{
	return (fabs(q) <= WHOLE_MOST ? (int64_t)q : 0);
}

static double
square(double v)
{
	return (fabs(v) > SQUARE_LEAST && fabs(v) < SQUARE_MOST ? v * v : 0);
}

/* S of a bucket whose readings lie half-way between its least and greatest. */
static int64_t
expect_whole_sum(const struct sheet *s, const struct rollup *u, size_t i)
{
	if (s->bits || u->good == 1)
		return (0);
	return (whole((double)u->good *
	    (((double)s->d[MIN][i] + (double)s->d[MAX][i]) / 2)));
}

/* Of the bucket's min and what is read of it before. */
static double
expect_sum(const struct sheet *s, const struct rollup *u, size_t i)
{
	double v;

	if (u->good == 1)
		return (u->min);
	if (s->bits)
		return (square(u->min) > 0 ? u->min * (double)u->good : 0);
	v = (double)s->sum[i] / s->scale.ten;
	if (s->scale.offset != 0)
		return (
		    v * s->scale.factor + s->scale.offset * (double)u->good);
	return (s->scale.factor == 1 ? v : v * s->scale.factor);
}

/* False: sumsq is not told by Q. */
static bool
expect_whole_squares(
    const struct sheet *s, const struct rollup *u, size_t i, int64_t *ret)
{
	double q = (double)s->sum[i] * (double)s->sum[i] / (double)u->good;

	if (s->bits || s->scale.offset != 0 || u->good == 1 ||
	    !(q <= WHOLE_MOST))
		return (false);
	*ret = (int64_t)q;
	return (true);
}

static double
expect_squares(const struct sheet *s, const struct rollup *u, bool is_whole,
    int64_t squares)
{
	double v = (double)squares / s->scale.ten / s->scale.ten;

	if (!is_whole)
		return (square(u->sum) / (double)u->good);
	if (s->scale.factor == 1)
		return (v);
	return (v * s->scale.factor * s->scale.factor);
}

static int64_t
apart(double v, double expected)
{
	return ((int64_t)(u64(packed_ordered(packed_bits(v))) -
	    u64(packed_ordered(packed_bits(expected)))));
}

static double
from(double expected, int64_t more)
{
	return (packed_double(packed_ordered((
	    int64_t)(u64(packed_ordered(packed_bits(expected))) + u64(more)))));
}

/* --- writing ------------------------------------------------------------ */

size_t
packed_rollup_bound(size_t n)
{
	return (64 + 13 * PACKED_COLUMN_BOUND(n) + 12 * n);
}

static uint8_t *
put_counts(uint8_t *p, const struct rollup *u, size_t n)
{
	int64_t x[5][PACKED_ROLLUP_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		x[0][i] = u[i].bucket_us / GRID_US;
		x[1][i] = u[i].count;
		x[2][i] = u[i].count - u[i].good;
		x[3][i] = (int64_t)(u64(u[i].first_us) - u64(u[i].bucket_us));
		x[4][i] = (int64_t)(u64(u[i].last_us) - u64(u[i].first_us));
	}
	for (i = 0; i < 5; i++)
		p = packed_column_put(p, x[i], n);
	return (p);
}

/* One after the other, as readings are scaled. */
static size_t
scale(struct sheet *s, const struct rollup *u, size_t n, struct reading *r)
{
	int64_t x[VALUES * PACKED_ROLLUP_MAX];
	size_t i, odd;

	for (i = 0; i < n; i++) {
		r[i].value = u[i].first;
		r[MIN * n + i].value = u[i].good > 0 ? u[i].min : u[i].first;
		r[MAX * n + i].value = u[i].good > 0 ? u[i].max : u[i].first;
		r[LAST * n + i].value = u[i].last;
	}
	odd = packed_scale_find(&s->scale, r, VALUES * n, x);
	s->bits = odd == SIZE_MAX;
	for (i = 0; s->bits && i < VALUES * n; i++)
		x[i] = packed_ordered(packed_bits(r[i].value));
	for (i = 0; i < VALUES; i++)
		memcpy(s->d[i], x + i * n, n * sizeof(*x));
	return (s->bits ? 0 : odd);
}

static uint8_t *
put_values(uint8_t *p, struct sheet *s, const struct rollup *u, size_t n)
{
	struct reading r[VALUES * PACKED_ROLLUP_MAX];
	int64_t x[VALUES][PACKED_ROLLUP_MAX];
	size_t odd = scale(s, u, n, r), i, k;

	p = packed_scale_put(p, s->bits ? NULL : &s->scale, odd > 0);
	memcpy(x[FIRST], s->d[FIRST], n * sizeof(x[0][0]));
	for (k = MIN; k < VALUES; k++)
		for (i = 0; i < n; i++)
			x[k][i] =
			    (int64_t)(u64(s->d[k][i]) - u64(s->d[FIRST][i]));
	for (i = 0; i < VALUES; i++)
		p = packed_column_put(p, x[i], n);
	return (odd > 0 ? packed_odd_put(p, &s->scale, r, VALUES * n, odd) : p);
}

/* What v is in whole numbers, `none` if they are not exact. */
static int64_t
to_whole(double v, int64_t none)
{
	return (
	    fabs(v) <= WHOLE_MOST ? (int64_t)(v + (v < 0 ? -0.5 : 0.5)) : none);
}

static uint8_t *
put_sums(uint8_t *p, struct sheet *s, const struct rollup *u, size_t n)
{
	int64_t x[2][PACKED_ROLLUP_MAX], expected;
	const struct packed_scale *k = &s->scale;
	size_t i;
	double v;

	for (i = 0; i < n; i++) {
		x[0][i] = x[1][i] = s->sum[i] = 0;
		if (u[i].good == 0)
			continue;
		s->sum[i] = expected = expect_whole_sum(s, &u[i], i);
		if (!s->bits && u[i].good > 1) {
			v = (u[i].sum - k->offset * (double)u[i].good) /
			    k->factor * k->ten;
			s->sum[i] = to_whole(v, expected);
		}
		x[0][i] = s->sum[i] - expected;
		x[1][i] = apart(u[i].sum, expect_sum(s, &u[i], i));
	}
	p = packed_column_put(p, x[0], n);
	return (packed_column_put(p, x[1], n));
}

static uint8_t *
put_squares(uint8_t *p, const struct sheet *s, const struct rollup *u, size_t n)
{
	int64_t x[2][PACKED_ROLLUP_MAX], expected, squares;
	const struct packed_scale *k = &s->scale;
	size_t i;
	bool is_whole;

	for (i = 0; i < n; i++) {
		x[0][i] = x[1][i] = expected = squares = 0;
		if (u[i].good == 0)
			continue;
		is_whole = expect_whole_squares(s, &u[i], i, &expected);
		if (is_whole)
			squares = to_whole(u[i].sumsq / k->factor / k->factor *
				k->ten * k->ten,
			    expected);
		x[0][i] = squares - expected;
		x[1][i] = apart(
		    u[i].sumsq, expect_squares(s, &u[i], is_whole, squares));
	}
	p = packed_column_put(p, x[0], n);
	return (packed_column_put(p, x[1], n));
}

size_t
packed_rollup_encode(const struct rollup *u, size_t n, void *ret)
{
	uint8_t *p = ret;
	struct sheet s;

	*p++ = VERSION;
	p = packed_varint_put(p, n);
	p = put_counts(p, u, n);
	p = put_values(p, &s, u, n);
	p = put_sums(p, &s, u, n);
	p = put_squares(p, &s, u, n);
	return ((size_t)(p - (uint8_t *)ret));
}

/* --- reading ------------------------------------------------------------ */

static size_t
get_head(struct packed_in *in)
{
	uint64_t n;

	if (packed_byte_get(in) != VERSION)
		return (0);
	n = packed_varint_get(in);
	return (in->bad || n > PACKED_ROLLUP_MAX ? 0 : (size_t)n);
}

size_t
packed_rollup_count(const void *data, size_t len)
{
	struct packed_in in = {data, (const uint8_t *)data + len, false};

	return (get_head(&in));
}

static void
get_column(struct packed_in *in, int64_t *x, size_t n)
{
	struct packed_column c;
	size_t at, k;

	packed_column_open(&c, in, n);
	x[0] = (int64_t)c.start;
	for (at = 1; at < n; at += k)
		k = packed_column_next(&c, x + at);
}

static void
get_counts(struct packed_in *in, struct rollup *u, size_t n)
{
	int64_t x[5][PACKED_ROLLUP_MAX];
	size_t i;

	for (i = 0; i < 5; i++)
		get_column(in, x[i], n);
	for (i = 0; i < n; i++) {
		in->bad |= x[0][i] < -GRID_MOST || x[0][i] > GRID_MOST ||
		    (i > 0 && x[0][i] <= x[0][i - 1]) || x[1][i] < 0 ||
		    x[2][i] < 0 || x[2][i] > x[1][i];
		if (in->bad)
			return;
		u[i].bucket_us = x[0][i] * GRID_US;
		u[i].count = x[1][i];
		u[i].good = x[1][i] - x[2][i];
		u[i].first_us = (int64_t)(u64(u[i].bucket_us) + u64(x[3][i]));
		u[i].last_us = (int64_t)(u64(u[i].first_us) + u64(x[4][i]));
	}
}

static double *
value_at(struct rollup *u, size_t n, size_t at)
{
	switch (at / n) {
	case FIRST:
		return (&u[at % n].first);
	case MIN:
		return (&u[at % n].min);
	case MAX:
		return (&u[at % n].max);
	default:
		return (&u[at % n].last);
	}
}

static double
to_value(const struct sheet *s, int64_t d)
{
	return (s->bits ? packed_double(packed_ordered(d))
			: packed_scale_value(&s->scale, d));
}

static void
get_values(struct packed_in *in, struct sheet *s, struct rollup *u, size_t n,
    bool ends)
{
	uint8_t head = packed_scale_get(&s->scale, in);
	uint64_t odd, at = (uint64_t)-1;
	double v;
	size_t i, k;

	s->bits = (head & PACKED_BITS) != 0;
	for (i = 0; i < VALUES; i++)
		get_column(in, s->d[i], n);
	for (k = MIN; k < VALUES; k++)
		for (i = 0; i < n; i++)
			s->d[k][i] =
			    (int64_t)(u64(s->d[k][i]) + u64(s->d[FIRST][i]));
	for (i = 0; i < n; i++) {
		u[i].min = to_value(s, s->d[MIN][i]);
		u[i].max = to_value(s, s->d[MAX][i]);
	}
	for (i = 0; ends && i < n; i++) {
		u[i].first = to_value(s, s->d[FIRST][i]);
		u[i].last = to_value(s, s->d[LAST][i]);
	}
	if ((head & PACKED_ODD) == 0)
		return;
	odd = packed_varint_get(in);
	for (; odd > 0 && packed_odd_get(in, VALUES * n, &at, &v); odd--)
		*value_at(u, n, at) = v;
}

static void
get_sums(struct packed_in *in, struct sheet *s, struct rollup *u, size_t n)
{
	int64_t more[PACKED_ROLLUP_MAX];
	size_t i;

	get_column(in, s->sum, n);
	get_column(in, more, n);
	for (i = 0; i < n && !in->bad; i++) {
		if (u[i].good == 0) {
			u[i].sum = u[i].sumsq = 0;
			u[i].min = INFINITY;
			u[i].max = -INFINITY;
			continue;
		}
		s->sum[i] = (int64_t)(u64(s->sum[i]) +
		    u64(expect_whole_sum(s, &u[i], i)));
		u[i].sum = from(expect_sum(s, &u[i], i), more[i]);
	}
}

static void
get_squares(struct packed_in *in, struct sheet *s, struct rollup *u, size_t n)
{
	int64_t x[PACKED_ROLLUP_MAX], more[PACKED_ROLLUP_MAX], squares;
	size_t i;
	bool is_whole;

	get_column(in, x, n);
	get_column(in, more, n);
	for (i = 0; i < n && !in->bad; i++) {
		if (u[i].good == 0)
			continue;
		squares = 0;
		is_whole = expect_whole_squares(s, &u[i], i, &squares);
		squares = (int64_t)(u64(squares) + u64(x[i]));
		u[i].sumsq =
		    from(expect_squares(s, &u[i], is_whole, squares), more[i]);
	}
}

static enum err
decode(struct packed_in *in, struct rollup *u, size_t n, bool all)
{
	struct sheet s;

	if (n == 0)
		return (ERR_INTERNAL);
	get_counts(in, u, n);
	if (!in->bad)
		get_values(in, &s, u, n, all);
	if (!in->bad)
		get_sums(in, &s, u, n);
	if (!in->bad && all)
		get_squares(in, &s, u, n);
	return (in->bad || (all && in->p != in->end) ? ERR_INTERNAL : ERR_OK);
}

enum err
packed_rollup_decode(const void *data, size_t len, int32_t series,
    int32_t width_s, struct rollup *ret)
{
	struct packed_in in = {data, (const uint8_t *)data + len, false};
	size_t n = get_head(&in), i;

	for (i = 0; i < n; i++) {
		ret[i].series = series;
		ret[i].width_s = width_s;
	}
	return (decode(&in, ret, n, true));
}

enum err
packed_rollup_sums(const void *data, size_t len, struct rollup *ret)
{
	struct packed_in in = {data, (const uint8_t *)data + len, false};
	size_t n = get_head(&in);

	return (decode(&in, ret, n, false));
}
