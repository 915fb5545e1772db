#include "api/resources.h"

#define CODE_MAX    63
#define ID_MAX	    2147483647
#define SECONDS_MAX 31622400 /* 366 days */
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
const struct field query_hands_off[] = {
	{ "active", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: those alone that are set now" },
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL,
	    "`next` of the page before" },
	END
};

static const struct field limit[] = {
	{ "node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Metric code" },
	{ "action", FIELD_STRING, false, 1, 40, NULL, NULL,
	    "The action it is about; absent: any" },
	{ "low", FIELD_NUMBER, false, 0, 0, NULL, NULL,
	    "Not below; canonical unit" },
	{ "high", FIELD_NUMBER, false, 0, 0, NULL, NULL,
	    "Not above; canonical unit" },
	END
};

const struct field body_guards[] = {
	{ "max_per_hour", FIELD_INTEGER, false, 1, 3600, NULL, NULL,
	    "Most commands that move it within any hour; absent: any number" },
	{ "min_interval_s", FIELD_NUMBER, false, 0.001, SECONDS_MAX, NULL, NULL,
	    "Least seconds between two of them; absent: none" },
	{ "exclusion", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Links of one such name are never moved by two live plans at once" },
	{ "limits", FIELD_ARRAY, false, 0, 20, NULL, limit,
	    "It is moved only while each of these series, heard of late, is "
	    "within" },
	END
};

const struct field body_lock[] = {
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why" },
	END
};

const struct field body_hands_off[] = {
	{ "zone", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Zone code; absent: everywhere" },
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why" },
	END
};

#define PATH_CODE { SOURCE_PATH, "code" }
#define BODY      { SOURCE_BODY, NULL }
#define WHO       { SOURCE_PRINCIPAL, NULL }
#define IF_MATCH  { SOURCE_IF_MATCH, NULL }
#define PAGE      { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, statement, status, what, ...) \
	const struct resource resource_##name = { ST_##statement, status, \
		what, { __VA_ARGS__ } }

RESOURCE(link_guards_get, link_guards_get, 200, "link", PATH_CODE);
RESOURCE(link_guards_put, link_guards_put, 200, "link", PATH_CODE, BODY,
    IF_MATCH);
RESOURCE(link_lock, link_lock, 200, "link", PATH_CODE,
    { SOURCE_CONSTANT, "true" }, BODY, WHO);
RESOURCE(link_unlock, link_lock, 200, "link", PATH_CODE,
    { SOURCE_CONSTANT, "false" }, BODY, WHO);
RESOURCE(hands_off_list, hands_off_list, 200, "switch",
    { SOURCE_QUERY, "active" }, PAGE);
RESOURCE(hands_off_set, hands_off_set, 200, "switch", BODY,
    { SOURCE_CONSTANT, "true" }, WHO);
RESOURCE(hands_off_release, hands_off_set, 200, "switch", BODY,
    { SOURCE_CONSTANT, "false" }, WHO);
/* clang-format on */
