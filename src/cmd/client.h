/*
 * client: an HTTP client of the Penstock API on libcurl: one connection kept
 * alive, the server's certificate always checked.
 *
 * Runs on: the programs of src/cmd, one thread per client. Frees:
 * client_free(); a reply's body is the client's until its next call.
 * Units: milliseconds, seconds. Errors: a call that got no answer is status 0
 * with the reason in `error`.
 */
#ifndef PENSTOCK_CMD_CLIENT_H
#define PENSTOCK_CMD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_SECRET 4096 /* room for a bearer token or key and its NUL */

struct client;

struct client_config {
	const char *url; /* "https://127.0.0.1:8443" */
	const char *ca;	 /* file of trusted certificates; NULL: the system's */
	long timeout_ms; /* 0: 30 s for the whole call */
};

struct client_reply {
	int status;	  /* 0: no answer */
	bool hopeless;	  /* no answer, and none can come: address, trust */
	const char *body; /* NUL-terminated, "" if none */
	size_t len;
	double retry_after_s; /* 0: the server did not say */
	char error[256];
};

/* NULL, after saying why on stderr, if the configuration is of no use. */
struct client *client_new(const struct client_config *);
void client_free(struct client *);
/* `bearer` and `body` may be NULL. The call is given up when the program is
 * asked to stop. */
void client_call(struct client *, const char *method, const char *path,
    const char *bearer, const char *body, size_t len, struct client_reply *);
/* Worth the same request again: no answer (unless hopeless), 429, 502, 503,
 * 504. */
bool client_transient(const struct client_reply *);
/* One line of why it failed: the problem's detail, or the error. */
const char *client_reason(const struct client_reply *, char *buf, size_t);

/* Appends '/' and the percent-encoded segment; false if it does not fit. */
bool client_segment(char *path, size_t size, const char *segment);

#endif
