/*
 * log_writer: readings of all requests in flight into rows of ingest_log
 * (design D4). Implements struct log_port of core/ingest_port.h.
 *
 * Runs on: L. Frees: log_writer_free(), after the query port's owner.
 * Units: readings; times µs. Errors: ERR_BUSY when queue_max readings wait,
 * ERR_TOO_LARGE for more than row_max in one call; a row that fails gives its
 * error to every caller in it. One caller's readings are always in one row,
 * so they are stored together or not at all.
 * While `inflight` rows are on the wire the next one fills. When a row has
 * committed, those it answered often send again at once: the next one waits for
 * as many, 2 ms or, while they come, 4, and not where it did not help of late.
 */
#ifndef PENSTOCK_STORE_LOG_WRITER_H
#define PENSTOCK_STORE_LOG_WRITER_H

#include "core/ingest_port.h"
#include "core/loop.h"
#include "core/query.h"

struct log_writer;

struct log_writer_config {
	size_t inflight;  /* rows on the wire; 0: 2 */
	size_t row_max;	  /* readings in a row; 0: 20,000 */
	size_t queue_max; /* readings not yet committed; 0: 200,000 */
};

/* `hot` may be NULL. Both ports are copied; config may be NULL. */
struct log_writer *log_writer_new(struct loop *, const struct query_port *,
    const struct hot_port *hot, const struct log_writer_config *);
void log_writer_free(struct log_writer *);
struct log_port log_writer_port(struct log_writer *);
/* Whether the log has several shards, so that PostgreSQL must split rows; it
 * does so, which is always right and slower, until told otherwise. */
void log_writer_split(struct log_writer *, bool);
/* Readings not yet committed by this worker. */
size_t log_writer_queued(const struct log_writer *);

#endif
