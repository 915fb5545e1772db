/*
 * Copies of what was read, in this worker's own memory: see hot.h, NEAR.
 */
#include "store/hot_parts.h"

#include "core/instant.h"
#include "core/metrics.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS	 131072u /* a power of two; series next to each other fit */
#define MOST	 4096u	 /* series in one question */
#define GOOD_US	 20000	 /* from the moment the proof was asked for */
#define RENEW_US 5000	 /* the next one is asked for by then */
#define KEEP_US	 (60 * US_PER_SECOND)

struct near_copy {
	int64_t t_us, received_us;
	double value;
	int32_t series;
	int16_t quality;
	uint16_t generation; /* 0: empty */
};

bool
hot_near_open(struct hot *h)
{
	h->near.copies = calloc(SLOTS, sizeof(*h->near.copies));
	return (h->near.copies != NULL);
}

void
hot_near_done(struct hot *h)
{
	free(h->near.copies);
}

void
hot_seen(struct hot *h,
    int64_t (*seen)(const struct last_seen *, int32_t series),
    const struct last_seen *arg)
{
	h->near.seen = seen;
	h->near.seen_arg = arg;
}

static void
forget_all(struct hot *h, int64_t now_us)
{
	h->near.keep_until_us = now_us + KEEP_US;
	if (++h->near.generation != 0)
		return;
	memset(h->near.copies, 0, SLOTS * sizeof(*h->near.copies));
	h->near.generation = 1;
}

void
hot_near_prove(struct hot *h, int64_t asked_us, uint64_t words)
{
	struct hot_near *near = &h->near;

	if (words != near->words || h->fetch.epoch != near->epoch ||
	    h->fetch.losses != near->losses || asked_us >= near->keep_until_us)
		forget_all(h, asked_us);
	near->words = words;
	near->epoch = h->fetch.epoch;
	near->losses = h->fetch.losses;
	near->good_until_us = asked_us + GOOD_US;
	near->renew_us = asked_us + RENEW_US;
}

void
hot_near_doubt(struct hot *h)
{
	h->near.good_until_us = 0;
}

void
hot_near_put(struct hot *h, const struct reading *r)
{
	const struct hot_near *near = &h->near;

	/* The newest that this instance has ever seen: so whatever it takes
	 * that is newer will be told from it. */
	if (near->good_until_us != 0 && near->seen != NULL &&
	    near->seen(near->seen_arg, r->series) == r->t_us)
		near->copies[(uint32_t)r->series % SLOTS] =
		    (struct near_copy){.t_us = r->t_us,
			.received_us = r->received_us,
			.value = r->value,
			.series = r->series,
			.quality = r->quality,
			.generation = near->generation};
}

static bool
find(const struct hot_near *near, int32_t series, struct reading *ret)
{
	const struct near_copy *c = &near->copies[(uint32_t)series % SLOTS];

	if (c->series != series || c->generation != near->generation ||
	    near->seen(near->seen_arg, series) != c->t_us)
		return (false);
	*ret = (struct reading){
	    series, c->quality, c->value, c->t_us, c->received_us};
	return (true);
}

bool
hot_near(void *self, const int32_t *series, size_t n, struct reading *ret)
{
	struct hot *h = self;
	const struct hot_near *near = &h->near;
	int64_t now = h->loop->ops->monotonic_us(h->loop);
	size_t i;

	if (n > MOST || now >= near->good_until_us || !hot_trusted(h) ||
	    atomic_load(&h->shared->losses) != near->losses ||
	    atomic_load(&h->shared->epoch) != near->epoch)
		return (false);
	for (i = 0; i < n; i++)
		if (!find(near, series[i], &ret[i]))
			return (false);
	if (now >= near->renew_us)
		hot_ask(h);
	metric_count(COUNTER_HOT_HITS, n);
	return (true);
}
