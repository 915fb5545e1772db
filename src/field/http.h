/*
 * http: the actuator port for field gateways that take commands as JSON over
 * HTTP: POST {url}/commands with an Idempotency-Key. What an answer means:
 *
 *	2xx or 409 that says {"status":"executed"}	EXECUTED
 *	other 4xx but 408, 409, 425, 429		REFUSED
 *	all else, or no answer in time			NO_ANSWER
 *
 * Runs on: T, one thread at a time. Frees: http_free(). Units: ms.
 * Errors: in the replies. Redirects and proxies are never followed; TLS is
 * verified.
 */
#ifndef PENSTOCK_FIELD_HTTP_H
#define PENSTOCK_FIELD_HTTP_H

#include "core/ports.h"

struct http;

struct http_config {
	long timeout_ms;     /* of one call */
	long whole_ms;	     /* of one send(), however many commands */
	const char *ca_path; /* PEM; NULL: the system's */
};

/* Once in the program, before its threads: libcurl asks for it. */
enum err http_start(struct err_info *);
/* The config is copied, its strings are borrowed. NULL if memory is out. */
struct http *http_new(const struct http_config *);
void http_free(struct http *);
struct actuator_port http_port(struct http *);

#endif
