/*
 * internal: what the files of src/edge share among themselves.
 *
 * Runs on: L. Nobody outside src/edge includes it.
 */
#ifndef PENSTOCK_EDGE_INTERNAL_H
#define PENSTOCK_EDGE_INTERNAL_H

#include "edge/edge.h"
#include "edge/peers.h"

struct hops; /* hops.h */

int64_t edge_monotonic_us(void);

/* Frees what was unwatched; never call it from inside an event. */
void loop_bury(void);

/* client: whom connections and requests are from. Before conn_open; `row` is
 * this worker's, `max` connections one address may have, 0: any number. */
void
client_open(struct peers *, unsigned row, const struct hops *, unsigned max);

/* conn: connections, from accept to close. */
void conn_open(const struct edge_config *, void (*handle)(struct exchange *));
/* Deadlines and burials; call every half second or so. */
void conn_tick(void);
/* Closes what is idle; every answer from now on closes its connection. */
void conn_drain(void);
/* Connections with a request begun and not fully answered. */
unsigned conn_active(void);
/* Calls on_gone where a request is in flight. */
void conn_close_all(void);

#endif
