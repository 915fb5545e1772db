/*
 * range: the warm tier's side of core/range_port.h: packed segments of one
 * series and what the log still holds of it, read in one statement per chunk
 * and put in order in C.
 *
 * Runs on: L. Frees: nothing of the caller's; what is under way ends with the
 * query port. Units: µs UTC. Errors: those of the query port; ERR_INTERNAL
 * for a segment that is none of ours; ERR_TOO_LARGE for a chunk that would
 * hold more than RANGE_MOST readings. A chunk is what `max` asks for and at
 * most a row of segments more, so a step stays near 1 ms.
 */
#ifndef PENSTOCK_STORE_RANGE_H
#define PENSTOCK_STORE_RANGE_H

#include "core/query.h"
#include "core/range_port.h"

#define RANGE_MOST ((size_t)1 << 20)

/* Borrows the query port, which lives as long as what is returned. */
struct range_port range_warm(struct query_port *);

#endif
