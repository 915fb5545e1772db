#include "store/warm_segments.h"

#include "core/instant.h"
#include "domain/packed.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH (1u << 20)
/* Of a row: its column count, six lengths and five fixed columns. */
#define ROW_HEAD 64

const char warm_copy_segments[] =
    "COPY segments (series, class, t0, t1, n, data) FROM STDIN "
    "(FORMAT binary)";
static const char copy_head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

void
warm_segments_done(struct warm *w)
{
	free(w->classes);
	free(w->decoded);
	w->classes = NULL;
	w->decoded = NULL;
	w->nclasses = w->classes_size = w->decoded_size = 0;
}

enum err
warm_segments_lock(struct warm *w, struct err_info *info)
{
	enum err e = ERR_OK;

	if (!w->locked)
		e = warm_run(w, ST_cycle_segments_lock, NULL, NULL, info);
	/* Outside a transaction it is gone again already. */
	w->locked = e == ERR_OK && w->conn != NULL &&
	    PQtransactionStatus(w->conn) == PQTRANS_INTRANS;
	return (e);
}

/* --- classes ------------------------------------------------------------ */

/* Where the series is or would be; a table with room is never full. */
static struct warm_class *
slot(const struct warm *w, int32_t series)
{
	size_t mask = w->classes_size - 1;
	size_t at = (uint32_t)series * UINT32_C(2654435769) & mask;

	while (w->classes[at].class != 0 && w->classes[at].series != series)
		at = (at + 1) & mask;
	return (&w->classes[at]);
}

static bool
class_known(const struct warm *w, int32_t series)
{
	return (w->classes_size > 0 && slot(w, series)->class != 0);
}

int16_t
warm_class(const struct warm *w, int32_t series)
{
	return (slot(w, series)->class);
}

static bool
classes_room(struct warm *w, size_t more)
{
	struct warm_class *old = w->classes;
	size_t size = w->classes_size < 1024 ? 1024 : w->classes_size, i;
	size_t was = w->classes_size;

	while (size < (w->nclasses + more) * 2)
		size *= 2;
	if (size == was)
		return (true);
	if ((w->classes = calloc(size, sizeof(*old))) == NULL) {
		w->classes = old;
		return (false);
	}
	w->classes_size = size;
	for (i = 0; i < was; i++)
		if (old[i].class != 0)
			*slot(w, old[i].series) = old[i];
	free(old);
	return (true);
}

static enum err
classes_ask(struct warm *w, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct warm_class *c;
	enum err e;
	int i;

	warm_wired(&a, &w->wires[0]);
	if ((e = warm_run(w, ST_cycle_classes, &a, &r, info)) != ERR_OK)
		return (e);
	if (!classes_room(w, (size_t)PQntuples(r)))
		return (err_set(info, ERR_NO_MEMORY, NULL, "classes"));
	for (i = 0; i < PQntuples(r); i++) {
		c = slot(w, warm_get_i32(r, i, 0));
		w->nclasses += c->class == 0;
		c->series = warm_get_i32(r, i, 0);
		c->class = wire_get_i16(PQgetvalue(r, i, 1));
	}
	return (ERR_OK);
}

enum err
warm_classes_need(
    struct warm *w, const int32_t *series, size_t n, struct err_info *info)
{
	size_t i, unknown = 0;

	for (i = 0; i < n; i++)
		unknown += !class_known(w, series[i]);
	if (unknown == 0)
		return (ERR_OK);
	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], OID_INT4, unknown);
	for (i = 0; i < n; i++)
		if (!class_known(w, series[i]))
			wire_put_i32(&w->wires[0], series[i]);
	if (!wire_ok(&w->wires[0]))
		return (err_set(info, ERR_NO_MEMORY, NULL, "series"));
	return (classes_ask(w, info));
}

/* --- partitions --------------------------------------------------------- */

/* Days to civil: Hinnant, "chrono-compatible low-level date algorithms". */
int64_t
warm_month(int64_t t_us)
{
	int64_t day = instant_floor(t_us, US_PER_DAY), days, doe, yoe, doy;

	days = day / US_PER_DAY + 719468;
	doe = days - instant_floor(days, 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	return (
	    day - (doy - (153 * ((5 * doy + 2) / 153) + 2) / 5) * US_PER_DAY);
}

static bool
among(const struct warm_part *parts, size_t n, const struct warm_part *part)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (parts[i].month_us == part->month_us &&
		    parts[i].class == part->class)
			return (true);
	return (false);
}

static void
keep(struct warm *w, const struct warm_part *part)
{
	if (w->nparts == WARM_PARTS)
		w->nparts = 0;
	w->parts[w->nparts++] = *part;
}

enum err
warm_segments_want(
    struct warm *w, int16_t class, int64_t t_us, struct err_info *info)
{
	struct warm_part part = {warm_month(t_us), class};
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e = ERR_OK;

	if (among(w->parts, w->nparts, &part) ||
	    among(w->wanted, w->nwanted, &part))
		return (ERR_OK);
	warm_i16(&a, class);
	warm_time(&a, t_us);
	e = warm_run(w, ST_cycle_segments_there, &a, &r, info);
	if (e == ERR_OK && warm_get_bool(r, 0, 0))
		keep(w, &part);
	else if (e == ERR_OK && w->nwanted == WARM_PARTS)
		e = warm_segments_make(w, info);
	if (e == ERR_OK && !warm_get_bool(r, 0, 0))
		w->wanted[w->nwanted++] = part;
	return (e);
}

/* On a connection that lives for this alone. */
static enum err
make(struct warm *maker, const struct warm *w, struct err_info *info)
{
	struct warm_args a, holder = {0};
	size_t i;
	enum err e = warm_connect(maker, info);

	for (i = 0; e == ERR_OK && i < w->nwanted; i++) {
		a = (struct warm_args){0};
		warm_i16(&a, w->wanted[i].class);
		warm_time(&a, w->wanted[i].month_us);
		e = warm_run(maker, ST_cycle_segments_make, &a, NULL, info);
	}
	if (e != ERR_OK)
		return (e);
	warm_i32(&holder, PQbackendPID(w->conn));
	return (warm_run(maker, ST_cycle_segments_await, &holder, NULL, info));
}

enum err
warm_segments_make(struct warm *w, struct err_info *info)
{
	struct warm *maker;
	size_t i;
	enum err e;

	if (w->nwanted == 0)
		return (ERR_OK);
	if ((maker = warm_new(w->conninfo, w->name)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "partitions"));
	e = make(maker, w, info);
	warm_free(maker);
	for (i = 0; e == ERR_OK && i < w->nwanted; i++)
		keep(w, &w->wanted[i]);
	w->nwanted = 0;
	return (e);
}

/* --- writing ------------------------------------------------------------ */

void
warm_copy_init(struct warm_copy *c, struct warm *w, struct wire *wire)
{
	*c = (struct warm_copy){w, wire, 0};
	wire_reset(wire);
	wire_bytes(wire, copy_head, sizeof(copy_head) - 1);
}

static void
put_run(struct wire *b, int16_t class, const struct reading *r, size_t n)
{
	size_t at, len;

	if (!wire_room(b, ROW_HEAD + packed_bound(n)))
		return;
	wire_i16(b, 6);
	wire_put_i32(b, r[0].series);
	wire_put_i16(b, class);
	wire_put_time(b, r[0].t_us);
	wire_put_time(b, r[n - 1].t_us);
	wire_put_i32(b, (int32_t)n);
	at = b->len;
	len = packed_encode(r, n, b->p + at + 4);
	wire_i32(b, (int32_t)len);
	b->len += len;
}

void
warm_copy_put(
    struct warm_copy *c, int16_t class, const struct reading *r, size_t n)
{
	size_t k;

	for (; n > 0; n -= k, r += k, c->rows++) {
		k = n < PACKED_MAX ? n : PACKED_MAX;
		put_run(c->wire, class, r, k);
	}
}

static bool
send(struct warm *w, const struct wire *b)
{
	size_t at, n;

	for (at = 0; at < b->len; at += n) {
		n = b->len - at < FLUSH ? b->len - at : FLUSH;
		if (PQputCopyData(w->conn, b->p + at, (int)n) != 1)
			return (false);
	}
	return (true);
}

/* The COPY's own answer, then the end of the command. */
static enum err
finish(struct warm *w, const char *sql, bool ok, struct err_info *info)
{
	AUTO_RESULT r = NULL;
	PGresult *rest;
	bool ended = PQputCopyEnd(w->conn, ok ? NULL : "out of memory") == 1;

	r = PQgetResult(w->conn);
	while ((rest = PQgetResult(w->conn)) != NULL)
		PQclear(rest);
	if (!ended || PQresultStatus(r) != PGRES_COMMAND_OK)
		return (warm_error(w, r, sql, info));
	return (ERR_OK);
}

enum err
warm_copy_end(struct warm_copy *c, const char *sql, struct err_info *info)
{
	struct warm *w = c->warm;
	AUTO_RESULT r = NULL;

	wire_i16(c->wire, -1);
	if (!wire_ok(c->wire))
		return (err_set(info, ERR_NO_MEMORY, NULL, "%s", sql));
	if (c->rows == 0)
		return (ERR_OK);
	if (w->conn == NULL)
		return (warm_error(w, NULL, sql, info));
	r = PQexec(w->conn, sql);
	if (PQresultStatus(r) != PGRES_COPY_IN)
		return (warm_error(w, r, sql, info));
	return (finish(w, sql, send(w, c->wire), info));
}

/* --- reading ------------------------------------------------------------ */

size_t
warm_decode(struct warm *w, const char *data, size_t len, int32_t series,
    size_t n, struct err_info *info)
{
	size_t more = packed_count(data, len), size = w->decoded_size;
	struct reading *p;

	if (n + more > size) {
		size = (n + more) * 2;
		if ((p = realloc(w->decoded, size * sizeof(*p))) == NULL) {
			(void)err_set(info, ERR_NO_MEMORY, NULL, "segment");
			return (0);
		}
		w->decoded = p;
		w->decoded_size = size;
	}
	if (packed_decode(data, len, series, w->decoded + n) != ERR_OK) {
		(void)err_set(info, ERR_DATABASE, NULL,
		    "a segment of series %d is malformed", (int)series);
		return (0);
	}
	return (more);
}
