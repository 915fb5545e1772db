/*
 * Writes new readings of an import: segments as the loop writes them, roll-ups
 * as the loop writes them where their span goes on, else packed, and where the
 * loop finds what it missed.
 */
#include "core/instant.h"
#include "domain/order.h"
#include "domain/rollup.h"
#include "store/importer_parts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A month of fewer readings, once it is over, is one segment. */
#define SPARSE 2000
/* Runs of roll-ups per question. */
#define RUNS 1000
/* Partitions made under one hold of the lock. */
#define MONTHS 8

/* Roll-ups [first, past): one series, one width. */
struct run {
	size_t first, past;
};

struct writing {
	struct segment *segments;
	struct rollup *rollups, *over; /* whose span goes on, or is over */
	bool *fresh; /* of each roll-up that goes on: there is none yet */
	struct reading *latest;
	struct run *runs;
	size_t nsegments, nrollups, nover, nlatest, nruns;
};

static size_t
end_before(const struct reading *r, size_t at, size_t n, int64_t t_us)
{
	while (at < n && r[at].t_us < t_us)
		at++;
	return (at);
}

/* Of one series: a segment a day, or a month. */
static void
cut(struct writing *w, const struct reading *r, size_t n, int64_t now_us)
{
	int64_t next;
	size_t at, end;

	for (at = 0; at < n; at = end) {
		next = instant_month(r[at].t_us, 1);
		end = end_before(r, at, n, next);
		if (end - at >= SPARSE || next > now_us)
			end = end_before(r, at, n,
			    instant_floor(r[at].t_us, US_PER_DAY) + US_PER_DAY);
		w->segments[w->nsegments++] =
		    (struct segment){r[at].series, &r[at], end - at};
	}
}

static void
add_runs(struct writing *w, size_t from)
{
	const struct rollup *u = w->rollups;
	size_t i;

	for (i = from; i < w->nrollups; i++) {
		if (i == from || u[i].width_s != u[i - 1].width_s)
			w->runs[w->nruns++].first = i;
		w->runs[w->nruns - 1].past = i + 1;
	}
}

static void
writing_done(struct writing *w)
{
	free(w->segments);
	free(w->rollups);
	free(w->over);
	free(w->latest);
	free(w->fresh);
	free(w->runs);
}

static enum err
allocate(
    struct writing *w, const struct reading *r, size_t n, struct err_info *info)
{
	size_t at, end, days, segments = 0, rollups = 0, series = 0;

	for (at = 0; at < n; at = end, series++) {
		end = order_series_end(r, at, n);
		rollups += rollup_count(&r[at], end - at, &days);
		segments += days;
	}
	w->segments = malloc(segments * sizeof(*w->segments));
	w->rollups = malloc(rollups * sizeof(*w->rollups));
	w->over = malloc(rollups * sizeof(*w->over));
	w->fresh = malloc(rollups * sizeof(*w->fresh));
	w->latest = malloc(series * sizeof(*w->latest));
	w->runs = malloc(series * ROLLUP_WIDTHS * sizeof(*w->runs));
	if (w->segments == NULL || w->rollups == NULL || w->over == NULL ||
	    w->fresh == NULL || w->latest == NULL || w->runs == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%zu readings", n));
	return (ERR_OK);
}

static enum err
build(
    struct writing *w, const struct reading *r, size_t n, struct err_info *info)
{
	struct timespec now;
	size_t at, end, from, more;
	int64_t now_us;
	enum err e = allocate(w, r, n, info);

	if (e != ERR_OK)
		return (e);
	clock_gettime(CLOCK_REALTIME, &now);
	now_us = now.tv_sec * US_PER_SECOND;
	for (at = 0; at < n; at = end) {
		end = order_series_end(r, at, n);
		cut(w, &r[at], end - at, now_us);
		from = w->nrollups;
		more = (size_t)(rollup_readings(
				    &w->rollups[from], &r[at], end - at) -
		    &w->rollups[from]);
		w->nrollups += importer_open_rollups(
		    &w->rollups[from], more, w->over, &w->nover, now_us);
		add_runs(w, from);
		w->latest[w->nlatest++] = r[end - 1];
	}
	memset(w->fresh, true, w->nrollups * sizeof(*w->fresh));
	return (ERR_OK);
}

static enum err
run_wires(struct warm *warm, enum statement s, size_t columns, bool rows,
    struct err_info *info)
{
	struct warm_args a = {0};
	enum err e = importer_args(&a, warm->wires, columns, info);

	if (e != ERR_OK)
		return (e);
	return (rows ? warm_send(warm, s, &a, info)
		     : warm_run(warm, s, &a, NULL, info));
}

static void
open_wires(struct warm *warm, const uint32_t *oids, size_t columns, size_t n)
{
	size_t i;

	for (i = 0; i < columns; i++) {
		wire_reset(&warm->wires[i]);
		wire_array(&warm->wires[i], oids[i], n);
	}
}

static void
mark_stale(struct writing *w, const struct run *run, int64_t bucket_us)
{
	size_t lo = run->first, hi = run->past, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (w->rollups[mid].bucket_us < bucket_us)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < run->past && w->rollups[lo].bucket_us == bucket_us)
		w->fresh[lo] = false;
}

/* Of the roll-ups of runs [first, first + n). */
static enum err
look(struct warm *warm, struct writing *w, size_t first, size_t n,
    struct err_info *info)
{
	static const uint32_t oids[] = {
	    OID_INT4, OID_INT4, OID_TIMESTAMPTZ, OID_TIMESTAMPTZ};
	const struct rollup *u;
	size_t i;
	int64_t ord;
	enum err e;

	open_wires(warm, oids, 4, n);
	for (i = first; i < first + n; i++) {
		u = &w->rollups[w->runs[i].first];
		wire_put_i32(&warm->wires[0], u->series);
		wire_put_i32(&warm->wires[1], u->width_s);
		wire_put_time(&warm->wires[2], u->bucket_us);
		wire_put_time(
		    &warm->wires[3], w->rollups[w->runs[i].past - 1].bucket_us);
	}
	e = run_wires(warm, ST_import_rollups_known, 4, true, info);
	while (e == ERR_OK) {
		AUTO_RESULT r = NULL;

		e = warm_next(warm, ST_import_rollups_known, &r, info);
		if (e != ERR_OK || r == NULL)
			break;
		ord = warm_get_i64(r, 0, 0);
		if (ord >= 1 && (size_t)ord <= n)
			mark_stale(w, &w->runs[first + (size_t)ord - 1],
			    warm_get_time(r, 0, 1));
	}
	return (e);
}

static enum err
put_marks(struct warm *warm, const struct writing *w, struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_TIMESTAMPTZ, OID_FLOAT8};
	size_t i;

	open_wires(warm, oids, 3, w->nlatest);
	for (i = 0; i < w->nlatest; i++) {
		wire_put_i32(&warm->wires[0], w->latest[i].series);
		wire_put_time(&warm->wires[1], w->latest[i].t_us);
		wire_put_f64(&warm->wires[2], w->latest[i].value);
	}
	return (run_wires(warm, ST_import_marks_put, 3, false, info));
}

static enum err
write_all(struct warm *warm, struct writing *w, struct err_info *info)
{
	struct merge m = {.segments = w->segments,
	    .nsegments = w->nsegments,
	    .rollups = w->rollups,
	    .nrollups = w->nrollups,
	    .fresh = w->fresh,
	    .latest = w->latest,
	    .nlatest = w->nlatest};
	size_t i, n;
	enum err e = ERR_OK;

	for (i = 0; e == ERR_OK && i < w->nruns; i += n) {
		n = w->nruns - i < RUNS ? w->nruns - i : RUNS;
		e = look(warm, w, i, n, info);
	}
	if (e == ERR_OK)
		e = warm_store(warm, &m, info);
	if (e == ERR_OK)
		e = importer_pack(warm, w->over, w->nover, info);
	return (e == ERR_OK ? put_marks(warm, w, info) : e);
}

/* One element for each month of a series: counts them, and writes them if it
 * is told how many there are. */
static size_t
put_months(struct warm *warm, const struct reading *r, size_t n, bool write)
{
	int64_t month_end = 0;
	size_t i, count = 0;

	for (i = 0; i < n; i++) {
		if (i > 0 && r[i].series == r[i - 1].series &&
		    r[i].t_us < month_end)
			continue;
		month_end = instant_month(r[i].t_us, 1);
		count++;
		if (!write)
			continue;
		wire_put_i32(&warm->wires[0], r[i].series);
		wire_put_time(&warm->wires[1], r[i].t_us);
	}
	return (count);
}

static enum err
make_parts(
    struct importer *im, const PGresult *months, int i, struct err_info *info)
{
	struct import_port port = importer_port(im);
	int end = i + MONTHS;
	enum err e = port.begin(port.self, info);

	for (; e == ERR_OK && i < end && i < PQntuples(months); i++)
		e = warm_segments_want(im->warm,
		    wire_get_i16(PQgetvalue(months, i, 0)),
		    warm_get_time(months, i, 1), info);
	if (e == ERR_OK)
		e = warm_segments_make(im->warm, info);
	if (e == ERR_OK)
		e = port.commit(port.self, info);
	else
		port.rollback(port.self);
	return (e);
}

/* Partitions first, and few at once: one takes as long to make as many
 * readings to store, and the lock until then. */
enum err
importer_prepare(
    void *self, const struct reading *r, size_t n, struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_TIMESTAMPTZ};
	struct importer *im = self;
	struct warm *warm = im->warm;
	struct warm_args a = {0};
	AUTO_RESULT months = NULL;
	enum err e;
	int i;

	open_wires(warm, oids, 2, put_months(warm, r, n, false));
	(void)put_months(warm, r, n, true);
	e = importer_args(&a, warm->wires, 2, info);
	if (e == ERR_OK)
		e = warm_run(warm, ST_import_months, &a, &months, info);
	for (i = 0; e == ERR_OK && i < PQntuples(months); i += MONTHS)
		e = make_parts(im, months, i, info);
	return (e == ERR_OK ? importer_look(im, r, n, info) : e);
}

enum err
importer_store(
    void *self, const struct reading *r, size_t n, struct err_info *info)
{
	struct importer *im = self;
	struct writing w = {0};
	enum err e;

	if (n == 0)
		return (ERR_OK);
	e = build(&w, r, n, info);
	if (e == ERR_OK)
		e = write_all(im->warm, &w, info);
	writing_done(&w);
	/* A row that was there though it was looked for is nothing that a
	 * sender did: the next try looks again. */
	if (e == ERR_CONFLICT)
		e = info->code = ERR_DATABASE;
	return (e);
}
