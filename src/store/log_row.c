#include "store/log_row.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* 2000-01-01T00:00:00Z, where PostgreSQL's timestamps begin. */
#define PG_EPOCH_US INT64_C(946684800000000)

/* Type oids of pg_type.dat, and the arrays' binary form (array_send in
 * PostgreSQL's arrayfuncs.c): dimensions, has-nulls flag, element oid, size,
 * lower bound, then each element as length and bytes; all big-endian. */
#define ARRAY_HEADER 20u

#define WAITERS_FIRST 16u /* a row that is linked always has room for one */

static const struct {
	uint32_t oid, bytes;
} columns[LOG_ROW_COLUMNS] = {
    [LOG_ROW_SERIES] = {23, 4},	 /* int4 */
    [LOG_ROW_TS] = {1184, 8},	 /* timestamptz */
    [LOG_ROW_VALUE] = {701, 8},	 /* float8 */
    [LOG_ROW_QUALITY] = {21, 2}, /* int2 */
};

static void
put16(unsigned char *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static void
put32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void
put64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint64_t
get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (be64toh(v));
}

static uint64_t
double_bits(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return (bits);
}

static double
double_from_bits(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return (d);
}

static size_t
column_size(size_t c, size_t readings)
{
	return (ARRAY_HEADER + readings * (4 + columns[c].bytes));
}

static unsigned char *
place(const struct log_row *row, size_t c, size_t i)
{
	return (row->column[c] + column_size(c, i));
}

void
log_row_clear(struct log_row *row)
{
	row->next = NULL;
	row->n = row->nwaiters = 0;
	row->min_us = INT64_MAX;
	row->max_us = INT64_MIN;
	err_clear(&row->info);
}

struct log_row *
log_row_new(struct log_writer *w, size_t readings)
{
	struct log_row *row;
	size_t c, size = 0;

	for (c = 0; c < LOG_ROW_COLUMNS; c++)
		size += column_size(c, readings);
	row = malloc(sizeof(*row) + size);
	if (row == NULL)
		return (NULL);
	memset(row, 0, sizeof(*row));
	row->waiters = reallocarray(NULL, WAITERS_FIRST, sizeof(*row->waiters));
	if (row->waiters == NULL) {
		free(row);
		return (NULL);
	}
	row->size_waiters = WAITERS_FIRST;
	row->writer = w;
	for (c = 0, size = 0; c < LOG_ROW_COLUMNS; c++) {
		row->column[c] = row->bytes + size;
		size += column_size(c, readings);
	}
	log_row_clear(row);
	return (row);
}

void
log_row_free(struct log_row *row)
{
	free(row->waiters);
	free(row);
}

void
log_row_add(struct log_row *row, const struct reading *r)
{
	unsigned char *p = place(row, LOG_ROW_SERIES, row->n);

	put32(p, 4);
	put32(p + 4, (uint32_t)r->series);
	p = place(row, LOG_ROW_TS, row->n);
	put32(p, 8);
	put64(p + 4, (uint64_t)(r->t_us - PG_EPOCH_US));
	p = place(row, LOG_ROW_VALUE, row->n);
	put32(p, 8);
	put64(p + 4, double_bits(r->value));
	p = place(row, LOG_ROW_QUALITY, row->n);
	put32(p, 2);
	put16(p + 4, (uint16_t)r->quality);
	if (r->t_us < row->min_us)
		row->min_us = r->t_us;
	if (r->t_us > row->max_us)
		row->max_us = r->t_us;
	row->n++;
}

struct reading
log_row_get(const struct log_row *row, size_t i)
{
	struct reading r = {.received_us = row->received_us};
	uint32_t series;
	uint16_t quality;

	memcpy(&series, place(row, LOG_ROW_SERIES, i) + 4, 4);
	memcpy(&quality, place(row, LOG_ROW_QUALITY, i) + 4, 2);
	r.series = (int32_t)be32toh(series);
	r.quality = (int16_t)be16toh(quality);
	r.t_us = (int64_t)get64(place(row, LOG_ROW_TS, i) + 4) + PG_EPOCH_US;
	r.value = double_from_bits(get64(place(row, LOG_ROW_VALUE, i) + 4));
	return (r);
}

bool
log_row_wait(struct log_row *row, append_cb *cb, void *arg)
{
	size_t size = row->size_waiters * 2;
	struct log_waiter *grown;

	if (row->nwaiters == row->size_waiters) {
		grown = reallocarray(row->waiters, size, sizeof(*grown));
		if (grown == NULL)
			return (false);
		row->waiters = grown;
		row->size_waiters = size;
	}
	row->waiters[row->nwaiters++] = (struct log_waiter){cb, arg};
	return (true);
}

static void
array_header(unsigned char *p, uint32_t oid, size_t n)
{
	put32(p, 1);
	put32(p + 4, 0);
	put32(p + 8, oid);
	put32(p + 12, (uint32_t)n);
	put32(p + 16, 1);
}

void
log_row_params(struct log_row *row, struct param ret[static LOG_ROW_PARAMS])
{
	size_t c;

	put64(row->times[0], (uint64_t)(row->received_us - PG_EPOCH_US));
	put64(row->times[1], (uint64_t)(row->min_us - PG_EPOCH_US));
	put64(row->times[2], (uint64_t)(row->max_us - PG_EPOCH_US));
	for (c = 0; c < LOG_ROW_TIMES; c++)
		*ret++ = (struct param){(const char *)row->times[c], 8, true};
	for (c = 0; c < LOG_ROW_COLUMNS; c++) {
		array_header(row->column[c], columns[c].oid, row->n);
		*ret++ = (struct param){(const char *)row->column[c],
		    (int)column_size(c, row->n), true};
	}
}
