/*
 * Writes one merge: segments by COPY, roll-ups and latest values by chunks
 * of arrays, and takes away exactly the log rows it came from.
 */
#include "core/instant.h"
#include "domain/reading.h"
#include "store/warm_conn.h"

#include <stdio.h>
#include <string.h>

/* Elements per INSERT, so that no statement runs long. */
#define CHUNK 10000
#define FLUSH (1u << 20)

/* COPY can be neither prepared nor given parameters. */
static const char copy_segments[] =
    "COPY segments (series, t0, t1, n, ts, value, quality, received) "
    "FROM STDIN (FORMAT binary)";

static bool
month_known(const struct warm *w, int64_t month)
{
	size_t i;

	for (i = 0; i < w->nmonths; i++)
		if (w->months[i] == month)
			return (true);
	return (false);
}

/* 1 + months since year 0, from the civil date (days to civil: Hinnant,
 * "chrono-compatible low-level date algorithms"). */
static int64_t
month_of(int64_t t_us)
{
	int64_t days = instant_floor(t_us, US_PER_DAY) / US_PER_DAY + 719468;
	int64_t era = days / 146097, doe = days % 146097, yoe, doy, mp;

	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	return ((era * 400 + yoe) * 12 + mp);
}

static enum err
ensure(struct warm *w, const struct merge *m, struct err_info *info)
{
	struct warm_args a;
	int64_t month;
	size_t i;
	enum err e;

	for (i = 0; i < m->nsegments; i++) {
		month = month_of(m->segments[i].readings[0].t_us);
		if (month_known(w, month))
			continue;
		a = (struct warm_args){0};
		warm_time(&a, m->segments[i].readings[0].t_us);
		e = warm_run(w, ST_cycle_segments_ensure, &a, NULL, info);
		if (e != ERR_OK)
			return (e);
		if (w->nmonths == WARM_MONTHS)
			w->nmonths = 0;
		w->months[w->nmonths++] = month;
	}
	return (ERR_OK);
}

static void
put_array_head(struct wire *b, uint32_t oid, size_t n, size_t width)
{
	wire_i32(b, (int32_t)(20 + n * (width + 4)));
	wire_array(b, oid, n);
}

static void
put_segment(struct wire *b, const struct segment *s)
{
	const struct reading *r = s->readings;
	size_t i, n = s->n;

	/* 42 bytes a reading and less than 256 of heads. */
	if (!wire_room(b, 256 + n * 42))
		return;
	wire_i16(b, 8);
	wire_put_i32(b, s->series);
	wire_put_time(b, r[0].t_us);
	wire_put_time(b, r[n - 1].t_us);
	wire_put_i32(b, (int32_t)n);
	put_array_head(b, OID_TIMESTAMPTZ, n, 8);
	for (i = 0; i < n; i++)
		wire_put_time(b, r[i].t_us);
	put_array_head(b, OID_FLOAT8, n, 8);
	for (i = 0; i < n; i++)
		wire_put_f64(b, r[i].value);
	put_array_head(b, OID_INT2, n, 2);
	for (i = 0; i < n; i++)
		wire_put_i16(b, r[i].quality);
	put_array_head(b, OID_TIMESTAMPTZ, n, 8);
	for (i = 0; i < n; i++)
		wire_put_time(b, r[i].received_us);
}

static bool
flush(struct warm *w, struct wire *b, size_t above)
{
	bool ok;

	if (!wire_ok(b))
		return (false);
	if (b->len <= above)
		return (true);
	ok = PQputCopyData(w->conn, b->p, (int)b->len) == 1;
	wire_reset(b);
	return (ok);
}

/* The COPY's own answer, then the end of the command. */
static enum err
copy_end(struct warm *w, bool ok, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	PGresult *rest;
	bool ended = PQputCopyEnd(w->conn, ok ? NULL : "out of memory") == 1;

	r = PQgetResult(w->conn);
	while ((rest = PQgetResult(w->conn)) != NULL)
		PQclear(rest);
	if (!ended || PQresultStatus(r) != PGRES_COMMAND_OK)
		return (warm_error(w, r, "copy segments", info));
	return (ERR_OK);
}

static enum err
copy(struct warm *w, const struct merge *m, struct err_info *info)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
	struct wire *b = &w->wires[0];
	AUTO_RESULT r = NULL;
	bool ok = true;
	size_t i;

	if (m->nsegments == 0)
		return (ERR_OK);
	if (w->conn == NULL)
		return (warm_error(w, NULL, "copy segments", info));
	r = PQexec(w->conn, copy_segments);
	if (PQresultStatus(r) != PGRES_COPY_IN)
		return (warm_error(w, r, "copy segments", info));
	wire_reset(b);
	wire_bytes(b, head, sizeof(head) - 1);
	for (i = 0; ok && i < m->nsegments; i++) {
		put_segment(b, &m->segments[i]);
		ok = flush(w, b, FLUSH);
	}
	wire_i16(b, -1);
	ok = ok && flush(w, b, 0);
	return (copy_end(w, ok, info));
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
	enum err e = ensure(w, m, info);

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
