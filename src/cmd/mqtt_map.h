/*
 * mqtt_map: which topic carries which series. A CSV file of topic, node,
 * metric and perhaps unit: the topic may have the wildcards of MQTT, {1} {2}
 * in node and metric are the levels its '+' stand for; a row without node and
 * metric is of topics whose messages name them, as POST /api/v1/readings does.
 *
 * Runs on: penstock-mqtt. Frees: mqtt_map_free(). Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_MQTT_MAP_H
#define PENSTOCK_CMD_MQTT_MAP_H

#include "cmd/feed_map.h"

#include <stdbool.h>
#include <stddef.h>

#define MQTT_FILTERS 256

struct mqtt_row {
	char filter[256];
	char node[FEED_WORD], metric[FEED_WORD], unit[FEED_WORD];
};

struct mqtt_map {
	struct mqtt_row *rows;
	size_t n;
};

struct mqtt_series {
	char node[FEED_WORD], metric[FEED_WORD];
	const char *unit; /* "": the series' own */
};

bool mqtt_map_read(struct mqtt_map *, const char *path);
void mqtt_map_free(struct mqtt_map *);
/* By the first row that fits; node "": the message names it. */
bool mqtt_map_find(
    const struct mqtt_map *, const char *topic, struct mqtt_series *ret);

#endif
