/*
 * pg: asynchronous PostgreSQL client, libpq in pipeline mode on the loop port
 * (design D3). Three lanes = three connections. Implements core/query.h.
 *
 * Runs on: L. Frees: pg_free(); what is in flight fails first. Units: ms.
 * Errors: run() gives ERR_DATABASE at once while the lane is away and
 * ERR_BUSY when its queue is full; callbacks get what pg_error.h maps.
 * Each query has a sync of its own, so an error touches no other query. A
 * query over its deadline costs the connection: it fails with ERR_DEADLINE,
 * all others in flight on that lane with ERR_DATABASE, and the lane
 * reconnects by itself (back-off up to 2 s, with jitter).
 */
#ifndef PENSTOCK_STORE_PG_H
#define PENSTOCK_STORE_PG_H

#include "core/loop.h"
#include "core/query.h"

struct pg;

struct pg_config {
	/* libpq's conninfo. host is a socket directory or an address, or
	 * hostaddr is set: names would block (see resolve.h). Copied. */
	const char *conninfo;
	const char *name; /* first words of application_name; copied */
	unsigned deadline_ms[LANE_COUNT]; /* 0: 10 s, 10 s, 5 s, 20 s */
	unsigned connect_ms;		  /* 0: 5 s */
	size_t queue_max; /* queries in flight per lane; 0: 1024 */
};

struct pg_lane_state {
	bool connected;
	int64_t since_us; /* of that state, the loop's monotonic clock */
	size_t in_flight;
	char error[200]; /* of the last failure, "" if there was none */
};

/*
 * payload: of a notification on channel penstock_change (the table's name,
 * or "hot_epoch"); NULL after each (re)connect: anything may have changed.
 */
typedef void pg_notify_cb(void *arg, const char *payload);

/* NULL: info says why (a host name, no memory). Starts connecting. */
struct pg *pg_new(struct loop *, const struct pg_config *, struct err_info *);
void pg_free(struct pg *);
struct query_port pg_port(struct pg *);
/* One subscriber. */
void pg_on_notify(struct pg *, pg_notify_cb *, void *arg);
void pg_state(const struct pg *, enum lane, struct pg_lane_state *ret);
const char *pg_lane_name(enum lane);

#endif
