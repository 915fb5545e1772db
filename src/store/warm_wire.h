/*
 * warm_wire: PostgreSQL's binary wire form of rows and arrays, as the loop
 * reads and writes them (src/include/utils/array.h; COPY's tuple format in
 * the manual's page of COPY).
 *
 * Runs on: C. Frees: wire_done(). Units: instants are µs since 1970 here, µs
 * since 2000 on the wire. Errors: sticky; wire_ok() is false once memory was
 * out or an array was not of the promised length.
 */
#ifndef PENSTOCK_STORE_WARM_WIRE_H
#define PENSTOCK_STORE_WARM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OID_INT8	20
#define OID_INT2	21
#define OID_INT4	23
#define OID_BYTEA	17
#define OID_FLOAT8	701
#define OID_TIMESTAMPTZ 1184

struct wire {
	char *p;
	size_t len, size;
	bool failed;
};

void wire_reset(struct wire *);
void wire_done(struct wire *);
bool wire_ok(const struct wire *);
/* Makes room, so that what is put next cannot fail. */
bool wire_room(struct wire *, size_t);
void wire_i16(struct wire *, int16_t);
void wire_i32(struct wire *, int32_t);
void wire_i64(struct wire *, int64_t);
void wire_bytes(struct wire *, const void *, size_t);
/* A one-dimensional array without NULL, to be followed by `n` elements. */
void wire_array(struct wire *, uint32_t oid, size_t n);
/* Elements, each with its length before it. */
void wire_put_i16(struct wire *, int16_t);
void wire_put_i32(struct wire *, int32_t);
void wire_put_i64(struct wire *, int64_t);
void wire_put_f64(struct wire *, double);
/* INSTANT_NONE is not an instant: never pass it. */
void wire_put_time(struct wire *, int64_t t_us);

struct wire_column {
	uint32_t oid, width; /* 2, 4 or 8 bytes */
};
/* A row for COPY, or an element of an array of a composite type: each column's
 * bits in v. */
void wire_copy_row(
    struct wire *, const struct wire_column *, const int64_t *v, size_t n);
void wire_put_composite(
    struct wire *, const struct wire_column *, const int64_t *v, size_t n);
int64_t wire_f64_bits(double);

int16_t wire_get_i16(const char *);
int32_t wire_get_i32(const char *);
int64_t wire_get_i64(const char *);
double wire_get_f64(const char *);
/* False for infinity and years beyond 1 to 9999. */
bool wire_get_time(const char *, int64_t *ret_us);
int64_t wire_time_to_pg(int64_t t_us);

/* A received array of fixed-width elements, without copying it. */
struct wire_view {
	const char *p; /* the first element's length word */
	size_t n, stride;
};

/* False unless it is empty or one-dimensional, without NULL, of that type. */
bool wire_view(struct wire_view *ret, const char *data, size_t len,
    uint32_t oid, size_t width);

static inline const char *
wire_at(const struct wire_view *v, size_t i)
{
	return (v->p + i * v->stride + 4);
}

#endif
