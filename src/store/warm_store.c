/*
 * Writes one merge: packed segments by COPY, roll-ups and latest values by chunks
 * of arrays, and takes away exactly the log rows it came from.
 */
#include "core/instant.h"
#include "domain/reading.h"
#include "store/warm_segments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements per INSERT, so that no statement runs long. */
#define CHUNK 10000

static enum err
need_classes(struct warm *w, const struct merge *m, struct err_info *info)
{
	struct wire *ids = &w->wires[1];
	size_t i, n = 0;
	int32_t *p;

	wire_reset(ids);
	if (!wire_room(ids, m->nsegments * sizeof(*p)))
		return (err_set(info, ERR_NO_MEMORY, NULL, "series"));
	p = (void *)ids->p;
	for (i = 0; i < m->nsegments; i++)
		if (i == 0 ||
		    m->segments[i - 1].series != m->segments[i].series)
			p[n++] = m->segments[i].series;
	return (warm_classes_need(w, p, n, info));
}

static bool
day_marked(struct warm *w, int64_t day_us)
{
	size_t i;

	for (i = 0; i < w->ndays; i++)
		if (w->days[i] == day_us)
			return (true);
	if (w->ndays == WARM_DAYS)
		w->ndays = 0;
	w->days[w->ndays++] = day_us;
	return (false);
}

/* Partitions for all, and the days marked for the nightly joining. */
static enum err
ensure(struct warm *w, const struct merge *m, struct err_info *info)
{
	struct wire *days = &w->wires[0], *count = &w->wires[1];
	struct warm_args a = {0};
	const struct segment *s;
	size_t i, n = 0;
	int64_t t;
	enum err e;

	wire_reset(days);
	for (i = 0; i < m->nsegments; i++) {
		s = &m->segments[i];
		t = s->readings[0].t_us;
		e = warm_segments_want(w, warm_class(w, s->series), t, info);
		if (e != ERR_OK)
			return (e);
		if (day_marked(w, instant_floor(t, US_PER_DAY)))
			continue;
		wire_put_time(days, t);
		n++;
	}
	e = warm_segments_make(w, info);
	if (e != ERR_OK || n == 0)
		return (e);
	wire_reset(count);
	wire_array(count, OID_TIMESTAMPTZ, n);
	wire_bytes(count, days->p, days->len);
	if (!wire_ok(count) || !wire_ok(days))
		return (err_set(info, ERR_NO_MEMORY, NULL, "days"));
	warm_wired(&a, count);
	return (warm_run(w, ST_cycle_segments_touched, &a, NULL, info));
}

static enum err
copy(struct warm *w, const struct merge *m, struct err_info *info)
{
	const struct segment *s;
	struct warm_copy c;
	size_t i;

	warm_copy_init(&c, w, &w->wires[0]);
	for (i = 0; i < m->nsegments; i++) {
		s = &m->segments[i];
		warm_copy_put(&c, warm_class(w, s->series), s->readings, s->n);
	}
	return (warm_copy_end(&c, warm_copy_segments, info));
}

/* Columns of the tables rollups_fresh and series_latest, in their order. */
static const struct wire_column rollup_columns[] = {{OID_INT4, 4},
    {OID_INT4, 4}, {OID_TIMESTAMPTZ, 8}, {OID_INT8, 8}, {OID_INT8, 8},
    {OID_FLOAT8, 8}, {OID_FLOAT8, 8}, {OID_FLOAT8, 8}, {OID_FLOAT8, 8},
    {OID_TIMESTAMPTZ, 8}, {OID_FLOAT8, 8}, {OID_TIMESTAMPTZ, 8},
    {OID_FLOAT8, 8}};
static const struct wire_column latest_columns[] = {{OID_INT4, 4},
    {OID_TIMESTAMPTZ, 8}, {OID_FLOAT8, 8}, {OID_INT2, 2}, {OID_TIMESTAMPTZ, 8}};
#define ROLLUP_COLUMNS 13
#define LATEST_COLUMNS 5
#define OPEN_COLUMNS   12

static void
rollup_row(const struct rollup *r, int64_t v[ROLLUP_COLUMNS])
{
	v[0] = r->series;
	v[1] = r->width_s;
	v[2] = wire_time_to_pg(r->bucket_us);
	v[3] = r->count;
	v[4] = r->good;
	v[5] = wire_f64_bits(r->sum);
	v[6] = wire_f64_bits(r->min);
	v[7] = wire_f64_bits(r->max);
	v[8] = wire_f64_bits(r->sumsq);
	v[9] = wire_time_to_pg(r->first_us);
	v[10] = wire_f64_bits(r->first);
	v[11] = wire_time_to_pg(r->last_us);
	v[12] = wire_f64_bits(r->last);
}

static bool
is_fresh(const struct merge *m, size_t i)
{
	return (m->fresh != NULL && m->fresh[i]);
}

/* Rows whose bucket is surely new, without looking for it first. */
static enum err
copy_rollups(struct warm *w, const struct merge *m, struct err_info *info)
{
	int64_t v[ROLLUP_COLUMNS];
	struct warm_copy c;
	size_t i;

	warm_copy_init(&c, w, &w->wires[0]);
	for (i = 0; i < m->nrollups; i++) {
		if (!is_fresh(m, i))
			continue;
		rollup_row(&m->rollups[i], v);
		wire_copy_row(c.wire, rollup_columns, v, ROLLUP_COLUMNS);
		c.rows++;
	}
	return (warm_copy_end(
	    &c, "COPY rollups_fresh FROM STDIN (FORMAT binary)", info));
}

/* ret_n: how many it changed; may be NULL. */
static enum err
run_rows(struct warm *w, enum statement s, size_t *ret_n, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	if (!wire_ok(&w->wires[0]))
		return (err_set(
		    info, ERR_NO_MEMORY, NULL, "%s", statement_name(s)));
	warm_wired(&a, &w->wires[0]);
	e = warm_run(w, s, &a, &r, info);
	if (e == ERR_OK && ret_n != NULL)
		*ret_n = strtoul(PQcmdTuples(r), NULL, 10);
	return (e);
}

/* From *at on; *at moves to where the next chunk begins. */
static enum err
add_rollups(struct warm *w, const struct merge *m, size_t *at, bool all,
    struct err_info *info)
{
	int64_t v[ROLLUP_COLUMNS];
	size_t i, n = 0, end;

	for (end = *at; end < m->nrollups && n < CHUNK; end++)
		n += all || !is_fresh(m, end);
	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], w->rollups_oid, n);
	for (i = *at; i < end; i++) {
		if (!all && is_fresh(m, i))
			continue;
		rollup_row(&m->rollups[i], v);
		wire_put_composite(
		    &w->wires[0], rollup_columns, v, ROLLUP_COLUMNS);
	}
	*at = end;
	return (
	    n == 0 ? ERR_OK : run_rows(w, ST_cycle_rollups_add, NULL, info));
}

/*
 * If a row was there against all expectation, the merge fails, and the next
 * one looks for each row.
 */
static enum err
store_rollups(struct warm *w, const struct merge *m, struct err_info *info)
{
	bool all = w->careful;
	enum err e = all ? ERR_OK : copy_rollups(w, m, info);
	size_t at;

	w->careful = e == ERR_CONFLICT;
	for (at = 0; e == ERR_OK && at < m->nrollups;)
		e = add_rollups(w, m, &at, all, info);
	return (e);
}

/*
 * A row is that of rollups_fresh without its width. Those whose 5 minutes were
 * not the open ones yet, or are no more, take a second statement.
 */
static enum err
put_open(
    struct warm *w, const struct rollup *u, size_t n, struct err_info *info)
{
	struct wire_column columns[OPEN_COLUMNS];
	int64_t v[ROLLUP_COLUMNS];
	size_t i, added = 0;
	enum err e;

	columns[0] = rollup_columns[0];
	memcpy(&columns[1], &rollup_columns[2],
	    (OPEN_COLUMNS - 1) * sizeof(columns[0]));
	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], w->open_oid, n);
	for (i = 0; i < n; i++) {
		rollup_row(&u[i], v);
		v[1] = v[0];
		wire_put_composite(&w->wires[0], columns, &v[1], OPEN_COLUMNS);
	}
	e = run_rows(w, ST_cycle_open_add, &added, info);
	if (e == ERR_OK && added < n)
		e = run_rows(w, ST_cycle_open_turn, NULL, info);
	return (e);
}

static enum err
put_latest(
    struct warm *w, const struct reading *r, size_t n, struct err_info *info)
{
	int64_t v[LATEST_COLUMNS];
	size_t i, moved = 0;
	enum err e;

	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], w->latest_oid, n);
	for (i = 0; i < n; i++) {
		v[0] = r[i].series;
		v[1] = wire_time_to_pg(r[i].t_us);
		v[2] = wire_f64_bits(r[i].value);
		v[3] = r[i].quality;
		v[4] = wire_time_to_pg(r[i].received_us);
		wire_put_composite(
		    &w->wires[0], latest_columns, v, LATEST_COLUMNS);
	}
	e = run_rows(w, ST_cycle_latest_move, &moved, info);
	if (e == ERR_OK && moved < n)
		e = run_rows(w, ST_cycle_latest_put, NULL, info);
	return (e);
}

/* If another took one of the rows, this merge must not be. */
static enum err
remove_taken(struct warm *w, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct wire *b = &w->wires[0];
	char expected[24];
	size_t i;
	enum err e;

	if (w->ntaken == 0)
		return (ERR_OK);
	wire_reset(b);
	wire_array(b, OID_INT8, w->ntaken);
	for (i = 0; i < w->ntaken; i++)
		wire_put_i64(b, w->taken[i]);
	if (!wire_ok(b))
		return (err_set(info, ERR_NO_MEMORY, NULL, "log ids"));
	warm_wired(&a, b);
	e = warm_run(w, ST_cycle_log_remove, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	(void)snprintf(expected, sizeof(expected), "%zu", w->ntaken);
	if (strcmp(PQcmdTuples(r), expected) != 0)
		return (err_set(info, ERR_CONFLICT, NULL,
		    "%s of %s log rows were still there", PQcmdTuples(r),
		    expected));
	w->ntaken = 0;
	return (ERR_OK);
}

static size_t
chunk(size_t left)
{
	return (left < CHUNK ? left : CHUNK);
}

enum err
warm_store(void *self, const struct merge *m, struct err_info *info)
{
	struct warm *w = self;
	size_t i, n;
	enum err e = need_classes(w, m, info);

	if (e == ERR_OK)
		e = warm_segments_lock(w, info);
	if (e == ERR_OK)
		e = ensure(w, m, info);
	if (e == ERR_OK)
		e = copy(w, m, info);
	if (e == ERR_OK)
		e = store_rollups(w, m, info);
	for (i = 0; e == ERR_OK && i < m->nopen; i += n) {
		n = chunk(m->nopen - i);
		e = put_open(w, m->open + i, n, info);
	}
	for (i = 0; e == ERR_OK && i < m->nlatest; i += n) {
		n = chunk(m->nlatest - i);
		e = put_latest(w, m->latest + i, n, info);
	}
	return (e == ERR_OK ? remove_taken(w, info) : e);
}
