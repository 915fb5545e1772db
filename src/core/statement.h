/*
 * statement: the name of every SQL statement. The text of NAME lives in
 * sql/statements/NAME.sql, named and complete, never built from strings
 * (house rule 10); the build checks that both lists are the same.
 *
 * Runs on: C. Each text opens with a comment that names every $n and column.
 */
#ifndef PENSTOCK_CORE_STATEMENT_H
#define PENSTOCK_CORE_STATEMENT_H

/* Made at build time from the names of the files in sql/statements. */
#include "statement_list.h"

#define X(name) ST_##name,
enum statement { STATEMENT_LIST(X) ST_COUNT };
#undef X

const char *statement_name(enum statement);
const char *statement_text(enum statement);

#endif
