/*
 * district_outbox: readings on their way to Penstock, kept while it is away.
 * Bounded: when it is full the oldest readings go.
 *
 * Runs on: any thread of penstock-district (it locks). Frees: outbox_done().
 */
#ifndef PENSTOCK_CMD_DISTRICT_OUTBOX_H
#define PENSTOCK_CMD_DISTRICT_OUTBOX_H

#include "core/text.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_READINGS 100000

struct outbox_reading {
	int64_t t_us;
	double value;
	size_t series; /* index of district_series */
};

struct outbox {
	pthread_mutex_t lock;
	struct outbox_reading *ring;
	size_t n;
	uint64_t first; /* serial number of the oldest one kept */
	uint64_t lost;
};

bool outbox_init(struct outbox *);
void outbox_done(struct outbox *);
void outbox_put(struct outbox *, const struct outbox_reading *);
/* Writes up to `max` of the oldest as a request body; gives how many, and the
 * serial number behind the last. */
size_t
outbox_write(struct outbox *, size_t max, struct text *, uint64_t *ret_behind);
/* All below the serial number are stored. */
void outbox_drop(struct outbox *, uint64_t behind);
size_t outbox_waiting(struct outbox *);
/* How many were lost since the last call. */
uint64_t outbox_lost(struct outbox *);

#endif
