/*
 * Reads: what one turn of the loop asks for, and what is asked while an MGET
 * is on the wire, shares the next one; neighbours that ask for the same share
 * its keys. Requests are asked for and answered in order.
 */
#include "store/hot_parts.h"

#include "core/metrics.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 200000u /* series; one larger request may stand alone */

static void fetch_soon(struct hot *);

static struct hot_read *
pop(struct hot *h)
{
	struct hot_read *r = h->first;

	if ((h->first = r->next) == NULL)
		h->last = NULL;
	h->waiting -= r->n;
	return (r);
}

/* What is on the wire is void then: replies are matched by position. */
void
hot_reads_fail(struct hot *h)
{
	struct err_info info = {.code = ERR_OK};
	struct hot_read *r = h->first, *next;

	err_set(&info, ERR_CACHE, NULL, "the hot tier cannot be trusted now");
	h->first = h->last = NULL;
	h->waiting = h->fetch.n = 0;
	for (; r != NULL; r = next) {
		next = r->next;
		r->cb(r->arg, NULL, NULL, r->n, &info);
		free(r);
	}
}

static void
on_fail(void *arg)
{
	struct hot *h = arg;

	h->fail = NULL;
	hot_reads_fail(h);
}

static void
give(struct hot_read *r)
{
	static const struct err_info ok = {.code = ERR_OK};

	r->cb(r->arg, r->values, r->found, r->n, &ok);
	free(r);
}

static bool
take_value(
    const struct hot *h, struct hot_read *r, const struct redisReply *reply)
{
	struct reading *value = &r->values[r->answered];
	bool whole = false;
	bool has = reply != NULL && wire_value(reply, value, &whole);

	return (r->found[r->answered] = hot_overlay(h, value, has, whole));
}

/* Misses all if `reply` is NULL. The epoch is before the values. */
static void
take_values(struct hot *h, const struct redisReply *reply)
{
	struct hot_read *r;
	uint64_t hits = 0, all = 0;

	while ((r = h->first) != NULL && r->asked > 0) {
		all += r->asked;
		for (; r->asked > 0; r->asked--, r->answered++)
			hits += take_value(h, r,
			    reply == NULL ? NULL : reply->element[++r->at]);
		if (r->answered < r->n)
			break;
		give(pop(h));
	}
	metric_count(COUNTER_HOT_HITS, hits);
	metric_count(COUNTER_HOT_MISSES, all - hits);
}

/* What was trusted when it was asked and is so still. */
static bool
is_sound(struct hot *h, const struct redisReply *reply)
{
	return (reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
	    reply->elements == h->fetch.n + 1 && h->fetch.trusted &&
	    atomic_load(&h->shared->losses) == h->fetch.losses);
}

static void
take_reply(struct hot *h, const struct redisReply *reply)
{
	int64_t epoch;

	if (!is_sound(h, reply)) {
		hot_reads_fail(h);
		return;
	}
	epoch = wire_number(reply->element[0]);
	if (epoch < h->fetch.epoch) { /* Redis has forgotten */
		hot_lose(h);
		hot_reads_fail(h);
	} else if (epoch > h->fetch.epoch) {
		hot_adopt(h, epoch);
		take_values(h, NULL);
	} else
		take_values(h, reply);
}

static void
on_fetched(void *arg, const struct redisReply *reply)
{
	struct hot *h = arg;

	if (!hot_arrived(h))
		return;
	/* Still `reading`: what callbacks ask for must wait until all is
	 * handed out. */
	take_reply(h, reply);
	h->reading = false;
	if (h->first != NULL)
		fetch_soon(h);
}

static bool
asks_the_same(const struct hot_read *a, const struct hot_read *b)
{
	size_t i = 0;

	if (a->n != b->n || a->asked < a->n)
		return (false);
	while (i < a->n && a->values[i].series == b->values[i].series)
		i++;
	return (i == a->n);
}

static size_t
gather(struct hot *h)
{
	struct hot_read *r, *before = NULL;
	size_t i, n = 0;

	for (r = h->first; r != NULL; before = r, r = r->next) {
		if (before != NULL && asks_the_same(before, r)) {
			r->at = before->at;
			r->asked = r->n;
			continue;
		}
		r->at = n;
		for (i = r->answered; i < r->n && n < WIRE_KEYS; i++)
			h->keys[n++].series = r->values[i].series;
		r->asked = n - r->at;
		if (i < r->n)
			break;
	}
	return (n);
}

static void
fetch_send(struct hot *h)
{
	size_t n = gather(h);

	h->fetch.n = n;
	h->fetch.losses = atomic_load(&h->shared->trusted);
	h->fetch.trusted = h->fetch.losses == atomic_load(&h->shared->losses);
	h->fetch.epoch = atomic_load(&h->shared->epoch);
	if (hot_send(h, wire_fetch(h->buf, h->fetch.epoch, h->keys, n),
		on_fetched) == ERR_OK)
		h->reading = true;
	else if (h->fail == NULL)
		h->fail = h->loop->ops->after(h->loop, 0, on_fail, h);
}

static struct hot_read *
read_new(const int32_t *series, size_t n, hot_cb *cb, void *arg)
{
	struct hot_read *r;
	size_t i;

	r = malloc(sizeof(*r) + n * (sizeof(r->values[0]) + sizeof(bool)));
	if (r == NULL)
		return (NULL);
	*r = (struct hot_read){.cb = cb, .arg = arg, .n = n};
	r->found = (bool *)&r->values[n];
	for (i = 0; i < n; i++)
		r->values[i].series = series[i];
	return (r);
}

static void
on_gathered(void *arg)
{
	struct hot *h = arg;

	h->fail = NULL;
	if (h->first != NULL && !h->reading)
		fetch_send(h);
}

static void
fetch_soon(struct hot *h)
{
	if (!h->reading && h->fail == NULL &&
	    (h->fail = h->loop->ops->soon(h->loop, on_gathered, h)) == NULL)
		fetch_send(h);
}

enum err
hot_latest(void *self, const int32_t *series, size_t n, hot_cb *cb, void *arg,
    struct err_info *info)
{
	struct hot *h = self;
	struct hot_read *r;

	if (!h->up || !hot_trusted(h)) {
		hot_recover_soon(h);
		return (err_set(info, ERR_CACHE, NULL,
		    "the hot tier cannot be trusted now"));
	}
	if (n == 0)
		return (err_set(info, ERR_INTERNAL, NULL, "no series"));
	if (h->waiting > 0 && h->waiting + n > WAITING_MAX)
		return (err_set(info, ERR_BUSY, NULL,
		    "%zu reads wait for the hot tier already", h->waiting));
	r = read_new(series, n, cb, arg);
	if (r == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "hot read"));
	if (h->last == NULL)
		h->first = r;
	else
		h->last->next = r;
	h->last = r;
	h->waiting += n;
	fetch_soon(h);
	return (ERR_OK);
}
