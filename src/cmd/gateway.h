/*
 * gateway: the field gateway the demo and the tests play, on the loopback
 * interface. A command is executed once per Idempotency-Key; the same key
 * again gets the same answer (while this program lives).
 *
 *	POST /commands  {"link", "action", "not_after", ...}
 *	GET  /commands/{key}  what became of it
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
	X(GATEWAY_TWICE, "twice")	     /* sends its answer twice */  \
	X(GATEWAY_ACCEPTS, "accepts")	     /* acts after its answer */   \
	X(GATEWAY_LIES, "lies")		     /* names another command */   \
	X(GATEWAY_HALF, "half")		     /* answers by half */         \
	X(GATEWAY_HUGE, "huge")		     /* answers with a megabyte */ \
	X(GATEWAY_REDIRECT, "redirect")	     /* sends elsewhere */

#define X(code, word) code,
enum gateway_mode { GATEWAY_MODES(X) GATEWAY_MODE_COUNT };
#undef X

struct gateway_config {
	int port;
	const char *secret; /* as gateway_trust(); NULL: nothing is checked */
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
/* From now on what is not signed by it is refused (auth/gateway_key.h). */
void gateway_trust(struct gateway *, const char *secret);
struct gateway *gateway_new(const struct gateway_config *);
void gateway_free(struct gateway *);

#endif
