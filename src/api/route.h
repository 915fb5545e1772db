/*
 * route: the one table of what the API answers: method, path, roles, handler,
 * and what /openapi.json says of it.
 *
 * Runs on: L. Frees: nothing, all static. A pattern's {name} matches one
 * non-empty path segment, percent-decoded once.
 */
#ifndef PENSTOCK_API_ROUTE_H
#define PENSTOCK_API_ROUTE_H

#include "auth/limits.h"
#include "auth/role.h"
#include "core/exchange.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_PARAMS 4

struct request;

enum field_type {
	FIELD_STRING,
	FIELD_NUMBER,
	FIELD_INTEGER,
	FIELD_BOOLEAN,
	FIELD_OBJECT,  /* any JSON object, kept as it is */
	FIELD_INSTANT, /* RFC 3339 */
	FIELD_ARRAY,   /* of objects described by `items` */
	FIELD_STRINGS, /* array of strings of 1 to FIELD_WORD_MAX characters */
};

/* One member of a JSON body, or one query parameter. An unknown member is
 * refused by name. The table ends with a NULL name. */
struct field {
	const char *name;
	enum field_type type;
	bool required;
	double min, max;     /* number: value; string: length; array: count;
	    both 0: the type's own bound (string 200, array 100) */
	const char *choices; /* "a|b|c" or NULL */
	const struct field *items;
	const char *about; /* for /openapi.json; says the unit */
};

/* What keeps an operator who has zones within them. A change that operators
 * may make says one of these, or none of them may make it. */
enum route_scope {
	SCOPE_UNSAID,
	SCOPE_ZONES, /* its statement calls check_zones() of 0021 */
	SCOPE_SELF,  /* it touches nothing but who calls it */
};

struct route {
	enum method method;
	const char *pattern; /* "/api/v1/nodes/{code}" */
	unsigned roles;	     /* ALLOW_… */
	enum route_scope scope;
	void (*handle)(struct request *);
	const char *name; /* operationId and metrics label: "nodes_get" */
	const char *summary;
	const struct field *query; /* NULL: takes no query parameters */
	const char *one_of; /* "a|b": query needs one, and only one, of them */
	const struct field *body; /* NULL: takes no body (readings: its own
	    decoder, with body_own set) */
	bool body_own;
	const char *body_media; /* "a/b|c/d" that body_own takes; NULL: JSON */
	size_t inflated_max;	/* of a gzip body; 0: takes none */
	size_t body_max;	/* 0: 64 KiB */
	const char *media;	/* "a/b|c/d": of the answer; NULL: JSON */
	enum limit_class limit; /* what it is for, see auth/limits.h */
	/* The rest is for handlers that are one SQL statement (resource.h). */
	const void *resource;
};

struct route_match {
	const struct route *route; /* NULL: see allowed */
	unsigned allowed; /* bit per enum method the path knows, HEAD and
	    OPTIONS included; 0: 404 */
	struct {
		const char *name;
		char value[128];
	} params[ROUTE_PARAMS];
	size_t nparams;
};

/* The table of routes.c. */
extern const struct route routes[];
extern const size_t nroutes;

/* What it is for: never LIMIT_BY_METHOD. NULL, no such route: reading. */
enum limit_class route_limit(const struct route *);

/* The metrics label of route i; i == nroutes stands for "no such route". */
const char *route_label(size_t i);

/* HEAD finds the GET route. A literal segment goes before a {name}. */
void route_find(enum method, const char *path, struct route_match *ret);

#endif
