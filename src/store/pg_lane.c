#include "store/pg_lane.h"

#include "core/log.h"
#include "core/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 50u
#define BACKOFF_LAST_MS	 2000u

static void connect_start(void *);
static void on_io(void *, unsigned);

static int64_t
now_us(const struct pg_conn *c)
{
	return (c->loop->ops->monotonic_us(c->loop));
}

static void
timer_stop(struct pg_conn *c, struct loop_timer **timer)
{
	if (*timer != NULL)
		c->loop->ops->cancel(c->loop, *timer);
	*timer = NULL;
}

static void
watch_stop(struct pg_conn *c)
{
	if (c->watch != NULL)
		c->loop->ops->unwatch(c->loop, c->watch);
	c->watch = NULL;
}

/* Between half of the back-off and all of it, so that workers that lost the
 * server together do not come back together. */
static unsigned
backoff_next(struct pg_conn *c)
{
	unsigned ms = c->backoff_ms;

	c->random ^= c->random << 13; /* xorshift64, Marsaglia 2003 */
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	c->backoff_ms = ms * 2 < BACKOFF_LAST_MS ? ms * 2 : BACKOFF_LAST_MS;
	return (ms / 2 + (unsigned)(c->random % (ms / 2 + 1)));
}

/* False: it was the same before, which is not worth a line in the log. */
static bool
keep_error(struct pg_conn *c, const char *why)
{
	char error[sizeof(c->error)];
	bool news;

	snprintf(error, sizeof(error), "%s", why);
	error[strcspn(error, "\n")] = '\0';
	news = strcmp(error, c->error) != 0;
	memcpy(c->error, error, sizeof(error));
	return (news);
}

/* `why` may point into the connection, which is gone afterwards. */
static void
lost(struct pg_conn *c, const char *why)
{
	bool was = c->connected, news = keep_error(c, why);
	unsigned ms;

	timer_stop(c, &c->retry);
	timer_stop(c, &c->deadline);
	timer_stop(c, &c->drop);
	watch_stop(c);
	PQfinish(c->conn);
	c->conn = NULL;
	c->connected = c->broken = false;
	if (was)
		c->since_us = now_us(c);
	ms = backoff_next(c);
	log_event(was || news ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "pg_lost",
	    "lane", LOG_STR, pg_lane_name(c->lane), "error", LOG_STR, c->error,
	    "in_flight", LOG_INT, (int64_t)c->count, "retry_ms", LOG_INT,
	    (int64_t)ms, NULL);
	c->retry = c->loop->ops->after(c->loop, ms, connect_start, c);
	while (c->count > 0)
		pipeline_finish(c, ERR_DATABASE, "the connection was lost");
}

static void
on_deadline(void *arg)
{
	struct pg_conn *c = arg;
	int64_t now = now_us(c), first = INT64_MAX;
	struct flight *f;
	bool expired = false;
	size_t i;

	c->deadline = NULL;
	for (i = 0; i < c->count; i++) {
		f = &c->ring[(c->head + i) % c->size];
		expired |= f->deadline_us <= now;
		if (f->deadline_us < first)
			first = f->deadline_us;
	}
	if (!expired && first != INT64_MAX) {
		c->deadline_at_us = first;
		c->deadline = c->loop->ops->after(c->loop,
		    (unsigned)((first - now) / 1000 + 1), on_deadline, c);
	}
	if (!expired)
		return;
	/* lost() must find the late ones marked. */
	for (i = 0; i < c->count; i++) {
		f = &c->ring[(c->head + i) % c->size];
		f->late = f->deadline_us <= now;
	}
	lost(c, "a query was over its deadline");
}

static void
deadline_arm(struct pg_conn *c, int64_t at_us)
{
	if (c->deadline != NULL && c->deadline_at_us <= at_us)
		return;
	timer_stop(c, &c->deadline);
	c->deadline_at_us = at_us;
	c->deadline = c->loop->ops->after(c->loop,
	    (unsigned)((at_us - now_us(c)) / 1000 + 1), on_deadline, c);
}

static void
on_drop(void *arg)
{
	struct pg_conn *c = arg;

	c->drop = NULL;
	lost(c, PQerrorMessage(c->conn));
}

/* Not at once: run() must not call anybody back. */
static void
drop_later(struct pg_conn *c)
{
	c->broken = true;
	if (c->drop == NULL)
		c->drop = c->loop->ops->after(c->loop, 0, on_drop, c);
}

/* Level-triggered: WRITE only while libpq holds bytes. */
static bool
flush(struct pg_conn *c)
{
	int rc = PQflush(c->conn);

	if (rc < 0)
		return (false);
	if (c->writing != (rc == 1)) {
		c->writing = rc == 1;
		c->loop->ops->modify(c->loop, c->watch,
		    c->writing ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	}
	return (true);
}

static void
ignore_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

static void
listen_start(struct pg_conn *c)
{
	int64_t at_us = now_us(c) + (int64_t)c->deadline_ms * 1000;

	if (!pipeline_listen(c, at_us) || !flush(c))
		lost(c, PQerrorMessage(c->conn));
	else
		deadline_arm(c, at_us);
}

static void
connected(struct pg_conn *c)
{
	timer_stop(c, &c->retry);
	PQsetNoticeReceiver(c->conn, ignore_notice, NULL);
	c->watch = c->loop->ops->watch(
	    c->loop, PQsocket(c->conn), LOOP_READ, on_io, c);
	c->writing = false;
	if (c->watch == NULL || PQsetnonblocking(c->conn, 1) != 0 ||
	    PQenterPipelineMode(c->conn) != 1) {
		lost(c, "the connection could not be prepared");
		return;
	}
	memset(c->prepared, 0, sizeof(c->prepared));
	c->tag[0] = '\0';
	c->connected = true;
	c->since_us = now_us(c);
	c->backoff_ms = BACKOFF_FIRST_MS;
	metric_count(COUNTER_PG_RECONNECTS, 1);
	log_event(LOG_LEVEL_INFO, "pg_connected", "lane", LOG_STR,
	    pg_lane_name(c->lane), NULL);
	if (c->notify != NULL)
		listen_start(c);
}

static void
connect_step(struct pg_conn *c)
{
	PostgresPollingStatusType s;

	/* The descriptor may change or be closed inside. */
	watch_stop(c);
	s = PQconnectPoll(c->conn);
	if (s == PGRES_POLLING_OK) {
		connected(c);
		return;
	}
	if (s != PGRES_POLLING_FAILED)
		c->watch = c->loop->ops->watch(c->loop, PQsocket(c->conn),
		    s == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE, on_io,
		    c);
	if (c->watch == NULL)
		lost(c, PQerrorMessage(c->conn));
}

static void
on_io(void *arg, unsigned events)
{
	struct pg_conn *c = arg;

	(void)events;
	if (!c->connected)
		connect_step(c);
	else if (!pipeline_read(c) || !flush(c))
		lost(c, PQerrorMessage(c->conn));
}

static void
on_connect_deadline(void *arg)
{
	struct pg_conn *c = arg;

	c->retry = NULL;
	lost(c, "no connection within the deadline");
}

static void
connect_start(void *arg)
{
	struct pg_conn *c = arg;

	c->retry = NULL;
	c->conn = PQconnectStartParams(c->keywords, c->values, 1);
	if (c->conn == NULL || PQstatus(c->conn) == CONNECTION_BAD) {
		lost(c,
		    c->conn == NULL ? "out of memory"
				    : PQerrorMessage(c->conn));
		return;
	}
	c->retry =
	    c->loop->ops->after(c->loop, c->connect_ms, on_connect_deadline, c);
	c->watch = c->loop->ops->watch(
	    c->loop, PQsocket(c->conn), LOOP_WRITE, on_io, c);
	if (c->watch == NULL)
		lost(c, "out of memory");
}

enum err
lane_run(struct pg_conn *c, const struct query *q, query_cb *cb, void *arg,
    struct err_info *info)
{
	unsigned ms = q->deadline_ms == 0 ? c->deadline_ms : q->deadline_ms;
	struct flight f = {.cb = cb, .arg = arg, .statement = q->statement};

	if (!c->connected || c->broken)
		return (err_set(
		    info, ERR_DATABASE, NULL, "no connection to the database"));
	if (c->count + 1 >= c->size) /* one place is LISTEN's */
		return (err_set(
		    info, ERR_BUSY, NULL, "the database's queue is full"));
	if (q->nparams > LANE_PARAMS)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "a statement has at most %d parameters", LANE_PARAMS));
	f.deadline_us = now_us(c) + (int64_t)ms * 1000;
	if (!pipeline_send(c, q, &f) || !flush(c)) {
		drop_later(c);
		return (err_set(
		    info, ERR_DATABASE, NULL, "the connection was lost"));
	}
	c->ring[(c->head + c->count++) % c->size] = f;
	deadline_arm(c, f.deadline_us);
	return (ERR_OK);
}

bool
lane_init(struct pg_conn *c, size_t queue_max)
{
	c->size = queue_max + 1;
	c->ring = calloc(c->size, sizeof(c->ring[0]));
	if (c->ring == NULL)
		return (false);
	c->backoff_ms = BACKOFF_FIRST_MS;
	c->since_us = now_us(c);
	c->random = ((uint64_t)c->since_us << 20 ^ (uint64_t)getpid() << 8 ^
			(uint64_t)c->lane) |
	    1;
	c->retry = c->loop->ops->after(c->loop, 0, connect_start, c);
	return (c->retry != NULL);
}

void
lane_done(struct pg_conn *c)
{
	if (c->loop == NULL)
		return;
	timer_stop(c, &c->retry);
	timer_stop(c, &c->deadline);
	timer_stop(c, &c->drop);
	watch_stop(c);
	PQfinish(c->conn);
	c->conn = NULL;
	c->connected = false;
	while (c->count > 0)
		pipeline_finish(c, ERR_DRAINING, "the server is stopping");
	free(c->ring);
}
