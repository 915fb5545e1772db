/*
 * openapi_parts: what openapi.c is made of: schemas from the tables of fields
 * (openapi_schema.c), answers and examples from assets/contract
 * (openapi_answers.c).
 *
 * Runs on: C. Frees: nothing. Errors: the text's.
 */
#ifndef PENSTOCK_API_OPENAPI_PARTS_H
#define PENSTOCK_API_OPENAPI_PARTS_H

#include "api/route.h"
#include "core/text.h"

/* One row of what scripts/embed-contract made of assets/contract. */
struct contract {
	const char *route, *kind, *key, *json;
};

extern const struct contract contracts[];
extern const size_t ncontracts;

/* The JSON text of that row; NULL. */
const char *contract_find(const char *route, const char *kind, const char *key);

/* The schema of a query parameter as member `schema`: by name if it has
 * choices, since answers have the same words. */
void openapi_query(struct text *, const struct route *, const struct field *);
/* Members of components.schemas: of all routes' bodies and choices. */
void openapi_field_schemas(struct text *);
/* The same of lists of words that answers alone have. */
void openapi_list_schemas(struct text *);

bool openapi_takes_if_match(const struct route *);
/* Member `responses`. */
void openapi_responses(struct text *, const struct route *);
/* Members of components.responses, one for each status of a problem. */
void openapi_problem_responses(struct text *);
/* The problem's schema, member of components.schemas. */
void openapi_problem_schema(struct text *);

#endif
