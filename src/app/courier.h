/*
 * courier: a thread of its own that delivers events to webhooks, keeps the
 * table of events bounded and seals dossiers. One in each instance; they share
 * the work by the rows' locks and leases.
 *
 * What is delivered is the event's JSON with the headers of
 * standardwebhooks.com: webhook-id, the same at every attempt, webhook-
 * timestamp and webhook-signature. At least once: who is told twice knows by
 * the id.
 *
 * Runs on: L; the thread is its own. Frees: courier_free(). Units: ms, s.
 * Errors: logged; the thread goes on when the database is back.
 */
#ifndef PENSTOCK_APP_COURIER_H
#define PENSTOCK_APP_COURIER_H

#include <stdbool.h>

struct courier;

/* Strings are borrowed. */
struct courier_config {
	const char *database_url;
	const char *secret;  /* NULL: nothing is delivered */
	const char *nets;    /* field/address.h; checked before */
	const char *ca_path; /* NULL: the system's */
	unsigned timeout_ms;
	double life_s; /* after that a delivery is a dead letter */
	double keep_s; /* events */
};

/* NULL: no memory, or no thread. */
struct courier *courier_new(const struct courier_config *);
/* There may be something to deliver. */
void courier_wake(struct courier *);
/* Waits for the thread, which cuts what is under way: it is due again. */
void courier_free(struct courier *);

#endif
