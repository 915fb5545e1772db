/* What people do to plans besides deciding on them. */
#include "api/resources.h"

#define ID_MAX 999999999999999
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
const struct field query_after_reviews[] = {
	{ "state", FIELD_STRING, false, 0, 0, "open|closed", NULL, "State" },
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL,
	    "`next` of the page before" },
	END
};

const struct field body_plan_act[] = {
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why" },
	END
};

const struct field body_propose[] = {
	{ "template", FIELD_STRING, true, 1, 64, NULL, NULL,
	    "Code of the plan template; what of the anomaly it is not made for "
	    "is noted" },
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why" },
	END
};

const struct field body_review[] = {
	{ "findings", FIELD_STRING, true, 1, 4000, NULL, NULL,
	    "What became clear" },
	END
};

const struct field body_preapprove[] = {
	{ "approved", FIELD_BOOLEAN, true, 0, 0, NULL, NULL,
	    "false: it is asked for again" },
	END
};

const struct field body_emergency[] = {
	{ "on", FIELD_BOOLEAN, true, 0, 0, NULL, NULL, "false: it is over" },
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why" },
	END
};

#define PATH_ID { SOURCE_PATH_ID, "id" }
#define BODY    { SOURCE_BODY, NULL }
#define WHO     { SOURCE_PRINCIPAL, NULL }
#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(plans_propose, 201, "anomaly", PATH_ID, BODY, WHO);
RESOURCE(plans_cancel, 200, "plan", PATH_ID, BODY, WHO);
RESOURCE(plans_undo, 201, "plan", PATH_ID, BODY, WHO);
RESOURCE(plans_override, 200, "plan", PATH_ID, BODY, WHO);
RESOURCE(templates_preapprove, 200, "plan template",
    { SOURCE_PATH, "code" }, BODY, WHO);
RESOURCE(after_reviews_list, 200, "after-review", { SOURCE_QUERY, "state" },
    { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" });
RESOURCE(after_reviews_get, 200, "after-review", PATH_ID);
RESOURCE(after_reviews_close, 200, "after-review", PATH_ID, BODY, WHO);
RESOURCE(loop_emergency, 200, "loop", BODY, WHO);
/* clang-format on */
