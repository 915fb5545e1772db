#include "field/broker.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PORT_TLS   8883
#define PORT_PLAIN 1883
#define SYSTEM_CAS "/etc/ssl/certs"

static const char *
after_scheme(const char *url, bool *ret_tls)
{
	*ret_tls = strncasecmp(url, "mqtts://", 8) == 0;
	if (*ret_tls)
		return (url + 8);
	return (strncasecmp(url, "mqtt://", 7) == 0 ? url + 7 : NULL);
}

bool
broker_is(const char *url)
{
	bool tls;

	return (after_scheme(url, &tls) != NULL);
}

static bool
read_port(const char *s, int *ret)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*s < '0' || *s > '9' || (*end != '\0' && strcmp(end, "/") != 0) ||
	    n < 1 || n > 65535)
		return (false);
	*ret = (int)n;
	return (true);
}

enum err
broker_parse(const char *url, struct broker *ret, struct err_info *info)
{
	struct broker b = {.host = ""};
	const char *host = after_scheme(url, &b.tls), *end;
	bool bracket;

	if (host == NULL)
		return (err_set(info, ERR_INVALID, NULL,
		    "a broker's address begins with mqtts:// or mqtt://"));
	bracket = *host == '[';
	host += bracket;
	end = host + strcspn(host, bracket ? "]" : ":/");
	if (end == host || (size_t)(end - host) >= sizeof(b.host) ||
	    strcspn(host, "@?# ") < (size_t)(end - host) ||
	    (bracket && *end != ']'))
		return (err_set(
		    info, ERR_INVALID, NULL, "the broker's host is missing"));
	memcpy(b.host, host, (size_t)(end - host));
	end += bracket;
	b.port = b.tls ? PORT_TLS : PORT_PLAIN;
	if ((*end == ':' && !read_port(end + 1, &b.port)) ||
	    (*end != ':' && *end != '\0' && strcmp(end, "/") != 0))
		return (err_set(info, ERR_INVALID, NULL,
		    "behind the broker's host stands a port or nothing"));
	*ret = b;
	return (ERR_OK);
}

static int
secure(struct mosquitto *m, const struct broker_login *login)
{
	int rc = login->ca_path == NULL
	    ? mosquitto_int_option(m, MOSQ_OPT_TLS_USE_OS_CERTS, 1)
	    : MOSQ_ERR_SUCCESS;

	/* It asks for a file or a folder even beside the system's own. */
	if (rc == MOSQ_ERR_SUCCESS &&
	    (login->ca_path != NULL || login->cert_path != NULL))
		rc = mosquitto_tls_set(m, login->ca_path,
		    login->ca_path == NULL ? SYSTEM_CAS : NULL,
		    login->cert_path, login->key_path, NULL);
	return (rc == MOSQ_ERR_SUCCESS
		? mosquitto_tls_opts_set(m, 1, NULL, NULL)
		: rc);
}

struct mosquitto *
broker_client(const struct broker *b, const struct broker_login *login,
    void *arg, struct err_info *info)
{
	struct mosquitto *m =
	    mosquitto_new(login->client_id, login->client_id == NULL, arg);
	int rc = MOSQ_ERR_NOMEM;

	if (m != NULL)
		rc = mosquitto_int_option(
		    m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_threaded_set(m, true);
	if (rc == MOSQ_ERR_SUCCESS && login->user != NULL)
		rc = mosquitto_username_pw_set(m, login->user, login->password);
	if (rc == MOSQ_ERR_SUCCESS && b->tls)
		rc = secure(m, login);
	if (rc == MOSQ_ERR_SUCCESS)
		return (m);
	mosquitto_destroy(m);
	(void)err_set(info, ERR_INVALID, NULL, "no client of the broker: %s",
	    mosquitto_strerror(rc));
	return (NULL);
}
