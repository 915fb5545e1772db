/*
 * packed_scale: values as whole numbers, for domain/packed*.c alone:
 * value = d / 10^k [* factor [+ offset]], or the doubles' own bits.
 *
 * Runs on: C. Pure. Frees: nothing. Units: as the values. Errors: none.
 *
 * In bytes: head, 1 byte: k in its low bits, SCALED if a factor follows,
 * SHIFTED if an offset does, 8 bytes IEEE 754 each; BITS: the numbers are the
 * doubles' own bits, those of negative ones with all but the sign inverted, so
 * that they are in order. ODD: some values do not fit, and stand elsewhere.
 */
#ifndef PENSTOCK_DOMAIN_PACKED_SCALE_H
#define PENSTOCK_DOMAIN_PACKED_SCALE_H

#include "domain/packed_column.h"
#include "domain/reading.h"

#include <math.h>
#include <string.h>

#define PACKED_DIGITS  15 /* k */
#define PACKED_BITS    16
#define PACKED_SCALED  32
#define PACKED_SHIFTED 64
#define PACKED_ODD     128

/* Digits beyond these are noise of arithmetic, not a sender's decimals. */
#define PACKED_D_MOST 9e13

/* How values are written as whole numbers. */
struct packed_scale {
	double factor, offset; /* 1, 0: none */
	double ten;	       /* 10^k */
	int k;
};

static inline int64_t
packed_bits(double v)
{
	int64_t b;

	memcpy(&b, &v, sizeof(b));
	return (b);
}

static inline double
packed_double(int64_t b)
{
	double v;

	memcpy(&v, &b, sizeof(v));
	return (v);
}

/* Bits to numbers in the order of the doubles, and back. */
static inline int64_t
packed_ordered(int64_t b)
{
	return (b ^ (int64_t)((uint64_t)(b >> 63) >> 1));
}

/* What a reader makes of d. */
static inline double
packed_scale_value(const struct packed_scale *s, int64_t d)
{
	double v = (double)d / s->ten;

	if (s->offset != 0)
		return (v * s->factor + s->offset);
	return (s->factor == 1 ? v : v * s->factor);
}

/* False if no d gives v exactly. */
static inline bool
packed_scale_fits(const struct packed_scale *s, double v, int64_t *ret)
{
	double x = v;

	if (s->offset != 0)
		x -= s->offset;
	if (s->factor != 1)
		x /= s->factor;
	x *= s->ten;
	if (!(fabs(x) <= PACKED_D_MOST))
		return (false);
	*ret = (int64_t)(x + (x < 0 ? -0.5 : 0.5));
	return (packed_bits(packed_scale_value(s, *ret)) == packed_bits(v));
}

/* The scale that the values were made with, first without misfits, then with
 * few: how many. x: the numbers; what does not fit repeats the one before.
 * SIZE_MAX if there is none. n > 0. */
size_t packed_scale_find(
    struct packed_scale *ret, const struct reading *, size_t n, int64_t *x);

/* The head; `s` NULL: BITS. */
uint8_t *packed_scale_put(uint8_t *, const struct packed_scale *s, bool odd);
/* Returns the head. */
uint8_t packed_scale_get(struct packed_scale *ret, struct packed_in *);

/* Of the values that do not fit: varint count, and for each a varint, how far
 * it is from the one before (from -1 the first), and its value, 8 bytes. */
uint8_t *packed_odd_put(uint8_t *, const struct packed_scale *,
    const struct reading *, size_t n, size_t odd);
/* False: there is no other. *at: -1 at first, then the place. */
bool packed_odd_get(struct packed_in *, size_t n, uint64_t *at, double *ret);

#endif
