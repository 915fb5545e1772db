/*
 * events: what happens, told to whoever listens: GET /api/v1/stream
 * (server-sent events of the HTML standard). Each worker reads the table
 * `events` behind its newest when it is notified, keeps the last ones as they
 * are sent, and gives each listener those that fit his filter, as fast as he
 * takes them; who begins further back is given pages from the database first.
 *
 * Runs on: L. Frees: events_free() tells all listeners that the server stops.
 * Units: ms. Errors: what the database cannot give now is asked for again, and
 * listeners wait; who falls out of what is kept is told so and let go, and
 * finds all he missed behind Last-Event-ID.
 */
#ifndef PENSTOCK_API_EVENTS_H
#define PENSTOCK_API_EVENTS_H

#include "api/request.h"

struct events;

struct events_config {
	unsigned listeners_max, person_max; /* of this worker, of one name */
	unsigned heartbeat_ms;
};

/* NULL if memory is out. The api's loop and query must be set. */
struct events *events_new(struct api *, const struct events_config *);
void events_free(struct events *);
/* There are new ones, or there may be. May be NULL. */
void events_notified(struct events *);

#endif
