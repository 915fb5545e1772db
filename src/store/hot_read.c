/*
 * Reads: what one turn of the loop asks for, and what is asked while a question
 * is on the wire, shares the next one; neighbours that ask for the same share
 * its keys. Requests are asked for and answered in order, but for those that
 * found less than the instance has seen while another worker had yet to write
 * what it committed: they wait until it has, and ask once more.
 */
#include "store/hot_parts.h"

#include "core/instant.h"
#include "core/metrics.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 200000u /* series; one larger request may stand alone */
#define HELD_MS	    2u	    /* between looks whether it is written */
#define HELD_US	    50000   /* then PostgreSQL is asked */

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
	if (h->last != NULL)
		h->last->next = h->held;
	else
		r = h->held;
	h->first = h->last = h->held = NULL;
	h->waiting = 0;
	h->fetch.sound = false;
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

static void
enqueue(struct hot *h, struct hot_read *r)
{
	r->next = NULL;
	if (h->last == NULL)
		h->first = r;
	else
		h->last->next = r;
	h->last = r;
	h->waiting += r->n;
}

static void hold_on(struct hot *);

static void
on_held(void *arg)
{
	struct hot *h = arg;
	int64_t now = h->loop->ops->monotonic_us(h->loop);
	struct hot_read *r = h->held, *next;

	h->held_timer = NULL;
	h->held = NULL;
	for (; r != NULL; r = next) {
		next = r->next;
		if (hot_marks_written(h->shared->newest, r->noted)) {
			r->answered = r->asked = 0;
			r->again = true;
			h->waiting -= r->n;
			enqueue(h, r);
		} else if (now < r->until_us) {
			r->next = h->held;
			h->held = r;
		} else {
			h->waiting -= r->n;
			give(r);
		}
	}
	hold_on(h);
	if (h->first != NULL)
		fetch_soon(h);
}

static void
hold_on(struct hot *h)
{
	if (h->held != NULL && h->held_timer == NULL)
		h->held_timer =
		    h->loop->ops->after(h->loop, HELD_MS, on_held, h);
}

static void
hold(struct hot *h, struct hot_read *r)
{
	memcpy(r->noted, h->fetch.noted, sizeof(r->noted));
	r->until_us = h->fetch.asked_us + HELD_US;
	r->next = h->held;
	h->held = r;
	h->waiting += r->n;
	hold_on(h);
}

/* Something newer was taken, and it may be committed and not yet written. */
static bool
is_behind(const struct hot *h, const struct reading *value)
{
	int64_t seen;

	if (!h->fetch.behind)
		return (false);
	if (h->near.seen == NULL)
		return (true);
	seen = h->near.seen(h->near.seen_arg, value->series);
	return (seen == INSTANT_NONE || seen > value->t_us);
}

static bool
give_value(struct hot *h, struct hot_read *r)
{
	struct reading *value = &r->values[r->answered];
	size_t i = r->at++;
	bool found;

	if (h->has[i])
		*value = h->keys[i];
	if (h->has[i] && h->whole[i])
		hot_near_put(h, value);
	found = hot_overlay(h, value, h->has[i], h->whole[i]);
	if (found && !r->again && is_behind(h, value)) {
		r->behind = true;
		found = false;
	}
	return (r->found[r->answered] = found);
}

static void
give_values(struct hot *h)
{
	struct hot_read *r;
	uint64_t hits = 0, all = 0;

	while ((r = h->first) != NULL && r->asked > 0) {
		all += r->asked;
		for (; r->asked > 0; r->asked--, r->answered++)
			hits += give_value(h, r);
		if (r->answered < r->n)
			break;
		(void)pop(h);
		if (r->behind && !r->again)
			hold(h, r);
		else
			give(r);
	}
	metric_count(COUNTER_HOT_HITS, hits);
	metric_count(COUNTER_HOT_MISSES, all - hits);
}

/* Another type at the key: nothing is held. */
static bool
is_wrong_type(const struct redisReply *reply)
{
	return (reply->type == REDIS_REPLY_ERROR &&
	    strncmp(reply->str, "WRONGTYPE", 9) == 0);
}

/* One hash's values; false for an answer that says nothing. */
static bool
take_run(struct hot *h, size_t run, const struct redisReply *reply)
{
	size_t i, at = h->fetch.run[run], n = h->fetch.run[run + 1] - at;

	if (is_wrong_type(reply))
		return (true);
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n)
		return (false);
	for (i = 0; i < n; i++)
		h->has[at + i] = wire_value(
		    reply->element[i], &h->keys[at + i], &h->whole[at + i]);
	return (true);
}

/*
 * The epoch comes last, and it only grows: if it is still ours the values
 * before it are of ours. It was trusted when it was asked and is so still.
 */
static void
take_epoch(struct hot *h, const struct redisReply *reply)
{
	int64_t epoch;

	if (!h->fetch.sound || !h->fetch.trusted || reply == NULL ||
	    (reply->type == REDIS_REPLY_ERROR && !is_wrong_type(reply)) ||
	    atomic_load(&h->shared->losses) != h->fetch.losses) {
		hot_reads_fail(h);
		return;
	}
	hot_near_doubt(h);
	epoch = wire_number(reply);
	if (epoch < h->fetch.epoch) { /* Redis has forgotten */
		hot_lose(h);
		hot_reads_fail(h);
		return;
	}
	if (epoch > h->fetch.epoch) {
		hot_adopt(h, epoch);
		memset(h->has, 0, h->fetch.n * sizeof(*h->has));
		memset(h->whole, 0, h->fetch.n * sizeof(*h->whole));
	} else if (h->fetch.proven)
		hot_near_prove(h, h->fetch.asked_us, h->fetch.words);
	give_values(h);
}

static void
on_fetched(void *arg, const struct redisReply *reply)
{
	struct hot *h = arg;
	size_t at = h->fetch.answered++;

	if (!hot_arrived(h))
		return;
	if (at == 0) {
		h->fetch.proven = reply != NULL &&
		    wire_words(reply, h->shared->name, &h->fetch.words);
		return;
	}
	if (at <= h->fetch.nruns) {
		h->fetch.sound = h->fetch.sound && reply != NULL &&
		    take_run(h, at - 1, reply);
		return;
	}
	/* Still `reading`: what callbacks ask for must wait until all is
	 * handed out. */
	take_epoch(h, reply);
	h->reading = false;
	if (h->first != NULL || h->asking)
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

/* False: the question is full. */
static bool
ask_for(struct hot *h, int32_t series)
{
	size_t n = h->fetch.n;

	if (n == WIRE_KEYS)
		return (false);
	if (n == 0 || !wire_same_key(h->keys[n - 1].series, series)) {
		if (h->fetch.nruns == WIRE_RUNS)
			return (false);
		h->fetch.run[h->fetch.nruns++] = n;
	}
	h->keys[n].series = series;
	h->has[n] = h->whole[n] = false;
	h->fetch.run[h->fetch.nruns] = ++h->fetch.n;
	return (true);
}

static void
gather(struct hot *h)
{
	struct hot_read *r, *before = NULL;
	size_t i;

	h->fetch.n = h->fetch.nruns = 0;

	for (r = h->first; r != NULL; before = r, r = r->next) {
		if (before != NULL && asks_the_same(before, r)) {
			r->at = before->at;
			r->asked = r->n;
			continue;
		}
		r->at = h->fetch.n;
		i = r->answered;
		while (i < r->n && ask_for(h, r->values[i].series))
			i++;
		r->asked = h->fetch.n - r->at;
		if (i < r->n)
			break;
	}
}

static enum err
send_question(struct hot *h)
{
	size_t i, n = h->fetch.nruns, len[1 + WIRE_RUNS + 1];
	char *p = h->buf;
	enum err e;

	p += len[0] = wire_words_get(p, h->fetch.epoch);
	for (i = 0; i < n; p += len[++i])
		len[i + 1] =
		    wire_fetch(p, h->fetch.epoch, &h->keys[h->fetch.run[i]],
			h->fetch.run[i + 1] - h->fetch.run[i]);
	len[n + 1] = wire_epoch_get(p);
	e = redis_send_many(h->redis, h->buf, len, n + 2, on_fetched, h);
	if (e == ERR_OK)
		h->under_way += n + 2;
	return (e);
}

static void
fetch_send(struct hot *h)
{
	gather(h);
	h->asking = false;
	h->fetch.answered = 0;
	h->fetch.asked_us = h->loop->ops->monotonic_us(h->loop);
	if (h->first != NULL)
		atomic_store(&h->shared->read_us, h->fetch.asked_us);
	h->fetch.sound = true;
	hot_marks(h->shared->newest, h->fetch.noted);
	h->fetch.noted[h->number] = 0; /* its own are laid over */
	h->fetch.behind = !hot_marks_written(h->shared->newest, h->fetch.noted);
	h->fetch.losses = atomic_load(&h->shared->trusted);
	h->fetch.trusted = h->fetch.losses == atomic_load(&h->shared->losses);
	h->fetch.epoch = atomic_load(&h->shared->epoch);
	if (send_question(h) == ERR_OK)
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
	if ((h->first != NULL || h->asking) && !h->reading)
		fetch_send(h);
}

static void
fetch_soon(struct hot *h)
{
	if (!h->reading && h->fail == NULL &&
	    (h->fail = h->loop->ops->soon(h->loop, on_gathered, h)) == NULL)
		fetch_send(h);
}

void
hot_ask(struct hot *h)
{
	if (h->asking || h->reading)
		return;
	h->asking = true;
	fetch_soon(h);
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
	enqueue(h, r);
	fetch_soon(h);
	return (ERR_OK);
}
