/*
 * lookup: which readings are stored already, and with what value: the log and
 * the segments that may hold them are asked in one pipeline, segments come
 * packed and are opened here. Implements struct lookup_port of
 * core/ingest_port.h.
 *
 * Runs on: L. Frees: its own; what is under way ends with the query port.
 * Errors: those of the query port, ERR_INTERNAL for a segment that is none of
 * ours, ERR_NO_MEMORY.
 *
 * The log is asked first: a merge moves readings from it to the segments in
 * one transaction, so what is in neither answer was not stored when the log
 * was asked. An answer holds about LOOKUP_READINGS readings, so that a step
 * stays near 1 ms; what was not in it is asked for again.
 */
#ifndef PENSTOCK_STORE_LOOKUP_H
#define PENSTOCK_STORE_LOOKUP_H

#include "core/ingest_port.h"
#include "core/query.h"

#define LOOKUP_READINGS 65536
#define LOOKUP_GROUPS	256 /* runs of keys in one question */

/* Borrows the query port, which lives as long as what is returned. */
struct lookup_port lookup_warm(struct query_port *);

#endif
