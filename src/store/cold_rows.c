#include "core/instant.h"
#include "domain/order.h"
#include "domain/packed.h"
#include "store/cold_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { R_SERIES, R_NODE, R_METRIC, R_UNIT, R_DATA };

enum err
cold_rows_begin(struct cold_rows *r, struct warm *db,
    const struct cold_span *span, int64_t day_us, struct err_info *info)
{
	struct warm_args a = {0};
	enum err e;

	memset(r, 0, sizeof(*r));
	r->db = db;
	r->from_us = day_us;
	r->to_us = day_us + US_PER_DAY;
	warm_i32(&a, span->class);
	warm_time(&a, span->from_us);
	warm_time(&a, span->to_us);
	warm_time(&a, r->from_us);
	warm_time(&a, r->to_us);
	if ((e = warm_send(db, ST_archive_rows, &a, info)) != ERR_OK) {
		r->db = NULL;
		return (e);
	}
	return (warm_next(db, ST_archive_rows, &r->row, info));
}

void
cold_rows_end(struct cold_rows *r)
{
	struct err_info info = {0};

	/* Rows that nobody wants any more. */
	while (r->row != NULL) {
		PQclear(r->row);
		if (warm_next(r->db, ST_archive_rows, &r->row, &info) != ERR_OK)
			r->row = NULL;
	}
	free(r->readings);
	free(r->scratch);
	r->readings = r->scratch = NULL;
}

static enum err
room(struct cold_rows *r, size_t more, struct err_info *info)
{
	size_t size = r->size == 0 ? 8192 : r->size;
	void *p;

	while (size < r->n + more)
		size *= 2;
	if (size > COLD_DAY_MOST)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "%s/%s has more than %zu readings in a day", r->series.node,
		    r->series.metric, COLD_DAY_MOST));
	if (size == r->size)
		return (ERR_OK);
	p = reallocarray(r->readings, size, sizeof(*r->readings));
	if (p == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	r->readings = p;
	p = reallocarray(r->scratch, size, sizeof(*r->scratch));
	if (p == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	r->scratch = p;
	r->size = size;
	return (ERR_OK);
}

/* Adds the row's readings of the day. */
static enum err
add(struct cold_rows *r, struct err_info *info)
{
	const void *data = PQgetvalue(r->row, 0, R_DATA);
	size_t len = (size_t)PQgetlength(r->row, 0, R_DATA), i;
	size_t count = packed_count(data, len);
	const struct reading *in;
	enum err e;

	if (count == 0)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s/%s has a row of segments that cannot be read",
		    r->series.node, r->series.metric));
	if ((e = room(r, count, info)) != ERR_OK)
		return (e);
	in = r->readings + r->n;
	if (packed_decode(data, len, r->series.id, r->readings + r->n) !=
	    ERR_OK)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s/%s has a row of segments that cannot be read",
		    r->series.node, r->series.metric));
	for (i = 0; i < count; i++)
		if (in[i].t_us >= r->from_us && in[i].t_us < r->to_us)
			r->readings[r->n++] = in[i];
	return (ERR_OK);
}

static enum err
in_order(struct cold_rows *r, struct err_info *info)
{
	struct reading *sorted = order_readings(r->readings, r->scratch, r->n);
	size_t i;

	if (sorted != r->readings) {
		r->scratch = r->readings;
		r->readings = sorted;
	}
	for (i = 1; i < r->n; i++)
		if (sorted[i].t_us == sorted[i - 1].t_us)
			return (err_set(info, ERR_INVALID, NULL,
			    "%s/%s has two readings at one time in segments",
			    r->series.node, r->series.metric));
	return (ERR_OK);
}

static void
name(struct cold_rows *r)
{
	int i;

	for (i = 0; i < 3; i++)
		(void)snprintf(r->names[i], sizeof(r->names[i]), "%s",
		    warm_get_text(r->row, 0, R_NODE + i));
	r->series =
	    (struct avro_day_series){.id = warm_get_i32(r->row, 0, R_SERIES),
		.node = r->names[0],
		.metric = r->names[1],
		.unit = r->names[2]};
}

/* A row may span the day and hold nothing of it: such a series is passed. */
enum err
cold_rows_next(struct cold_rows *r, bool *ret_more, struct err_info *info)
{
	enum err e = ERR_OK;

	r->n = 0;
	while (e == ERR_OK && r->n == 0 && r->row != NULL) {
		name(r);
		while (e == ERR_OK && r->row != NULL &&
		    warm_get_i32(r->row, 0, R_SERIES) == r->series.id) {
			if ((e = add(r, info)) != ERR_OK)
				break;
			PQclear(r->row);
			r->row = NULL;
			e = warm_next(r->db, ST_archive_rows, &r->row, info);
		}
	}
	*ret_more = r->n > 0;
	return (e != ERR_OK ? e : in_order(r, info));
}
