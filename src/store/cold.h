/*
 * cold: archived readings as a tier of core/range_port.h. Where a series' day
 * lies is asked of PostgreSQL; then only the blocks that may hold it are
 * fetched, held against their SHA-256, and decoded on a thread.
 *
 * Runs on: L; the depot is read on T. Frees: cold_free(), after the query
 * port's store. Units: µs UTC. Errors: ERR_ARCHIVE names the class and day
 * whose file is missing, broken or out of reach; ERR_CACHE if the time is not
 * archived (any more); what the query port and the threads say.
 */
#ifndef PENSTOCK_STORE_COLD_H
#define PENSTOCK_STORE_COLD_H

#include "core/query.h"
#include "core/range_port.h"
#include "store/cold_depot.h"

struct cold;

struct cold_config {
	struct query_port query;
	struct depot depot; /* dir NULL and s3.bucket NULL: there is none */
	/* As the offload port of src/api. */
	enum err (*offload)(
	    void *self, void (*work)(void *), void (*done)(void *), void *arg);
	/* The metric's code of a series, NULL if it is unknown. */
	const char *(*metric)(void *arg, int32_t series);
	void *metric_arg;
};

/* NULL if memory is out. The config's strings are borrowed. */
struct cold *cold_new(const struct cold_config *);
void cold_free(struct cold *);
struct range_port cold_port(struct cold *);

/*
 * The spans that only the archive answers, as rows of archive_spans.sql: begin,
 * put each, then end, which makes them the ones that only() knows.
 */
void cold_spans_begin(struct cold *);
enum err cold_span_put(
    struct cold *, const char *metric, int64_t from_us, int64_t to_us);
void cold_spans_end(struct cold *);

#endif
