/*
 * knowledge: look-ups in a knowledge snapshot.
 *
 * Runs on: C. Borrowed pointers into the snapshot; NULL if there is none.
 */
#ifndef PENSTOCK_MAPE_KNOWLEDGE_H
#define PENSTOCK_MAPE_KNOWLEDGE_H

#include "core/ports.h"
#include "domain/series.h"

const struct series *knowledge_series(const struct knowledge *, int32_t id);
const struct series *knowledge_series_at(
    const struct knowledge *, int32_t node_id, const char *metric);
/* What speaks for a zone: the metric of its dma, else of its oldest series. */
const struct series *knowledge_series_in(
    const struct knowledge *, const char *zone, const char *metric);

#endif
