/*
 * poster: POSTs to servers of others, many at once, each by itself: none waits
 * for another. A 2xx is good whatever its body says; redirects and proxies are
 * never followed; TLS is verified; where a connection may go is judged as it
 * is made (address.h).
 *
 * Runs on: T, one thread, but poster_wake(): C. Frees: poster_free(), which
 * tells nobody. Units: ms, bytes. Errors: in words, with each end.
 */
#ifndef PENSTOCK_FIELD_POSTER_H
#define PENSTOCK_FIELD_POSTER_H

#include "field/address.h"

#include <stdbool.h>
#include <stddef.h>

struct poster;

/* status 0: no answer; error NULL: it was taken. */
typedef void poster_done(void *self, void *arg, int status, const char *error);

struct poster_config {
	long timeout_ms;     /* of one, from its begin to its end */
	const char *ca_path; /* PEM; NULL: the system's */
	const char *nets;    /* the setting that names them, for people */
	struct address_rules rules;
	poster_done *done; /* from poster_turn() */
	void *self;
};

struct post {
	const char *url;
	const char *const *headers; /* "Name: value" */
	size_t nheaders;
	const char *body;
	size_t len;
	void *arg;
};

struct poster *poster_new(const struct poster_config *);
void poster_free(struct poster *);
/* All is copied. False: no memory, and done() is not called. */
bool poster_add(struct poster *, const struct post *);
/* Works until something ended, it is woken, or the time is over. */
void poster_turn(struct poster *, int ms);
void poster_wake(struct poster *);

#endif
