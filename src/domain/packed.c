/*
 * version 1, varint n; then
 *   event times: column (domain/packed_column.h), µs since 1970
 *   values: head (domain/packed_scale.h); column; if ODD those that do not
 *     fit
 *   quality: column
 *   receive times: byte 1 if less the event time, else 0; column
 */
#include "domain/packed.h"

#include "domain/packed_scale.h"

#define VERSION 1

static uint8_t *
put_bits(uint8_t *p, const struct reading *r, size_t n, int64_t *x)
{
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = packed_ordered(packed_bits(r[i].value));
	p = packed_scale_put(p, NULL, false);
	return (packed_column_put(p, x, n));
}

static uint8_t *
put_values(uint8_t *p, const struct reading *r, size_t n, int64_t *x)
{
	struct packed_scale s;
	size_t odd = packed_scale_find(&s, r, n, x);

	if (odd == SIZE_MAX)
		return (put_bits(p, r, n, x));
	p = packed_scale_put(p, &s, odd > 0);
	p = packed_column_put(p, x, n);
	return (odd > 0 ? packed_odd_put(p, &s, r, n, odd) : p);
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
	uint64_t count = packed_varint_get(in), at = (uint64_t)-1;
	double v;

	for (; count > 0 && packed_odd_get(in, n, &at, &v); count--)
		r[at].value = v;
}

static void
to_values(
    const struct packed_scale *s, const int64_t *x, struct reading *r, size_t k)
{
	size_t i;

	if (s == NULL) {
		for (i = 0; i < k; i++)
			r[i].value = packed_double(packed_ordered(x[i]));
	} else if (s->factor == 1 && s->offset == 0) {
		for (i = 0; i < k; i++)
			r[i].value = (double)x[i] / s->ten;
	} else {
		for (i = 0; i < k; i++)
			r[i].value = packed_scale_value(s, x[i]);
	}
}

static void
get_values(struct packed_in *in, struct reading *r, size_t n)
{
	struct packed_scale scale, *s = &scale;
	uint8_t head = packed_scale_get(&scale, in);
	int64_t x[PACKED_BLOCK];
	struct packed_column c;
	size_t at, k;

	if ((head & PACKED_BITS) != 0)
		s = NULL;
	packed_column_open(&c, in, n);
	x[0] = (int64_t)c.start;
	to_values(s, x, r, 1);
	for (at = 1; at < n && !in->bad; at += k) {
		k = packed_column_next(&c, x);
		to_values(s, x, r + at, k);
	}
	if ((head & PACKED_ODD) != 0)
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
