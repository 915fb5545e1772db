/*
 * Roll-ups of an import whose spans are over are packed at once, together with
 * what is packed of them; the others are stored as the loop stores them.
 */
#include "domain/packed_rollup.h"
#include "store/importer_parts.h"
#include "store/warm_rollups.h"

/* Spans per question. */
#define SPANS 2000

size_t
importer_open_rollups(
    struct rollup *u, size_t n, struct rollup *over, size_t *nover, int64_t now)
{
	int64_t end = INT64_MIN;
	int32_t width_s = 0;
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		if (u[i].width_s != width_s || u[i].bucket_us >= end) {
			width_s = u[i].width_s;
			end = packed_rollup_span(width_s, u[i].bucket_us, 1);
		}
		if (end <= now)
			over[(*nover)++] = u[i];
		else
			u[kept++] = u[i];
	}
	return (kept);
}

/* Where the span that begins at `at` ends. */
static size_t
span_end(const struct rollup *u, size_t at, size_t n)
{
	const struct rollup *first = &u[at];
	int64_t end = packed_rollup_span(first->width_s, first->bucket_us, 1);

	while (at < n && u[at].series == first->series &&
	    u[at].width_s == first->width_s && u[at].bucket_us < end)
		at++;
	return (at);
}

/* Asks for what is packed of the first spans; *ret_end: behind them. */
static enum err
ask(struct warm *w, const struct rollup *u, size_t n, size_t *ret_end,
    struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_INT4, OID_TIMESTAMPTZ};
	struct warm_args a = {0};
	size_t at, i, spans = 0;
	enum err e;

	for (at = 0; at < n && spans < SPANS; spans++)
		at = span_end(u, at, n);
	*ret_end = at;
	for (i = 0; i < 3; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], oids[i], spans);
	}
	for (at = 0; at < *ret_end; at = span_end(u, at, n)) {
		wire_put_i32(&w->wires[0], u[at].series);
		wire_put_i32(&w->wires[1], u[at].width_s);
		wire_put_time(&w->wires[2],
		    packed_rollup_span(u[at].width_s, u[at].bucket_us, 0));
	}
	e = importer_args(&a, w->wires, 3, info);
	return (
	    e == ERR_OK ? warm_send(w, ST_import_rollups_take, &a, info) : e);
}

/* Packs the spans before `stop`, counted from 1. */
static enum err
until(struct warm_pack *k, const struct rollup *u, size_t n, size_t *at,
    int64_t *span, int64_t stop, struct err_info *info)
{
	size_t end;
	enum err e = ERR_OK;

	for (; e == ERR_OK && *at < n && *span < stop; *at = end, ++*span) {
		end = span_end(u, *at, n);
		e = warm_pack_add(k, u + *at, end - *at, info);
		if (e == ERR_OK)
			e = warm_pack_span(k, info);
	}
	return (e);
}

static enum err
merge(struct warm *w, struct warm_pack *k, const struct rollup *u, size_t n,
    struct err_info *info)
{
	enum err e = ERR_OK, mine = ERR_OK;
	int64_t span = 1, ord;
	size_t at = 0;

	while (e == ERR_OK) {
		AUTO_RESULT r = NULL;

		e = warm_next(w, ST_import_rollups_take, &r, info);
		if (e != ERR_OK || r == NULL)
			break;
		ord = warm_get_i64(r, 0, 0);
		if (mine == ERR_OK)
			mine = until(k, u, n, &at, &span, ord, info);
		if (mine == ERR_OK && at < n)
			mine = warm_pack_data(k, u[at].series, u[at].width_s,
			    PQgetvalue(r, 0, 1), (size_t)PQgetlength(r, 0, 1),
			    info);
	}
	if (e == ERR_OK && mine == ERR_OK)
		mine = until(k, u, n, &at, &span, INT64_MAX, info);
	return (e == ERR_OK ? mine : e);
}

enum err
importer_pack(
    struct warm *w, const struct rollup *u, size_t n, struct err_info *info)
{
	struct warm_pack k;
	size_t at, count;
	enum err e = warm_segments_lock(w, info);

	for (at = 0; e == ERR_OK && at < n; at += count) {
		warm_pack_init(&k, w);
		e = ask(w, u + at, n - at, &count, info);
		if (e == ERR_OK)
			e = merge(w, &k, u + at, count, info);
		if (e == ERR_OK)
			e = warm_pack_end(&k, info);
		warm_pack_done(&k);
	}
	return (e);
}
