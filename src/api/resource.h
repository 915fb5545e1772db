/*
 * resource: a route that is one SQL statement. The table row names the
 * statement and where each of its parameters comes from; one handler binds
 * them, runs it on LANE_SLOW and sends what the single row says.
 *
 * Runs on: L. Frees: nothing. The row's columns, by position: body (JSON text,
 * ready to send; NULL: no content), etag (with its quotes), location. No row:
 * 404. What the statement refuses (SQL refuse()) is answered as a problem.
 */
#ifndef PENSTOCK_API_RESOURCE_H
#define PENSTOCK_API_RESOURCE_H

#include "api/request.h"
#include "core/query.h"

#define RESOURCE_PARAMS	       8
#define RESOURCE_LIMIT_DEFAULT "100"

enum source_kind {
	SOURCE_END,
	SOURCE_PATH,	  /* path parameter */
	SOURCE_PATH_ID,	  /* the same; 404 unless it is a positive number */
	SOURCE_QUERY,	  /* query parameter, NULL if absent */
	SOURCE_LIMIT,	  /* query parameter "limit" or the default */
	SOURCE_BODY,	  /* the whole checked body as jsonb */
	SOURCE_PRINCIPAL, /* who asks, from the verified token */
	SOURCE_SESSION,	  /* the token's, 0 if it has none */
	SOURCE_IF_MATCH,  /* header, NULL if absent */
	SOURCE_CONSTANT,
};

struct source {
	enum source_kind kind;
	const char *name; /* of the parameter, or the constant */
};

struct resource {
	enum statement statement;
	int ok_status;
	const char *what;			   /* "node", for the 404 */
	struct source params[RESOURCE_PARAMS + 1]; /* $1, $2, … SOURCE_END */
};

/* Sends what the row says; for handlers of such a route that ask themselves. */
void resource_answer(struct request *, const struct rows *);
/* Binds and runs the statement of such a route. */
void resource_ask(
    struct request *, void (*answer)(struct request *, const struct rows *));
/* The handler of every route whose `resource` is set. */
void resource_handle(struct request *);

#endif
