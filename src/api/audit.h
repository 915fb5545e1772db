/*
 * audit: what the record of changes is told: with each change who asks for
 * it, from where; and beside that what was refused. The rows are written by
 * the database (audit_write(), audit_refuse()).
 *
 * Runs on: L. Frees: nothing. Errors: never the request's. Of refusals an
 * address has AUDIT_BURST rows at once and then one a second, a worker has
 * AUDIT_BURST_ALL and then AUDIT_PER_S a second; what is beyond that, or what
 * the database did not take, is counted in one row a minute, with addresses.
 */
#ifndef PENSTOCK_API_AUDIT_H
#define PENSTOCK_API_AUDIT_H

#include "api/request.h"

#define AUDIT_BURST	10
#define AUDIT_BURST_ALL 100
#define AUDIT_PER_S	5
#define AUDIT_WAIT_MS	200   /* a batch */
#define AUDIT_SUM_MS	60000 /* a row of what was only counted */

/* Sets r->origin if the route changes something that is recorded. */
void audit_begin(struct request *);
/* Records a refusal if the status is that of one: 401 for what was presented,
 * 403, 429. Before the answer. */
void audit_refused(struct request *, int status, const char *detail);
/* Nothing waits for the database. */
bool audit_idle(void);
/* GET /api/v1/audit as JSON pages, CSV or newline-delimited JSON. */
void audit_get(struct request *);

#endif
