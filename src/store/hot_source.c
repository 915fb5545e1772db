#include "store/hot_source.h"

#include "core/instant.h"
#include "core/statement.h"
#include "domain/order.h"
#include "domain/packed.h"
#include "store/warm_wire.h"

#include <libpq-fe.h>

#include <endian.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS	  100
#define ROWS_MOST 500000 /* read for one answer */
#define SIZE_KEPT 131072 /* readings; more room is given back */
/* Readings of the log, which is read whole for each answer; a row costs as
 * much as some of them. */
#define LOGGED_MOST 2000000u
#define ROW_COSTS   16u

struct hot_source {
	const char *conninfo;
	const atomic_bool *stop;
	PGconn *conn;
	bool leads;
	bool prepared[ST_COUNT];
	struct reading *readings, *scratch;
	size_t n, size;
	size_t logged; /* passed over in this answer */
	struct wire wire;
};

static inline void
clear(PGresult **r)
{
	PQclear(*r);
}
#define AUTO_PG __attribute__((cleanup(clear))) PGresult *

struct hot_source *
hot_source_new(const char *conninfo, const atomic_bool *stop)
{
	struct hot_source *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->conninfo = conninfo;
		s->stop = stop;
	}
	return (s);
}

void
hot_source_close(struct hot_source *s)
{
	PQfinish(s->conn);
	s->conn = NULL;
	s->leads = false;
	memset(s->prepared, 0, sizeof(s->prepared));
}

void
hot_source_free(struct hot_source *s)
{
	if (s == NULL)
		return;
	hot_source_close(s);
	free(s->readings);
	free(s->scratch);
	wire_done(&s->wire);
	free(s);
}

static enum err
fail(struct hot_source *s, enum err e, const char *what, struct err_info *info)
{
	const char *why = PQerrorMessage(s->conn);

	(void)err_set(
	    info, e, NULL, "%s: %.*s", what, (int)strcspn(why, "\n"), why);
	hot_source_close(s);
	return (e);
}

static enum err
open_source(struct hot_source *s, struct err_info *info)
{
	static const char *const keys[] = {
	    "dbname", "connect_timeout", "application_name", "options", NULL};
	const char *const values[] = {s->conninfo, "5", "penstock hours",
	    "-c default_transaction_isolation=repeatable\\ read "
	    "-c default_transaction_read_only=on -c timezone=UTC",
	    NULL};

	if (s->conn != NULL)
		return (ERR_OK);
	s->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(s->conn) != CONNECTION_OK)
		return (fail(s, ERR_DATABASE, "connect", info));
	return (ERR_OK);
}

static int64_t
monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* Until a result can be had without waiting. */
static enum err
wait_result(struct hot_source *s, struct err_info *info)
{
	int64_t until = monotonic_ms() + SOURCE_SILENT_MS;
	struct pollfd p = {.fd = PQsocket(s->conn), .events = POLLIN};

	while (PQisBusy(s->conn)) {
		if (atomic_load(s->stop) || monotonic_ms() >= until)
			return (fail(s, ERR_DEADLINE, "no answer", info));
		if (poll(&p, 1, POLL_MS) > 0 && PQconsumeInput(s->conn) != 1)
			return (fail(s, ERR_DATABASE, "lost", info));
	}
	return (ERR_OK);
}

/* NULL in *ret: no more. */
static enum err
next_result(struct hot_source *s, PGresult **ret, struct err_info *info)
{
	AUTO_PG r = NULL;
	enum err e = wait_result(s, info);

	*ret = NULL;
	if (e != ERR_OK || (r = PQgetResult(s->conn)) == NULL)
		return (e);
	switch (PQresultStatus(r)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		*ret = r;
		r = NULL;
		return (ERR_OK);
	default:
		return (fail(s, ERR_DATABASE, "refused", info));
	}
}

/* All results of what was sent; the last one with rows to *ret, if asked. */
static enum err
finish(struct hot_source *s, PGresult **ret, struct err_info *info)
{
	PGresult *r, *last = NULL;
	enum err e;

	while ((e = next_result(s, &r, info)) == ERR_OK && r != NULL) {
		PQclear(last);
		last = r;
	}
	if (e == ERR_OK && ret != NULL)
		*ret = last;
	else
		PQclear(last);
	return (e);
}

static enum err
command(struct hot_source *s, const char *sql, struct err_info *info)
{
	if (PQsendQuery(s->conn, sql) != 1)
		return (fail(s, ERR_DATABASE, sql, info));
	return (finish(s, NULL, info));
}

struct args {
	int n;
	const char *value[2];
	int length[2], format[2];
};

static enum err
send_query(struct hot_source *s, enum statement st, const struct args *a,
    struct err_info *info)
{
	const char *name = statement_name(st);
	enum err e = open_source(s, info);

	if (e != ERR_OK)
		return (e);
	if (!s->prepared[st]) {
		if (PQsendPrepare(s->conn, name, statement_text(st), 0, NULL) !=
		    1)
			return (fail(s, ERR_DATABASE, name, info));
		if ((e = finish(s, NULL, info)) != ERR_OK)
			return (e);
		s->prepared[st] = true;
	}
	if (PQsendQueryPrepared(
		s->conn, name, a->n, a->value, a->length, a->format, 1) != 1)
		return (fail(s, ERR_DATABASE, name, info));
	return (ERR_OK);
}

static enum err
ask_bool(
    struct hot_source *s, enum statement st, bool *ret, struct err_info *info)
{
	AUTO_PG r = NULL;
	struct args none = {0};
	enum err e = send_query(s, st, &none, info);

	if (e == ERR_OK)
		e = finish(s, &r, info);
	if (e == ERR_OK)
		*ret = PQntuples(r) == 1 && *PQgetvalue(r, 0, 0) != 0;
	return (e);
}

enum err
hot_source_lead(struct hot_source *s, bool *ret, struct err_info *info)
{
	enum err e = ERR_OK;

	if (!s->leads)
		e = ask_bool(s, ST_hot_lead, &s->leads, info);
	if (e == ERR_OK)
		*ret = s->leads;
	return (e);
}

enum err
hot_source_quiet(struct hot_source *s, bool *ret, struct err_info *info)
{
	return (ask_bool(s, ST_hot_quiet, ret, info));
}

static void
add(struct args *a, const void *p, size_t len)
{
	a->value[a->n] = p;
	a->length[a->n] = (int)len;
	a->format[a->n++] = 1;
}

enum err
hot_source_series(struct hot_source *s, int32_t after, size_t most,
    int32_t *ret, size_t *ret_n, struct err_info *info)
{
	AUTO_PG r = NULL;
	struct args a = {0};
	enum err e;
	int i;

	wire_reset(&s->wire);
	wire_i32(&s->wire, after);
	wire_i32(&s->wire, (int32_t)most);
	if (!wire_ok(&s->wire))
		return (err_set(info, ERR_NO_MEMORY, NULL, "series"));
	add(&a, s->wire.p, 4);
	add(&a, s->wire.p + 4, 4);
	if ((e = send_query(s, ST_hot_series, &a, info)) != ERR_OK ||
	    (e = finish(s, &r, info)) != ERR_OK)
		return (e);
	for (i = 0; i < PQntuples(r) && (size_t)i < most; i++)
		ret[i] = wire_get_i32(PQgetvalue(r, i, 0));
	*ret_n = (size_t)i;
	return (ERR_OK);
}

static enum err
room(struct hot_source *s, size_t more, struct err_info *info)
{
	size_t size = s->size == 0 ? 4096 : s->size;
	struct reading *grown;

	if (s->n + more > SOURCE_MOST)
		return (err_set(info, ERR_TOO_LARGE, NULL, "readings"));
	while (size < s->n + more)
		size *= 2;
	if (size == s->size)
		return (ERR_OK);
	grown = reallocarray(s->readings, size, sizeof(*grown));
	if (grown == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "readings"));
	s->readings = grown;
	free(s->scratch);
	s->size = 0;
	s->scratch = reallocarray(NULL, size, sizeof(*grown));
	if (s->scratch == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "readings"));
	s->size = size;
	return (ERR_OK);
}

static enum err
take_segment(struct hot_source *s, const struct hot_ask *of, const PGresult *r,
    struct err_info *info)
{
	const char *data = PQgetvalue(r, 0, 1);
	size_t len = (size_t)PQgetlength(r, 0, 1);
	size_t i, n = packed_count(data, len), kept = s->n;
	enum err e = room(s, n, info);

	if (e != ERR_OK)
		return (e);
	if (n == 0 ||
	    packed_decode(data, len, wire_get_i32(PQgetvalue(r, 0, 0)),
		s->readings + s->n) != ERR_OK)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "a row of segments cannot be read"));
	for (i = 0; i < n; i++)
		if (s->readings[s->n + i].t_us >= of->since_us)
			s->readings[kept++] = s->readings[s->n + i];
	s->n = kept;
	return (ERR_OK);
}

static bool
is_asked(const struct hot_ask *of, int32_t series)
{
	size_t lo = 0, hi = of->n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (of->series[mid] < series)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo < of->n && of->series[lo] == series);
}

static bool
view(struct wire_view *ret, const PGresult *r, int column, uint32_t oid,
    size_t width)
{
	return (wire_view(ret, PQgetvalue(r, 0, column),
	    (size_t)PQgetlength(r, 0, column), oid, width));
}

static enum err
take_logged(struct hot_source *s, const struct hot_ask *of, const PGresult *r,
    struct err_info *info)
{
	struct wire_view series, ts, value, quality;
	struct reading one = {0};
	enum err e;
	size_t i;

	if (!wire_get_time(PQgetvalue(r, 0, 0), &one.received_us) ||
	    !view(&series, r, 1, OID_INT4, 4) ||
	    !view(&ts, r, 2, OID_TIMESTAMPTZ, 8) ||
	    !view(&value, r, 3, OID_FLOAT8, 8) ||
	    !view(&quality, r, 4, OID_INT2, 2) || ts.n != series.n ||
	    value.n != series.n || quality.n != series.n)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "a log row cannot be read"));
	if ((s->logged += series.n + ROW_COSTS) > LOGGED_MOST)
		return (err_set(info, ERR_BUSY, NULL,
		    "the log is too long to be read for a few series"));
	for (i = 0; i < series.n; i++) {
		one.series = wire_get_i32(wire_at(&series, i));
		if (!is_asked(of, one.series) ||
		    !wire_get_time(wire_at(&ts, i), &one.t_us) ||
		    one.t_us < of->since_us)
			continue;
		one.value = wire_get_f64(wire_at(&value, i));
		one.quality = wire_get_i16(wire_at(&quality, i));
		if ((e = room(s, 1, info)) != ERR_OK)
			return (e);
		s->readings[s->n++] = one;
	}
	return (ERR_OK);
}

typedef enum err take_fn(struct hot_source *, const struct hot_ask *,
    const PGresult *, struct err_info *);

static enum err
take_all(struct hot_source *s, const struct hot_ask *of, take_fn *take,
    struct err_info *info)
{
	enum err e, bad = ERR_OK;
	PGresult *r;
	int rows = 0;

	if (PQsetSingleRowMode(s->conn) != 1)
		return (fail(s, ERR_DATABASE, "single rows", info));
	while ((e = next_result(s, &r, info)) == ERR_OK && r != NULL) {
		if (bad == ERR_OK && PQntuples(r) == 1)
			bad = ++rows > ROWS_MOST
			    ? err_set(info, ERR_TOO_LARGE, NULL, "rows")
			    : take(s, of, r, info);
		PQclear(r);
		if (bad == ERR_BUSY) { /* spare both the rest of it */
			hot_source_close(s);
			return (bad);
		}
	}
	return (e != ERR_OK ? e : bad);
}

static enum err
fetch(struct hot_source *s, const struct hot_ask *of, struct err_info *info)
{
	uint64_t since = htobe64((uint64_t)wire_time_to_pg(of->since_us));
	struct args a = {0}, b = {0};
	enum err e;
	size_t i;

	wire_reset(&s->wire);
	wire_array(&s->wire, OID_INT4, of->n);
	for (i = 0; i < of->n; i++)
		wire_put_i32(&s->wire, of->series[i]);
	if (!wire_ok(&s->wire))
		return (err_set(info, ERR_NO_MEMORY, NULL, "series"));
	add(&a, s->wire.p, s->wire.len);
	add(&a, &since, 8);
	add(&b, &since, 8);
	if ((e = send_query(s, ST_hot_segments, &a, info)) != ERR_OK ||
	    (e = take_all(s, of, take_segment, info)) != ERR_OK ||
	    (e = send_query(s, ST_hot_logged, &b, info)) != ERR_OK)
		return (e);
	return (take_all(s, of, take_logged, info));
}

/* Stable: merged before logged, and the log in its order. */
static void
settle(struct hot_source *s, const struct reading **ret, size_t *ret_n)
{
	struct reading *r = order_readings(s->readings, s->scratch, s->n);
	size_t i, k = 0;

	for (i = 0; i < s->n; i++)
		if (k == 0 || r[k - 1].series != r[i].series ||
		    r[k - 1].t_us != r[i].t_us)
			r[k++] = r[i];
	*ret = r;
	*ret_n = k;
}

enum err
hot_source_readings(struct hot_source *s, const struct hot_ask *of,
    const struct reading **ret, size_t *ret_n, struct err_info *info)
{
	enum err e = open_source(s, info), end;

	s->n = s->logged = 0;
	if (s->size > SIZE_KEPT) {
		free(s->readings);
		free(s->scratch);
		s->readings = s->scratch = NULL;
		s->size = 0;
	}
	if (e != ERR_OK || (e = command(s, "BEGIN", info)) != ERR_OK)
		return (e);
	e = fetch(s, of, info);
	if (s->conn == NULL)
		return (e);
	end = command(s, "COMMIT", info);
	if (e == ERR_OK && (e = end) == ERR_OK)
		settle(s, ret, ret_n);
	return (e);
}
