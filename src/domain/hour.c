#include "domain/hour.h"

#include "core/instant.h"
#include "domain/order.h"

#include <string.h>

static void
put(unsigned char *p, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0) {
		p[bytes] = (unsigned char)v;
		v >>= 8;
	}
}

static uint64_t
get(const unsigned char *p, unsigned bytes)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return (v);
}

int32_t
hour_of(int64_t t_us)
{
	return ((int32_t)(instant_floor(t_us, US_PER_HOUR) / US_PER_HOUR));
}

void
hour_record(const struct reading *r, unsigned char *ret)
{
	int64_t ms = instant_floor(r->received_us + 999, 1000) / 1000;
	uint64_t bits;

	memcpy(&bits, &r->value, sizeof(bits));
	put(ret, (uint64_t)(r->t_us - instant_floor(r->t_us, US_PER_HOUR)), 4);
	put(ret + 4, bits, 8);
	put(ret + 12, (uint16_t)r->quality, 2);
	put(ret + 14, (uint64_t)ms, 6);
}

static bool
get_record(const unsigned char *p, struct hour_key key, struct reading *ret)
{
	uint64_t bits = get(p + 4, 8), offset = get(p, 4);
	int64_t ms = (int64_t)(get(p + 14, 6) << 16) >> 16;

	if (offset >= (uint64_t)US_PER_HOUR)
		return (false);
	ret->series = key.series;
	ret->quality = (int16_t)get(p + 12, 2);
	memcpy(&ret->value, &bits, sizeof(bits));
	ret->t_us = key.hour * US_PER_HOUR + (int64_t)offset;
	ret->received_us = ms * 1000;
	return (true);
}

/* The packed run's length and count; false if the bytes are none of ours. */
static bool
parts(const unsigned char *p, size_t len, size_t *ret_packed, size_t *ret_n)
{
	size_t packed;

	if (len < HOUR_HEAD || (packed = get(p, 4)) > len - HOUR_HEAD ||
	    (len - HOUR_HEAD - packed) % HOUR_RECORD != 0)
		return (false);
	*ret_packed = packed;
	*ret_n = packed == 0 ? 0 : packed_count(p + HOUR_HEAD, packed);
	return (packed == 0 || *ret_n > 0);
}

size_t
hour_count(const void *bytes, size_t len)
{
	size_t packed, n;

	if (!parts(bytes, len, &packed, &n))
		return (0);
	return (n + (len - HOUR_HEAD - packed) / HOUR_RECORD);
}

static bool
is_same(const struct reading *a, const struct reading *b)
{
	return (memcmp(&a->value, &b->value, sizeof(a->value)) == 0 &&
	    a->quality == b->quality);
}

static bool
rises(const struct reading *r, size_t n)
{
	size_t i;

	for (i = 1; i < n && r[i - 1].t_us < r[i].t_us; i++)
		;
	return (i >= n);
}

enum err
hour_decode_all(const void *bytes, size_t len, struct hour_key key,
    struct reading *room, struct reading **ret, size_t *ret_n)
{
	const unsigned char *p = bytes;
	size_t packed, n, at;

	if (!parts(p, len, &packed, &n))
		return (ERR_INTERNAL);
	if (n > 0 &&
	    (packed_decode(p + HOUR_HEAD, packed, key.series, room) != ERR_OK ||
		hour_of(room[0].t_us) != key.hour ||
		hour_of(room[n - 1].t_us) != key.hour))
		return (ERR_INTERNAL);
	for (at = HOUR_HEAD + packed; at < len; at += HOUR_RECORD)
		if (!get_record(p + at, key, &room[n++]))
			return (ERR_INTERNAL);
	*ret = rises(room, n) ? room : order_readings(room, room + n, n);
	*ret_n = n;
	return (ERR_OK);
}

enum err
hour_settle(struct reading *r, size_t *n, bool *ret_twice)
{
	size_t i, k = 0;

	*ret_twice = false;
	if (rises(r, *n))
		return (ERR_OK);
	for (i = 1; i < *n; i++) {
		if (r[i].t_us != r[k].t_us) {
			r[++k] = r[i];
			continue;
		}
		if (!is_same(&r[i], &r[k]))
			return (ERR_CONFLICT);
		*ret_twice |= r[i].received_us != r[k].received_us;
		if (r[i].received_us < r[k].received_us)
			r[k].received_us = r[i].received_us;
	}
	*n = k + 1;
	return (ERR_OK);
}

enum err
hour_decode(const void *bytes, size_t len, struct hour_key key,
    struct reading *room, struct reading **ret, size_t *ret_n)
{
	enum err e = hour_decode_all(bytes, len, key, room, ret, ret_n);
	bool twice;

	return (e == ERR_OK ? hour_settle(*ret, ret_n, &twice) : e);
}

size_t
hour_bound(size_t n)
{
	return (HOUR_HEAD + packed_bound(n));
}

size_t
hour_encode(const struct reading *r, size_t n, void *ret)
{
	unsigned char *p = ret;
	size_t len = packed_encode(r, n, p + HOUR_HEAD);

	put(p, len, HOUR_HEAD);
	return (HOUR_HEAD + len);
}
