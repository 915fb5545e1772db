#include "api/resources.h"

#define SECONDS_MAX 31622400 /* 366 days */
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
const struct field body_proof[] = {
	{ "before_s", FIELD_NUMBER, false, 1, SECONDS_MAX, NULL, NULL,
	    "Seconds before the approval that count as before; absent: as "
	    "many as come after" },
	{ "dwell_s", FIELD_NUMBER, false, 0, SECONDS_MAX, NULL, NULL,
	    "Seconds after the last command that are not judged; 0 if absent" },
	{ "control", FIELD_STRING, false, 0, 0, "none|zone|neighbour", NULL,
	    "A series to compare with: the same metric on a node of the same "
	    "type that the plan does not touch, of the zone, or else of one "
	    "that a link joins to it; none if absent" },
	END
};

const struct field body_figures[] = {
	{ "trials", FIELD_INTEGER, true, 0, 1000000000, NULL, NULL,
	    "As proposed: nobody accepts what he has not seen" },
	{ "successes", FIELD_INTEGER, true, 0, 1000000000, NULL, NULL,
	    "As proposed" },
	END
};

#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(template_proof_get, 200, "plan template", { SOURCE_PATH, "code" });
RESOURCE(template_proof_put, 200, "plan template", { SOURCE_PATH, "code" },
    { SOURCE_BODY, NULL }, { SOURCE_IF_MATCH, NULL });
RESOURCE(template_figures_get, 200, "plan template", { SOURCE_PATH, "code" });
RESOURCE(template_figures_accept, 200, "plan template",
    { SOURCE_PATH, "code" }, { SOURCE_BODY, NULL }, { SOURCE_PRINCIPAL, NULL });
/* clang-format on */
