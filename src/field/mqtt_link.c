#include "field/mqtt_parts.h"

#include "core/instant.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#define KEEPALIVE_S 60

int64_t
mqtt_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

void
mqtt_fail(struct mqtt_talk *t, const char *why)
{
	if (!t->failed)
		(void)snprintf(t->why, sizeof(t->why), "%.159s", why);
	t->failed = true;
}

static bool
failed(struct mqtt_talk *t, int rc)
{
	if (rc != MOSQ_ERR_SUCCESS)
		mqtt_fail(t,
		    rc == MOSQ_ERR_ERRNO ? strerror(errno)
					 : mosquitto_strerror(rc));
	return (rc != MOSQ_ERR_SUCCESS);
}

static bool
allowed(struct mqtt_talk *t, const struct sockaddr *a, socklen_t len)
{
	char host[NI_MAXHOST], why[sizeof(t->why)];

	if (address_allows(&t->config->rules, a, t->broker.tls))
		return (true);
	if (getnameinfo(a, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) !=
	    0)
		(void)snprintf(host, sizeof(host), "an address");
	(void)snprintf(why, sizeof(why), "%.64s is not in " CONNECTOR_NETS "%s",
	    host,
	    t->broker.tls ? " nor public" : ", which needs TLS elsewhere");
	mqtt_fail(t, why);
	return (false);
}

/* libmosquitto looks the name up again; of a name that leads to any address
 * which is not let to it need not. */
static bool
look_up(struct mqtt_talk *t)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
	bool ok = true;
	int rc = getaddrinfo(t->broker.host, NULL, &hints, &list);

	if (rc != 0) {
		mqtt_fail(t, gai_strerror(rc));
		return (false);
	}
	for (a = list; ok && a != NULL; a = a->ai_next)
		ok = allowed(t, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
	return (ok);
}

/* Before the first byte: the very address that the connection was made to. */
static bool
reached(struct mqtt_talk *t, int64_t end_us)
{
	struct pollfd p = {mosquitto_socket(t->m), POLLOUT, 0};
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int);
	int64_t left = (end_us - mqtt_now_us()) / 1000;
	int error = 0;

	if (p.fd == -1 || poll(&p, 1, left > 0 ? (int)left : 0) != 1) {
		mqtt_fail(t, "the broker does not answer");
		return (false);
	}
	if (getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	    error != 0) {
		mqtt_fail(t, strerror(error));
		return (false);
	}
	len = sizeof(peer);
	if (getpeername(p.fd, (struct sockaddr *)&peer, &len) == -1) {
		mqtt_fail(t, strerror(errno));
		return (false);
	}
	return (allowed(t, (const struct sockaddr *)&peer, len));
}

void
mqtt_drive(
    struct mqtt_talk *t, bool (*done)(const struct mqtt_talk *), int64_t end_us)
{
	struct pollfd p;
	int64_t left;

	while (!t->failed && !done(t) && (left = end_us - mqtt_now_us()) > 0) {
		p = (struct pollfd){.fd = mosquitto_socket(t->m),
		    .events =
			POLLIN | (mosquitto_want_write(t->m) ? POLLOUT : 0)};
		if (p.fd == -1)
			mqtt_fail(t, "the broker ended the connection");
		else if (poll(&p, 1, (int)(left / 1000) + 1) <= 0)
			continue;
		else if ((p.revents & POLLOUT) == 0 ||
		    !failed(t, mosquitto_loop_write(t->m, 1)))
			if ((p.revents & ~POLLOUT) != 0)
				(void)failed(t, mosquitto_loop_read(t->m, 1));
	}
}

static bool
is_connected(const struct mqtt_talk *t)
{
	return (t->connected);
}

static void
on_connect(struct mosquitto *m, void *arg, int reason, int flags,
    const mosquitto_property *props)
{
	struct mqtt_talk *t = arg;

	(void)m, (void)flags, (void)props;
	t->connected = reason == 0;
	if (!t->connected)
		mqtt_fail(t, mosquitto_reason_string(reason));
}

/* The first read begins TLS; nothing has come yet. */
bool
mqtt_link(struct mqtt_talk *t, int64_t end_us)
{
	const struct connector_config *c = t->config;
	struct broker_login login = {.ca_path = c->ca_path};
	struct err_info info = {.code = ERR_OK};

	if (c->broker != NULL && strcasecmp(c->broker, t->broker.host) == 0) {
		login.user = c->broker_user;
		login.password = c->broker_password;
	}
	if (!look_up(t))
		return (false);
	if ((t->m = broker_client(&t->broker, &login, t, &info)) == NULL) {
		mqtt_fail(t, info.detail);
		return (false);
	}
	mosquitto_connect_v5_callback_set(t->m, on_connect);
	mosquitto_publish_v5_callback_set(t->m, mqtt_on_published);
	mosquitto_message_v5_callback_set(t->m, mqtt_on_message);
	if (failed(t,
		mosquitto_connect_async(
		    t->m, t->broker.host, t->broker.port, KEEPALIVE_S)) ||
	    !reached(t, end_us) || failed(t, mosquitto_loop_read(t->m, 1)))
		return (false);
	mqtt_drive(t, is_connected, end_us);
	if (!t->connected)
		mqtt_fail(t, "the broker does not answer");
	return (!t->failed);
}
