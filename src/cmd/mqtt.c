/*
 * penstock-mqtt: readings from an MQTT broker to the service, at least once.
 * A message is acknowledged to the broker after the service has said that its
 * readings are committed, or that they can never be. All settings are in the
 * environment, PENSTOCK_MQTT_*; see README.
 *
 * Ends with 0 when asked to stop, 2 if it is set wrongly.
 */
#include "cmd/mqtt_batch.h"
#include "cmd/mqtt_map.h"
#include "cmd/mqtt_metrics.h"
#include "cmd/mqtt_source.h"
#include "cmd/tool.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_LEAST 500
#define WAIT_MOST  30000
#define CALL_MS	   10000
#define TEXT_MOST  4096

/* member, variable, default (NULL: must be set), may come from a file */
#define SETTINGS(X)                                                          \
	X(broker, "PENSTOCK_MQTT_BROKER", NULL, false)                       \
	X(topics, "PENSTOCK_MQTT_TOPICS", NULL, false)                       \
	X(key, "PENSTOCK_MQTT_KEY", NULL, true)                              \
	X(client_id, "PENSTOCK_MQTT_CLIENT_ID", "penstock", false)           \
	X(group, "PENSTOCK_MQTT_GROUP", "", false)                           \
	X(user, "PENSTOCK_MQTT_USER", "", false)                             \
	X(password, "PENSTOCK_MQTT_PASSWORD", "", true)                      \
	X(ca, "PENSTOCK_MQTT_CA", "", false)                                 \
	X(cert, "PENSTOCK_MQTT_CERT", "", false)                             \
	X(cert_key, "PENSTOCK_MQTT_CERT_KEY", "", false)                     \
	X(session, "PENSTOCK_MQTT_SESSION", "604800", false)                 \
	X(keepalive, "PENSTOCK_MQTT_KEEPALIVE", "60", false)                 \
	X(service, "PENSTOCK_MQTT_SERVICE", "https://127.0.0.1:8443", false) \
	X(service_ca, "PENSTOCK_MQTT_SERVICE_CA", "", false)                 \
	X(metrics, "PENSTOCK_MQTT_METRICS_PORT", "0", false)

struct settings {
#define X(member, ...) const char *member;
	SETTINGS(X)
#undef X
	int64_t session_s, keepalive_s, metrics_port;
};

struct feeder {
	struct settings set;
	struct mqtt_map map;
	struct mqtt_counters counters;
	struct mqtt_source_config source;
	struct mqtt_batch *batch;
	struct client *client;
	struct mqtt_metrics *metrics;
};

/* The variable, or the first line of the file that it names with _FILE. */
static bool
find(const char *name, const char *fallback, bool file, const char **ret)
{
	char buf[TEXT_MOST], variable[80];
	const char *v = getenv(name), *path = NULL;

	(void)snprintf(variable, sizeof(variable), "%s_FILE", name);
	if (v == NULL && file)
		path = getenv(variable);
	if (path != NULL && path[0] != '\0') {
		if (!tool_secret(path, buf, sizeof(buf)))
			return (false);
		v = strdup(buf);
		explicit_bzero(buf, sizeof(buf));
	}
	*ret = v == NULL ? fallback : v;
	if (*ret == NULL || (fallback == NULL && **ret == '\0')) {
		tool_error("%s is not set%s", name,
		    file ? " (nor the same name with _FILE)" : "");
		return (false);
	}
	return (true);
}

static bool
read_settings(struct settings *s)
{
#define X(member, variable, fallback, file)              \
	if (!find(variable, fallback, file, &s->member)) \
		return (false);
	SETTINGS(X)
#undef X
	return (tool_number("PENSTOCK_MQTT_SESSION", s->session, 60,
		    UINT32_MAX - 1, &s->session_s) &&
	    tool_number("PENSTOCK_MQTT_KEEPALIVE", s->keepalive, 5, 3600,
		&s->keepalive_s) &&
	    tool_number("PENSTOCK_MQTT_METRICS_PORT", s->metrics, 0, 65535,
		&s->metrics_port));
}

static const char *
or_null(const char *s)
{
	return (s[0] == '\0' ? NULL : s);
}

static const char *
filter(void *arg, size_t i)
{
	const struct feeder *f = arg;

	return (i < f->map.n ? f->map.rows[i].filter : NULL);
}

static bool
on_message(void *arg, const struct mqtt_message *m)
{
	struct feeder *f = arg;

	return (mqtt_batch_add(f->batch, m));
}

static bool
prepare(struct feeder *f)
{
	const struct settings *s = &f->set;
	struct err_info info = {.code = ERR_OK};

	if (!read_settings(&f->set) || !mqtt_map_read(&f->map, s->topics))
		return (false);
	f->source = (struct mqtt_source_config){
	    .login = {s->client_id, or_null(s->user), or_null(s->password),
		or_null(s->ca), or_null(s->cert), or_null(s->cert_key)},
	    .group = s->group,
	    .session_s = (int)s->session_s,
	    .keepalive_s = (int)s->keepalive_s,
	    .most = MQTT_BATCH_MESSAGES,
	    .filter = filter,
	    .message = on_message,
	    .arg = f};
	if (broker_parse(s->broker, &f->source.broker, &info) != ERR_OK) {
		tool_error("PENSTOCK_MQTT_BROKER: %s", info.detail);
		return (false);
	}
	if (strpbrk(s->group, "/+#") != NULL || s->client_id[0] == '\0') {
		tool_error("PENSTOCK_MQTT_GROUP has a mark of topics, or "
			   "PENSTOCK_MQTT_CLIENT_ID is empty");
		return (false);
	}
	f->client = client_new(&(struct client_config){
	    s->service, or_null(s->service_ca), CALL_MS});
	if (f->client == NULL)
		return (false);
	f->batch = mqtt_batch_new(&(struct mqtt_batch_config){
	    &f->map, f->client, s->key, &f->counters});
	if (f->batch != NULL && s->metrics_port > 0)
		f->metrics =
		    mqtt_metrics_new((int)s->metrics_port, &f->counters);
	return (
	    f->batch != NULL && (s->metrics_port == 0 || f->metrics != NULL));
}

/*
 * Until the connection is lost, or the service stores nothing for so long that
 * the broker would end it: an acknowledgement that waits keeps the pings back.
 */
static void
serve(struct feeder *f, struct mqtt_source *s)
{
	int64_t patience = f->set.keepalive_s * 1000;
	size_t n;
	bool ok = true;

	while (ok && !tool_stopping()) {
		n = mqtt_batch_count(f->batch);
		if (n == 0) {
			ok = mqtt_source_take(s, 500);
			continue;
		}
		ok = mqtt_batch_store(f->batch, patience) &&
		    mqtt_source_acknowledge(s);
		if (ok)
			atomic_fetch_add(&f->counters.acknowledged, n);
		mqtt_batch_empty(f->batch);
	}
	/* A word would take the acknowledgements of what waits with it. */
	mqtt_source_drop(s, ok && mqtt_batch_count(f->batch) == 0);
}

static void
run(struct feeder *f)
{
	struct mqtt_source *s;
	int64_t wait = WAIT_LEAST, since;

	while (!tool_stopping()) {
		since = tool_monotonic_ms();
		mqtt_batch_empty(f->batch);
		if ((s = mqtt_source_open(&f->source)) != NULL) {
			atomic_fetch_add(&f->counters.connected, 1);
			tool_log("connected to %s", f->source.broker.host);
			serve(f, s);
		}
		if (tool_monotonic_ms() - since > WAIT_MOST)
			wait = WAIT_LEAST;
		(void)tool_sleep_ms(wait / 2 + random() % (wait / 2));
		wait = wait * 2 < WAIT_MOST ? wait * 2 : WAIT_MOST;
	}
}

static void
summary(const struct mqtt_counters *c)
{
#define X(name, about) \
	printf(#name " %llu\n", (unsigned long long)atomic_load(&c->name));
	MQTT_COUNTERS(X)
#undef X
}

int
main(void)
{
	struct feeder *f = calloc(1, sizeof(*f));
	int rc = TOOL_USAGE;

	if (f == NULL || mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
		return (TOOL_FAILED);
	tool_catch_signals();
	srandom((unsigned)tool_now_us()); /* jitter, not secrets */
	if (prepare(f)) {
		run(f);
		summary(&f->counters);
		rc = TOOL_OK;
	}
	mqtt_metrics_free(f->metrics);
	mqtt_batch_free(f->batch);
	client_free(f->client);
	mqtt_map_free(&f->map);
	(void)mosquitto_lib_cleanup();
	free(f);
	return (rc);
}
