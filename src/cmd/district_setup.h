/*
 * district_setup: makes the demo district known to Penstock through its API:
 * gateway, nodes, series with their rules, thresholds, links, plan template.
 * What is there already is left as it is.
 *
 * Runs on: penstock-district, before its first reading. Frees: nothing.
 * Errors: told on stderr, then false.
 */
#ifndef PENSTOCK_CMD_DISTRICT_SETUP_H
#define PENSTOCK_CMD_DISTRICT_SETUP_H

#include "cmd/ensure.h"
#include "cmd/gateway_check.h"

#include <stdbool.h>

bool district_setup(struct ensure *, double cadence_s, int gateway_port);
/* The gateway's next secret; "" if the service signs nothing. */
bool district_secret(struct ensure *, char ret[static GATEWAY_SECRET_MAX]);

#endif
