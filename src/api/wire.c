#include "api/wire.h"

#include "core/instant.h"

#include <string.h>

#define OID_INT4	23
#define OID_TIMESTAMPTZ 1184
#define HEAD		20 /* dimensions, flags, type, length, lower bound */
#define EPOCH_2000_US	(INT64_C(946684800) * US_PER_SECOND)

static unsigned char *
put32(unsigned char *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
	return (p + sizeof(v));
}

static unsigned char *
put64(unsigned char *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
	return (p + sizeof(v));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are swapped");

static unsigned char *
array_new(
    struct arena *a, uint32_t oid, size_t n, size_t width, struct param *ret)
{
	size_t len = HEAD + n * (4 + width);
	unsigned char *p = n < INT32_MAX / 16 ? arena_alloc(a, len) : NULL;

	*ret = (struct param){(char *)p, (int)len, true};
	if (p == NULL)
		return (NULL);
	p = put32(p, 1);
	p = put32(p, 0);
	p = put32(p, oid);
	p = put32(p, (uint32_t)n);
	return (put32(p, 1));
}

struct param
wire_int4s(struct arena *a, const int32_t *v, size_t n)
{
	struct param ret;
	unsigned char *p = array_new(a, OID_INT4, n, 4, &ret);

	for (size_t i = 0; p != NULL && i < n; i++)
		p = put32(put32(p, 4), (uint32_t)v[i]);
	return (ret);
}

struct param
wire_instants(struct arena *a, const int64_t *v, size_t n)
{
	struct param ret;
	unsigned char *p = array_new(a, OID_TIMESTAMPTZ, n, 8, &ret);

	for (size_t i = 0; p != NULL && i < n; i++)
		p = put64(put32(p, 8), (uint64_t)(v[i] - EPOCH_2000_US));
	return (ret);
}

static bool
get64(const struct rows *rows, int row, int column, uint64_t *ret)
{
	int len;
	const char *p = rows->get(rows, row, column, &len);

	if (p == NULL || len != 8)
		return (false);
	memcpy(ret, p, sizeof(*ret));
	*ret = __builtin_bswap64(*ret);
	return (true);
}

bool
wire_integer(const struct rows *rows, int row, int column, int64_t *ret)
{
	int len;
	const char *p = rows->get(rows, row, column, &len);
	int64_t v;

	if (p == NULL || (len != 2 && len != 4 && len != 8))
		return (false);
	v = (signed char)p[0];
	for (int i = 1; i < len; i++)
		v = (int64_t)((uint64_t)v << 8 | (unsigned char)p[i]);
	*ret = v;
	return (true);
}

bool
wire_double(const struct rows *rows, int row, int column, double *ret)
{
	uint64_t v;

	if (!get64(rows, row, column, &v))
		return (false);
	memcpy(ret, &v, sizeof(*ret));
	return (true);
}

bool
wire_instant(const struct rows *rows, int row, int column, int64_t *ret_us)
{
	uint64_t v;

	if (!get64(rows, row, column, &v))
		return (false);
	*ret_us = (int64_t)v + EPOCH_2000_US;
	return (true);
}
