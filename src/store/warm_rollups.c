/*
 * Roll-ups are stored as fresh rows, which add up: with a day that is over
 * its 5 minutes are packed, with a month its hours, with a year its days, and
 * before that hours and days that have gathered.
 */
#include "store/warm_rollups.h"

#include "core/instant.h"
#include "domain/packed_rollup.h"

#include <stdlib.h>
#include <string.h>

/* Of a month or year that goes on, fewer rows of a series stay fresh. */
#define GATHERED 48
/* Of a row: its column count, four lengths and three fixed columns. */
#define ROW_HEAD 40

static const char copy_packed[] =
    "COPY rollups_packed (series, width_s, t0, data) FROM STDIN "
    "(FORMAT binary)";

void
warm_pack_init(struct warm_pack *k, struct warm *w)
{
	*k = (struct warm_pack){0};
	warm_copy_init(&k->copy, w, &w->wires[WARM_ARGS - 1]);
}

void
warm_pack_done(struct warm_pack *k)
{
	free(k->u);
}

static struct rollup *
room(struct warm_pack *k, size_t n)
{
	size_t size = k->size < 1024 ? 1024 : k->size;
	struct rollup *p;

	while (size < k->n + n)
		size *= 2;
	if (size > k->size) {
		if ((p = realloc(k->u, size * sizeof(*p))) == NULL)
			return (NULL);
		k->u = p;
		k->size = size;
	}
	k->n += n;
	return (k->u + k->n - n);
}

enum err
warm_pack_add(struct warm_pack *k, const struct rollup *u, size_t n,
    struct err_info *info)
{
	struct rollup *to = room(k, n);

	if (to == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "roll-ups"));
	memcpy(to, u, n * sizeof(*u));
	return (ERR_OK);
}

enum err
warm_pack_data(struct warm_pack *k, int32_t series, int32_t width_s,
    const char *data, size_t len, struct err_info *info)
{
	struct rollup *to = room(k, packed_rollup_count(data, len));

	if (to == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "roll-ups"));
	if (packed_rollup_decode(data, len, series, width_s, to) != ERR_OK)
		return (err_set(info, ERR_DATABASE, NULL,
		    "packed roll-ups of series %d, %d s, are malformed",
		    (int)series, (int)width_s));
	return (ERR_OK);
}

static void
put(struct warm_pack *k, const struct rollup *u, size_t n)
{
	struct wire *b = k->copy.wire;
	size_t at, len;

	if (!wire_room(b, ROW_HEAD + packed_rollup_bound(n)))
		return;
	wire_i16(b, 4);
	wire_put_i32(b, u->series);
	wire_put_i32(b, u->width_s);
	wire_put_time(b, packed_rollup_span(u->width_s, u->bucket_us, 0));
	at = b->len;
	len = packed_rollup_encode(u, n, b->p + at + 4);
	wire_i32(b, (int32_t)len);
	b->len += len;
	k->copy.rows++;
}

enum err
warm_pack_span(struct warm_pack *k, struct err_info *info)
{
	size_t n = rollup_join(k->u, k->n);

	k->n = 0;
	if (n > PACKED_ROLLUP_MAX)
		return (err_set(info, ERR_DATABASE, NULL,
		    "series %d has %zu roll-ups of %d s in one span",
		    (int)k->u->series, n, (int)k->u->width_s));
	if (n > 0)
		put(k, k->u, n);
	return (ERR_OK);
}

enum err
warm_pack_end(struct warm_pack *k, struct err_info *info)
{
	return (warm_copy_end(&k->copy, copy_packed, info));
}

struct rollup
warm_get_rollup(const PGresult *r, int row, int at)
{
	return ((struct rollup){.bucket_us = warm_get_time(r, row, at),
	    .count = warm_get_i64(r, row, at + 1),
	    .good = warm_get_i64(r, row, at + 2),
	    .sum = warm_get_f64(r, row, at + 3),
	    .min = warm_get_f64(r, row, at + 4),
	    .max = warm_get_f64(r, row, at + 5),
	    .sumsq = warm_get_f64(r, row, at + 6),
	    .first_us = warm_get_time(r, row, at + 7),
	    .first = warm_get_f64(r, row, at + 8),
	    .last_us = warm_get_time(r, row, at + 9),
	    .last = warm_get_f64(r, row, at + 10)});
}

static enum err
take_row(struct warm_pack *k, const PGresult *r, struct err_info *info)
{
	int32_t series = warm_get_i32(r, 0, 0), width_s = warm_get_i32(r, 0, 1);
	struct rollup u;
	enum err e = ERR_OK;

	if (k->n > 0 && (k->u->series != series || k->u->width_s != width_s))
		e = warm_pack_span(k, info);
	if (e != ERR_OK)
		return (e);
	if (!PQgetisnull(r, 0, 2))
		return (warm_pack_data(k, series, width_s, PQgetvalue(r, 0, 2),
		    (size_t)PQgetlength(r, 0, 2), info));
	u = warm_get_rollup(r, 0, 3);
	u.series = series;
	u.width_s = width_s;
	return (warm_pack_add(k, &u, 1, info));
}

/* A day's 5 minutes and the month's hours so far; a month's hours and the
 * year's days so far. */
static enum err
send(struct warm *w, const struct warm_rollups_step *s, struct err_info *info)
{
	const uint32_t oids[] = {
	    OID_INT4, OID_TIMESTAMPTZ, OID_TIMESTAMPTZ, OID_INT8};
	const int32_t *widths = &rollup_widths_s[s->monthly ? 1 : 0];
	struct warm_args a = {0};
	int64_t from, least;
	size_t i;

	warm_i32(&a, s->series);
	warm_i64(&a, s->most);
	for (i = 0; i < 4; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], oids[i], 2);
	}
	for (i = 0; i < 2; i++) {
		from = packed_rollup_span(widths[i], s->from_us, 0);
		least = packed_rollup_span(widths[i], from, 1) <= s->now_us
		    ? 1
		    : GATHERED;
		wire_put_i32(&w->wires[0], widths[i]);
		wire_put_time(&w->wires[1], from);
		wire_put_time(&w->wires[2], s->to_us);
		wire_put_i64(&w->wires[3], least);
	}
	for (i = 0; i < 4; i++) {
		if (!wire_ok(&w->wires[i]))
			return (err_set(info, ERR_NO_MEMORY, NULL, "spans"));
		warm_wired(&a, &w->wires[i]);
	}
	return (warm_send(w, ST_cycle_rollups_take, &a, info));
}

static enum err
take(struct warm *w, const struct warm_rollups_step *s, struct warm_pack *k,
    int64_t *rows, struct err_info *info)
{
	enum err mine = ERR_OK, e = send(w, s, info);

	while (e == ERR_OK) {
		AUTO_RESULT r = NULL;

		e = warm_next(w, ST_cycle_rollups_take, &r, info);
		if (e != ERR_OK || r == NULL)
			break;
		if (mine == ERR_OK)
			mine = take_row(k, r, info);
		++*rows;
	}
	return (e == ERR_OK ? mine : e);
}

static enum err
close_open(
    struct warm *w, const struct warm_rollups_step *s, struct err_info *info)
{
	struct warm_args a = {0};

	if (s->monthly)
		return (ERR_OK);
	warm_i32(&a, s->series);
	warm_i64(&a, s->most);
	warm_time(&a, s->to_us);
	return (warm_run(w, ST_cycle_open_close, &a, NULL, info));
}

enum err
warm_rollups_tidy(struct warm *w, const struct warm_rollups_step *s,
    int64_t *rows, struct err_info *info)
{
	struct warm_pack k;
	enum err e;

	warm_pack_init(&k, w);
	e = close_open(w, s, info);
	if (e == ERR_OK)
		e = take(w, s, &k, rows, info);
	if (e == ERR_OK)
		e = warm_pack_span(&k, info);
	if (e == ERR_OK)
		e = warm_pack_end(&k, info);
	warm_pack_done(&k);
	return (e);
}
