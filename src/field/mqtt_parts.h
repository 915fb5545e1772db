/*
 * mqtt_parts: between the files of mqtt: one send(), its connection and its
 * messages.
 *
 * Runs on: T. Frees: whoever has the talk. Units: µs. Errors: in `why`.
 */
#ifndef PENSTOCK_FIELD_MQTT_PARTS_H
#define PENSTOCK_FIELD_MQTT_PARTS_H

#include "field/broker.h"
#include "field/connector.h"

#include <mosquitto.h>

#define MQTT_TOPIC 160

/* One command or question on its way. */
struct mqtt_call {
	const struct command *command;
	struct gateway_reply *reply;
	int mid;
	bool published, over;
};

struct mqtt_talk {
	const struct connector_config *config;
	struct broker broker;
	struct mosquitto *m;
	struct mqtt_call *calls;
	size_t n, open; /* published and not over */
	int64_t began_us;
	bool connected, subscribed, failed;
	char why[160];
};

int64_t mqtt_now_us(void);
/* "penstock/GATEWAY/WHAT/KEY". */
bool mqtt_topic(char ret[static MQTT_TOPIC], const struct command *,
    const char *what, const char *key);
void mqtt_fail(struct mqtt_talk *, const char *why);

/* Connected by end_us, to an address that is let to. */
bool mqtt_link(struct mqtt_talk *, int64_t end_us);
/* Reads and writes until done, end_us, or the connection is lost. */
void mqtt_drive(
    struct mqtt_talk *, bool (*done)(const struct mqtt_talk *), int64_t end_us);

void mqtt_publish(struct mqtt_talk *, struct mqtt_call *);
/* Callbacks of the client. */
void mqtt_on_published(struct mosquitto *, void *, int mid, int reason,
    const mosquitto_property *);
void mqtt_on_message(struct mosquitto *, void *,
    const struct mosquitto_message *, const mosquitto_property *);

#endif
