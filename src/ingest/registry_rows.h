/*
 * registry_rows: rows of the statements registry_nodes and registry_series
 * into a registry.
 *
 * Runs on: C. Frees: nothing. Errors: those of registry.h.
 */
#ifndef PENSTOCK_INGEST_REGISTRY_ROWS_H
#define PENSTOCK_INGEST_REGISTRY_ROWS_H

#include "core/query.h"
#include "ingest/registry.h"

/* A statement that asks for more than this gives the first of them. */
#define REGISTRY_PAGE_ROWS 20000

enum err registry_row_node(struct registry *, const struct rows *, int row);
enum err registry_row_series(struct registry *, const struct rows *, int row);

/* Text of a column, "" for NULL. */
const char *registry_row_text(const struct rows *, int row, int column);
int64_t registry_row_int(const struct rows *, int row, int column);
bool registry_row_true(const struct rows *, int row, int column);

#endif
