#include "domain/packed_column.h"

#include <endian.h>
#include <string.h>

#define ORDER_PLAIN 3
#define ORDERS	    3
/* Beyond it, differences of differences would not fit 64 bits. */
#define Y_MOST INT64_C(0x0fffffffffffffff)
/* Blocks looked at to choose the order of a long column. */
#define TRIALS	 8
#define ODD_MOST 12 /* exceptions in a block */
#define HAS_ODD	 128

/* How a block is written. */
struct block {
	int64_t least;
	unsigned width, widest; /* bits; of all but the exceptions, of all */
	size_t odd, bytes;
};

static uint64_t
zigzag(int64_t v)
{
	return ((uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static int64_t
unzigzag(uint64_t u)
{
	return ((int64_t)(u >> 1 ^ (0 - (u & 1))));
}

static unsigned
bits(uint64_t u)
{
	return (u == 0 ? 0 : 64 - (unsigned)__builtin_clzll(u));
}

static size_t
varint_len(uint64_t u)
{
	return (u == 0 ? 1 : (bits(u) + 6) / 7);
}

uint8_t *
packed_varint_put(uint8_t *p, uint64_t u)
{
	for (; u >= 128; u >>= 7)
		*p++ = (uint8_t)(u | 128);
	*p++ = (uint8_t)u;
	return (p);
}

uint8_t
packed_byte_get(struct packed_in *in)
{
	if (in->p < in->end)
		return (*in->p++);
	in->bad = true;
	return (0);
}

uint64_t
packed_varint_get(struct packed_in *in)
{
	uint64_t u = 0;
	unsigned shift;
	uint8_t b;

	for (shift = 0; shift < 64; shift += 7) {
		b = packed_byte_get(in);
		u |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return (u);
	}
	in->bad = true;
	return (0);
}

uint8_t *
packed_word_put(uint8_t *p, uint64_t u)
{
	u = htobe64(u);
	memcpy(p, &u, sizeof(u));
	return (p + sizeof(u));
}

uint64_t
packed_word_get(struct packed_in *in)
{
	uint64_t u;

	if ((size_t)(in->end - in->p) < sizeof(u)) {
		in->bad = true;
		in->p = in->end;
		return (0);
	}
	memcpy(&u, in->p, sizeof(u));
	in->p += sizeof(u);
	return (be64toh(u));
}

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	uint64_t c;

	while (b != 0) {
		c = a % b;
		a = b;
		b = c;
	}
	return (a);
}

/* False if some x[i] - x[0] would overflow. */
static bool
fits(const int64_t *x, size_t n)
{
	int64_t least = x[0], most = x[0], span;
	size_t i;

	for (i = 1; i < n; i++) {
		least = x[i] < least ? x[i] : least;
		most = x[i] > most ? x[i] : most;
	}
	return (!__builtin_sub_overflow(most, least, &span));
}

/* What all x[i] - x[0] are multiples of: so are the steps between them. */
static uint64_t
unit_of(const int64_t *x, size_t n)
{
	uint64_t unit = 0, size;
	int64_t d, last = 0;
	size_t i;

	for (i = 1; i < n && unit != 1; i++) {
		d = x[i] - x[i - 1];
		if (d == last)
			continue;
		last = d;
		size = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
		if (unit == 0 || size % unit != 0)
			unit = gcd(size, unit);
	}
	return (unit);
}

/* x becomes y. All are multiples of the unit, so dividing by its odd part is
 * multiplying by that part's inverse modulo 2^64 (Newton's iteration). */
static bool
divide(int64_t *x, size_t n, uint64_t unit)
{
	unsigned twos = (unsigned)__builtin_ctzll(unit);
	uint64_t odd = unit >> twos, inverse = odd;
	int64_t first = x[0], most = 0, y;
	size_t i;
	int k;

	for (k = 0; k < 5; k++)
		inverse *= 2 - odd * inverse;
	for (i = 0; i < n; i++) {
		y = x[i] - first;
		if (unit != 1)
			y = (int64_t)((uint64_t)(y >> twos) * inverse);
		x[i] = y;
		most |= y ^ y >> 63;
	}
	return (most <= Y_MOST);
}

/* The numbers coded for y[at] … y[at + k - 1]; at > 0. */
static void
code(const int64_t *y, size_t at, size_t k, int order, int64_t *v)
{
	size_t i = 0;

	y += at;
	if (order == 0) {
		memcpy(v, y, k * sizeof(*v));
		return;
	}
	if (order == 2 && at == 1) {
		v[0] = y[0];
		i = 1;
	}
	for (; i < k; i++)
		v[i] = order == 1
		    ? y[i] - y[(ptrdiff_t)i - 1]
		    : y[i] - 2 * y[(ptrdiff_t)i - 1] + y[(ptrdiff_t)i - 2];
}

/* A smaller width leaves the widest numbers as exceptions: the cheapest. */
static void
narrow(struct block *b, const int64_t *v, size_t k)
{
	uint8_t count[64] = {0};
	size_t i, odd = 0, bytes;
	unsigned w, wide;

	for (i = 0; i < k; i++)
		count[bits((uint64_t)(v[i] - b->least))]++;
	for (w = b->widest; w-- > 0;) {
		odd += count[w + 1];
		if (odd > ODD_MOST)
			return;
		bytes = (k * w + 7) / 8 + 1;
		for (wide = w + 1; wide <= b->widest; wide++)
			bytes += count[wide] * (1 + (wide - w + 6) / 7);
		if (bytes < b->bytes) {
			b->bytes = bytes;
			b->width = w;
			b->odd = odd;
		}
	}
}

static struct block
plan(const int64_t *v, size_t k)
{
	struct block b = {.least = v[0]};
	int64_t most = v[0];
	size_t i;

	for (i = 1; i < k; i++) {
		b.least = v[i] < b.least ? v[i] : b.least;
		most = v[i] > most ? v[i] : most;
	}
	b.width = b.widest = bits((uint64_t)(most - b.least));
	b.bytes = (k * b.width + 7) / 8;
	if (b.bytes > 3)
		narrow(&b, v, k);
	b.bytes += varint_len(zigzag(b.least)) + 1;
	return (b);
}

static int
choose(const int64_t *y, size_t n)
{
	size_t blocks = (n + PACKED_BLOCK - 2) / PACKED_BLOCK, step, at, k;
	size_t bytes, best = SIZE_MAX;
	int64_t v[PACKED_BLOCK];
	int order, ret = 0;

	step = (blocks + TRIALS - 1) / TRIALS * PACKED_BLOCK;
	for (order = 0; order < ORDERS; order++) {
		for (bytes = 0, at = 1; at < n; at += step) {
			k = n - at < PACKED_BLOCK ? n - at : PACKED_BLOCK;
			code(y, at, k, order, v);
			bytes += plan(v, k).bytes;
		}
		if (bytes < best) {
			best = bytes;
			ret = order;
		}
	}
	return (ret);
}

/* The low `width` bits of each, most significant first. */
static uint8_t *
put_bits(uint8_t *p, const int64_t *v, size_t k, const struct block *b)
{
	uint64_t mask = (UINT64_C(1) << b->width) - 1, word = 0, u;
	unsigned room = 64, over;
	size_t i;

	if (b->width == 0)
		return (p);
	for (i = 0; i < k; i++) {
		u = (uint64_t)(v[i] - b->least) & mask;
		if (b->width < room) {
			room -= b->width;
			word |= u << room;
			continue;
		}
		over = b->width - room;
		p = packed_word_put(p, word | u >> over);
		room = 64 - over;
		word = over == 0 ? 0 : u << room;
	}
	for (; room < 64; room += 8, word <<= 8) {
		*p++ = (uint8_t)(word >> 56);
		if (room > 56)
			break;
	}
	return (p);
}

static uint8_t *
put_block(uint8_t *p, const int64_t *v, size_t k)
{
	struct block b = plan(v, k);
	uint64_t rest;
	size_t i;

	p = packed_varint_put(p, zigzag(b.least));
	*p++ = (uint8_t)(b.width | (b.odd > 0 ? HAS_ODD : 0));
	p = put_bits(p, v, k, &b);
	if (b.odd == 0)
		return (p);
	*p++ = (uint8_t)b.odd;
	for (i = 0; i < k; i++) {
		rest = (uint64_t)(v[i] - b.least) >> b.width;
		if (rest == 0)
			continue;
		*p++ = (uint8_t)i;
		p = packed_varint_put(p, rest);
	}
	return (p);
}

/* Undoes divide(): the numbers as they were. */
static uint8_t *
put_plain(uint8_t *p, const int64_t *x, size_t n, uint64_t first, uint64_t unit)
{
	size_t i;

	*p++ = ORDER_PLAIN;
	for (i = 1; i < n; i++)
		p = packed_word_put(p, first + (uint64_t)x[i] * unit);
	return (p);
}

uint8_t *
packed_column_put(uint8_t *p, int64_t *x, size_t n)
{
	int64_t v[PACKED_BLOCK];
	uint64_t unit, first = (uint64_t)x[0];
	size_t i, k;
	int order;

	p = packed_varint_put(p, zigzag(x[0]));
	if (n == 1)
		return (p);
	if (!fits(x, n))
		return (put_plain(packed_varint_put(p, 1), x, n, 0, 1));
	unit = unit_of(x, n);
	p = packed_varint_put(p, unit);
	if (unit == 0)
		return (p);
	if (!divide(x, n, unit))
		return (put_plain(p, x, n, first, unit));
	*p++ = (uint8_t)(order = choose(x, n));
	for (i = 1; i < n; i += k) {
		k = n - i < PACKED_BLOCK ? n - i : PACKED_BLOCK;
		code(x, i, k, order, v);
		p = put_block(p, v, k);
	}
	return (p);
}

void
packed_column_open(struct packed_column *c, struct packed_in *in, size_t n)
{
	*c = (struct packed_column){.in = in, .left = n - 1};
	c->start = (uint64_t)unzigzag(packed_varint_get(in));
	if (c->left == 0 || (c->unit = packed_varint_get(in)) == 0)
		return;
	c->order = packed_byte_get(in);
	if (c->order > ORDER_PLAIN)
		in->bad = true;
}

/* k numbers of w bits, 0 < w < 64; 8 bytes may be read at and after each. */
static void
get_bits(const uint8_t *p, unsigned w, uint64_t *u, size_t k)
{
	size_t i, bit;
	uint64_t word;

	for (i = 0, bit = 0; i < k; i++, bit += w) {
		memcpy(&word, p + bit / 8, sizeof(word));
		word = be64toh(word) << (bit & 7);
		if (w > 57)
			word |= (uint64_t)p[bit / 8 + 8] >> (8 - (bit & 7));
		u[i] = word >> (64 - w);
	}
}

static void
get_odd(struct packed_in *in, unsigned w, uint64_t *u, size_t k)
{
	size_t n = packed_byte_get(in), at;

	for (; n > 0; n--) {
		at = packed_byte_get(in);
		if (at >= k) {
			in->bad = true;
			return;
		}
		u[at] |= packed_varint_get(in) << w;
	}
}

static void
get_block(struct packed_in *in, uint64_t *v, size_t k)
{
	uint64_t least = (uint64_t)unzigzag(packed_varint_get(in));
	uint8_t head = packed_byte_get(in), tail[PACKED_BLOCK * 8 + 16];
	unsigned w = head & (HAS_ODD - 1);
	size_t bytes = (k * w + 7) / 8, left = (size_t)(in->end - in->p), i;

	if (w > 63 || bytes > left) {
		in->bad = true;
		w = 0;
		bytes = 0;
	}
	memset(v, 0, k * sizeof(*v));
	if (w > 0 && left - bytes >= 16) {
		get_bits(in->p, w, v, k);
	} else if (w > 0) {
		memcpy(tail, in->p, bytes);
		memset(tail + bytes, 0, 16);
		get_bits(tail, w, v, k);
	}
	in->p += bytes;
	if ((head & HAS_ODD) != 0 && !in->bad)
		get_odd(in, w, v, k);
	for (i = 0; i < k; i++)
		v[i] += least;
}

/* From what was coded back to the numbers. */
static void
integrate(struct packed_column *c, const uint64_t *v, size_t k, int64_t *x)
{
	uint64_t y = c->y, step = c->step;
	size_t i;

	switch (c->order) {
	case 0:
		for (i = 0; i < k; i++)
			x[i] = (int64_t)(c->start + v[i] * c->unit);
		break;
	case 1:
		for (i = 0; i < k; i++) {
			y += v[i];
			x[i] = (int64_t)(c->start + y * c->unit);
		}
		break;
	default:
		for (i = 0; i < k; i++) {
			step += v[i];
			y += step;
			x[i] = (int64_t)(c->start + y * c->unit);
		}
	}
	c->y = y;
	c->step = step;
}

size_t
packed_column_next(struct packed_column *c, int64_t *x)
{
	size_t k = c->left < PACKED_BLOCK ? c->left : PACKED_BLOCK, i;
	uint64_t v[PACKED_BLOCK];

	c->left -= k;
	if (c->unit == 0) {
		for (i = 0; i < k; i++)
			x[i] = (int64_t)c->start;
	} else if (c->order == ORDER_PLAIN) {
		for (i = 0; i < k; i++)
			x[i] = (int64_t)packed_word_get(c->in);
	} else {
		get_block(c->in, v, k);
		integrate(c, v, k, x);
	}
	return (k);
}
