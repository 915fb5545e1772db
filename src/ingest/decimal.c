#include "ingest/decimal.h"

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 400
#define EXP_MAX	 99999 /* far beyond double either way */

/* A number taken apart: m * 10^exp, m of the first 19 significant digits. */
struct decimal {
	bool negative;
	uint64_t m;
	int exp;
	int digits;			     /* significant ones */
	const char *mantissa, *mantissa_end; /* with its point */
	int exp_part;			     /* what stands behind the e */
};

static bool
is_digit(char c)
{
	return ((unsigned)(unsigned char)c - '0' < 10);
}

static const char *
take_digits(const char *p, const char *end, struct decimal *d, int step)
{
	for (; p < end && is_digit(*p); p++) {
		if (d->digits < 19) {
			d->m = d->m * 10 + (unsigned)(*p - '0');
			d->digits += d->m != 0;
			d->exp -= step;
		} else {
			d->digits++;
			d->exp += 1 - step;
		}
	}
	return (p);
}

static const char *
take_exponent(const char *p, const char *end, struct decimal *d)
{
	const char *from;
	bool negative = false;
	int e = 0;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	for (from = p; p < end && is_digit(*p); p++)
		if (e < EXP_MAX)
			e = e * 10 + (*p - '0');
	d->exp_part = negative ? -e : e;
	d->exp += d->exp_part;
	return (p > from ? p : NULL);
}

/* The grammar of RFC 8259 section 6; NULL if it is not a number. */
static const char *
take_apart(const char *p, const char *end, struct decimal *d)
{
	const char *from;

	if (p < end && *p == '-') {
		d->negative = true;
		p++;
	}
	d->mantissa = p;
	p = take_digits(p, end, d, 0);
	if (p == d->mantissa || (*d->mantissa == '0' && p > d->mantissa + 1))
		return (NULL);
	if (p < end && *p == '.') {
		from = ++p;
		p = take_digits(p, end, d, 1);
		if (p == from)
			return (NULL);
	}
	d->mantissa_end = p;
	if (p < end && (*p == 'e' || *p == 'E'))
		p = take_exponent(p + 1, end, d);
	return (p);
}

/*
 * m and 10^|exp| are both exact, so their product or quotient is rounded
 * once (W. D. Clinger, "How to Read Floating Point Numbers Accurately", 1990).
 */
static inline bool
exact_double(const struct decimal *d, double *ret)
{
	static const double power[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
	    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
	    1e19, 1e20, 1e21, 1e22};

	if (d->m > UINT64_C(1) << 53 || d->exp < -22 || d->exp > 22)
		return (false);
	*ret = d->exp < 0 ? (double)d->m / power[-d->exp]
			  : (double)d->m * power[d->exp];
	return (true);
}

#if LDBL_MANT_DIG == 64
/*
 * The same in 64-bit precision. Rounding that once more to 53 bits is right
 * unless it lands half way, where the first rounding hides the direction.
 */
static bool
exact_extended(const struct decimal *d, double *ret)
{
	static const long double power[] = {1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L,
	    1e6L, 1e7L, 1e8L, 1e9L, 1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L,
	    1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L,
	    1e25L, 1e26L, 1e27L};
	long double v;
	uint64_t bits;

	if (d->exp < -27 || d->exp > 27)
		return (false);
	v = d->exp < 0 ? (long double)d->m / power[-d->exp]
		       : (long double)d->m * power[d->exp];
	memcpy(&bits, &v, sizeof(bits));
	if ((bits & 0x7ff) == 0x400)
		return (false);
	*ret = (double)v;
	return (true);
}
#else
static bool
exact_extended(const struct decimal *d, double *ret)
{
	(void)d;
	(void)ret;
	return (false);
}
#endif

/* By strtod, on a copy without a decimal point: no locale matters then. */
static double
by_strtod(const struct decimal *d)
{
	char buf[TEXT_MAX + 16];
	const char *p;
	size_t n = 0;
	int exp = d->exp_part;
	bool behind = false;

	for (p = d->mantissa; p < d->mantissa_end; p++) {
		if (*p == '.') {
			behind = true;
			continue;
		}
		buf[n++] = *p;
		exp -= behind;
	}
	(void)snprintf(buf + n, sizeof(buf) - n, "e%d", exp);
	return (strtod(buf, NULL));
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/*
 * The decimal digits at p, up to eight of them, put behind those in *m. The
 * sum of neighbours in three steps is Daniel Lemire's, "Quickly parsing eight
 * digits", 2018.
 */
static inline unsigned
take_eight(const char *p, uint64_t *m)
{
	static const uint64_t power[] = {
	    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
	const uint64_t pairs = UINT64_C(0x000000ff000000ff);
	uint64_t w, other;
	unsigned n;

	memcpy(&w, p, 8);
	w ^= UINT64_C(0x3030303030303030);
	/* A carry can only mark a byte behind the first true one. */
	other = ((w + UINT64_C(0x7676767676767676)) | w) &
	    UINT64_C(0x8080808080808080);
	n = other != 0 ? (unsigned)__builtin_ctzll(other) / 8 : 8;
	if (n == 0)
		return (0);
	w <<= 64 - 8 * n;
	w = w * 10 + (w >> 8);
	w = ((w & pairs) * UINT64_C(0x000f424000000064) +
		(w >> 16 & pairs) * UINT64_C(0x0000271000000001)) >>
	    32;
	*m = *m * power[n] + w;
	return (n);
}
#endif

/* All digits at p put behind those in *m, which may overflow. */
static inline const char *
take_run(const char *p, const char *end, uint64_t *m)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	unsigned n;

	while (end - p >= 8) {
		n = take_eight(p, m);
		p += n;
		if (n < 8)
			return (p);
	}
#endif
	for (; p < end && is_digit(*p); p++)
		*m = *m * 10 + (unsigned)(*p - '0');
	return (p);
}

/* A number of at most 19 digits that has no exponent; its length, 0 if it is
 * another or none. */
static inline size_t
parse_plain(const char *s, const char *end, double *ret)
{
	struct decimal d = {.negative = s < end && *s == '-'};
	const char *from = s + d.negative, *p = from;
	ptrdiff_t digits;
	double v;

	for (; p < end && is_digit(*p); p++)
		d.m = d.m * 10 + (unsigned)(*p - '0');
	digits = p - from;

	if (digits == 0 || (*from == '0' && digits > 1))
		return (0);
	if (p < end && *p == '.') {
		from = ++p;
		p = take_run(from, end, &d.m);
		d.exp = -(int)(p - from);
		digits -= d.exp;
		if (d.exp == 0)
			return (0);
	}
	if (digits > 19 || (p < end && (*p == 'e' || *p == 'E')))
		return (0);
	if (d.m == 0)
		v = 0;
	else if (!exact_double(&d, &v) && !exact_extended(&d, &v))
		return (0);
	*ret = d.negative ? -v : v;
	return ((size_t)(p - s));
}

size_t
decimal_parse(const char *s, const char *end, size_t max, double *ret)
{
	struct decimal d = {0};
	const char *p;
	size_t n;
	double v;

	if (max > TEXT_MAX)
		max = TEXT_MAX;
	if ((size_t)(end - s) > max + 1)
		end = s + max + 1;
	if ((n = parse_plain(s, end, &v)) > 0 && n <= max) {
		*ret = v;
		return (n);
	}
	p = take_apart(s, end, &d);
	if (p == NULL || (size_t)(p - s) > max)
		return (0);
	if (d.m == 0)
		v = 0;
	else if (d.digits > 19 ||
	    (!exact_double(&d, &v) && !exact_extended(&d, &v)))
		v = by_strtod(&d);
	*ret = d.negative ? -v : v;
	return ((size_t)(p - s));
}
