#include "api/resources.h"

#define CODE_MAX    63 /* the tables' CHECK says the same */
#define NODE_TYPES  "junction|reservoir|tank|meter|dma|plant"
#define KINDS	    "instant|total|status"
#define SECONDS_MAX 31622400 /* 366 days */
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
#define LIMIT { "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL, \
	"Items per page, 100 if absent" }
#define CURSOR { "cursor", FIELD_STRING, false, 1, 2 * CODE_MAX, NULL, NULL, \
	"`next` of the page before" }

const struct field query_page[] = { LIMIT, CURSOR, END };

const struct field query_nodes[] = {
	{ "zone", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Zone code" },
	{ "type", FIELD_STRING, false, 0, 0, NODE_TYPES, NULL, "Node type" },
	{ "retired", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: the retired ones instead of those in use" },
	LIMIT, CURSOR, END
};

const struct field query_series[] = {
	{ "node", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Metric code" },
	{ "zone", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Zone code" },
	{ "retired", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: the retired ones instead of those in use" },
	LIMIT, CURSOR, END
};

#define SERIES_RULES \
	{ "cadence_s", FIELD_NUMBER, false, 0.001, SECONDS_MAX, NULL, NULL, \
	    "Seconds between readings; absent: unknown, never silent" }, \
	{ "silence_s", FIELD_NUMBER, false, 0.001, SECONDS_MAX, NULL, NULL, \
	    "Seconds without a reading that count as silence; absent: three " \
	    "cadences" }, \
	{ "max_rate_per_min", FIELD_NUMBER, false, 1e-9, 1e12, NULL, NULL, \
	    "Largest believable change, canonical unit per minute" }, \
	{ "flatline_s", FIELD_NUMBER, false, 0.001, SECONDS_MAX, NULL, NULL, \
	    "Seconds of the very same value that count as frozen" }, \
	{ "outlier_k", FIELD_NUMBER, false, 3, 1000, NULL, NULL, \
	    "Robust standard deviations from the median that count as an " \
	    "outlier" }, \
	{ "register_max", FIELD_NUMBER, false, 1e-9, 1e12, NULL, NULL, \
	    "Of kind total: index at which the register starts again at 0, " \
	    "canonical unit, of the first meter; absent: never" }, \
	{ "watched", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, \
	    "false: its own past does not judge its readings; absent: true" }

#define SERIES_OWN \
	{ "metric", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Metric code" }, \
	{ "unit", FIELD_STRING, false, 1, 20, NULL, NULL, \
	    "What senders mean when they name no unit; absent: the metric's " \
	    "canonical unit" }, \
	{ "kind", FIELD_STRING, false, 0, 0, KINDS, NULL, \
	    "Absent: the metric's own kind" }, \
	SERIES_RULES

static const struct field node_series[] = { SERIES_OWN, END };

#define NODE_REST \
	{ "name", FIELD_STRING, false, 0, 200, NULL, NULL, "For people" }, \
	{ "zone", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, \
	    "Zone code; created if it does not exist" }, \
	{ "latitude", FIELD_NUMBER, false, -90, 90, NULL, NULL, \
	    "Degrees north, WGS 84" }, \
	{ "longitude", FIELD_NUMBER, false, -180, 180, NULL, NULL, \
	    "Degrees east, WGS 84" }, \
	{ "simulated", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, \
	    "true: its readings come from a simulation" }

const struct field body_node[] = {
	{ "code", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Business code: letters, digits, _ . : -" },
	{ "type", FIELD_STRING, true, 0, 0, NODE_TYPES, NULL, "Node type" },
	NODE_REST,
	{ "series", FIELD_ARRAY, false, 0, 50, NULL, node_series,
	    "Series to create with it" },
	END
};

const struct field body_node_change[] = {
	{ "type", FIELD_STRING, false, 0, 0, NODE_TYPES, NULL, "Node type" },
	NODE_REST,
	{ "retired", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "false takes it back into use; its series stay as they are" },
	END
};

const struct field body_series[] = {
	{ "node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	SERIES_OWN, END
};

const struct field body_series_change[] = {
	{ "unit", FIELD_STRING, false, 1, 20, NULL, NULL,
	    "What senders mean when they name no unit" },
	SERIES_RULES,
	{ "retired", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true takes it out of use, false back" },
	END
};

static const struct field threshold[] = {
	{ "direction", FIELD_STRING, true, 0, 0, "high|low", NULL,
	    "high: beyond is above; low: beyond is below" },
	{ "severity", FIELD_STRING, true, 0, 0, "info|warning|critical", NULL,
	    "One threshold per direction and severity" },
	{ "set_level", FIELD_NUMBER, true, 0, 0, NULL, NULL,
	    "Raised beyond it; canonical unit" },
	{ "clear_level", FIELD_NUMBER, true, 0, 0, NULL, NULL,
	    "Cleared back past it; canonical unit" },
	{ "on_delay_s", FIELD_NUMBER, false, 0, SECONDS_MAX, NULL, NULL,
	    "Seconds of event time beyond before it is raised" },
	{ "off_delay_s", FIELD_NUMBER, false, 0, SECONDS_MAX, NULL, NULL,
	    "Seconds of event time back before it is cleared" },
	END
};

const struct field body_thresholds[] = {
	{ "thresholds", FIELD_ARRAY, true, 0, 6, NULL, threshold,
	    "All of them; those not named are removed" },
	END
};

const struct field body_link[] = {
	{ "code", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Business code: letters, digits, _ . : -" },
	{ "type", FIELD_STRING, true, 0, 0, "pipe|pump|valve", NULL,
	    "Link type" },
	{ "from_node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "to_node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "gateway", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Code of the gateway that moves it; absent: nobody can" },
	END
};

const struct field body_link_change[] = {
	{ "gateway", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Code of the gateway that moves it; null: nobody can" },
	END
};

#define GATEWAY_URL "Where commands are POSTed, http:// or https://, " \
	"without user or password"

const struct field body_gateway[] = {
	{ "code", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Business code: letters, digits, _ . : -" },
	{ "name", FIELD_STRING, false, 0, 200, NULL, NULL, "For people" },
	{ "url", FIELD_STRING, true, 8, 300, NULL, NULL, GATEWAY_URL },
	END
};

const struct field body_gateway_change[] = {
	{ "name", FIELD_STRING, false, 0, 200, NULL, NULL, "For people" },
	{ "url", FIELD_STRING, false, 8, 300, NULL, NULL, GATEWAY_URL },
	END
};

const struct field body_zone_change[] = {
	{ "night_use", FIELD_NUMBER, false, 0, 100000, NULL, NULL,
	    "Flow at night that is used and no leak, m3/h" },
	END
};

#define PATH_CODE { SOURCE_PATH, "code" }
#define PATH_SERIES { SOURCE_PATH, "node" }, { SOURCE_PATH, "metric" }
#define BODY      { SOURCE_BODY, NULL }
#define IF_MATCH  { SOURCE_IF_MATCH, NULL }
#define PAGE      { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(nodes_list, 200, "node", { SOURCE_QUERY, "zone" },
    { SOURCE_QUERY, "type" }, { SOURCE_QUERY, "retired" }, PAGE);
RESOURCE(nodes_create, 201, "node", BODY);
RESOURCE(nodes_get, 200, "node", PATH_CODE);
RESOURCE(nodes_change, 200, "node", PATH_CODE, BODY, IF_MATCH);
RESOURCE(nodes_retire, 204, "node", PATH_CODE, IF_MATCH);

RESOURCE(series_list, 200, "series", { SOURCE_QUERY, "node" },
    { SOURCE_QUERY, "metric" }, { SOURCE_QUERY, "zone" },
    { SOURCE_QUERY, "retired" }, PAGE);
RESOURCE(series_create, 201, "series", BODY);
RESOURCE(series_get, 200, "series", PATH_SERIES);
RESOURCE(series_change, 200, "series", PATH_SERIES, BODY, IF_MATCH);
RESOURCE(thresholds_get, 200, "series", PATH_SERIES);
RESOURCE(thresholds_put, 200, "series", PATH_SERIES, BODY, IF_MATCH);

RESOURCE(links_list, 200, "link", PAGE);
RESOURCE(links_create, 201, "link", BODY);
RESOURCE(links_get, 200, "link", PATH_CODE);
RESOURCE(links_change, 200, "link", PATH_CODE, BODY, IF_MATCH);
RESOURCE(links_delete, 204, "link", PATH_CODE, IF_MATCH);

RESOURCE(gateways_list, 200, "gateway", PAGE);
RESOURCE(gateways_create, 201, "gateway", BODY);
RESOURCE(gateways_get, 200, "gateway", PATH_CODE);
RESOURCE(gateways_change, 200, "gateway", PATH_CODE, BODY, IF_MATCH);

RESOURCE(night_flow_get, 200, "zone", PATH_CODE);
RESOURCE(zones_change, 200, "zone", PATH_CODE, BODY);

RESOURCE(metrics_list, 200, "metric", { SOURCE_END, NULL });
/* clang-format on */
