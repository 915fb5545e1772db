/*
 * gateway: the field gateway the demo and the tests play, on the loopback
 * interface. A command is executed once per Idempotency-Key; the same key
 * again gets the same answer (while this program lives).
 *
 *	POST /commands  {"link", "action", "not_after", ...}
 *	POST /inject    {"what": "burst", "on": true}
 *	GET  /state
 *
 * Runs on: threads of its own; the callbacks run there, one at a time.
 * Frees: gateway_free(). Units: ms. Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_GATEWAY_H
#define PENSTOCK_CMD_GATEWAY_H

#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How it treats a command. */
#define GATEWAY_MODES(X)                                                   \
	X(GATEWAY_OK, "ok")		     /* executes and answers */    \
	X(GATEWAY_SLOW, "slow")		     /* executes, answers late */  \
	X(GATEWAY_SILENT, "silent")	     /* neither */                 \
	X(GATEWAY_500, "500")		     /* fails, nothing executed */ \
	X(GATEWAY_DROP, "drop-after-accept") /* executes, hangs up; */     \
	X(GATEWAY_TWICE, "twice")	     /* sends its answer twice */

#define X(code, word) code,
enum gateway_mode { GATEWAY_MODES(X) GATEWAY_MODE_COUNT };
#undef X

struct gateway_config {
	int port;
	enum gateway_mode mode;
	int64_t slow_ms;
	void *arg;
	/* True if done; else why not. */
	bool (*execute)(void *arg, const char *link, const char *action,
	    char *why, size_t size);
	/* False: there is no such fault. NULL: nothing can be injected. */
	bool (*inject)(void *arg, const char *what, bool on);
	/* Appends members to a JSON object; NULL: there are none. */
	void (*state)(void *arg, struct text *);
	/* Told of every command received. */
	void (*received)(void *arg, const char *key, const char *link,
	    const char *action, const char *outcome, bool repeat,
	    uint64_t executions);
};

struct gateway;

/* -1: there is no such mode. */
int gateway_mode_parse(const char *);
struct gateway *gateway_new(const struct gateway_config *);
void gateway_free(struct gateway *);

#endif
