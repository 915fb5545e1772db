#include "store/range.h"

#include "core/instant.h"
#include "domain/order.h"
#include "domain/packed.h"
#include "store/warm_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_UNTIL, KIND_SEGMENT, KIND_LOGGED };
enum column {
	COLUMN_KIND,
	COLUMN_UNTIL,
	COLUMN_DATA,
	COLUMN_TS,
	COLUMN_VALUE,
	COLUMN_QUALITY,
	COLUMN_RECEIVED
};

struct chunk {
	struct range range;
	range_cb *cb;
	void *arg;
	/* What the rows held, and as much scratch. */
	struct reading *readings, *scratch;
	size_t n, size;
	int64_t until_us;
};

/* NULL for SQL NULL and for what has another width. */
static const char *
cell(const struct rows *rows, int row, enum column c, int width)
{
	int len;
	const char *p = rows->get(rows, row, (int)c, &len);

	return (p != NULL && len == width ? p : NULL);
}

static bool
get_time(const struct rows *rows, int row, enum column c, int64_t *ret_us)
{
	const char *p = cell(rows, row, c, 8);

	return (p != NULL && wire_get_time(p, ret_us));
}

static int
kind_of(const struct rows *rows, int row)
{
	const char *p = cell(rows, row, COLUMN_KIND, 2);

	return (p != NULL ? wire_get_i16(p) : -1);
}

static enum err
broken(const struct chunk *k, struct err_info *info)
{
	return (err_set(info, ERR_INTERNAL, NULL,
	    "stored readings of series %d cannot be read",
	    (int)k->range.series));
}

static enum err
make_room(struct chunk *k, const struct rows *rows, struct err_info *info)
{
	size_t n = 0;
	int row, len;

	for (row = 0; row < rows->n; row++) {
		const char *p = rows->get(rows, row, COLUMN_DATA, &len);

		n += p != NULL ? packed_count(p, (size_t)len) : 1;
	}
	if (n > RANGE_MOST)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "%zu readings of series %d lie across one another", n,
		    (int)k->range.series));
	if ((k->readings = malloc((n + 1) * sizeof(*k->readings))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "readings"));
	k->size = n;
	return (ERR_OK);
}

static enum err
take_segment(struct chunk *k, const struct rows *rows, int row)
{
	int len;
	const char *p = rows->get(rows, row, COLUMN_DATA, &len);
	size_t n = p != NULL ? packed_count(p, (size_t)len) : 0;

	if (n == 0 || n > k->size - k->n ||
	    packed_decode(
		p, (size_t)len, k->range.series, &k->readings[k->n]) != ERR_OK)
		return (ERR_INTERNAL);
	k->n += n;
	return (ERR_OK);
}

static enum err
take_logged(struct chunk *k, const struct rows *rows, int row)
{
	const char *value = cell(rows, row, COLUMN_VALUE, 8);
	const char *quality = cell(rows, row, COLUMN_QUALITY, 2);
	struct reading *r = &k->readings[k->n];

	if (k->n == k->size || value == NULL || quality == NULL ||
	    !get_time(rows, row, COLUMN_TS, &r->t_us) ||
	    !get_time(rows, row, COLUMN_RECEIVED, &r->received_us))
		return (ERR_INTERNAL);
	r->series = k->range.series;
	r->value = wire_get_f64(value);
	r->quality = wire_get_i16(quality);
	k->n++;
	return (ERR_OK);
}

static enum err
take_rows(struct chunk *k, const struct rows *rows, struct err_info *info)
{
	size_t logged = 0;
	enum err e = make_room(k, rows, info);

	if (e != ERR_OK)
		return (e);
	if (rows->n == 0 || kind_of(rows, 0) != KIND_UNTIL)
		return (broken(k, info));
	/* This worker has not heard of it yet. */
	if (!get_time(rows, 0, COLUMN_UNTIL, &k->until_us))
		return (err_set(info, ERR_ARCHIVE, NULL,
		    "a part of the span was archived meanwhile; try again"));
	for (int row = 1; row < rows->n; row++) {
		if (kind_of(rows, row) == KIND_SEGMENT)
			e = take_segment(k, rows, row);
		else {
			e = take_logged(k, rows, row);
			logged++;
		}
		if (e != ERR_OK)
			return (broken(k, info));
	}
	/* The log's own bound: one more than asked for tells of others. */
	if (logged > k->range.max && k->readings[k->n - 1].t_us < k->until_us)
		k->until_us = k->readings[k->n - 1].t_us;
	return (ERR_OK);
}

static bool
in_order(const struct chunk *k)
{
	for (size_t i = 1; i < k->n; i++)
		if (k->readings[i - 1].t_us >= k->readings[i].t_us)
			return (false);
	return (true);
}

/* Merged ones stand before logged ones, so of two at one time the first of a
 * stable order is the one that counts. */
static enum err
put_in_order(struct chunk *k, struct err_info *info)
{
	struct reading *r;
	size_t to = 0;

	if (in_order(k))
		return (ERR_OK);
	if ((k->scratch = malloc(k->n * sizeof(*k->scratch))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "readings"));
	r = order_readings(k->readings, k->scratch, k->n);
	if (r != k->readings) {
		k->scratch = k->readings;
		k->readings = r;
	}
	for (size_t i = 0; i < k->n; i++)
		if (to == 0 || r[to - 1].t_us != r[i].t_us)
			r[to++] = r[i];
	k->n = to;
	return (ERR_OK);
}

/* The first at or after t. */
static size_t
lower_bound(const struct chunk *k, int64_t t_us)
{
	size_t lo = 0, hi = k->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (k->readings[mid].t_us < t_us)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

static void
on_rows(void *arg, const struct rows *rows, const struct err_info *said)
{
	struct chunk *k = arg;
	struct err_info info = *said;
	struct range_part part = {0};
	size_t first;

	if (info.code == ERR_OK && take_rows(k, rows, &info) == ERR_OK &&
	    put_in_order(k, &info) == ERR_OK) {
		first = lower_bound(k, k->range.from_us);
		part = (struct range_part){&k->readings[first],
		    lower_bound(k, k->until_us) - first, k->until_us};
	}
	k->cb(k->arg, &part, &info);
	free(k->readings);
	free(k->scratch);
	free(k);
}

static enum err
ask(const struct query_port *port, struct chunk *k, const char *tag,
    struct err_info *info)
{
	char series[12], max[12], from[INSTANT_TEXT], to[INSTANT_TEXT];
	const struct param params[] = {
	    {series, -1, false},
	    {from, -1, false},
	    {to, -1, false},
	    {max, -1, false},
	};

	(void)snprintf(series, sizeof(series), "%d", (int)k->range.series);
	(void)snprintf(max, sizeof(max), "%zu", k->range.max);
	(void)instant_format(k->range.from_us, from);
	(void)instant_format(k->range.to_us, to);
	return (port->run(port->self,
	    &(struct query){.statement = ST_range_chunk,
		.lane = LANE_SLOW,
		.params = params,
		.nparams = 4,
		.binary_result = true,
		.tag = tag},
	    on_rows, k, info));
}

static enum err
read_chunk(void *self, const struct range *range, range_cb *cb, void *arg,
    struct err_info *info)
{
	struct chunk *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "range"));
	*k = (struct chunk){.range = *range, .cb = cb, .arg = arg};
	if (k->range.max == 0 || k->range.max > RANGE_MOST / 2)
		k->range.max = RANGE_MOST / 2;
	if ((e = ask(self, k, range->tag, info)) != ERR_OK)
		free(k);
	return (e);
}

struct range_port
range_warm(struct query_port *port)
{
	return ((struct range_port){.self = port, .read = read_chunk});
}
