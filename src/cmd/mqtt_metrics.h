/*
 * mqtt_metrics: the counters for Prometheus, GET /metrics on the loopback
 * interface.
 *
 * Runs on: a thread of its own. Frees: mqtt_metrics_free(). Errors: told on
 * stderr.
 */
#ifndef PENSTOCK_CMD_MQTT_METRICS_H
#define PENSTOCK_CMD_MQTT_METRICS_H

#include "cmd/mqtt_batch.h"

struct mqtt_metrics;

/* The counters are borrowed. */
struct mqtt_metrics *mqtt_metrics_new(int port, const struct mqtt_counters *);
void mqtt_metrics_free(struct mqtt_metrics *);

#endif
