#include "domain/reading.h"
#include "store/log_writer.h"
#include "store/pg.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define T0 INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */

static struct loop *loop;
static struct pg *pg;
static struct log_writer *writer;
static struct log_port port;

struct outcome {
	bool done;
	int calls;
	enum err code;
};

static struct reading filled[64];
static size_t nfilled, fills;

static void
on_fill(void *self, const struct reading *r, size_t n)
{
	(void)self;
	fills++;
	for (; n > 0 && nfilled < 64; n--)
		filled[nfilled++] = *r++;
}

static void
on_append(void *arg, const struct err_info *info)
{
	struct outcome *o = arg;

	o->done = true;
	o->calls++;
	o->code = info->code;
}

static void
open_writer(const char *options, const struct log_writer_config *wc)
{
	static char conninfo[512];
	struct hot_port hot = {.note = on_fill};
	struct pg_config cf = {
	    .conninfo = conninfo, .name = "penstock test_log_writer"};
	struct pg_lane_state s = {.connected = false};
	struct query_port q;
	int i;

	signal(SIGPIPE, SIG_IGN);
	snprintf(
	    conninfo, sizeof(conninfo), "%s %s", scratch_database(), options);
	loop = poll_loop_new();
	pg = pg_new(loop, &cf, NULL);
	q = pg_port(pg);
	writer = log_writer_new(loop, &q, &hot, wc);
	port = log_writer_port(writer);
	for (i = 0; i < 300 && !s.connected; i++) {
		poll_loop_turn(loop, 20);
		pg_state(pg, LANE_LOG, &s);
	}
	cr_assert(s.connected);
	scratch_sql("TRUNCATE ingest_log");
}

static void
close_writer(void)
{
	pg_free(pg);
	log_writer_free(writer);
	poll_loop_free(loop);
}

static enum err
append(const struct reading *r, size_t n, struct outcome *o)
{
	return (port.append(port.self, r, n, on_append, o, NULL));
}

Test(log_writer, stores_exactly_what_came)
{
	struct reading r[3] = {{7, QUALITY_GOOD, 1.5, T0, 0},
	    {-8, QUALITY_CLOCK_AHEAD, -0.1, T0 - 5000000, 0},
	    {7, QUALITY_GOOD, 1e300, T0 + 1, 0}};
	struct outcome o = {false, 0, ERR_OK};

	open_writer("", NULL);
	cr_assert_eq(append(r, 3, &o), ERR_OK);
	cr_assert_not(o.done, "called back from inside");
	cr_assert(poll_loop_until(loop, &o.done, 3000));
	cr_assert_eq(o.code, ERR_OK);
	cr_assert_str_eq(
	    scratch_sql(
		"SELECT concat_ws('|', series, value, "
		"quality, array(SELECT extract(epoch FROM x) * 1000000 "
		"FROM unnest(ts) x)::int8[], min_ts = ts[2], max_ts = ts[3], "
		"abs(extract(epoch FROM now() - received_at)) < 60) "
		"FROM ingest_log"),
	    "{7,-8,7}|{1.5,-0.1,1e+300}|{0,1,0}|{1700000000000000,"
	    "1699999995000000,1700000000000001}|t|t|t");
	close_writer();
}

Test(log_writer, a_turn_shares_a_row_and_fills_one_while_others_are_sent)
{
	struct reading r = {1, QUALITY_GOOD, 0, T0, 0};
	struct outcome o[1000] = {0};
	int64_t rows;
	int i;

	open_writer("", NULL);
	for (i = 0; i < 1000; i++) {
		r.t_us = T0 + i;
		r.value = i;
		cr_assert_eq(append(&r, 1, &o[i]), ERR_OK);
		if (i == 9)
			poll_loop_turn(loop, 0);
	}
	cr_assert_eq(log_writer_queued(writer), 1000);
	cr_assert(poll_loop_until(loop, &o[999].done, 5000));
	for (i = 0; i < 1000; i++) {
		cr_assert_eq(o[i].calls, 1);
		cr_assert_eq(o[i].code, ERR_OK);
	}
	cr_assert_eq(log_writer_queued(writer), 0);
	rows = scratch_number("SELECT count(*) FROM ingest_log");
	cr_assert_eq(rows, 2, "%d rows", (int)rows);
	cr_assert_eq(
	    scratch_number(
		"SELECT count(DISTINCT (t, v)) FROM "
		"ingest_log, unnest(ts, value) u(t, v) "
		"WHERE extract(epoch FROM t) * 1000000 - 1700000000000000 = v"),
	    1000);
	close_writer();
}

Test(log_writer, caller_is_never_split_and_queue_is_bounded)
{
	struct log_writer_config wc = {.row_max = 10, .queue_max = 25};
	struct reading r[11];
	struct outcome o[8] = {0};
	int i;

	for (i = 0; i < 11; i++)
		r[i] = (struct reading){i, QUALITY_GOOD, i, T0 + i, 0};
	open_writer("", &wc);
	cr_assert_eq(append(r, 11, &o[0]), ERR_TOO_LARGE);
	cr_assert_eq(append(r, 1, &o[1]), ERR_OK);
	cr_assert_eq(append(r, 1, &o[2]), ERR_OK);
	cr_assert_eq(append(r, 7, &o[3]), ERR_OK);
	cr_assert_eq(append(r, 7, &o[4]), ERR_OK); /* 14 do not fit in 10 */
	cr_assert_eq(append(r, 10, &o[5]), ERR_BUSY);
	cr_assert_eq(append(r, 9, &o[6]), ERR_OK);
	cr_assert(poll_loop_until(loop, &o[6].done, 3000));
	cr_assert_eq(o[0].calls + o[5].calls, 0);
	cr_assert_str_eq(scratch_sql("SELECT string_agg(cardinality(ts)::text,"
				     " ' ' ORDER BY id) FROM ingest_log"),
	    "9 7 9");
	close_writer();
}

/* A database that answers when it is told to. */
static struct {
	query_cb *cb;
	void *arg;
} sent[64];
static size_t nsent, nanswered;

static enum err
hold(void *self, const struct query *q, query_cb *cb, void *arg,
    struct err_info *info)
{
	(void)self;
	(void)q;
	(void)info;
	sent[nsent].cb = cb;
	sent[nsent++].arg = arg;
	return (ERR_OK);
}

static void
answer_one(void)
{
	static const struct err_info ok = {.code = ERR_OK};

	sent[nanswered].cb(sent[nanswered].arg, NULL, &ok);
	nanswered++;
	poll_loop_turn(loop, 0);
}

Test(log_writer, few_readings_do_not_wait_for_what_gateways_have_queued)
{
	enum { MANY = 5000, GATEWAYS = 36, SENSORS = 2000 };
	static struct reading r[MANY];
	static struct outcome big[GATEWAYS], small[SENSORS];
	struct query_port q = {NULL, hold};
	struct log_writer_config wc = {.inflight = 1};
	size_t i;

	loop = poll_loop_new();
	writer = log_writer_new(loop, &q, NULL, &wc);
	port = log_writer_port(writer);
	for (i = 0; i < GATEWAYS; i++)
		cr_assert_eq(append(r, MANY, &big[i]), ERR_OK);
	for (i = 0; i < SENSORS; i++)
		cr_assert_eq(append(r, 1, &small[i]), ERR_OK);
	poll_loop_turn(loop, 0);
	cr_assert_eq(nsent, 1);
	answer_one(); /* what was on the wire when they came */
	cr_assert_eq(nsent, 2);
	cr_assert_not(small[0].done);
	answer_one();
	for (i = 0; i < SENSORS; i++)
		cr_assert(small[i].done, "%zu", i);
	cr_assert_not(big[GATEWAYS - 1].done);
	while (nanswered < nsent)
		answer_one();
	for (i = 0; i < GATEWAYS; i++)
		cr_assert_eq(big[i].calls, 1);
	cr_assert_eq(log_writer_queued(writer), 0);
	log_writer_free(writer);
	poll_loop_free(loop);
}

Test(log_writer, newest_goes_to_the_hot_tier_before_the_answer)
{
	struct reading r[2] = {{3, QUALITY_CLOCK_AHEAD, 2.25, T0, 0},
	    {4, QUALITY_GOOD, -1, T0 - 1, 0}};
	struct outcome o = {false, 0, ERR_OK};

	open_writer("", NULL);
	append(r, 2, &o);
	cr_assert_eq(fills, 0, "before the commit");
	cr_assert(poll_loop_until(loop, &o.done, 3000));
	cr_assert_eq(nfilled, 2);
	cr_assert_eq(filled[0].series, 3);
	cr_assert_eq(filled[0].t_us, T0);
	cr_assert_eq(filled[0].quality, QUALITY_CLOCK_AHEAD);
	cr_assert(filled[0].value == 2.25 && filled[1].value == -1);
	cr_assert_eq(filled[1].series, 4);
	cr_assert_eq(filled[0].received_us,
	    scratch_number("SELECT "
			   "(extract(epoch FROM received_at) * 1000000)::int8 "
			   "FROM ingest_log"));
	close_writer();
}

Test(log_writer, read_only_database_fails_every_caller)
{
	struct reading r = {5, QUALITY_GOOD, 1, T0, 0};
	struct outcome o[20] = {0};
	int i;

	open_writer("options='-c default_transaction_read_only=on'", NULL);
	for (i = 0; i < 20; i++)
		cr_assert_eq(append(&r, 1, &o[i]), ERR_OK);
	cr_assert(poll_loop_until(loop, &o[19].done, 3000));
	for (i = 0; i < 20; i++) {
		cr_assert_eq(o[i].calls, 1);
		cr_assert_eq(o[i].code, ERR_DATABASE);
	}
	cr_assert_eq(fills, 0);
	cr_assert_eq(log_writer_queued(writer), 0);
	cr_assert_eq(scratch_number("SELECT count(*) FROM ingest_log"), 0);
	close_writer();
}

Test(log_writer, lost_connection_fails_every_caller_once)
{
	struct reading r = {6, QUALITY_GOOD, 1, T0, 0};
	struct outcome o[6] = {0};
	int i;

	open_writer("", NULL);
	scratch_hold("LOCK TABLE ingest_log IN ACCESS EXCLUSIVE MODE");
	for (i = 0; i < 5; i++)
		append(&r, 1, &o[i]);
	poll_loop_run(loop, 200);
	scratch_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		    "WHERE application_name = 'penstock test_log_writer'");
	cr_assert(poll_loop_until(loop, &o[4].done, 3000));
	cr_assert_eq(append(&r, 1, &o[5]), ERR_OK);
	cr_assert_not(o[5].done, "called back from inside");
	cr_assert(poll_loop_until(loop, &o[5].done, 3000));
	for (i = 0; i < 6; i++) {
		cr_assert_eq(o[i].calls, 1);
		cr_assert_eq(o[i].code, ERR_DATABASE);
	}
	scratch_release();
	cr_assert_eq(log_writer_queued(writer), 0);
	close_writer();
}

/* A loop whose time passes when it is told to. */
static struct loop_timer {
	loop_timer_cb *cb;
	void *arg;
	bool soon;
} timers[8];

static struct loop_timer *
timer_new(bool soon, loop_timer_cb *cb, void *arg)
{
	struct loop_timer *t = timers;

	while (t->cb != NULL)
		cr_assert_lt(++t, timers + 8);
	*t = (struct loop_timer){cb, arg, soon};
	return (t);
}

static struct loop_timer *
fake_after(struct loop *l, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)l;
	(void)ms;
	return (timer_new(false, cb, arg));
}

static struct loop_timer *
fake_soon(struct loop *l, loop_timer_cb *cb, void *arg)
{
	(void)l;
	return (timer_new(true, cb, arg));
}

static void
fake_cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	t->cb = NULL;
}

static int64_t
fake_now(struct loop *l)
{
	(void)l;
	return (0);
}

static void
turn(bool time_passes)
{
	struct loop_timer t;
	size_t i;

	for (i = 0; i < 8; i++) {
		t = timers[i];
		if (t.cb == NULL || (!t.soon && !time_passes))
			continue;
		timers[i].cb = NULL;
		t.cb(t.arg);
	}
}

static void
commit(void)
{
	static const struct err_info ok = {.code = ERR_OK};

	sent[nanswered].cb(sent[nanswered].arg, NULL, &ok);
	nanswered++;
	turn(false);
}

static struct outcome held[400];
static size_t nheld;

static void
come(size_t n)
{
	struct reading r = {1, QUALITY_GOOD, 0, T0, 0};

	for (; n > 0; n--)
		cr_assert_eq(append(&r, 1, &held[nheld++]), ERR_OK);
	turn(false);
}

static void
open_fake(size_t inflight)
{
	static const struct loop_ops ops = {.after = fake_after,
	    .soon = fake_soon,
	    .cancel = fake_cancel,
	    .monotonic_us = fake_now};
	static struct loop fake = {&ops};
	struct query_port q = {NULL, hold};
	struct log_writer_config wc = {.inflight = inflight};

	writer = log_writer_new(&fake, &q, NULL, &wc);
	port = log_writer_port(writer);
}

/* Sixteen on the wire and sixteen that wait: once the first are answered the
 * row waits for them, but not for long, and not in vain again and again. */
Test(log_writer, those_answered_may_share_the_next_row)
{
	size_t i, waited = 0;

	open_fake(1);
	come(16);
	cr_assert_eq(nsent, 1);
	come(16);
	commit();
	cr_assert(held[15].done);
	cr_assert_eq(nsent, 1, "nobody was waited for");
	come(15);
	cr_assert_eq(nsent, 1);
	come(1);
	cr_assert_eq(nsent, 2, "all have come");
	commit(); /* nobody waits: the next row begins when all are back */
	come(31);
	cr_assert_eq(nsent, 2);
	turn(true);
	cr_assert_eq(nsent, 2, "they are still coming");
	turn(true);
	cr_assert_eq(nsent, 3);
	for (i = 0; i < 15; i++) { /* nobody comes any more */
		come(16);
		commit();
		waited += nsent == 3 + i;
		turn(true);
		cr_assert_eq(nsent, 4 + i);
	}
	cr_assert_eq(waited, 3, "%zu", waited);
	commit();
	turn(true);
	for (i = 0; i < nheld; i++)
		cr_assert_eq(held[i].calls, 1);
	cr_assert_eq(log_writer_queued(writer), 0);
	log_writer_free(writer);
	for (i = 0; i < 8; i++)
		cr_assert_null(timers[i].cb);
}

/* It came while the others' row was on the wire, and its turn is after theirs
 * was answered. */
Test(log_writer, who_was_to_be_sent_at_once_waits_with_those_answered)
{
	struct reading r = {1, QUALITY_GOOD, 0, T0, 0};

	open_fake(2);
	come(16);
	cr_assert_eq(append(&r, 1, &held[nheld++]), ERR_OK);
	commit();
	cr_assert(held[15].done);
	cr_assert_eq(nsent, 1, "nobody was waited for");
	come(16);
	cr_assert_eq(nsent, 2, "all have come");
	commit();
	cr_assert(held[16].done && held[32].done);
	cr_assert_eq(log_writer_queued(writer), 0);
	log_writer_free(writer);
}
