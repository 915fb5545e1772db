#include "api/resources.h"

#define CODE_MAX 63
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
const struct field query_prediction[] = {
	{ "metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "flow if absent" },
	{ "horizon", FIELD_STRING, false, 2, 4, NULL, NULL,
	    "1h to 168h, or 1d to 7d, from the origin on; 168h if absent" },
	END
};

const struct field query_predictions[] = {
	{ "zone", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Zone code" },
	{ "metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "flow if absent" },
	{ "horizon", FIELD_STRING, false, 2, 4, NULL, NULL,
	    "1h to 168h, or 1d to 7d, from the origin on; 24h if absent" },
	{ "limit", FIELD_INTEGER, false, 1, 100, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "`next` of the page before" },
	END
};

const struct field query_models[] = {
	{ "node", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Metric code" },
	{ "state", FIELD_STRING, false, 0, 0, "champion|challenger|retired", NULL,
	    "champion: it forecasts; challenger: the newest that did not win" },
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_INTEGER, false, 1, 0x1p53, NULL, NULL,
	    "`next` of the page before" },
	END
};

const struct field body_promote[] = {
	{ "reason", FIELD_STRING, true, 1, 500, NULL, NULL,
	    "Why, for those who come after" },
	END
};

static const struct field fields_holiday[] = {
	{ "date", FIELD_STRING, true, 10, 10, NULL, NULL,
	    "A day by the clock of PENSTOCK_ZONE, as 2026-12-25" },
	{ "name", FIELD_STRING, false, 1, 100, NULL, NULL,
	    "Days of one name are the same feast of different years; without a "
	    "name, those of one date" },
	END
};

const struct field body_holidays[] = {
	{ "holidays", FIELD_ARRAY, true, 0, 4096, NULL, fields_holiday,
	    "All of them, of years past as well as to come" },
	END
};

#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(predictions_get, 200, "series", { SOURCE_PATH, "node" },
    { SOURCE_QUERY, "metric" }, { SOURCE_QUERY, "horizon" });
RESOURCE(models_list, 200, "model", { SOURCE_QUERY, "node" },
    { SOURCE_QUERY, "metric" }, { SOURCE_QUERY, "state" },
    { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" });
RESOURCE(predictions_list, 200, "zone", { SOURCE_QUERY, "zone" },
    { SOURCE_QUERY, "metric" }, { SOURCE_QUERY, "horizon" },
    { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" });
RESOURCE(models_get, 200, "model", { SOURCE_PATH_ID, "id" });
RESOURCE(holidays_get, 200, "calendar", { SOURCE_END, NULL });
RESOURCE(holidays_put, 200, "calendar", { SOURCE_BODY, NULL },
    { SOURCE_IF_MATCH, NULL });
RESOURCE(models_promote, 200, "model", { SOURCE_PATH_ID, "id" },
    { SOURCE_BODY, NULL }, { SOURCE_PRINCIPAL, NULL });
/* clang-format on */
