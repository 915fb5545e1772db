/*
 * importer: core/import_port.h on PostgreSQL: history is packed and copied
 * into segments beside the loop, under the lock that all who write them take.
 *
 * Runs on: T, one thread at a time; importer_port().cancel on C. Frees:
 * importer_free(), when no thread is in it. Units: µs UTC, canonical units.
 * Errors: as the port says.
 */
#ifndef PENSTOCK_STORE_IMPORTER_H
#define PENSTOCK_STORE_IMPORTER_H

#include "core/import_port.h"

struct importer;

/* Does not connect yet. NULL if memory is out. */
struct importer *importer_new(const char *conninfo);
void importer_free(struct importer *);
struct import_port importer_port(struct importer *);

#endif
