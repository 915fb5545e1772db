/*
 * packed_column: whole numbers as bytes, for domain/packed.c alone.
 *
 * Runs on: C. Pure. Frees: nothing. Errors: reading marks its input bad and
 * never goes out of bounds; what comes out then is of no use.
 *
 * A column of n numbers x[0] … x[n-1]:
 *   varint zigzag(x[0]); nothing more if n = 1
 *   varint unit: what all x[i] - x[0] are multiples of; 0: all are x[0]
 *   order, 1 byte. With y[i] = (x[i] - x[0]) / unit and y[-1] = y[0] = 0 the
 *     numbers coded are, for i = 1 … n-1,
 *     0: y[i]   1: y[i] - y[i-1]   2: y[i] - 2 y[i-1] + y[i-2]
 *     3: x[i] itself, 8 bytes each, most significant first; no blocks
 *   blocks of 64 coded numbers, the last one shorter, each:
 *     varint zigzag(least); byte: width w 0 … 63, + 128 if exceptions follow;
 *     ceil(k w / 8) bytes: the low w bits of each number less the least, most
 *     significant bit first; of exceptions, whose rest does not fit: their
 *     count (byte), then for each its place (byte) and varint rest.
 * A varint is 7 bits a byte, least significant first, 128 set but in the last.
 */
#ifndef PENSTOCK_DOMAIN_PACKED_COLUMN_H
#define PENSTOCK_DOMAIN_PACKED_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKED_BLOCK 64
/* Bytes of a column of n numbers at most. */
#define PACKED_COLUMN_BOUND(n) (32 + 8 * (n) + 13 * ((n) / PACKED_BLOCK + 1))

struct packed_in {
	const uint8_t *p, *end;
	bool bad;
};

/* Reads a column block by block. */
struct packed_column {
	struct packed_in *in;
	size_t left; /* numbers not read yet */
	uint64_t unit, start, y, step;
	int order;
};

uint8_t *packed_varint_put(uint8_t *, uint64_t);
uint64_t packed_varint_get(struct packed_in *);
uint8_t packed_byte_get(struct packed_in *);
uint8_t *packed_word_put(uint8_t *, uint64_t);
uint64_t packed_word_get(struct packed_in *);

/* Writes a column; x is scratch afterwards. n > 0. Returns the end. */
uint8_t *packed_column_put(uint8_t *, int64_t *x, size_t n);
/* n > 0; the first number is in ret->start. */
void
packed_column_open(struct packed_column *ret, struct packed_in *, size_t n);
/* The next numbers: min(left, PACKED_BLOCK) of them; returns how many. */
size_t packed_column_next(struct packed_column *, int64_t *x);

#endif
