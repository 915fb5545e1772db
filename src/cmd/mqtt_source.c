#include "cmd/mqtt_source.h"

#include "cmd/tool.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 10000 /* until the broker took us */
#define FILTER_MOST 400

struct mqtt_source {
	const struct mqtt_source_config *config;
	struct mosquitto *m;
	bool connected, refused;
	size_t wanted, granted; /* subscriptions */
	bool took, enough;
};

static void
on_connect(struct mosquitto *m, void *arg, int reason, int flags,
    const mosquitto_property *props)
{
	struct mqtt_source *s = arg;

	(void)m, (void)flags, (void)props;
	s->connected = reason == 0;
	s->refused = reason != 0;
	if (s->refused)
		tool_error("the broker takes us not: %s",
		    mosquitto_reason_string(reason));
}

static void
on_disconnect(
    struct mosquitto *m, void *arg, int reason, const mosquitto_property *props)
{
	struct mqtt_source *s = arg;

	(void)m, (void)props;
	s->connected = false;
	if (reason >= MQTT_RC_UNSPECIFIED)
		tool_error("the broker ends the connection: %s",
		    mosquitto_reason_string(reason));
}

static void
on_subscribe(struct mosquitto *m, void *arg, int mid, int n, const int *qos,
    const mosquitto_property *props)
{
	struct mqtt_source *s = arg;

	(void)m, (void)mid, (void)props;
	if (n == 1 && qos[0] == 1) {
		s->granted++;
		return;
	}
	s->refused = true;
	tool_error("the broker grants no QoS 1 to a topic: %s",
	    mosquitto_reason_string(n == 1 ? qos[0] : MQTT_RC_UNSPECIFIED));
}

static void
on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *msg,
    const mosquitto_property *props)
{
	struct mqtt_source *s = arg;

	(void)m, (void)props;
	s->took = true;
	s->enough = !s->config->message(s->config->arg,
	    &(struct mqtt_message){msg->topic, msg->payload,
		(size_t)msg->payloadlen, msg->retain});
}

static bool
failed(int rc)
{
	if (rc != MOSQ_ERR_SUCCESS)
		tool_error("the broker is away: %s",
		    rc == MOSQ_ERR_ERRNO ? strerror(errno)
					 : mosquitto_strerror(rc));
	return (rc != MOSQ_ERR_SUCCESS);
}

static bool
readable(struct mqtt_source *s, int wait_ms)
{
	struct pollfd p = {mosquitto_socket(s->m), POLLIN, 0};

	return (poll(&p, 1, wait_ms) > 0);
}

static bool
flush(struct mqtt_source *s)
{
	int64_t end = tool_monotonic_ms() + PATIENCE_MS;
	struct pollfd p = {.events = POLLOUT};

	while (mosquitto_want_write(s->m)) {
		if (failed(mosquitto_loop_write(s->m, 1)))
			return (false);
		if (!mosquitto_want_write(s->m))
			break;
		p.fd = mosquitto_socket(s->m);
		if (tool_monotonic_ms() > end || poll(&p, 1, 1000) < 0)
			return (false);
	}
	return (true);
}

/* With TLS nothing is written until its handshake is over. Once the broker took
 * us nothing may be: messages of before may come at once, and more than a batch
 * holds; then the grants come behind it. */
static bool
wait_for_grants(struct mqtt_source *s)
{
	int64_t end = tool_monotonic_ms() + PATIENCE_MS;

	while (!s->connected || (s->granted < s->wanted && !s->enough)) {
		if (s->refused || tool_stopping() ||
		    (!s->connected && !flush(s)))
			return (false);
		if (tool_monotonic_ms() > end) {
			tool_error("the broker does not answer");
			return (false);
		}
		if (readable(s, 100) && failed(mosquitto_loop_read(s->m, 1)))
			return (false);
	}
	return (true);
}

static bool
subscribe(struct mqtt_source *s)
{
	const struct mqtt_source_config *c = s->config;
	char filter[FILTER_MOST];
	const char *f;
	int n;

	while ((f = c->filter(c->arg, s->wanted)) != NULL) {
		n = snprintf(filter, sizeof(filter), "%s%s%s%s",
		    c->group[0] != '\0' ? "$share/" : "", c->group,
		    c->group[0] != '\0' ? "/" : "", f);
		if (n < 0 || n >= FILTER_MOST ||
		    failed(mosquitto_subscribe(s->m, NULL, filter, 1)))
			return (false);
		s->wanted++;
	}
	return (true);
}

static bool
connect_to(struct mqtt_source *s)
{
	const struct mqtt_source_config *c = s->config;
	mosquitto_property *props = NULL;
	int rc;

	mosquitto_connect_v5_callback_set(s->m, on_connect);
	mosquitto_disconnect_v5_callback_set(s->m, on_disconnect);
	mosquitto_subscribe_v5_callback_set(s->m, on_subscribe);
	mosquitto_message_v5_callback_set(s->m, on_message);
	rc = mosquitto_property_add_int32(
	    &props, MQTT_PROP_SESSION_EXPIRY_INTERVAL, (uint32_t)c->session_s);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_property_add_int32(
		    &props, MQTT_PROP_MAXIMUM_PACKET_SIZE, MQTT_MESSAGE_MOST);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(
		    s->m, MOSQ_OPT_RECEIVE_MAXIMUM, c->most);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_connect_bind_v5(s->m, c->broker.host,
		    c->broker.port, c->keepalive_s, NULL, props);
	mosquitto_property_free_all(&props);
	return (!failed(rc));
}

struct mqtt_source *
mqtt_source_open(const struct mqtt_source_config *config)
{
	struct mqtt_source *s = calloc(1, sizeof(*s));
	struct err_info info = {.code = ERR_OK};

	if (s == NULL) {
		tool_error("out of memory");
		return (NULL);
	}
	s->config = config;
	s->m = broker_client(&config->broker, &config->login, s, &info);
	if (s->m == NULL)
		tool_error("%s", info.detail);
	/* All of it before the first answer, as MQTT 5 3.1.4 allows. */
	if (s->m != NULL && connect_to(s) && subscribe(s) && wait_for_grants(s))
		return (s);
	mqtt_source_drop(s, false);
	return (NULL);
}

/* One message a read, but of TLS what has come: no more than `most`, after
 * which the broker waits for an acknowledgement. */
bool
mqtt_source_take(struct mqtt_source *s, int wait_ms)
{
	s->took = s->enough = false;
	if (readable(s, wait_ms))
		do {
			if (failed(mosquitto_loop_read(s->m, 1)))
				return (false);
		} while (!s->enough && s->connected && readable(s, 0));
	/* Where nothing came nothing waits but a ping: it may be written. */
	return (s->connected && !s->refused &&
	    (s->took || mqtt_source_acknowledge(s)));
}

bool
mqtt_source_acknowledge(struct mqtt_source *s)
{
	return (flush(s) && !failed(mosquitto_loop_misc(s->m)));
}

void
mqtt_source_drop(struct mqtt_source *s, bool politely)
{
	if (s == NULL)
		return;
	if (politely && mosquitto_disconnect(s->m) == MOSQ_ERR_SUCCESS)
		(void)mosquitto_loop_write(s->m, 1);
	mosquitto_destroy(s->m);
	free(s);
}
