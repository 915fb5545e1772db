/*
 * mqtt_batch: messages as readings, and readings to the service: many
 * messages go in one POST /api/v1/readings. A message that can never be
 * stored is set aside with its reason: told a few times a minute, counted
 * always.
 *
 * Runs on: penstock-mqtt, one thread; the counters are read by any. Frees:
 * mqtt_batch_free(). Units: messages, readings. Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_MQTT_BATCH_H
#define PENSTOCK_CMD_MQTT_BATCH_H

#include "cmd/client.h"
#include "cmd/mqtt_map.h"
#include "cmd/mqtt_source.h"

#include <stdatomic.h>
#include <stdint.h>

#define MQTT_BATCH_MESSAGES 1000

/* name, what it counts */
#define MQTT_COUNTERS(X)                                               \
	X(received, "Messages that came, again or not")                \
	X(acknowledged, "Messages the broker was told are dealt with") \
	X(set_aside, "Messages that hold no readings")                 \
	X(accepted, "Readings stored")                                 \
	X(duplicate, "Readings that were stored before")               \
	X(rejected, "Readings that cannot be stored")                  \
	X(retried, "Requests to the service made again")               \
	X(connected, "Connections to the broker")

struct mqtt_counters {
#define X(name, about) atomic_uint_fast64_t name;
	MQTT_COUNTERS(X)
#undef X
};

struct mqtt_batch;

struct mqtt_batch_config {
	const struct mqtt_map *map;
	struct client *client;
	const char *key; /* the device's */
	struct mqtt_counters *counters;
};

/* The config is copied. NULL: no memory. */
struct mqtt_batch *mqtt_batch_new(const struct mqtt_batch_config *);
void mqtt_batch_free(struct mqtt_batch *);
/* False: it is full, though this one is in it. */
bool mqtt_batch_add(struct mqtt_batch *, const struct mqtt_message *);
/* Until all is stored or set aside; false: it is not, and patience is over. */
bool mqtt_batch_store(struct mqtt_batch *, int64_t patience_ms);
/* Messages in it. */
size_t mqtt_batch_count(const struct mqtt_batch *);
void mqtt_batch_empty(struct mqtt_batch *);

#endif
