#include "store/log_writer.h"

#include "core/instant.h"
#include "core/metrics.h"
#include "domain/reading.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 2000-01-01T00:00:00Z, where PostgreSQL's timestamps begin. */
#define PG_EPOCH_US INT64_C(946684800000000)

/* Type oids of pg_type.dat, and the arrays' binary form (array_send in
 * PostgreSQL's arrayfuncs.c): dimensions, has-nulls flag, element oid, size,
 * lower bound, then each element as length and bytes; all big-endian. */
#define ARRAY_HEADER 20u

#define WAITERS_FIRST 16u   /* a row that is linked always has room for one */
#define FULL_ENOUGH   1024u /* readings; such a row waits for nothing */
#define SMALL	      100u  /* readings; goes before larger ones */
#define SMALL_PART    8	    /* of a row is kept free for them: one in so many */

enum column { COL_SERIES, COL_TS, COL_VALUE, COL_QUALITY, COL_COUNT };
static const struct {
	uint32_t oid, bytes;
} columns[COL_COUNT] = {
    [COL_SERIES] = {23, 4},  /* int4 */
    [COL_TS] = {1184, 8},    /* timestamptz */
    [COL_VALUE] = {701, 8},  /* float8 */
    [COL_QUALITY] = {21, 2}, /* int2 */
};

struct waiter {
	append_cb *cb;
	void *arg;
};

struct log_row {
	struct log_writer *writer;
	struct log_row *next;
	size_t n;
	int64_t min_us, max_us, received_us, sent_us;
	struct waiter *waiters;
	size_t nwaiters, size_waiters;
	struct err_info info; /* of a row that could not be sent */
	unsigned char *column[COL_COUNT];
	unsigned char bytes[];
};

struct log_writer {
	struct loop *loop;
	struct query_port pg;
	struct hot_port hot;
	size_t inflight_max, row_max, queue_max;
	size_t inflight, queued;
	struct log_row *first, *last; /* to be sent; `last` is filling */
	struct log_row *spare;
	size_t nspare;
	struct log_row *failed;
	struct loop_timer *fail_timer, *send_timer;
	bool closed, whole; /* whole: the log has but one shard */
};

static int64_t
wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000);
}

static void
put16(unsigned char *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static void
put32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void
put64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint64_t
get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (be64toh(v));
}

static uint64_t
double_bits(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return (bits);
}

static double
double_from_bits(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return (d);
}

static size_t
column_size(const struct log_writer *w, enum column c)
{
	return (ARRAY_HEADER + w->row_max * (4 + columns[c].bytes));
}

static void
row_clear(struct log_row *row)
{
	row->next = NULL;
	row->n = row->nwaiters = 0;
	row->min_us = INT64_MAX;
	row->max_us = INT64_MIN;
	err_clear(&row->info);
}

/* Room for row_max readings; pages that are never written cost nothing. */
static struct log_row *
row_new(struct log_writer *w)
{
	struct log_row *row = w->spare;
	size_t size = 0;
	int c;

	if (row != NULL) {
		w->spare = row->next;
		w->nspare--;
		row_clear(row);
		return (row);
	}
	for (c = 0; c < COL_COUNT; c++)
		size += column_size(w, (enum column)c);
	row = malloc(sizeof(*row) + size);
	if (row == NULL)
		return (NULL);
	memset(row, 0, sizeof(*row));
	row->waiters = reallocarray(NULL, WAITERS_FIRST, sizeof(*row->waiters));
	if (row->waiters == NULL) {
		free(row);
		return (NULL);
	}
	row->size_waiters = WAITERS_FIRST;
	row->writer = w;
	for (c = 0, size = 0; c < COL_COUNT; c++) {
		row->column[c] = row->bytes + size;
		size += column_size(w, (enum column)c);
	}
	row_clear(row);
	return (row);
}

static void
row_free(struct log_row *row)
{
	struct log_writer *w = row->writer;

	if (w->nspare <= w->inflight_max && !w->closed) {
		row->next = w->spare;
		w->spare = row;
		w->nspare++;
		return;
	}
	free(row->waiters);
	free(row);
}

static void
row_encode(struct log_row *row, const struct reading *r)
{
	unsigned char *p =
	    row->column[COL_SERIES] + ARRAY_HEADER + row->n * (4 + 4);

	put32(p, 4);
	put32(p + 4, (uint32_t)r->series);
	p = row->column[COL_TS] + ARRAY_HEADER + row->n * (4 + 8);
	put32(p, 8);
	put64(p + 4, (uint64_t)(r->t_us - PG_EPOCH_US));
	p = row->column[COL_VALUE] + ARRAY_HEADER + row->n * (4 + 8);
	put32(p, 8);
	put64(p + 4, double_bits(r->value));
	p = row->column[COL_QUALITY] + ARRAY_HEADER + row->n * (4 + 2);
	put32(p, 2);
	put16(p + 4, (uint16_t)r->quality);
	if (r->t_us < row->min_us)
		row->min_us = r->t_us;
	if (r->t_us > row->max_us)
		row->max_us = r->t_us;
	row->n++;
}

static struct reading
row_decode(const struct log_row *row, size_t i)
{
	struct reading r = {.received_us = row->received_us};
	uint32_t series;
	uint16_t quality;

	memcpy(&series, row->column[COL_SERIES] + ARRAY_HEADER + i * 8 + 4, 4);
	memcpy(
	    &quality, row->column[COL_QUALITY] + ARRAY_HEADER + i * 6 + 4, 2);
	r.series = (int32_t)be32toh(series);
	r.quality = (int16_t)be16toh(quality);
	r.t_us =
	    (int64_t)get64(row->column[COL_TS] + ARRAY_HEADER + i * 12 + 4) +
	    PG_EPOCH_US;
	r.value = double_from_bits(
	    get64(row->column[COL_VALUE] + ARRAY_HEADER + i * 12 + 4));
	return (r);
}

static void
array_header(unsigned char *p, uint32_t oid, size_t n)
{
	put32(p, 1);
	put32(p + 4, 0);
	put32(p + 8, oid);
	put32(p + 12, (uint32_t)n);
	put32(p + 16, 1);
}

static void
row_to_hot(const struct log_row *row)
{
	const struct hot_port *hot = &row->writer->hot;
	struct reading chunk[128];
	size_t i, n = 0;

	if (hot->note == NULL)
		return;
	for (i = 0; i < row->n; i++) {
		chunk[n++] = row_decode(row, i);
		if (n == sizeof(chunk) / sizeof(chunk[0]) || i + 1 == row->n) {
			hot->note(hot->self, chunk, n);
			n = 0;
		}
	}
}

/* Everybody in the row hears the same; the row goes back. */
static void
row_end(struct log_row *row, const struct err_info *info)
{
	struct log_writer *w = row->writer;
	size_t i;

	w->queued -= row->n;
	metric_gauge_add(GAUGE_QUEUE_READINGS, -(int64_t)row->n);
	metric_count(
	    info->code == ERR_OK ? COUNTER_LOG_ROWS : COUNTER_LOG_FAILED, 1);
	for (i = 0; i < row->nwaiters; i++)
		row->waiters[i].cb(row->waiters[i].arg, info);
	row_free(row);
}

static void send_rows(struct log_writer *);

static void
on_stored(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct log_row *row = arg;
	struct log_writer *w = row->writer;

	(void)rows;
	w->inflight--;
	if (info->code == ERR_OK) {
		metric_observe(HISTOGRAM_COMMIT_TIME,
		    w->loop->ops->monotonic_us(w->loop) - row->sent_us);
		metric_observe(HISTOGRAM_BATCH_SIZE, (int64_t)row->n);
	}
	/* The next row's commit and this row's answers run side by side. */
	if (!w->closed)
		send_rows(w);
	if (info->code == ERR_OK)
		row_to_hot(row);
	else if (w->hot.doubt != NULL)
		w->hot.doubt(w->hot.self);
	row_end(row, info);
}

static void
on_failed(void *arg)
{
	struct log_writer *w = arg;
	struct log_row *row, *next;

	w->fail_timer = NULL;
	row = w->failed;
	w->failed = NULL;
	for (; row != NULL; row = next) {
		next = row->next;
		row_end(row, &row->info);
	}
}

/* Not at once: append() must not call anybody back. */
static void
fail_later(struct log_writer *w, struct log_row *row)
{
	row->next = w->failed;
	w->failed = row;
	if (w->fail_timer == NULL)
		w->fail_timer = w->loop->ops->after(w->loop, 0, on_failed, w);
}

static enum err
row_send(struct log_writer *w, struct log_row *row)
{
	unsigned char times[3][8];
	struct param params[3 + COL_COUNT];
	struct query q = {.statement = ST_log_insert,
	    .lane = LANE_LOG,
	    .params = params,
	    .nparams = 3 + COL_COUNT};
	int c;

	if (!w->whole)
		q.statement = ST_log_insert_split;
	/* Kept to the ms in every tier. */
	row->received_us = (wall_us() + 999) / 1000 * 1000;
	row->sent_us = w->loop->ops->monotonic_us(w->loop);
	put64(times[0], (uint64_t)(row->received_us - PG_EPOCH_US));
	put64(times[1], (uint64_t)(row->min_us - PG_EPOCH_US));
	put64(times[2], (uint64_t)(row->max_us - PG_EPOCH_US));
	for (c = 0; c < 3; c++)
		params[c] = (struct param){(const char *)times[c], 8, true};
	for (c = 0; c < COL_COUNT; c++) {
		array_header(row->column[c], columns[c].oid, row->n);
		params[3 + c] = (struct param){(const char *)row->column[c],
		    (int)(ARRAY_HEADER + row->n * (4 + columns[c].bytes)),
		    true};
	}
	return (w->pg.run(w->pg.self, &q, on_stored, row, &row->info));
}

static void
send_rows(struct log_writer *w)
{
	struct log_row *row;

	while (w->first != NULL && w->inflight < w->inflight_max) {
		row = w->first;
		w->first = row->next;
		if (w->first == NULL)
			w->last = NULL;
		row->next = NULL;
		if (row_send(w, row) == ERR_OK)
			w->inflight++;
		else
			fail_later(w, row);
	}
}

static struct log_row *
row_last(struct log_writer *w)
{
	struct log_row *row = row_new(w);

	if (row == NULL)
		return (NULL);
	if (w->last == NULL)
		w->first = row;
	else
		w->last->next = row;
	w->last = row;
	return (row);
}

/*
 * Few readings go into the first row that has room for them, so that they
 * wait for what is on the wire but not for what gateways have queued; many
 * go into the last row, of which they leave a part free.
 */
static struct log_row *
row_for(struct log_writer *w, size_t n)
{
	struct log_row *row = w->last;

	if (n <= SMALL) {
		for (row = w->first; row != NULL; row = row->next)
			if (row->n + n <= w->row_max)
				return (row);
	} else if (row != NULL &&
	    row->n + n <= w->row_max - w->row_max / SMALL_PART)
		return (row);
	return (row_last(w));
}

static bool
waiter_add(struct log_row *row, append_cb *cb, void *arg)
{
	size_t size = row->size_waiters * 2;
	struct waiter *grown;

	if (row->nwaiters == row->size_waiters) {
		grown = reallocarray(row->waiters, size, sizeof(*grown));
		if (grown == NULL)
			return (false);
		row->waiters = grown;
		row->size_waiters = size;
	}
	row->waiters[row->nwaiters++] = (struct waiter){cb, arg};
	return (true);
}

static void
on_turn(void *arg)
{
	struct log_writer *w = arg;

	w->send_timer = NULL;
	send_rows(w);
}

/* All that arrives in this turn of the loop shares the row. */
static void
send_soon(struct log_writer *w)
{
	if (w->send_timer != NULL || w->inflight == w->inflight_max)
		return;
	w->send_timer = w->loop->ops->soon(w->loop, on_turn, w);
	if (w->send_timer == NULL)
		send_rows(w);
}

static enum err
append(void *self, const struct reading *r, size_t n, append_cb *cb, void *arg,
    struct err_info *info)
{
	struct log_writer *w = self;
	struct log_row *row;
	size_t i;

	if (n == 0)
		return (err_set(info, ERR_INTERNAL, NULL, "no reading"));
	if (n > w->row_max)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "at most %zu readings at once", w->row_max));
	if (w->queued + n > w->queue_max)
		return (err_set(info, ERR_BUSY, NULL,
		    "%zu readings wait for their commit already", w->queued));
	row = row_for(w, n);
	if (row == NULL || !waiter_add(row, cb, arg))
		return (err_set(info, ERR_NO_MEMORY, NULL, "log row"));
	for (i = 0; i < n; i++)
		row_encode(row, &r[i]);
	w->queued += n;
	metric_gauge_add(GAUGE_QUEUE_READINGS, (int64_t)n);
	if (w->first->n >= FULL_ENOUGH)
		send_rows(w);
	else
		send_soon(w);
	return (ERR_OK);
}

struct log_writer *
log_writer_new(struct loop *loop, const struct query_port *pg,
    const struct hot_port *hot, const struct log_writer_config *cf)
{
	static const struct log_writer_config none;
	struct log_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return (NULL);
	if (cf == NULL)
		cf = &none;
	w->loop = loop;
	w->pg = *pg;
	if (hot != NULL)
		w->hot = *hot;
	w->inflight_max = cf->inflight != 0 ? cf->inflight : 2;
	w->row_max = cf->row_max != 0 ? cf->row_max : 20000;
	w->queue_max = cf->queue_max != 0 ? cf->queue_max : 200000;
	return (w);
}

void
log_writer_free(struct log_writer *w)
{
	static const struct err_info stopping = {
	    .code = ERR_DRAINING, .detail = "the server is stopping"};
	struct log_row *row;

	if (w == NULL)
		return;
	w->closed = true;
	if (w->send_timer != NULL)
		w->loop->ops->cancel(w->loop, w->send_timer);
	if (w->fail_timer != NULL) {
		w->loop->ops->cancel(w->loop, w->fail_timer);
		on_failed(w);
	}
	while ((row = w->first) != NULL) {
		w->first = row->next;
		row_end(row, &stopping);
	}
	while ((row = w->spare) != NULL) {
		w->spare = row->next;
		free(row->waiters);
		free(row);
	}
	free(w);
}

struct log_port
log_writer_port(struct log_writer *w)
{
	return ((struct log_port){.self = w, .append = append});
}

void
log_writer_split(struct log_writer *w, bool split)
{
	w->whole = !split;
}

size_t
log_writer_queued(const struct log_writer *w)
{
	return (w->queued);
}
