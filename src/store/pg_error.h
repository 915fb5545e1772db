/*
 * pg_error: what PostgreSQL said, as one of our errors.
 *
 * Runs on: C. SQLSTATE (PostgreSQL appendix A) to enum err; 'PSnnn' is our
 * own refuse(): HTTP status nnn, message = detail, hint = JSON pointer.
 * Unexpected ones are logged with PostgreSQL's text and become ERR_INTERNAL
 * with the SQLSTATE alone, so that no SQL reaches a client.
 */
#ifndef PENSTOCK_STORE_PG_ERROR_H
#define PENSTOCK_STORE_PG_ERROR_H

#include "core/err.h"

#include <libpq-fe.h>

/* `result` is an error result; `what` names the statement for the log. */
enum err pg_error(const PGresult *result, const char *what, struct err_info *);

#endif
