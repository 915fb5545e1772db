#include "store/warm_wire.h"

#include "core/instant.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PG_EPOCH_US (INT64_C(946684800) * US_PER_SECOND) /* 2000-01-01 */
#define ARRAY_HEAD  12
#define ARRAY_DIM   8

void
wire_reset(struct wire *w)
{
	w->len = 0;
	w->failed = false;
}

void
wire_done(struct wire *w)
{
	free(w->p);
	*w = (struct wire){0};
}

bool
wire_ok(const struct wire *w)
{
	return (!w->failed);
}

bool
wire_room(struct wire *w, size_t more)
{
	size_t size = w->size < 4096 ? 4096 : w->size;
	char *p;

	if (w->failed)
		return (false);
	if (w->size - w->len >= more)
		return (true);
	while (size - w->len < more) {
		if (size > SIZE_MAX / 2) {
			w->failed = true;
			return (false);
		}
		size *= 2;
	}
	if ((p = realloc(w->p, size)) == NULL) {
		w->failed = true;
		return (false);
	}
	w->p = p;
	w->size = size;
	return (true);
}

void
wire_bytes(struct wire *w, const void *p, size_t n)
{
	if (!wire_room(w, n))
		return;
	memcpy(w->p + w->len, p, n);
	w->len += n;
}

void
wire_i16(struct wire *w, int16_t v)
{
	uint16_t be = htobe16((uint16_t)v);

	wire_bytes(w, &be, sizeof(be));
}

void
wire_i32(struct wire *w, int32_t v)
{
	uint32_t be = htobe32((uint32_t)v);

	wire_bytes(w, &be, sizeof(be));
}

void
wire_i64(struct wire *w, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	wire_bytes(w, &be, sizeof(be));
}

void
wire_array(struct wire *w, uint32_t oid, size_t n)
{
	if (n > INT32_MAX)
		w->failed = true;
	wire_i32(w, n == 0 ? 0 : 1);
	wire_i32(w, 0);
	wire_i32(w, (int32_t)oid);
	if (n == 0)
		return;
	wire_i32(w, (int32_t)n);
	wire_i32(w, 1);
}

void
wire_put_i16(struct wire *w, int16_t v)
{
	wire_i32(w, sizeof(v));
	wire_i16(w, v);
}

void
wire_put_i32(struct wire *w, int32_t v)
{
	wire_i32(w, sizeof(v));
	wire_i32(w, v);
}

void
wire_put_i64(struct wire *w, int64_t v)
{
	if (!wire_room(w, 12))
		return;
	wire_i32(w, sizeof(v));
	wire_i64(w, v);
}

int64_t
wire_f64_bits(double v)
{
	int64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return (bits);
}

void
wire_put_f64(struct wire *w, double v)
{
	wire_put_i64(w, wire_f64_bits(v));
}

static char *
put_u32(char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
	return (p + sizeof(v));
}

/* The lowest `width` bytes of v behind their number. */
static char *
put_column(char *p, uint32_t width, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v << (64 - 8 * width));

	p = put_u32(p, width);
	memcpy(p, &be, sizeof(be));
	return (p + width);
}

void
wire_copy_row(
    struct wire *w, const struct wire_column *c, const int64_t *v, size_t n)
{
	uint16_t count = htobe16((uint16_t)n);
	char *p;
	size_t i;

	if (!wire_room(w, 16 + n * 12))
		return;
	p = w->p + w->len;
	memcpy(p, &count, sizeof(count));
	p += sizeof(count);
	for (i = 0; i < n; i++)
		p = put_column(p, c[i].width, v[i]);
	w->len = (size_t)(p - w->p);
}

void
wire_put_composite(
    struct wire *w, const struct wire_column *c, const int64_t *v, size_t n)
{
	char *start, *p;
	size_t i;

	if (!wire_room(w, 16 + n * 16))
		return;
	start = w->p + w->len;
	p = put_u32(start + 4, (uint32_t)n);
	for (i = 0; i < n; i++)
		p = put_column(put_u32(p, c[i].oid), c[i].width, v[i]);
	(void)put_u32(start, (uint32_t)(p - start - 4));
	w->len = (size_t)(p - w->p);
}

int64_t
wire_time_to_pg(int64_t t_us)
{
	return (t_us - PG_EPOCH_US);
}

void
wire_put_time(struct wire *w, int64_t t_us)
{
	wire_put_i64(w, wire_time_to_pg(t_us));
}

int16_t
wire_get_i16(const char *p)
{
	uint16_t be;

	memcpy(&be, p, sizeof(be));
	return ((int16_t)be16toh(be));
}

int32_t
wire_get_i32(const char *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	return ((int32_t)be32toh(be));
}

int64_t
wire_get_i64(const char *p)
{
	uint64_t be;

	memcpy(&be, p, sizeof(be));
	return ((int64_t)be64toh(be));
}

double
wire_get_f64(const char *p)
{
	int64_t bits = wire_get_i64(p);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return (v);
}

bool
wire_get_time(const char *p, int64_t *ret_us)
{
	static const int64_t first = INT64_C(-62135596800) * US_PER_SECOND;
	static const int64_t past = INT64_C(253402300800) * US_PER_SECOND;
	int64_t t = wire_get_i64(p);

	if (t < first - PG_EPOCH_US || t >= past - PG_EPOCH_US)
		return (false);
	*ret_us = t + PG_EPOCH_US;
	return (true);
}

bool
wire_view(struct wire_view *ret, const char *data, size_t len, uint32_t oid,
    size_t width)
{
	struct wire_view v = {.stride = width + 4};
	int32_t n;
	size_t i;

	if (len < ARRAY_HEAD || (uint32_t)wire_get_i32(data + 8) != oid)
		return (false);
	if (wire_get_i32(data) == 0) {
		*ret = v;
		return (len == ARRAY_HEAD);
	}
	if (wire_get_i32(data) != 1 || len < ARRAY_HEAD + ARRAY_DIM)
		return (false);
	n = wire_get_i32(data + ARRAY_HEAD);
	v.p = data + ARRAY_HEAD + ARRAY_DIM;
	len -= ARRAY_HEAD + ARRAY_DIM;
	if (n < 0 || len / v.stride != (size_t)n || len % v.stride != 0)
		return (false);
	v.n = (size_t)n;
	/* With NULLs among them the length can match only by a longer
	 * element, which a fixed width rules out. */
	for (i = 0; wire_get_i32(data + 4) != 0 && i < v.n; i++)
		if ((size_t)wire_get_i32(v.p + i * v.stride) != width)
			return (false);
	*ret = v;
	return (true);
}
