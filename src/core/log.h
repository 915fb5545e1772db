/*
 * log: JSON lines, `event` first (house rule 12). Formatting is pure; where
 * the line goes is the sink's business, set once at start by src/app (this
 * pointer is the one global of src/core). Before that, lines go nowhere.
 *
 * Runs on: C (the sink must be thread-safe). Pure folders do not log.
 *
 *	log_event(LOG_LEVEL_WARN, "pg_lost", "conn", LOG_STR, "log",
 *	    "attempt", LOG_INT, (int64_t)3, NULL);
 * Never pass a secret or a token.
 */
#ifndef PENSTOCK_CORE_LOG_H
#define PENSTOCK_CORE_LOG_H

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

enum log_kind { LOG_STR, LOG_INT /* int64_t */, LOG_DBL /* double */ };

typedef void log_sink(enum log_level, const char *line, size_t len);

void log_open(log_sink *, enum log_level least);
/* (key, kind, value)*, NULL. A line is cut at 2 KiB, still valid JSON. */
void
log_event(enum log_level, const char *event, ...) __attribute__((sentinel));

#endif
