/*
 * log_row: readings in PostgreSQL's form, as the parameters of log_insert, and
 * who waits for them. Inside src/store/log_*.c.
 *
 * Runs on: L. Frees: log_row_free(). Units: µs UTC. Errors: NULL or false
 * without memory.
 */
#ifndef PENSTOCK_STORE_LOG_ROW_H
#define PENSTOCK_STORE_LOG_ROW_H

#include "core/ingest_port.h"
#include "core/query.h"
#include "domain/reading.h"

#define LOG_ROW_TIMES  3 /* received, first, last */
#define LOG_ROW_PARAMS (LOG_ROW_TIMES + LOG_ROW_COLUMNS)

enum log_row_column {
	LOG_ROW_SERIES,
	LOG_ROW_TS,
	LOG_ROW_VALUE,
	LOG_ROW_QUALITY,
	LOG_ROW_COLUMNS
};

struct log_writer;

struct log_row {
	struct log_writer *writer;
	struct log_row *next;
	size_t n;
	int64_t min_us, max_us, received_us, sent_us;
	struct log_waiter {
		append_cb *cb;
		void *arg;
	} * waiters;
	size_t nwaiters, size_waiters;
	struct err_info info; /* of a row that could not be sent */
	unsigned char times[LOG_ROW_TIMES][8];
	unsigned char *column[LOG_ROW_COLUMNS];
	unsigned char bytes[];
};

/* Room for that many readings; pages that are never written cost nothing. */
struct log_row *log_row_new(struct log_writer *, size_t readings);
void log_row_free(struct log_row *);
void log_row_clear(struct log_row *);
void log_row_add(struct log_row *, const struct reading *);
struct reading log_row_get(const struct log_row *, size_t);
bool log_row_wait(struct log_row *, append_cb *, void *arg);
/* They point into the row. */
void log_row_params(struct log_row *, struct param ret[static LOG_ROW_PARAMS]);

#endif
