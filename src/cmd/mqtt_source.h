/*
 * mqtt_source: a session at a broker, whose messages are acknowledged when
 * the caller says so and not before. What was not acknowledged comes again
 * with the next connection, also to another process.
 *
 * Runs on: penstock-mqtt, one thread. Frees: mqtt_source_drop(). Units: ms, s.
 * Errors: told on stderr; after a false the connection is gone.
 */
#ifndef PENSTOCK_CMD_MQTT_SOURCE_H
#define PENSTOCK_CMD_MQTT_SOURCE_H

#include "field/broker.h"

#include <stdbool.h>
#include <stddef.h>

#define MQTT_MESSAGE_MOST (1 << 20) /* the broker is told to drop longer ones */

struct mqtt_message {
	const char *topic;
	const char *payload; /* no NUL behind it */
	size_t len;
	bool retained; /* nobody knows how old it is */
};

struct mqtt_source_config {
	struct broker broker;
	struct broker_login login;
	const char *group; /* "": not shared with others */
	int session_s;	   /* how long the broker keeps it without us */
	int keepalive_s;
	int most; /* messages the broker sends before one is acknowledged */
	const char *(*filter)(void *arg, size_t i); /* NULL: no more */
	/* False: enough for now. */
	bool (*message)(void *arg, const struct mqtt_message *);
	void *arg;
};

struct mqtt_source;

/* Connected and subscribed; NULL: not. Messages of before may have come. The
 * config is borrowed. */
struct mqtt_source *mqtt_source_open(const struct mqtt_source_config *);
/* Waits for messages and takes those that are there. */
bool mqtt_source_take(struct mqtt_source *, int wait_ms);
/* What was taken is acknowledged. */
bool mqtt_source_acknowledge(struct mqtt_source *);
/* At once and without a word, or with the broker told. */
void mqtt_source_drop(struct mqtt_source *, bool politely);

#endif
