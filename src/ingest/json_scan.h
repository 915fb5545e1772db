/*
 * json_scan: the tokens of RFC 8259, scanned once, no tree, no allocation.
 * For the decoders of readings.
 *
 * Runs on: C. Frees: nothing. Errors: false, with `at` and `what` set and
 * meant for people; nothing may be scanned after that.
 */
#ifndef PENSTOCK_INGEST_JSON_SCAN_H
#define PENSTOCK_INGEST_JSON_SCAN_H

#include "ingest/item.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSON_DEPTH_MAX 16
/* What one item may take, so that no step over a body is long. */
#define JSON_ITEM_BYTES ((size_t)65536)

struct json_scan {
	const char *start, *p, *end;
	const char *at, *what; /* the error; `what` NULL: none */
	/* Unescaped texts, one place per member, then names. */
	char scratch[ITEM_MEMBERS + 2][ITEM_TEXT_MAX + 1];
};

static inline void
json_scan_init(struct json_scan *d, const char *s, size_t len)
{
	d->start = d->p = s;
	d->end = s + len;
	d->at = d->what = NULL;
}

/* Always false; `at` is where the reading stopped. */
static inline bool
json_bad(struct json_scan *d, const char *at, const char *what)
{
	d->at = at;
	d->what = what;
	return (false);
}

/* As json_peek(), for a scan at white space, a control or the end. */
char json_peek_far(struct json_scan *);

/* The next byte that is not white space, NUL at the end. */
static inline char
json_peek(struct json_scan *d)
{
	if (d->p < d->end && (unsigned char)*d->p > ' ')
		return (*d->p);
	return (json_peek_far(d));
}

static inline bool
json_expect(struct json_scan *d, char c, const char *what)
{
	if (json_peek(d) != c)
		return (json_bad(d, d->p, what));
	d->p++;
	return (true);
}

/* The first byte that is a quote, a backslash, a control or not ASCII. */
static inline const char *
json_plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	/* Compared as signed: bytes that are not ASCII are below it too. */
	const __m128i space = _mm_set1_epi8(' ');
	__m128i v;
	int hit;

	for (; end - p >= 16; p += 16) {
		v = _mm_loadu_si128((const __m128i *)(const void *)p);
		hit = _mm_movemask_epi8(
		    _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
				     _mm_cmpeq_epi8(v, slash)),
			_mm_cmplt_epi8(v, space)));
		if (hit != 0)
			return (p + __builtin_ctz((unsigned)hit));
	}
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t w;

	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, 8);
		/* A borrow can only mark a byte above the first true one. */
		w = (((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones) |
			(w - ones * 0x20) | w) &
		    ones * 0x80;
		if (w != 0)
			return (p + __builtin_ctzll(w) / 8);
	}
#endif
	while (p < end && *p != '"' && *p != '\\' &&
	    (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
		p++;
	return (p);
}

/* As json_string(), for what is more than plain ASCII. */
bool json_hard_string(struct json_scan *, char *scratch, struct span *ret);

/*
 * d->p is behind the quote. A plain string is borrowed from the text, any
 * other built in `scratch` (NULL: only checked). A string that is too long
 * comes back longer than ITEM_TEXT_MAX.
 */
static inline bool
json_string_take(struct json_scan *d, char *scratch, struct span *ret)
{
	const char *from = d->p, *to = json_plain_end(from, d->end);

	if (to == d->end || *to != '"')
		return (json_hard_string(d, scratch, ret));
	*ret = (struct span){from, (size_t)(to - from)};
	d->p = to + 1;
	return (true);
}

/* An opening quote, the name, a colon. */
bool json_name_take(struct json_scan *, char *scratch, struct span *ret);
bool json_number_take(struct json_scan *, double *ret);
/* Any value, `depth` brackets deep; it is only checked. */
bool json_skip(struct json_scan *, int depth);

static inline bool
json_is_number_start(char c)
{
	return (c == '-' || (c >= '0' && c <= '9'));
}

#endif
