#include "api/resources.h"

#define CODE_MAX    63
#define ID_MAX	    999999999999999
#define KEEP_LEAST  7	  /* days: later than the hot tier and late readings */
#define KEEP_MOST   36525 /* days: a century */
#define STATE_WORDS "writing|verified|dropped|restoring|restored"
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
const struct field query_archives[] = {
	{ "class", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Retention class" },
	{ "state", FIELD_STRING, false, 0, 0, STATE_WORDS, NULL,
	    "dropped: only the files are left" },
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL,
	    "`next` of the page before" },
	END
};

const struct field body_retention[] = {
	{ "keep_days", FIELD_INTEGER, false, KEEP_LEAST, KEEP_MOST, NULL, NULL,
	    "Days after which a month goes to the archive; null: never" },
	END
};

#define PATH_CODE { SOURCE_PATH, "class" }
#define PATH_ID   { SOURCE_PATH_ID, "id" }
#define BODY      { SOURCE_BODY, NULL }
#define PAGE      { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(archives_list, 200, "archive", { SOURCE_QUERY, "class" },
    { SOURCE_QUERY, "state" }, PAGE);
RESOURCE(archives_get, 200, "archive", PATH_ID);
RESOURCE(retention_list, 200, "retention class", { SOURCE_END, NULL });
RESOURCE(retention_put, 200, "retention class", PATH_CODE, BODY);
/* clang-format on */
