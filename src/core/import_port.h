/*
 * import_port: what storing history needs of the database: store/importer
 * implements it on a blocking connection of its own.
 *
 * Runs on: T, one thread at a time; cancel() on C. Frees: nothing. Errors: a
 * lost connection is ERR_DATABASE, and nothing of the open transaction was
 * kept; open() connects again.
 *
 *	open() … run(), stored(), prepare() … begin(), stored(), store(), run(), commit()
 *	or rollback() … close()
 */
#ifndef PENSTOCK_CORE_IMPORT_PORT_H
#define PENSTOCK_CORE_IMPORT_PORT_H

#include "core/err.h"
#include "core/query.h"

#include <stdbool.h>
#include <stddef.h>

struct reading;

/* What the database has at a reading's series and time. */
struct import_known {
	bool known;
	double value;
};

struct import_port {
	void *self; /* NULL: nothing can be imported */
	/* Waits, for a bounded time, for the one place that a database has
	 * for a part at work. ERR_BUSY: somebody else keeps it. */
	enum err (*open)(void *self, struct err_info *);
	void (*close)(void *self);
	/* One statement, text results; `cb` may be NULL, and stops at its
	 * first error. */
	enum err (*run)(void *self, const struct query *,
	    enum err (*cb)(void *arg, const struct rows *, struct err_info *),
	    void *arg, struct err_info *);
	/* Before begin(), of all that will be stored until close(): makes what
	 * it will be stored in, and does what else need not be done later. */
	enum err (*prepare)(
	    void *self, const struct reading *, size_t n, struct err_info *);
	/* From here to the end nobody else writes segments: be short. */
	enum err (*begin)(void *self, struct err_info *);
	enum err (*commit)(void *self, struct err_info *);
	void (*rollback)(void *self);
	/* In segments or in the log; readings rise by (series, time). */
	enum err (*stored)(void *self, const struct reading *, size_t n,
	    struct import_known *ret, struct err_info *);
	/* Writes segments, roll-ups and newest values of readings that are
	 * not stored; in the same order. */
	enum err (*store)(
	    void *self, const struct reading *, size_t n, struct err_info *);
	/* Makes the running statement fail, that a stop need not wait. */
	void (*cancel)(void *self);
};

#endif
