/*
 * query: the asynchronous port through which src/api asks the database.
 * src/store implements it (libpq pipeline); tests implement it in memory.
 *
 * Runs on: L. Parameters are copied before run() returns. The callback is
 * called exactly once, never from inside run(), unless run() itself returned
 * an error (queue full, no connection: ERR_BUSY, ERR_DATABASE), in which case
 * it is never called. `rows` and everything in it live until it returns.
 */
#ifndef PENSTOCK_CORE_QUERY_H
#define PENSTOCK_CORE_QUERY_H

#include "core/err.h"
#include "core/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text format unless binary; a NULL data is SQL NULL. */
struct param {
	const char *data;
	int len; /* bytes; for text without the NUL, or -1 to measure it */
	bool binary;
};

/*
 * A lane is a connection of its own in each worker, so that a slow question
 * never stands before a quick one. LOG: log rows. LOOKUP: look-ups of readings
 * that are not surely new. FAST: keys, users, latest values. SLOW: lists,
 * ranges, changes.
 */
enum lane { LANE_LOG, LANE_LOOKUP, LANE_FAST, LANE_SLOW, LANE_COUNT };

struct query {
	enum statement statement;
	enum lane lane;
	const struct param *params;
	int nparams;
	bool binary_result;
	unsigned deadline_ms; /* 0: the lane's default */
	const char *tag;      /* request id for application_name, or NULL */
	/* Who asks for a change, for the record (ST_session_origin); NULL:
	 * nothing is changed. */
	const char *origin;
};

struct rows {
	int n, columns;
	void *result; /* the store's own */
	/* NULL for SQL NULL; text is NUL-terminated. */
	const char *(*get)(
	    const struct rows *, int row, int column, int *ret_len);
};

/* On failure rows is NULL and info says why; else info->code is ERR_OK. */
typedef void
query_cb(void *arg, const struct rows *rows, const struct err_info *info);

struct query_port {
	void *self;
	enum err (*run)(void *self, const struct query *, query_cb *, void *arg,
	    struct err_info *);
};

#endif
