/*
 * pg_lane: one connection of pg.h and what is in flight on it. Private to
 * src/store/pg*.c.
 *
 * Runs on: L. Frees: lane_done(). Units: ms, µs of the loop's clock. Errors:
 * see pg.h. After a loss every flight fails exactly once, then back-off.
 */
#ifndef PENSTOCK_STORE_PG_LANE_H
#define PENSTOCK_STORE_PG_LANE_H

#include "store/pg.h"

#include <libpq-fe.h>

#define LANE_PARAMS 32 /* of one statement */
#define LANE_TAG    64 /* NAMEDATALEN: PostgreSQL cuts application_name there */

/* What a query consists of on the wire, in this order, then its sync. */
enum step {
	STEP_PREPARE_TAG,
	STEP_TAG,
	STEP_PREPARE_ORIGIN,
	STEP_ORIGIN,
	STEP_PREPARE,
	STEP_QUERY,
	STEP_COUNT
};

struct flight {
	query_cb *cb; /* NULL: our own LISTEN */
	void *arg;
	int64_t deadline_us;
	enum statement statement;
	unsigned char steps[STEP_COUNT], nsteps, done;
	bool late;	  /* its own deadline cost the connection */
	PGresult *result; /* of STEP_QUERY */
	PGresult *failed; /* the first error */
};

struct pg_conn {
	struct loop *loop;
	enum lane lane;
	const char *const *keywords, *const *values;
	const char *name;
	unsigned deadline_ms, connect_ms;

	PGconn *conn;
	struct loop_watch *watch;
	struct loop_timer *retry, *deadline, *drop;
	int64_t deadline_at_us, since_us;
	bool connected, writing, broken;
	unsigned backoff_ms;
	uint64_t random;

	bool prepared[ST_COUNT];
	char tag[LANE_TAG];
	struct flight *ring;
	size_t head, count, size;
	char error[200];

	pg_notify_cb *notify; /* NULL: this lane does not LISTEN */
	void *notify_arg;
};

/* Where loop, lane, keywords, values, name and limits are set already. */
bool lane_init(struct pg_conn *, size_t queue_max);
void lane_done(struct pg_conn *);
enum err lane_run(struct pg_conn *, const struct query *, query_cb *, void *arg,
    struct err_info *);

/* pg_pipeline.c: the conversation on an open connection. */
/* False: the connection is of no use any more. */
bool pipeline_send(struct pg_conn *, const struct query *, struct flight *);
bool pipeline_listen(struct pg_conn *, int64_t deadline_us);
/* Takes what has arrived and runs callbacks. False as above. */
bool pipeline_read(struct pg_conn *);
/* Forgets the oldest flight and tells its owner; code ERR_OK: its result. */
void pipeline_finish(struct pg_conn *, enum err, const char *detail);

#endif
