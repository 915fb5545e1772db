/*
 * hot_source: what PostgreSQL holds of some series since a time, merged or
 * still in the log, from one snapshot. For the keeper of the hot tier.
 *
 * Runs on: T. Frees: hot_source_close(); the readings are the source's until
 * the next call. Units: µs UTC. Errors: ERR_DEADLINE when PostgreSQL is silent
 * for SOURCE_SILENT_MS or `stop` was set, ERR_BUSY while the log is long,
 * ERR_TOO_LARGE beyond SOURCE_MOST; but for the latter the connection is
 * closed, and opened by the next call.
 */
#ifndef PENSTOCK_STORE_HOT_SOURCE_H
#define PENSTOCK_STORE_HOT_SOURCE_H

#include "core/err.h"
#include "domain/reading.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define SOURCE_SILENT_MS 10000
#define SOURCE_MOST	 1000000u /* readings in one answer */

struct hot_source;

/* Borrows `conninfo` and `stop`. NULL: no memory. */
struct hot_source *
hot_source_new(const char *conninfo, const atomic_bool *stop);
void hot_source_free(struct hot_source *);
/* Whether this session keeps the hot tier; it does until it is closed. */
enum err hot_source_lead(struct hot_source *, bool *ret, struct err_info *);
enum err hot_source_quiet(struct hot_source *, bool *ret, struct err_info *);
/* Up to `most` numbers above `after`, rising. */
enum err hot_source_series(struct hot_source *, int32_t after, size_t most,
    int32_t *ret, size_t *ret_n, struct err_info *);
/* By series and time, strictly rising; of two at one time the first. */
struct hot_ask {
	const int32_t *series; /* rising */
	size_t n;
	int64_t since_us;
};
enum err hot_source_readings(struct hot_source *, const struct hot_ask *,
    const struct reading **ret, size_t *ret_n, struct err_info *);
void hot_source_close(struct hot_source *);

#endif
