/*
 * version 1, varint n; then
 *   event times: column (domain/packed_column.h), µs since 1970
 *   values: head byte; if SCALED a factor, if SHIFTED an offset, 8 bytes IEEE
 *     754 each; column; if ODD varint count and for each a varint, how far it
 *     is from the one before (from -1 the first), and its value, 8 bytes.
 *     The head's low bits are k of value = d / 10^k [* factor [+ offset]], d
 *     from the column; BITS: the column holds the doubles' own bits, those of
 *     negative ones with all but the sign inverted, so that they are in order.
 *   quality: column
 *   receive times: byte 1 if less the event time, else 0; column
 */
#include "domain/packed.h"

#include "core/quantity.h"
#include "domain/packed_column.h"

#include <math.h>
#include <string.h>

#define VERSION 1
#define DIGITS	15 /* k */
#define BITS	16
#define SCALED	32
#define SHIFTED 64
#define ODD	128

/* Digits beyond these are noise of arithmetic, not a sender's decimals. */
#define D_MOST	9e13
#define SAMPLES 16
/* Among fewer values none is passed over as a misfit. */
#define FEW_LEAST 8

/* How values are written as whole numbers. */
struct scale {
	double factor, offset; /* 1, 0: none */
	double ten;	       /* 10^k */
	int k;
};

static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static int64_t
bits_of(double v)
{
	int64_t b;

	memcpy(&b, &v, sizeof(b));
	return (b);
}

static double
double_of(int64_t b)
{
	double v;

	memcpy(&v, &b, sizeof(v));
	return (v);
}

/* Bits to numbers in the order of the doubles, and back. */
static int64_t
ordered(int64_t b)
{
	return (b ^ (int64_t)((uint64_t)(b >> 63) >> 1));
}

/* What a reader makes of d. */
static double
scale_value(const struct scale *s, int64_t d)
{
	double v = (double)d / s->ten;

	if (s->offset != 0)
		return (v * s->factor + s->offset);
	return (s->factor == 1 ? v : v * s->factor);
}

/* False if no d gives v exactly. */
static bool
scale_fits(const struct scale *s, double v, int64_t *ret)
{
	double x = v;

	if (s->offset != 0)
		x -= s->offset;
	if (s->factor != 1)
		x /= s->factor;
	x *= s->ten;
	if (!(fabs(x) <= D_MOST))
		return (false);
	*ret = (int64_t)(x + (x < 0 ? -0.5 : 0.5));
	return (bits_of(scale_value(s, *ret)) == bits_of(v));
}

/* The fewest digits that give v, -1 if none do. What fits with k digits fits
 * with more, so that one look at the most tells whether any do. */
static int
digits_of(struct scale s, double v)
{
	int64_t d;

	s.k = DIGITS;
	while (s.k > 0 && fabs(v / s.factor) * tens[s.k] > D_MOST)
		s.k--;
	s.ten = tens[s.k];
	if (!scale_fits(&s, v, &d))
		return (-1);
	for (s.k = 0;; s.k++) {
		s.ten = tens[s.k];
		if (scale_fits(&s, v, &d))
			return (s.k);
	}
}

/* Tries some of the readings; false if too many of them do not fit. */
static bool
sample(struct scale *s, const struct reading *r, size_t n, size_t misses)
{
	size_t tries = n < SAMPLES ? n : SAMPLES, i;
	int k;

	s->k = -1;
	for (i = 0; i < tries; i++) {
		k = digits_of(*s, r[i * n / tries].value);
		if (k < 0 && misses-- == 0)
			return (false);
		s->k = k > s->k ? k : s->k;
	}
	if (s->k < 0)
		return (false);
	s->ten = tens[s->k];
	return (true);
}

/* Values as numbers; what does not fit repeats the number before. How many
 * do not fit, or more than `most`. */
static size_t
scale_all(const struct scale *s, const struct reading *r, size_t n, int64_t *x,
    size_t most)
{
	size_t i, odd = 0;
	int64_t d;

	for (i = 0; i < n; i++) {
		if (scale_fits(s, r[i].value, &d)) {
			x[i] = d;
			continue;
		}
		x[i] = i == 0 ? 0 : x[i - 1];
		if (++odd > most)
			break;
	}
	return (odd);
}

/* The scale that the values were made with, first without misfits, then with
 * few; SIZE_MAX if there is none. */
static size_t
find_scale(struct scale *ret, const struct reading *r, size_t n, int64_t *x)
{
	const struct unit *u;
	struct scale s;
	size_t i, most, odd;
	int few;

	for (few = 0; few < (n < FEW_LEAST ? 1 : 2); few++) {
		most = few ? n / 4 : 0;
		for (i = 0; (u = unit_at(i)) != NULL; i++) {
			s = (struct scale){u->factor, u->offset, 1, 0};
			if (i > 0 && s.factor == 1 && s.offset == 0)
				continue;
			if (!sample(&s, r, n, few ? SAMPLES / 4 : 0))
				continue;
			odd = scale_all(&s, r, n, x, most);
			if (odd > most)
				continue;
			*ret = s;
			return (odd);
		}
	}
	return (SIZE_MAX);
}

static uint8_t *
put_bits(uint8_t *p, const struct reading *r, size_t n, int64_t *x)
{
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = ordered(bits_of(r[i].value));
	*p++ = BITS;
	return (packed_column_put(p, x, n));
}

static uint8_t *
put_odd(uint8_t *p, const struct scale *s, const struct reading *r, size_t n,
    size_t odd)
{
	size_t i, last = (size_t)-1;
	int64_t d;

	p = packed_varint_put(p, odd);
	for (i = 0; i < n; i++) {
		if (scale_fits(s, r[i].value, &d))
			continue;
		p = packed_varint_put(p, i - last);
		p = packed_word_put(p, (uint64_t)bits_of(r[i].value));
		last = i;
	}
	return (p);
}

static uint8_t *
put_values(uint8_t *p, const struct reading *r, size_t n, int64_t *x)
{
	struct scale s;
	size_t odd = find_scale(&s, r, n, x);
	uint8_t head;

	if (odd == SIZE_MAX)
		return (put_bits(p, r, n, x));
	head = (uint8_t)s.k;
	if (s.offset != 0)
		head |= SCALED | SHIFTED;
	else if (s.factor != 1)
		head |= SCALED;
	*p++ = odd > 0 ? head | ODD : head;
	if ((head & SCALED) != 0)
		p = packed_word_put(p, (uint64_t)bits_of(s.factor));
	if ((head & SHIFTED) != 0)
		p = packed_word_put(p, (uint64_t)bits_of(s.offset));
	p = packed_column_put(p, x, n);
	return (odd > 0 ? put_odd(p, &s, r, n, odd) : p);
}

/* The shorter of receive times and delays. */
static uint8_t *
put_received(uint8_t *p, const struct reading *r, size_t n, int64_t *x)
{
	uint8_t *mid, *end;
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = r[i].received_us;
	*p = 0;
	mid = packed_column_put(p + 1, x, n);
	if (n > 1 && (size_t)(mid - p) < 13)
		return (mid);
	for (i = 0; i < n; i++)
		x[i] =
		    (int64_t)((uint64_t)r[i].received_us - (uint64_t)r[i].t_us);
	*mid = 1;
	end = packed_column_put(mid + 1, x, n);
	if (end - mid >= mid - p)
		return (mid);
	memmove(p, mid, (size_t)(end - mid));
	return (p + (end - mid));
}

/* Room for five columns, for a quarter of the values beside theirs, for the
 * heads, and behind it all for the numbers of the column at work. */
size_t
packed_bound(size_t n)
{
	return (64 + 5 * PACKED_COLUMN_BOUND(n) + n / 4 * 11 + 8 * (n + 1));
}

size_t
packed_encode(const struct reading *r, size_t n, void *ret)
{
	uint8_t *p = ret, *end = p + packed_bound(n) - 8 * n;
	int64_t *x = (void *)(end - (uintptr_t)end % sizeof(*x));
	size_t i;

	*p++ = VERSION;
	p = packed_varint_put(p, n);
	for (i = 0; i < n; i++)
		x[i] = r[i].t_us;
	p = packed_column_put(p, x, n);
	p = put_values(p, r, n, x);
	for (i = 0; i < n; i++)
		x[i] = r[i].quality;
	p = packed_column_put(p, x, n);
	p = put_received(p, r, n, x);
	return ((size_t)(p - (uint8_t *)ret));
}

static size_t
get_head(struct packed_in *in)
{
	uint64_t n;

	if (packed_byte_get(in) != VERSION)
		return (0);
	n = packed_varint_get(in);
	return (in->bad || n > PACKED_MAX ? 0 : (size_t)n);
}

size_t
packed_count(const void *data, size_t len)
{
	struct packed_in in = {data, (const uint8_t *)data + len, false};

	return (get_head(&in));
}

static void
get_times(struct packed_in *in, struct reading *r, size_t n)
{
	int64_t x[PACKED_BLOCK];
	struct packed_column c;
	size_t i, at, k;

	packed_column_open(&c, in, n);
	r[0].t_us = (int64_t)c.start;
	for (at = 1; at < n && !in->bad; at += k) {
		k = packed_column_next(&c, x);
		for (i = 0; i < k; i++) {
			r[at + i].t_us = x[i];
			in->bad |= x[i] <= r[at + i - 1].t_us;
		}
	}
}

static void
get_odd(struct packed_in *in, struct reading *r, size_t n)
{
	uint64_t count = packed_varint_get(in), at = (uint64_t)-1, step;

	for (; count > 0 && !in->bad; count--) {
		step = packed_varint_get(in);
		in->bad |= step == 0 || step > n || (at += step) >= n;
		if (!in->bad)
			r[at].value = double_of((int64_t)packed_word_get(in));
	}
}

static void
to_values(const struct scale *s, const int64_t *x, struct reading *r, size_t k)
{
	size_t i;

	if (s == NULL) {
		for (i = 0; i < k; i++)
			r[i].value = double_of(ordered(x[i]));
	} else if (s->factor == 1 && s->offset == 0) {
		for (i = 0; i < k; i++)
			r[i].value = (double)x[i] / s->ten;
	} else {
		for (i = 0; i < k; i++)
			r[i].value = scale_value(s, x[i]);
	}
}

static void
get_values(struct packed_in *in, struct reading *r, size_t n)
{
	struct scale scale = {1, 0, 1, 0}, *s = &scale;
	uint8_t head = packed_byte_get(in);
	int64_t x[PACKED_BLOCK];
	struct packed_column c;
	size_t at, k;

	scale.ten = tens[head & DIGITS];
	if ((head & BITS) != 0)
		s = NULL;
	if ((head & SCALED) != 0)
		scale.factor = double_of((int64_t)packed_word_get(in));
	if ((head & SHIFTED) != 0)
		scale.offset = double_of((int64_t)packed_word_get(in));
	packed_column_open(&c, in, n);
	x[0] = (int64_t)c.start;
	to_values(s, x, r, 1);
	for (at = 1; at < n && !in->bad; at += k) {
		k = packed_column_next(&c, x);
		to_values(s, x, r + at, k);
	}
	if ((head & ODD) != 0)
		get_odd(in, r, n);
}

static void
get_quality(struct packed_in *in, struct reading *r, size_t n)
{
	int64_t x[PACKED_BLOCK];
	struct packed_column c;
	size_t i, at, k;

	packed_column_open(&c, in, n);
	r[0].quality = (int16_t)c.start;
	in->bad |= (uint64_t)(int64_t)r[0].quality != c.start;
	for (at = 1; at < n && !in->bad; at += k) {
		k = packed_column_next(&c, x);
		for (i = 0; i < k; i++) {
			r[at + i].quality = (int16_t)x[i];
			in->bad |= r[at + i].quality != x[i];
		}
	}
}

static void
get_received(struct packed_in *in, struct reading *r, size_t n)
{
	uint8_t less = packed_byte_get(in);
	uint64_t mask = less == 0 ? 0 : UINT64_MAX;
	int64_t x[PACKED_BLOCK];
	struct packed_column c;
	size_t i, at, k;

	in->bad |= less > 1;
	packed_column_open(&c, in, n);
	x[0] = (int64_t)c.start;
	for (at = 0, k = 1; at < n && !in->bad; at += k) {
		if (at > 0)
			k = packed_column_next(&c, x);
		for (i = 0; i < k; i++)
			r[at + i].received_us = (int64_t)((uint64_t)x[i] +
			    ((uint64_t)r[at + i].t_us & mask));
	}
}

enum err
packed_decode(const void *data, size_t len, int32_t series, struct reading *ret)
{
	struct packed_in in = {data, (const uint8_t *)data + len, false};
	size_t n = get_head(&in), i;

	if (n == 0)
		return (ERR_INTERNAL);
	get_times(&in, ret, n);
	get_values(&in, ret, n);
	get_quality(&in, ret, n);
	get_received(&in, ret, n);
	for (i = 0; i < n; i++)
		ret[i].series = series;
	return (in.bad || in.p != in.end ? ERR_INTERNAL : ERR_OK);
}
