/*
 * broker: an MQTT broker's address, and a client of it that is not connected
 * yet: MQTT 5 over TLS that is verified, or plain where the address says so.
 *
 * A client made here writes to its socket in mosquitto_loop_write() and
 * mosquitto_loop() alone: what it has to acknowledge waits until then.
 *
 * Runs on: T; mosquitto_lib_init() was called. Frees: mosquitto_destroy(),
 * which sends nothing. Units: none. Errors: ERR_INVALID names what is wrong.
 */
#ifndef PENSTOCK_FIELD_BROKER_H
#define PENSTOCK_FIELD_BROKER_H

#include "core/err.h"

#include <stdbool.h>

struct mosquitto;

struct broker {
	char host[256];
	int port;
	bool tls;
};

/* Strings are borrowed; NULL is none, of ca_path the system's. */
struct broker_login {
	const char *client_id; /* NULL: any; the session ends with it then */
	const char *user, *password;
	const char *ca_path;		  /* PEM */
	const char *cert_path, *key_path; /* PEM, the client's own */
};

bool broker_is(const char *url);
/* "mqtts://host", "mqtt://host:1883": ports 8883 and 1883 unless said. */
enum err broker_parse(const char *url, struct broker *ret, struct err_info *);
/* `arg` is what callbacks get. NULL: info says why. */
struct mosquitto *broker_client(const struct broker *,
    const struct broker_login *, void *arg, struct err_info *);

#endif
