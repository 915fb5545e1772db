/* How series usually go: snapshots, and the readings after them. */
#include "store/warm_conn.h"

#include <string.h>

/* Rows per statement: four kilobytes each at most. */
#define CHUNK 1000

enum column { SERIES, TAIL, OPEN, CALM, SINCE, VERSION, STATE, UPTO, COLUMNS };

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL, "too many watches"));
}

static const unsigned char *
dup_bytes(struct arena *a, const PGresult *r, int row, int column, size_t *len)
{
	unsigned char *copy;

	*len = (size_t)PQgetlength(r, row, column);
	if ((copy = arena_alloc(a, *len)) != NULL)
		memcpy(copy, PQgetvalue(r, row, column), *len);
	return (copy);
}

static enum err
read_rows(struct arena *a, const PGresult *r, struct watch_row *to,
    struct err_info *info)
{
	int i;

	for (i = 0; i < PQntuples(r); i++, to++) {
		*to = (struct watch_row){
		    .series = warm_get_i32(r, i, 0),
		    .version = warm_get_i32(r, i, 1),
		    .upto_us = warm_get_time(r, i, 4),
		    .open = warm_get_i32(r, i, 5),
		    .calm = warm_get_i32(r, i, 6),
		    .since_us = warm_get_time(r, i, 7),
		};
		to->state = dup_bytes(a, r, i, 2, &to->len);
		to->tail = dup_bytes(a, r, i, 3, &to->tail_len);
		if (to->state == NULL || to->tail == NULL)
			return (no_memory(info));
	}
	return (ERR_OK);
}

static enum err
load_open(struct warm *w, struct arena *a, struct watch_row **ret,
    size_t *ret_n, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	enum err e = warm_run(w, ST_cycle_watches_open, NULL, &r, info);

	if (e != ERR_OK)
		return (e);
	*ret_n = (size_t)PQntuples(r);
	if ((*ret = arena_alloc(a, *ret_n * sizeof(**ret))) == NULL)
		return (no_memory(info));
	return (read_rows(a, r, *ret, info));
}

static enum err
load_some(struct warm *w, struct arena *a, const int32_t *ids, size_t n,
    struct watch_row *to, size_t *ret_n, struct err_info *info)
{
	struct warm_args args = {0};
	AUTO_RESULT r = NULL;
	size_t i;
	enum err e;

	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], OID_INT4, n);
	for (i = 0; i < n; i++)
		wire_put_i32(&w->wires[0], ids[i]);
	if (!wire_ok(&w->wires[0]))
		return (no_memory(info));
	warm_wired(&args, &w->wires[0]);
	e = warm_run(w, ST_cycle_watches_get, &args, &r, info);
	if (e != ERR_OK)
		return (e);
	*ret_n = (size_t)PQntuples(r);
	return (read_rows(a, r, to, info));
}

enum err
warm_watches_load(void *self, struct arena *a, const int32_t *ids, size_t n,
    struct watch_row **ret, size_t *ret_n, struct err_info *info)
{
	struct watch_row *rows;
	size_t i, count, got, out = 0;
	enum err e = ERR_OK;

	if (ids == NULL)
		return (load_open(self, a, ret, ret_n, info));
	if ((rows = arena_alloc(a, n * sizeof(*rows))) == NULL)
		return (no_memory(info));
	for (i = 0; e == ERR_OK && i < n; i += count) {
		count = n - i < CHUNK ? n - i : CHUNK;
		e = load_some(self, a, ids + i, count, rows + out, &got, info);
		if (e == ERR_OK)
			out += got;
	}
	*ret = rows;
	*ret_n = out;
	return (e);
}

static void
put_bytes(struct wire *w, const unsigned char *p, size_t len)
{
	wire_i32(w, (int32_t)len);
	if (len > 0)
		wire_bytes(w, p, len);
}

static void
put_row(struct wire *w, const struct watch_row *r, bool whole)
{
	wire_put_i32(&w[SERIES], r->series);
	put_bytes(&w[TAIL], r->tail, r->tail_len);
	wire_put_i32(&w[OPEN], r->open);
	wire_put_i32(&w[CALM], r->calm);
	wire_put_time(&w[SINCE], r->since_us);
	if (!whole)
		return;
	wire_put_i32(&w[VERSION], r->version);
	put_bytes(&w[STATE], r->state, r->len);
	wire_put_time(&w[UPTO], r->upto_us);
}

/* Of those with a state, or of those without: `rows` from *at on, no more
 * than CHUNK; *at moves to where the next begin. */
static enum err
save_some(struct warm *w, const struct watch_row *rows, size_t n, size_t *at,
    bool whole, struct err_info *info)
{
	static const uint32_t types[COLUMNS] = {OID_INT4, OID_BYTEA, OID_INT4,
	    OID_INT4, OID_TIMESTAMPTZ, OID_INT4, OID_BYTEA, OID_TIMESTAMPTZ};
	size_t i, end, count = 0, columns = whole ? COLUMNS : VERSION;
	struct warm_args args = {0};

	for (end = *at; end < n && count < CHUNK; end++)
		count += (rows[end].state != NULL) == whole;
	for (i = 0; i < columns; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], types[i], count);
	}
	for (i = *at; i < end; i++)
		if ((rows[i].state != NULL) == whole)
			put_row(w->wires, &rows[i], whole);
	*at = end;
	for (i = 0; i < columns; i++) {
		if (!wire_ok(&w->wires[i]))
			return (no_memory(info));
		warm_wired(&args, &w->wires[i]);
	}
	if (count == 0)
		return (ERR_OK);
	return (
	    warm_run(w, whole ? ST_cycle_watches_put : ST_cycle_watches_move,
		&args, NULL, info));
}

enum err
warm_watches_save(
    void *self, const struct watch_row *rows, size_t n, struct err_info *info)
{
	enum err e = ERR_OK;
	size_t at;

	for (at = 0; e == ERR_OK && at < n;)
		e = save_some(self, rows, n, &at, true, info);
	for (at = 0; e == ERR_OK && at < n;)
		e = save_some(self, rows, n, &at, false, info);
	return (e);
}
