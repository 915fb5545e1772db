/*
 * wire: PostgreSQL's binary forms of the few types that handlers send and
 * read as they are: int4, int8, float8, timestamptz and arrays of them
 * (src/backend/utils/adt/arrayfuncs.c array_recv; network byte order).
 *
 * Runs on: C. Frees: the arena. Units: timestamptz is µs since 2000-01-01,
 * here always µs since 1970. Errors: a param without data: no memory.
 */
#ifndef PENSTOCK_API_WIRE_H
#define PENSTOCK_API_WIRE_H

#include "core/arena.h"
#include "core/query.h"

#include <stddef.h>
#include <stdint.h>

struct param wire_int4s(struct arena *, const int32_t *, size_t n);
struct param wire_instants(struct arena *, const int64_t *, size_t n);

/* A value of a binary result; a wrong length or NULL gives `ret` untouched
 * and false. Integers may be of 2, 4 or 8 bytes. */
bool wire_integer(const struct rows *, int row, int column, int64_t *ret);
bool wire_double(const struct rows *, int row, int column, double *ret);
bool wire_instant(const struct rows *, int row, int column, int64_t *ret_us);

#endif
