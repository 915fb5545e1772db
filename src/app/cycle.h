/*
 * cycle: runs the loop, one cycle at a time, in one worker of each instance;
 * the database's lock decides which instance leads.
 *
 * Runs on: L; the cycle itself on a thread of the offload port. Frees:
 * cycle_free(), only once cycle_idle(). Units: ms.
 * Errors: a failed cycle is logged with its id and counted; the next one
 * starts from what was committed.
 */
#ifndef PENSTOCK_APP_CYCLE_H
#define PENSTOCK_APP_CYCLE_H

#include "api/api.h"
#include "core/loop.h"

struct cycle;

struct cycle_config {
	struct loop *loop;
	struct offload_port offload;
	const char *database_url; /* borrowed */
	unsigned period_ms;
	unsigned gateway_timeout_ms;
	struct last_seen *last_seen; /* borrowed; told what others stored */
	const char *gateway_ca;	     /* PEM, borrowed; NULL: the system's */
	const char *gateway_secret;  /* borrowed; NULL: nothing is signed */
	const char *gateway_nets;    /* borrowed; field/address.h */
	unsigned gateway_ask_s;
	bool low_risk_unasked;
	unsigned unusual_a_week;
	const char *time_zone; /* borrowed; of the network's clock */
	/* Borrowed; field/connector.h. */
	const char *broker, *broker_user, *broker_password;
};

/* NULL if memory is out. */
struct cycle *cycle_new(const struct cycle_config *);
/* The first cycle at once, then one every period; at once again while the
 * log holds more than one cycle takes. Never two at a time. */
void cycle_start(struct cycle *);
/* Starts no more; the running one goes on. */
void cycle_halt(struct cycle *);
/* As cycle_halt(). Waits up to deadline_ms for the running one; then cancels
 * its statement, so that it rolls back, and waits once more as long. True if
 * none runs; its done() may still be due on the loop. */
bool cycle_stop(struct cycle *, unsigned deadline_ms);
bool cycle_idle(const struct cycle *);
void cycle_free(struct cycle *);

#endif
