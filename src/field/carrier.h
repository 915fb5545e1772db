/*
 * carrier: an actuator port around another one, so that a gateway which does
 * not answer delays neither other gateways nor the cycle: what goes to one
 * gateway goes by a thread of its own, with a sender of its own. What is not
 * back within the carrier's patience is PENDING, and told by collect() in a
 * later cycle; if the program ends before, its result is lost.
 *
 * Runs on: T, one thread at a time; the senders on threads of the carrier.
 * Frees: carrier_free(), which waits a while for what is under way. Units: ms.
 * Errors: in the replies; NOT_TAKEN if there is no memory or thread, or if
 * CARRIER_MOST are under way.
 */
#ifndef PENSTOCK_FIELD_CARRIER_H
#define PENSTOCK_FIELD_CARRIER_H

#include "core/ports.h"

#define CARRIER_MOST 64 /* gateways at once */

struct carrier;

struct carrier_config {
	void *arg;
	/* One call of a sender's send(), bounded in time. */
	void (*send)(void *arg, const struct command *, size_t n,
	    struct gateway_reply *ret);
	long patience_ms;
	long linger_ms; /* of carrier_free() */
};

/* The config is copied. NULL if memory is out. */
struct carrier *carrier_new(const struct carrier_config *);
void carrier_free(struct carrier *);
struct actuator_port carrier_port(struct carrier *);

#endif
