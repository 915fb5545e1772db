/*
 * generate: fills an empty database with simulated readings at 15 s, by binary
 * COPY, as the service has them at that moment. Of the days that are over: a
 * segment each, and packed roll-ups of the days, months and years that are over
 * and of what had gathered by last midnight. Of the day that goes on: a segment
 * of each hour that is over, then one of each reading, since every cycle hears
 * one at most; fresh roll-ups, and the open ones of the newest 5 minutes. And
 * latest values. The same arguments give the same readings.
 *
 *	generate CONNINFO READINGS END
 * END: seconds since 1970, the time of the last reading of every series. Of
 * 10,000 series SIM-0 … (pressure) the first has a year, or six tenths of
 * READINGS, the next hundred have two days, if they go round, the others share
 * the rest. Prints how many readings there are and how many seconds it took.
 */
#include "core/instant.h"
#include "core/ports.h"
#include "domain/packed.h"
#include "domain/packed_rollup.h"
#include "domain/rollup.h"
#include "store/warm_wire.h"

#include <libpq-fe.h>

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERIES	    10000
#define CADENCE_US  (15 * US_PER_SECOND)
#define PER_DAY	    5760
#define BUCKETS_MAX 320 /* of a day */
#define MID	    100
#define MID_EACH    (2 * PER_DAY)
/* Roll-ups of a span that goes on are packed where so many have gathered. */
#define GATHERED 48
/* The newest of a series are its open ones: rollup_widths_s[0]. */
#define OPEN_US (300 * US_PER_SECOND)
/* So long after its end the segments of an hour are joined. */
#define HOUR_LAG_US (300 * US_PER_SECOND)
/* Readings of one transaction: the loop waits for its lock meanwhile. */
#define CHUNK 1000000

struct source {
	uint64_t state;
	double drift;
};

/* Roll-ups of one width in the span at work. */
struct gathering {
	struct rollup u[PACKED_ROLLUP_MAX];
	size_t n;
};

struct run {
	PGconn *conn;
	int64_t today_us; /* midnight before the last reading */
	struct gathering spans[ROLLUP_WIDTHS];
	struct wire segments, fresh, open, packed, latest;
	size_t waiting;
};

static const struct wire_column rollup_columns[] = {{OID_INT4, 4},
    {OID_INT4, 4}, {OID_TIMESTAMPTZ, 8}, {OID_INT8, 8}, {OID_INT8, 8},
    {OID_FLOAT8, 8}, {OID_FLOAT8, 8}, {OID_FLOAT8, 8}, {OID_FLOAT8, 8},
    {OID_TIMESTAMPTZ, 8}, {OID_FLOAT8, 8}, {OID_TIMESTAMPTZ, 8},
    {OID_FLOAT8, 8}};
/* Of rollups_open: as above, but no width. */
static const struct wire_column open_columns[] = {{OID_INT4, 4},
    {OID_TIMESTAMPTZ, 8}, {OID_INT8, 8}, {OID_INT8, 8}, {OID_FLOAT8, 8},
    {OID_FLOAT8, 8}, {OID_FLOAT8, 8}, {OID_FLOAT8, 8}, {OID_TIMESTAMPTZ, 8},
    {OID_FLOAT8, 8}, {OID_TIMESTAMPTZ, 8}, {OID_FLOAT8, 8}};
static const struct wire_column latest_columns[] = {{OID_INT4, 4},
    {OID_TIMESTAMPTZ, 8}, {OID_FLOAT8, 8}, {OID_INT2, 2}, {OID_TIMESTAMPTZ, 8}};
static const char copy_head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

static void
die(PGconn *c, const char *what)
{
	fprintf(stderr, "generate: %s: %s", what, PQerrorMessage(c));
	exit(1);
}

static PGresult *
ask(PGconn *c, const char *sql, const char *const *params, int n)
{
	PGresult *r = PQexecParams(c, sql, n, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_COMMAND_OK &&
	    PQresultStatus(r) != PGRES_TUPLES_OK)
		die(c, sql);
	return (r);
}

static void
run_sql(PGconn *c, const char *sql)
{
	PQclear(ask(c, sql, NULL, 0));
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

/* Marsaglia, "Xorshift RNGs", 2003. Uniform in [0, 1). */
static double
draw(struct source *s)
{
	s->state ^= s->state << 13;
	s->state ^= s->state >> 7;
	s->state ^= s->state << 17;
	return ((double)(s->state >> 11) * 0x1p-53);
}

/* A pressure: a daily swing of 5 m, a drift, to two decimals; received 0.2 s
 * to 1.5 s later. */
static void
sample(struct source *s, struct reading *r, int32_t series, int64_t t_us)
{
	double day = (double)t_us / (double)US_PER_DAY;

	s->drift = 0.98 * s->drift + 0.1 * (draw(s) - 0.5);
	*r = (struct reading){.series = series,
	    .t_us = t_us,
	    .value = round((45 + 5 * sin(2 * M_PI * (day + series / 977.0)) +
			       s->drift) *
			 100) /
		100,
	    .received_us = t_us + (200 + (int64_t)(draw(s) * 1300)) * 1000};
}

/* --- writing -------------------------------------------------------------- */

static void
copy(PGconn *c, const char *sql, struct wire *w)
{
	PGresult *r;

	if (w->len == 0)
		return;
	wire_i16(w, -1);
	if (!wire_ok(w))
		die(c, "out of memory");
	r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_COPY_IN ||
	    PQputCopyData(c, copy_head, sizeof(copy_head) - 1) != 1 ||
	    PQputCopyData(c, w->p, (int)w->len) != 1 ||
	    PQputCopyEnd(c, NULL) != 1)
		die(c, sql);
	PQclear(r);
	while ((r = PQgetResult(c)) != NULL) {
		if (PQresultStatus(r) != PGRES_COMMAND_OK)
			die(c, sql);
		PQclear(r);
	}
	wire_reset(w);
}

static void
flush(struct run *g)
{
	run_sql(g->conn, "BEGIN");
	run_sql(g->conn, "SELECT segments_lock()");
	copy(g->conn,
	    "COPY segments (series, class, t0, t1, n, data) FROM STDIN "
	    "(FORMAT binary)",
	    &g->segments);
	copy(g->conn, "COPY rollups_fresh FROM STDIN (FORMAT binary)",
	    &g->fresh);
	copy(g->conn, "COPY rollups_open FROM STDIN (FORMAT binary)", &g->open);
	copy(g->conn,
	    "COPY rollups_packed (series, width_s, t0, data) FROM STDIN "
	    "(FORMAT binary)",
	    &g->packed);
	copy(g->conn, "COPY series_latest FROM STDIN (FORMAT binary)",
	    &g->latest);
	run_sql(g->conn, "COMMIT");
	g->waiting = 0;
}

static void
put_segment(struct run *g, const struct reading *r, size_t n)
{
	struct wire *w = &g->segments;
	size_t len;

	if (!wire_room(w, 64 + packed_bound(n)))
		die(g->conn, "out of memory");
	wire_i16(w, 6);
	wire_put_i32(w, r->series);
	wire_put_i16(w, 1);
	wire_put_time(w, r->t_us);
	wire_put_time(w, r[n - 1].t_us);
	wire_put_i32(w, (int32_t)n);
	len = packed_encode(r, n, w->p + w->len + 4);
	wire_i32(w, (int32_t)len);
	w->len += len;
}

static void
put_packed(struct run *g, const struct rollup *u, size_t n)
{
	struct wire *w = &g->packed;
	size_t len;

	if (!wire_room(w, 64 + packed_rollup_bound(n)))
		die(g->conn, "out of memory");
	wire_i16(w, 4);
	wire_put_i32(w, u->series);
	wire_put_i32(w, u->width_s);
	wire_put_time(w, packed_rollup_span(u->width_s, u->bucket_us, 0));
	len = packed_rollup_encode(u, n, w->p + w->len + 4);
	wire_i32(w, (int32_t)len);
	w->len += len;
}

static void
put_fresh(struct run *g, const struct rollup *u)
{
	wire_copy_row(&g->fresh, rollup_columns,
	    (const int64_t[]){u->series, u->width_s,
		wire_time_to_pg(u->bucket_us), u->count, u->good,
		wire_f64_bits(u->sum), wire_f64_bits(u->min),
		wire_f64_bits(u->max), wire_f64_bits(u->sumsq),
		wire_time_to_pg(u->first_us), wire_f64_bits(u->first),
		wire_time_to_pg(u->last_us), wire_f64_bits(u->last)},
	    13);
}

static void
put_open(struct run *g, const struct rollup *u)
{
	wire_copy_row(&g->open, open_columns,
	    (const int64_t[]){u->series, wire_time_to_pg(u->bucket_us),
		u->count, u->good, wire_f64_bits(u->sum), wire_f64_bits(u->min),
		wire_f64_bits(u->max), wire_f64_bits(u->sumsq),
		wire_time_to_pg(u->first_us), wire_f64_bits(u->first),
		wire_time_to_pg(u->last_us), wire_f64_bits(u->last)},
	    12);
}

/* As the service has them after its last night: each night packed what had
 * gathered of a span that goes on, if that was enough. */
static void
put_span(struct run *g, struct gathering *s)
{
	size_t i, whole = 1;

	if (s->n == 0)
		return;
	if (packed_rollup_span(s->u->width_s, s->u->bucket_us, 1) > g->today_us)
		whole = GATHERED;
	for (i = 0; i < s->n && s->u[i].bucket_us < g->today_us; i++)
		;
	i -= i % whole;
	if (i > 0)
		put_packed(g, s->u, i);
	for (; i < s->n; i++)
		put_fresh(g, &s->u[i]);
	s->n = 0;
}

static void
put_rollups(struct run *g, const struct reading *r, size_t n)
{
	struct rollup out[BUCKETS_MAX], *u, *end = rollup_readings(out, r, n);
	struct gathering *s = g->spans;

	for (u = out; u < end; u++) {
		while (u->width_s != rollup_widths_s[s - g->spans])
			s++;
		if (s->n > 0 &&
		    packed_rollup_span(u->width_s, s->u->bucket_us, 1) <=
			u->bucket_us)
			put_span(g, s);
		s->u[s->n++] = *u;
	}
}

static void
put_latest(struct run *g, const struct reading *r)
{
	wire_copy_row(&g->latest, latest_columns,
	    (const int64_t[]){r->series, wire_time_to_pg(r->t_us),
		wire_f64_bits(r->value), r->quality,
		wire_time_to_pg(r->received_us)},
	    5);
}

/* Segments of the day that goes on. */
static void
put_hours(struct run *g, const struct reading *r, size_t n)
{
	int64_t end_us = r[n - 1].t_us, next;
	size_t i, from;

	for (i = 0; i < n;) {
		from = i++;
		next = instant_floor(r[from].t_us, US_PER_HOUR) + US_PER_HOUR;
		while (next + HOUR_LAG_US <= end_us && r[i].t_us < next)
			i++;
		put_segment(g, &r[from], i - from);
	}
}

/* The only reading of a series is not expected to go on. */
static void
end_series(struct run *g, const struct reading *r, size_t n, bool only)
{
	int64_t open_us = instant_floor(r[n - 1].t_us, OPEN_US);
	size_t open = 0, w;
	struct rollup u;

	while (!only && open < n && r[n - 1 - open].t_us >= open_us)
		open++;
	put_rollups(g, r, n - open);
	for (w = 0; w < ROLLUP_WIDTHS; w++)
		put_span(g, &g->spans[w]);
	if (open > 0) {
		(void)rollup_width(&u, r + n - open, open, rollup_widths_s[0]);
		put_open(g, &u);
	}
	put_hours(g, r, n);
	put_latest(g, &r[n - 1]);
}

/* Day by day, the last reading at end_us. */
static void
series(struct run *g, int32_t id, int64_t end_us, int64_t n)
{
	static struct reading day[PER_DAY];
	struct source s = {
	    .state = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)id};
	int64_t t = end_us - (n - 1) * CADENCE_US, next;
	size_t k = 0;

	for (next = instant_floor(t, US_PER_DAY) + US_PER_DAY; t <= end_us;) {
		sample(&s, &day[k++], id, t);
		t += CADENCE_US;
		if (t < next && t <= end_us)
			continue;
		if (t > end_us) {
			end_series(g, day, k, n == 1);
		} else {
			put_segment(g, day, k);
			put_rollups(g, day, k);
		}
		g->waiting += k;
		if (g->waiting >= CHUNK)
			flush(g);
		k = 0;
		next += US_PER_DAY;
	}
}

/* --- what there is to write ----------------------------------------------- */

static void
make_series(PGconn *c, int64_t from_us, int32_t ids[SERIES])
{
	char from[INSTANT_TEXT];
	const char *params[] = {from};
	PGresult *r;
	int i;

	run_sql(c,
	    "INSERT INTO nodes (code, type, simulated) SELECT 'SIM-' || i, "
	    "'junction', true FROM generate_series(0, 9999) i");
	r = ask(c,
	    "INSERT INTO series (node_id, metric_id, unit, kind) SELECT id, 2, "
	    "'m', 'instant' FROM nodes WHERE code LIKE 'SIM-%' "
	    "ORDER BY substr(code, 5)::int RETURNING id",
	    NULL, 0);
	if (PQntuples(r) != SERIES)
		die(c, "not 10,000 series");
	for (i = 0; i < SERIES; i++)
		ids[i] = (int32_t)strtol(PQgetvalue(r, i, 0), NULL, 10);
	PQclear(r);
	(void)instant_format(from_us, from);
	PQclear(ask(c,
	    "SELECT segments_ensure(1::int2, m) FROM generate_series("
	    "date_trunc('month', $1::timestamptz, 'UTC'), "
	    "now() + interval '1 month', interval '1 month') m",
	    params, 1));
}

/* Days and months that are over are joined, those that go on will be. */
static void
mark_spans(PGconn *c, int64_t from_us, int64_t today_us)
{
	char from[INSTANT_TEXT], today[INSTANT_TEXT];
	const char *params[] = {from, today};

	(void)instant_format(from_us, from);
	(void)instant_format(today_us, today);
	PQclear(ask(c,
	    "SELECT segments_touched(array_agg(d)) FROM generate_series("
	    "date_trunc('day', $1::timestamptz, 'UTC'), $2::timestamptz, "
	    "interval '1 day') d",
	    params, 2));
	PQclear(ask(c,
	    "UPDATE segment_spans SET dirty = false, tidied = now() "
	    "WHERE at < date_trunc(CASE WHEN monthly THEN 'month' ELSE 'day' "
	    "END, $1::timestamptz, 'UTC')",
	    &params[1], 1));
}

static int64_t
least(int64_t a, int64_t b)
{
	return (a < b ? a : b);
}

static int64_t
share(int i, int64_t total)
{
	int64_t first = least(365 * PER_DAY, total * 6 / 10);
	int64_t mid = least(MID_EACH, (total - first) * 2 / 3 / MID);
	int64_t rest = (total - first - MID * mid) / (SERIES - 1 - MID);

	if (i == 0)
		return (first);
	return (i <= MID && mid > rest ? mid : rest);
}

int
main(int argc, char **argv)
{
	static struct run g;
	static int32_t ids[SERIES];
	int64_t total, end_us, from_us, made = 0, n;
	double began = now_s();
	int i;

	if (argc != 4 || (total = strtoll(argv[2], NULL, 10)) < 100000 ||
	    total > INT64_C(2000000000) ||
	    (end_us = strtoll(argv[3], NULL, 10) * US_PER_SECOND) <= 0)
		return (fprintf(stderr,
			    "usage: generate CONNINFO READINGS END, of "
			    "100,000 readings or more\n"),
		    2);
	g.conn = PQconnectdb(argv[1]);
	if (PQstatus(g.conn) != CONNECTION_OK)
		die(g.conn, "connect");
	end_us = instant_floor(end_us, CADENCE_US);
	g.today_us = instant_floor(end_us, US_PER_DAY);
	from_us = end_us - (share(0, total) - 1) * CADENCE_US;
	make_series(g.conn, from_us, ids);
	for (i = 0; i < SERIES; i++) {
		n = share(i, total);
		series(&g, ids[i], end_us, n);
		made += n;
	}
	flush(&g);
	mark_spans(g.conn, from_us, g.today_us);
	run_sql(g.conn,
	    "VACUUM ANALYZE segments, rollups_fresh, rollups_open, "
	    "rollups_packed, series_latest");
	PQfinish(g.conn);
	wire_done(&g.segments);
	wire_done(&g.fresh);
	wire_done(&g.open);
	wire_done(&g.packed);
	wire_done(&g.latest);
	printf("%" PRId64 " %.1f\n", made, now_s() - began);
	return (0);
}
