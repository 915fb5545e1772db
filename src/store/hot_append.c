/*
 * Appends: readings gather by series and hour in `pending` while `flight` is
 * sent, one command at a time. After a flight the next one waits as long as
 * that took, up to LINGER_US: the more there is to do, the more goes into one
 * string at once, and Redis never has more than half its time taken by it. After
 * more than a FEW readings it waits for PACE_US at least, since a command costs
 * as much as some ten readings in it, and for CALM_US while no reader of this
 * instance waits for it and they are not MANY: what goes into one string at once
 * costs Redis as much as one reading.
 */
#include "store/hot_parts.h"

#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <time.h>

#define LINGER_US 50000
#define PACE_US	  10000
#define CALM_US	  200000
#define FEW	  8u
#define MANY	  8192u
#define BUSY_MS	  5u

static void send_flight(struct hot *);

bool
hot_append_open(struct hot *h)
{
	h->append.buf = malloc(HOURS_APPEND);
	return (h->append.buf != NULL);
}

void
hot_append_done(struct hot *h)
{
	gather_done(&h->append.pending);
	gather_done(&h->append.flight);
	free(h->append.buf);
}

/* Readers of other workers wait until `written` has come to what was `noted`
 * when they asked. */
static struct hot_mark *
own_mark(struct hot *h)
{
	return (&h->shared->marks[h->number]);
}

static void
stop_timer(struct hot *h)
{
	if (h->append.timer != NULL)
		h->loop->ops->cancel(h->loop, h->append.timer);
	h->append.timer = NULL;
}

/* Only once the hot tier is untrusted: nobody may take it for written. */
void
hot_append_lost(struct hot *h)
{
	if (!gather_empty(&h->append.pending) ||
	    !gather_empty(&h->append.flight))
		hot_tell(h);
	gather_clear(&h->append.pending);
	gather_clear(&h->append.flight);
	h->append.at = (struct hours_cursor){0};
	h->append.on = false;
	stop_timer(h);
	atomic_store(&own_mark(h)->written, atomic_load(&own_mark(h)->noted));
}

static void
flight_end(struct hot *h)
{
	int64_t now = h->loop->ops->monotonic_us(h->loop);
	int64_t took = now - h->append.began_us;

	if (h->append.flight.n > FEW && took < PACE_US)
		took = PACE_US;
	gather_clear(&h->append.flight);
	h->append.at = (struct hours_cursor){0};
	h->append.not_before_us = now + (took < LINGER_US ? took : LINGER_US);
	h->append.calm_until_us = took < PACE_US ? 0 : now + CALM_US;
	atomic_store(&own_mark(h)->written, h->append.mark);
}

static void
on_timer(void *arg)
{
	struct hot *h = arg;

	h->append.timer = NULL;
	send_flight(h);
}

static bool
calm(const struct hot *h)
{
	return (h->append.pending.n < MANY && !h->append.pending.hole &&
	    h->loop->ops->monotonic_us(h->loop) < h->append.calm_until_us &&
	    atomic_load(&h->shared->wanted) == h->append.wanted);
}

static bool
must_wait(struct hot *h)
{
	h->append.timer = hot_wait(h, h->append.not_before_us, on_timer);
	if (h->append.timer == NULL && calm(h))
		h->append.timer = h->loop->ops->after(
		    h->loop, PACE_US / 1000 - 1, on_timer, h);
	return (h->append.timer != NULL);
}

/* Until the keeper says otherwise. */
static void
hours_ended(struct hot *h)
{
	int kept = HOT_HOURS_KEPT;

	(void)atomic_compare_exchange_strong(
	    &h->shared->hours_word, &kept, (int)HOT_HOURS_WAIT);
}

static void
refused(struct hot *h, const struct redisReply *reply)
{
	log_event(LOG_LEVEL_WARN, "hot_append_refused", "error", LOG_STR,
	    reply != NULL && reply->type == REDIS_REPLY_ERROR ? reply->str
							      : "no answer",
	    NULL);
	if (reply != NULL && !h->append.flight.hole) {
		metric_count(COUNTER_HOT_HOLES, 1);
		gather_hole(&h->append.flight);
		send_flight(h);
		return;
	}
	hot_lose(h);
	hot_append_lost(h);
}

static void
took(struct hot *h)
{
	h->append.at = h->append.next;
	if (h->append.at.group < h->append.flight.ngroups) {
		send_flight(h);
		return;
	}
	metric_count(COUNTER_HOT_APPENDED, h->append.flight.n);
	flight_end(h);
	send_flight(h);
}

static void
on_appended(void *arg, const struct redisReply *reply)
{
	struct hot *h = arg;
	int64_t said;

	if (!hot_arrived(h))
		return;
	h->append.sending = false;
	said = reply != NULL && reply->type == REDIS_REPLY_INTEGER
	    ? reply->integer
	    : INT64_MIN;
	if (said > h->append.epoch) { /* the same once more, in the new one */
		hot_adopt(h, said);
		send_flight(h);
	} else if (said == HOURS_ON && !h->append.asked)
		took(h);
	else if (said == HOURS_ON) {
		h->append.on = true;
		send_flight(h);
	} else if (said == HOURS_OFF) {
		h->append.on = false;
		hours_ended(h);
		flight_end(h);
		send_flight(h);
	} else
		refused(h, reply);
}

static bool
next_flight(struct hot *h)
{
	struct gather empty = h->append.flight;

	if (gather_empty(&h->append.pending) || must_wait(h))
		return (false);
	h->append.flight = h->append.pending;
	h->append.pending = empty;
	h->append.mark = atomic_load(&own_mark(h)->noted);
	h->append.wanted = atomic_load(&h->shared->wanted);
	h->append.began_us = h->loop->ops->monotonic_us(h->loop);
	return (true);
}

static void
send_flight(struct hot *h)
{
	const struct gather *g = &h->append.flight;
	size_t len;
	enum err e;

	if (h->append.sending || h->append.timer != NULL ||
	    (gather_empty(g) && !next_flight(h)))
		return;
	h->append.epoch = atomic_load(&h->shared->epoch);
	h->append.asked = g->hole || !h->append.on;
	h->append.next = h->append.at;
	len = h->append.asked
	    ? hours_note(h->append.buf, h->append.epoch, g->hole)
	    : hours_append(h->append.buf, h->append.epoch, g, &h->append.next);
	e = redis_send(h->redis, h->append.buf, len, on_appended, h);
	if (e == ERR_OK) {
		h->under_way++;
		h->append.sending = true;
	} else if (e == ERR_BUSY)
		h->append.timer =
		    h->loop->ops->after(h->loop, BUSY_MS, on_timer, h);
	else {
		hot_lose(h);
		hot_append_lost(h);
	}
}

/* Before anything is answered, so that who reads next waits for it. */
static bool
begin(struct hot *h)
{
	if (!h->up || h->closed)
		return (false);
	atomic_fetch_add(&own_mark(h)->noted, 1);
	return (true);
}

void
hot_append_note(struct hot *h, const struct reading *r, size_t n)
{
	bool hole = h->append.pending.hole;

	if (!begin(h))
		return;
	gather_readings(
	    &h->append.pending, r, n, hour_of(hot_wall_us()) - HOURS_KEPT);
	if (h->append.pending.hole && !hole) {
		metric_count(COUNTER_HOT_HOLES, 1);
		log_event(LOG_LEVEL_WARN, "hot_hours_off", "why", LOG_STR,
		    "Redis is slower than the readings come", NULL);
	}
	send_flight(h);
}

void
hot_forget(void *self, const int32_t *series, size_t n)
{
	struct hot *h = self;
	size_t i;

	if (h->closed)
		return;
	if (!begin(h)) {
		hot_lose(h);
		return;
	}
	for (i = 0; i < n; i++)
		gather_forget(&h->append.pending, series[i]);
	h->append.calm_until_us = 0;
	send_flight(h);
}

void
hot_doubt(void *self)
{
	struct hot *h = self;

	hot_doubt_newest(h);
	if (!begin(h))
		return;
	gather_hole(&h->append.pending);
	metric_count(COUNTER_HOT_HOLES, 1);
	send_flight(h);
}
