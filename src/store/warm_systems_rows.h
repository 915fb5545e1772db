/*
 * warm_systems_rows: steps of a zone's series from their roll-ups. Inside
 * src/store/warm_systems*.c only.
 *
 * Runs on: T. Frees: nothing; arenas are the caller's. Units: canonical, µs
 * UTC. Errors: as store/warm.h.
 */
#ifndef PENSTOCK_STORE_WARM_SYSTEMS_ROWS_H
#define PENSTOCK_STORE_WARM_SYSTEMS_ROWS_H

#include "store/warm_conn.h"
#include "store/warm_systems.h"

/* Of rows of series, node, metric, status; NULL if the arena is full. */
struct system_series *systems_series(struct arena *, const PGresult *);
/* All NAN; NULL if the arena is full. */
double *systems_room(struct arena *, size_t n);
/* Columns [from, to) of the table. */
enum err systems_read(struct warm *, struct system_table *, size_t from,
    size_t to, struct err_info *);

#endif
