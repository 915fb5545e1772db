/*
 * gateway_fake: a field gateway on loopback that misbehaves as told, on a
 * thread of its own, one connection at a time each.
 *
 * Runs on: C. Frees: gateway_fake_stop(). Errors: NULL.
 */
#ifndef PENSTOCK_TESTS_GATEWAY_FAKE_H
#define PENSTOCK_TESTS_GATEWAY_FAKE_H

#include <stddef.h>

/* What it does once it has read a whole request. */
enum gateway_mode {
	FAKE_ANSWER,  /* `answer` as it stands, then close */
	FAKE_KEEP,    /* `answer`, then wait for the client to close */
	FAKE_SILENT,  /* nothing, until the client closes */
	FAKE_DROP,    /* close */
	FAKE_HUGE,    /* 200 and 1 MiB of body */
	FAKE_TRICKLE, /* `answer`, one byte every 50 ms */
};

struct gateway_fake;

struct gateway_fake *gateway_fake_start(enum gateway_mode, const char *answer);
/* "http://127.0.0.1:PORT" */
const char *gateway_fake_url(const struct gateway_fake *);
/* Whole requests read so far. */
int gateway_fake_requests(struct gateway_fake *);
/* The last whole request, head and body. */
const char *gateway_fake_last(struct gateway_fake *);
void gateway_fake_stop(struct gateway_fake *);

#endif
