/*
 * machines: the transition tables that the service runs on, as JSON.
 *
 * Runs on: C. Frees: nothing. Errors: the text's.
 */
#ifndef PENSTOCK_DOMAIN_MACHINES_H
#define PENSTOCK_DOMAIN_MACHINES_H

#include "core/text.h"

/* {"items": [{"name", "states", "events", "rows": [{"id", "from", "event",
 * "to"}]}]}; null for from: any state, for to: it stays. */
void machines_write(struct text *);

#endif
