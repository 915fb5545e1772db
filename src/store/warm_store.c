/*
 * Writes one merge: packed segments by COPY, roll-ups and latest values by chunks
 * of arrays, and takes away exactly the log rows it came from.
 */
#include "core/instant.h"
#include "domain/reading.h"
#include "store/warm_segments.h"

#include <stdio.h>
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
		e = warm_segments_ensure(w, warm_class(w, s->series), t, info);
		if (e != ERR_OK)
			return (e);
		if (day_marked(w, instant_floor(t, US_PER_DAY)))
			continue;
		wire_put_time(days, t);
		n++;
	}
	if (n == 0)
		return (ERR_OK);
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
	return (warm_copy_end(&c, info));
}

static enum err
run_wires(struct warm *w, enum statement s, size_t n, struct err_info *info)
{
	struct warm_args a = {0};
	size_t i;

	for (i = 0; i < n; i++) {
		if (!wire_ok(&w->wires[i]))
			return (err_set(info, ERR_NO_MEMORY, NULL, "%s",
			    statement_name(s)));
		warm_wired(&a, &w->wires[i]);
	}
	return (warm_run(w, s, &a, NULL, info));
}

static void
open_wires(struct warm *w, const uint32_t *oids, size_t columns, size_t n)
{
	size_t i;

	for (i = 0; i < columns; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], oids[i], n);
	}
}

static enum err
add_rollups(
    struct warm *w, const struct rollup *r, size_t n, struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_INT4, OID_TIMESTAMPTZ,
	    OID_INT8, OID_INT8, OID_FLOAT8, OID_FLOAT8, OID_FLOAT8, OID_FLOAT8,
	    OID_TIMESTAMPTZ, OID_FLOAT8, OID_TIMESTAMPTZ, OID_FLOAT8};
	struct wire *c = w->wires;
	size_t i;

	open_wires(w, oids, 13, n);
	for (i = 0; i < n; i++) {
		wire_put_i32(&c[0], r[i].series);
		wire_put_i32(&c[1], r[i].width_s);
		wire_put_time(&c[2], r[i].bucket_us);
		wire_put_i64(&c[3], r[i].count);
		wire_put_i64(&c[4], r[i].good);
		wire_put_f64(&c[5], r[i].sum);
		wire_put_f64(&c[6], r[i].min);
		wire_put_f64(&c[7], r[i].max);
		wire_put_f64(&c[8], r[i].sumsq);
		wire_put_time(&c[9], r[i].first_us);
		wire_put_f64(&c[10], r[i].first);
		wire_put_time(&c[11], r[i].last_us);
		wire_put_f64(&c[12], r[i].last);
	}
	return (run_wires(w, ST_cycle_rollups_add, 13, info));
}

static enum err
put_latest(
    struct warm *w, const struct reading *r, size_t n, struct err_info *info)
{
	static const uint32_t oids[] = {
	    OID_INT4, OID_TIMESTAMPTZ, OID_FLOAT8, OID_INT2, OID_TIMESTAMPTZ};
	struct wire *c = w->wires;
	size_t i;

	open_wires(w, oids, 5, n);
	for (i = 0; i < n; i++) {
		wire_put_i32(&c[0], r[i].series);
		wire_put_time(&c[1], r[i].t_us);
		wire_put_f64(&c[2], r[i].value);
		wire_put_i16(&c[3], r[i].quality);
		wire_put_time(&c[4], r[i].received_us);
	}
	return (run_wires(w, ST_cycle_latest_put, 5, info));
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
	for (i = 0; e == ERR_OK && i < m->nrollups; i += n) {
		n = chunk(m->nrollups - i);
		e = add_rollups(w, m->rollups + i, n, info);
	}
	for (i = 0; e == ERR_OK && i < m->nlatest; i += n) {
		n = chunk(m->nlatest - i);
		e = put_latest(w, m->latest + i, n, info);
	}
	return (e == ERR_OK ? remove_taken(w, info) : e);
}
