/*
 * Writes: the newest value per series gathers in `pending` while `flight` is
 * sent, one script call at a time. After a flight of more than a FEW the next
 * one waits for PACE_US, a call costs as much as some thirty values in it; and
 * for CALM_US while nobody has read newest values here for READ_US and they go
 * into one call: of a series that comes again meanwhile only the last is sent.
 */
#include "store/hot_parts.h"

#include "core/instant.h"
#include "core/metrics.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

#define DIRTY_FIRST 256u
#define DIRTY_MAX   262144u /* series */
#define FEW	    8u
#define PACE_US	    5000
#define CALM_US	    200000
#define READ_US	    US_PER_SECOND

static struct dirty_slot *
slot_of(const struct dirty *d, int32_t series)
{
	size_t mask = d->size * 2 - 1;
	size_t i = ((uint32_t)series * 2654435761u >> 7) & mask;

	while (d->map[i].generation == d->generation &&
	    d->values[d->map[i].index].series != series)
		i = (i + 1) & mask;
	return (&d->map[i]);
}

/* From `at` on; d->n if it is not there. */
static size_t
dirty_find(const struct dirty *d, int32_t series, size_t at)
{
	struct dirty_slot *slot;

	if (d->n == 0)
		return (d->n);
	slot = slot_of(d, series);
	return (slot->generation == d->generation && slot->index >= at
		? slot->index
		: d->n);
}

bool
hot_overlay(const struct hot *h, struct reading *value, bool has, bool whole)
{
	/* What is in flight before flight_at is written. */
	const struct dirty *of[2] = {&h->flight, &h->pending};
	size_t i, k, at[2] = {h->flight_at, 0};

	for (i = 0; i < 2; i++) {
		k = dirty_find(of[i], value->series, at[i]);
		if (k == of[i]->n)
			continue;
		if (!has || of[i]->values[k].t_us > value->t_us)
			*value = of[i]->values[k];
		has = true;
		whole = whole || of[i]->whole[k];
	}
	return (whole);
}

static bool
dirty_grow(struct dirty *d)
{
	size_t i, size = d->size == 0 ? DIRTY_FIRST : d->size * 2;
	struct dirty_slot *map;
	struct reading *values;
	bool *whole;

	if (size > DIRTY_MAX)
		return (false);
	map = calloc(size * 2, sizeof(*map));
	values = reallocarray(d->values, size, sizeof(*values));
	if (values != NULL)
		d->values = values;
	whole = reallocarray(d->whole, size, sizeof(*whole));
	if (whole != NULL)
		d->whole = whole;
	if (map == NULL || values == NULL || whole == NULL) {
		free(map);
		return (false);
	}
	free(d->map);
	d->map = map;
	d->size = size;
	d->generation = 1;
	for (i = 0; i < d->n; i++)
		*slot_of(d, d->values[i].series) =
		    (struct dirty_slot){1, (uint32_t)i};
	return (true);
}

static bool
dirty_put(struct dirty *d, const struct reading *r, bool whole)
{
	struct dirty_slot *slot;

	if (d->n == d->size && !dirty_grow(d))
		return (false);
	slot = slot_of(d, r->series);
	if (slot->generation == d->generation) {
		if (r->t_us > d->values[slot->index].t_us)
			d->values[slot->index] = *r;
		d->whole[slot->index] |= whole;
		return (true);
	}
	*slot = (struct dirty_slot){d->generation, (uint32_t)d->n};
	d->whole[d->n] = whole;
	d->values[d->n++] = *r;
	return (true);
}

static void
dirty_clear(struct dirty *d)
{
	d->n = 0;
	if (++d->generation != 0)
		return;
	memset(d->map, 0, d->size * 2 * sizeof(d->map[0]));
	d->generation = 1;
}

void
dirty_done(struct dirty *d)
{
	free(d->values);
	free(d->whole);
	free(d->map);
}

/* What was newest in an epoch that has ended: a write of something newer may
 * have been lost with it. */
static void
dirty_doubt(struct dirty *d)
{
	if (d->n > 0)
		memset(d->whole, 0, d->n * sizeof(*d->whole));
}

/* Readers of other workers wait until `written` has come to what was `noted`
 * when they asked. */
static struct hot_mark *
own_mark(struct hot *h)
{
	return (&h->shared->newest[h->number]);
}

void
hot_writes_lost(struct hot *h)
{
	size_t n = h->pending.n + h->flight.n - h->flight_at;

	if (n > 0) {
		metric_count(COUNTER_HOT_LOST, n);
		dirty_clear(&h->pending);
		dirty_clear(&h->flight);
		h->flight_at = h->flight_n = 0;
		hot_lose(h);
		hot_tell(h);
	}
	/* Only now: nobody may take it for written. */
	atomic_store(&own_mark(h)->written, atomic_load(&own_mark(h)->noted));
}

static void send_next(struct hot *);

static void
on_write_timer(void *arg)
{
	struct hot *h = arg;

	h->write_timer = NULL;
	send_next(h);
}

static void
flight_end(struct hot *h)
{
	int64_t now = h->loop->ops->monotonic_us(h->loop);

	if (h->flight.n > FEW) {
		h->write_not_before_us = now + PACE_US;
		h->calm_until_us = now + CALM_US;
	} else
		h->calm_until_us = 0;
	dirty_clear(&h->flight);
	h->flight_at = 0;
	atomic_store(&own_mark(h)->written, h->flight_mark);
}

static bool
calm(const struct hot *h)
{
	int64_t now = h->loop->ops->monotonic_us(h->loop);

	return (h->pending.n < WIRE_KEYS && now < h->calm_until_us &&
	    now - atomic_load(&h->shared->read_us) >= READ_US);
}

/* False: there is none, or not yet. */
static bool
next_flight(struct hot *h)
{
	struct dirty empty = h->flight;

	if (h->pending.n == 0 || h->write_timer != NULL)
		return (false);
	h->write_timer = hot_wait(h, h->write_not_before_us, on_write_timer);
	if (h->write_timer == NULL && calm(h))
		h->write_timer = h->loop->ops->after(
		    h->loop, PACE_US / 1000 - 1, on_write_timer, h);
	if (h->write_timer != NULL)
		return (false);
	h->flight_mark = atomic_load(&own_mark(h)->noted);
	h->flight = h->pending;
	h->pending = empty;
	return (true);
}

static void
on_stored(void *arg, const struct redisReply *reply)
{
	struct hot *h = arg;

	if (!hot_arrived(h))
		return;
	h->writing = false;
	if (reply == NULL || reply->type != REDIS_REPLY_INTEGER ||
	    (reply->integer != 0 && reply->integer <= h->flight_epoch)) {
		hot_writes_lost(h);
		return;
	}
	if (reply->integer != 0) { /* the same once more, in the new epoch */
		hot_adopt(h, reply->integer);
		dirty_doubt(&h->flight);
		dirty_doubt(&h->pending);
	} else {
		metric_count(COUNTER_HOT_WRITES, h->flight_n);
		h->flight_at += h->flight_n;
	}
	if (h->flight_at == h->flight.n)
		flight_end(h);
	send_next(h);
}

static void
send_next(struct hot *h)
{
	struct wire_batch b = {.writer = h->shared->name};
	size_t n;

	if (h->writing || (h->flight.n == 0 && !next_flight(h)))
		return;
	n = h->flight.n - h->flight_at;
	h->flight_n = n < WIRE_KEYS ? n : WIRE_KEYS;
	h->flight_epoch = atomic_load(&h->shared->epoch);
	b.epoch = h->flight_epoch;
	b.word = hot_word(h);
	b.readings = h->flight.values + h->flight_at;
	b.whole = h->flight.whole + h->flight_at;
	b.n = h->flight_n;
	if (hot_send(h, wire_store(h->buf, &b), on_stored) == ERR_OK)
		h->writing = true;
	else
		hot_writes_lost(h);
}

static void
put(struct hot *h, const struct reading *r, size_t n, bool whole)
{
	size_t i;

	if (!h->up) {
		metric_count(COUNTER_HOT_LOST, n);
		hot_lose(h);
		if (!whole)
			hot_tell(h);
		return;
	}
	if (!whole && n > 0)
		atomic_fetch_add(&own_mark(h)->noted, 1);
	for (i = 0; i < n && dirty_put(&h->pending, &r[i], whole); i++)
		;
	if (i < n) {
		hot_lose(h); /* though nothing may have waited */
		hot_writes_lost(h);
	} else
		send_next(h);
}

void
hot_fill(void *self, const struct reading *r, size_t n)
{
	put(self, r, n, true);
}

void
hot_note(void *self, const struct reading *r, size_t n)
{
	put(self, r, n, false);
	hot_append_note(self, r, n);
}
