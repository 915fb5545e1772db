#include "cmd/district_outbox.h"

#include "model/district.h"

#include <stdlib.h>

bool
outbox_init(struct outbox *o)
{
	*o = (struct outbox){.n = 0};
	pthread_mutex_init(&o->lock, NULL);
	o->ring = calloc(OUTBOX_READINGS, sizeof(*o->ring));
	return (o->ring != NULL);
}

void
outbox_done(struct outbox *o)
{
	pthread_mutex_destroy(&o->lock);
	free(o->ring);
	o->ring = NULL;
}

void
outbox_put(struct outbox *o, const struct outbox_reading *r)
{
	pthread_mutex_lock(&o->lock);
	if (o->n == OUTBOX_READINGS) {
		o->first++;
		o->n--;
		o->lost++;
	}
	o->ring[(o->first + o->n++) % OUTBOX_READINGS] = *r;
	pthread_mutex_unlock(&o->lock);
}

static void
write_one(struct text *t, const struct outbox_reading *r)
{
	const struct district_series *s = &district_series[r->series];

	json_object(t, NULL);
	json_string(t, "node", district_nodes[s->node].code);
	json_string(t, "metric", s->metric);
	json_instant(t, "ts", r->t_us);
	json_double(t, "value", r->value);
	json_string(t, "unit", s->unit);
	json_object_end(t);
}

size_t
outbox_write(struct outbox *o, size_t max, struct text *t, uint64_t *ret_behind)
{
	size_t i, n;

	json_object(t, NULL);
	json_array(t, "readings");
	pthread_mutex_lock(&o->lock);
	n = o->n < max ? o->n : max;
	for (i = 0; i < n; i++)
		write_one(t, &o->ring[(o->first + i) % OUTBOX_READINGS]);
	*ret_behind = o->first + n;
	pthread_mutex_unlock(&o->lock);
	json_array_end(t);
	json_object_end(t);
	return (n);
}

void
outbox_drop(struct outbox *o, uint64_t behind)
{
	pthread_mutex_lock(&o->lock);
	/* Some of them may be gone already. */
	if (behind > o->first) {
		o->n -= behind - o->first;
		o->first = behind;
	}
	pthread_mutex_unlock(&o->lock);
}

size_t
outbox_waiting(struct outbox *o)
{
	size_t n;

	pthread_mutex_lock(&o->lock);
	n = o->n;
	pthread_mutex_unlock(&o->lock);
	return (n);
}

uint64_t
outbox_lost(struct outbox *o)
{
	uint64_t n;

	pthread_mutex_lock(&o->lock);
	n = o->lost;
	o->lost = 0;
	pthread_mutex_unlock(&o->lock);
	return (n);
}
