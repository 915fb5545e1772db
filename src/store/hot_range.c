/*
 * Ranges: a read first waits until all that the instance's workers had
 * committed when it was asked is in Redis, then fetches whole hours.
 */
#include "store/hot_parts.h"

#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

#define READS_MAX 64 /* at once; more go to PostgreSQL */
#define MOST	  20000u
#define POLL_MS	  2u
#define WAIT_US	  250000

struct hot_range {
	struct hot *hot;
	struct hot_range *next;
	range_cb *cb;
	void *arg;
	struct range of;
	struct hours_span span;
	int64_t epoch, until_us;
	uint64_t losses;
	uint64_t noted[HOT_WORKERS];
};

static void
answer(struct hot_range *r, const struct range_part *part)
{
	static const struct err_info ok = {.code = ERR_OK},
				     miss = {.code = ERR_CACHE,
					 .detail = "the hot tier does not "
						   "hold this range whole"};

	r->hot->ranges--;
	metric_count(
	    part != NULL ? COUNTER_HOT_RANGE_HITS : COUNTER_HOT_RANGE_MISSES,
	    1);
	r->cb(r->arg, part, part != NULL ? &ok : &miss);
	free(r);
}

static bool
written(const struct hot_range *r)
{
	return (hot_marks_written(r->hot->shared->marks, r->noted));
}

static bool
still_trusted(const struct hot_range *r)
{
	const struct hot_shared *s = r->hot->shared;

	return (atomic_load(&s->losses) == r->losses &&
	    atomic_load(&s->trusted) == r->losses);
}

/* The hour's readings behind those that are there; false if they are not what
 * was counted, or not to be told from each other. */
static bool
take_hour(const struct redisReply *count, const struct redisReply *bytes,
    struct hour_key key, struct reading *room, size_t *n)
{
	struct reading *out;
	size_t got;

	if (count->type != REDIS_REPLY_INTEGER ||
	    bytes->type != REDIS_REPLY_STRING)
		return (false);
	if (bytes->len == 0)
		return (count->integer == 0);
	if (count->integer <= 0 ||
	    hour_count(bytes->str, bytes->len) != (size_t)count->integer ||
	    hour_decode(bytes->str, bytes->len, key, room + *n, &out, &got) !=
		ERR_OK)
		return (false);
	memmove(room + *n, out, got * sizeof(*out));
	*n += got;
	return (true);
}

/* Room for all, and once more for the last hour, which is sorted there. */
static struct reading *
room_for(const struct redisReply *reply)
{
	size_t i, n = 0, counted, most = 0;

	for (i = 2; i < reply->elements; i += 2) {
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return (NULL);
		counted =
		    hour_count(reply->element[i]->str, reply->element[i]->len);
		n += counted;
		most = counted > most ? counted : most;
	}
	return (malloc((n + most + 1) * sizeof(struct reading)));
}

static void
give(struct hot_range *r, struct reading *all, size_t n, int32_t hours)
{
	struct range_part part = {.readings = all, .n = n};
	int64_t end = (r->span.first + hours) * US_PER_HOUR;

	while (part.n > 0 && part.readings->t_us < r->of.from_us) {
		part.readings++;
		part.n--;
	}
	while (part.n > 0 && part.readings[part.n - 1].t_us >= r->of.to_us)
		part.n--;
	part.complete_to_us = end < r->of.to_us ? end : r->of.to_us;
	answer(r, &part);
}

/* Whatever it is, it is not what was appended: PostgreSQL answers, and the
 * series is built anew. */
static void
give_up(struct hot_range *r)
{
	static int64_t told_us;
	int64_t now = r->hot->loop->ops->monotonic_us(r->hot->loop);

	metric_count(COUNTER_HOT_BAD, 1);
	if (told_us == 0 || now - told_us > US_PER_MINUTE) {
		told_us = now;
		log_event(LOG_LEVEL_WARN, "hot_hours_wrong", "series", LOG_INT,
		    (int64_t)r->of.series, NULL);
	}
	hot_forget(r->hot, &r->of.series, 1);
	answer(r, NULL);
}

static void
take_hours(struct hot_range *r, const struct redisReply *reply)
{
	struct hour_key key = {r->of.series, r->span.first};
	struct reading *room;
	size_t i, n = 0;
	bool ok;

	if (reply->elements < 3 || reply->elements % 2 == 0) {
		answer(r, NULL);
		return;
	}
	ok = (room = room_for(reply)) != NULL;
	for (i = 1; ok && i < reply->elements; i += 2, key.hour++)
		ok = take_hour(
		    reply->element[i], reply->element[i + 1], key, room, &n);
	if (ok)
		give(r, room, n, key.hour - r->span.first);
	else
		give_up(r);
	free(room);
}

static void
on_hours(void *arg, const struct redisReply *reply)
{
	struct hot_range *r = arg;
	struct hot *h = r->hot;
	int64_t epoch;

	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements == 0 || !still_trusted(r)) {
		answer(r, NULL);
	} else if ((epoch = wire_number(reply->element[0])) != r->epoch) {
		if (epoch < r->epoch) /* Redis has forgotten */
			hot_lose(h);
		else
			hot_adopt(h, epoch);
		answer(r, NULL);
	} else
		take_hours(r, reply);
	(void)hot_arrived(h);
}

static bool
fetch(struct hot_range *r)
{
	struct hot *h = r->hot;
	char buf[HOURS_ASK];

	if (!h->up || !still_trusted(r))
		return (false);
	r->epoch = atomic_load(&h->shared->epoch);
	if (redis_send(h->redis, buf, hours_fetch(buf, &r->span), on_hours,
		r) != ERR_OK)
		return (false);
	h->under_way++;
	return (true);
}

static void
poll_again(struct hot *h)
{
	if (h->waiting_ranges != NULL && h->poll == NULL)
		h->poll =
		    h->loop->ops->after(h->loop, POLL_MS, hot_ranges_poll, h);
}

void
hot_ranges_poll(void *arg)
{
	struct hot *h = arg;
	int64_t now = h->loop->ops->monotonic_us(h->loop);
	struct hot_range *r = h->waiting_ranges, *next;

	h->poll = NULL;
	h->waiting_ranges = NULL;
	for (; r != NULL; r = next) {
		next = r->next;
		if (!written(r) && now < r->until_us && h->up) {
			r->next = h->waiting_ranges;
			h->waiting_ranges = r;
		} else if (!written(r) || !fetch(r))
			answer(r, NULL);
	}
	poll_again(h);
}

/* Those on the wire hear from redis.h. */
void
hot_ranges_fail(struct hot *h)
{
	struct hot_range *r = h->waiting_ranges, *next;

	if (h->poll != NULL)
		h->loop->ops->cancel(h->loop, h->poll);
	h->poll = NULL;
	h->waiting_ranges = NULL;
	for (; r != NULL; r = next) {
		next = r->next;
		answer(r, NULL);
	}
}

static bool
can_read(struct hot *h, const struct range *of)
{
	if (!h->up || !hot_trusted(h)) {
		hot_recover_soon(h);
		return (false);
	}
	return (of->from_us < of->to_us && h->ranges < READS_MAX &&
	    hour_of(of->to_us - 1) - hour_of(of->from_us) <
		(int32_t)HOURS_FETCH);
}

static void
ask(struct hot_range *r)
{
	r->losses = atomic_load(&r->hot->shared->losses);
	hot_marks(r->hot->shared->marks, r->noted);
	if (written(r) && fetch(r))
		return;
	atomic_fetch_add(&r->hot->shared->wanted, 1);
	r->until_us = r->hot->loop->ops->monotonic_us(r->hot->loop) + WAIT_US;
	r->next = r->hot->waiting_ranges;
	r->hot->waiting_ranges = r;
	poll_again(r->hot);
}

static enum err
range_read(void *self, const struct range *of, range_cb *cb, void *arg,
    struct err_info *info)
{
	struct hot *h = self;
	struct hot_range *r;

	if (!can_read(h, of) || (r = malloc(sizeof(*r))) == NULL) {
		metric_count(COUNTER_HOT_RANGE_MISSES, 1);
		return (err_set(info, ERR_CACHE, NULL,
		    "the hot tier cannot answer this range now"));
	}
	r->hot = h;
	r->cb = cb;
	r->arg = arg;
	r->of = *of;
	r->span = (struct hours_span){.series = of->series,
	    .first = hour_of(of->from_us),
	    .last = hour_of(of->to_us - 1),
	    .most = of->max < MOST ? of->max : MOST};
	h->ranges++;
	ask(r);
	return (ERR_OK);
}

struct range_port
hot_range_port(struct hot *h)
{
	return ((struct range_port){.self = h, .read = range_read});
}
