#include "store/log_writer.h"

#include "core/instant.h"
#include "core/metrics.h"
#include "domain/reading.h"
#include "store/log_row.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Nothing younger than three days is archived (archive_due.sql); a day of that
 * is left for clocks that differ. */
#define LATE_US (2 * US_PER_DAY)

#define FULL_ENOUGH 1024u /* readings; such a row waits for nothing */
#define SMALL	    100u  /* readings; goes before larger ones */
#define SMALL_PART  8	  /* of a row is kept free for them: one in so many */
#define HOLD_FEW    8u	  /* for fewer callers nothing is held */
#define HOLD_TURNS  2u	  /* of about 2 ms */
#define SKIP_MOST   6u	  /* 2^6 rows are not held where it never helps */

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
	struct loop_timer *fail_timer, *send_timer, *hold_timer;
	size_t expected, came; /* callers in the row that is held */
	unsigned held;
	unsigned skip, misses; /* rows not to hold; times nobody came */
	bool closed, whole;    /* whole: the log has but one shard */
};

static int64_t
wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000);
}

static struct log_row *
row_new(struct log_writer *w)
{
	struct log_row *row = w->spare;

	if (row == NULL)
		return (log_row_new(w, w->row_max));
	w->spare = row->next;
	w->nspare--;
	log_row_clear(row);
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
	log_row_free(row);
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
		chunk[n++] = log_row_get(row, i);
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
on_hold_end(void *arg)
{
	struct log_writer *w = arg;
	size_t before = w->came;

	w->hold_timer = NULL;
	w->came = w->first == NULL ? 0 : w->first->nwaiters;
	if (w->came > before && ++w->held < HOLD_TURNS)
		w->hold_timer = w->loop->ops->after(w->loop, 1, on_hold_end, w);
	if (w->hold_timer != NULL)
		return;
	if (w->came >= w->expected - w->expected / 4)
		w->misses = 0;
	else {
		w->misses += w->misses < SKIP_MOST;
		w->skip = 1u << w->misses;
	}
	send_rows(w);
}

/* Who is answered now and who waits already, together in the next row: half as
 * many commits, and none of them later. */
static bool
hold(struct log_writer *w, size_t answered)
{
	size_t waiting = w->first == NULL ? 0 : w->first->nwaiters;

	if (w->inflight > 0 || answered + waiting < HOLD_FEW ||
	    w->first != w->last)
		return (false);
	if (w->first != NULL && w->first->n >= FULL_ENOUGH)
		return (false);
	if (w->skip > 0) {
		w->skip--;
		return (false);
	}
	w->expected = answered + waiting;
	w->came = waiting;
	w->held = 0;
	w->hold_timer = w->loop->ops->after(w->loop, 1, on_hold_end, w);
	return (w->hold_timer != NULL);
}

static void
hold_stop(struct log_writer *w)
{
	if (w->hold_timer == NULL)
		return;
	w->loop->ops->cancel(w->loop, w->hold_timer);
	w->hold_timer = NULL;
}

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
	if (!w->closed && (info->code != ERR_OK || !hold(w, row->nwaiters)))
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
	struct param params[LOG_ROW_PARAMS];
	struct query q = {.statement = ST_log_insert,
	    .lane = LANE_LOG,
	    .params = params,
	    .nparams = LOG_ROW_PARAMS};

	/* Kept to the ms in every tier. */
	row->received_us = (wall_us() + 999) / 1000 * 1000;
	if (row->min_us < row->received_us - LATE_US)
		q.statement = ST_log_insert_late;
	else if (!w->whole)
		q.statement = ST_log_insert_split;
	row->sent_us = w->loop->ops->monotonic_us(w->loop);
	log_row_params(row, params);
	return (w->pg.run(w->pg.self, &q, on_stored, row, &row->info));
}

static void
send_rows(struct log_writer *w)
{
	struct log_row *row;

	hold_stop(w);
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

/* Those that a held row waits for may need this CPU to come; it is held no
 * longer for that, as its timer is looked at right after. */
static void
on_turn(void *arg)
{
	struct log_writer *w = arg;

	w->send_timer = NULL;
	if (w->hold_timer == NULL)
		send_rows(w);
	else
		(void)sched_yield();
}

/* All that arrives in this turn of the loop shares the row. */
static void
send_soon(struct log_writer *w)
{
	if (w->hold_timer != NULL && w->first->nwaiters >= w->expected) {
		hold_stop(w);
		w->misses = 0;
	}
	if (w->send_timer != NULL || w->inflight == w->inflight_max)
		return;
	w->send_timer = w->loop->ops->soon(w->loop, on_turn, w);
	if (w->send_timer == NULL && w->hold_timer == NULL)
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
	if (row == NULL || !log_row_wait(row, cb, arg))
		return (err_set(info, ERR_NO_MEMORY, NULL, "log row"));
	for (i = 0; i < n; i++)
		log_row_add(row, &r[i]);
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
	hold_stop(w);
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
		log_row_free(row);
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
