/*
 * import_spans: spans that only the archive answers and that take no readings
 * meanwhile, for whoever is not on the loop (store/cold.h knows them there).
 *
 * Runs on: C. Frees: import_spans_done(). Units: µs UTC. Errors:
 * ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_INGEST_IMPORT_SPANS_H
#define PENSTOCK_INGEST_IMPORT_SPANS_H

#include "core/query.h"
#include "core/range_port.h"
#include "ingest/registry.h"

struct import_span {
	char metric[REGISTRY_CODE_MAX + 1];
	int64_t from_us, to_us;
};

struct import_spans {
	struct import_span *at; /* by metric and time */
	size_t n;
	const struct registry *registry; /* of the series asked for */
};

/* The rows of archive_spans. */
enum err import_spans_take(
    struct import_spans *, const struct rows *, struct err_info *);
void import_spans_done(struct import_spans *);
bool
import_spans_same(const struct import_spans *, const struct import_spans *);
/* Its only(). */
struct range_port import_spans_port(struct import_spans *);

#endif
