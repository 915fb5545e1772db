#include "api/resources.h"

#define CODE_MAX 63
#define ID_MAX	 999999999999999
#define BUCKETS	 "5m|15m|1h|6h|1d|1w|1mo"
#define TYPES	 "rollover|reset|swap"
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
#define LIMIT { "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL, \
	"Items per page, 100 if absent" }
#define CURSOR { "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL, \
	"`next` of the page before" }
#define SPAN \
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL, \
	    "First time, widened to a whole bucket; absent: 24 hours before " \
	    "`to`" }, \
	{ "to", FIELD_INSTANT, false, 0, 0, NULL, NULL, \
	    "Time to end before, widened to a whole bucket; absent: now" }, \
	{ "bucket", FIELD_STRING, false, 0, 0, BUCKETS, NULL, \
	    "Width of a bucket; absent: 1d" }, \
	{ "tz", FIELD_STRING, false, 1, 60, NULL, NULL, \
	    "IANA time zone of the buckets, UTC if absent" }, \
	{ "max_gap_s", FIELD_NUMBER, false, 0.001, 2678400, NULL, NULL, \
	    "Seconds between readings up to which a value between them is " \
	    "estimated; absent: three cadences; without a cadence 129600 for " \
	    "a totaliser, 3600 for a flow" }

const struct field query_meter_events[] = {
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL, "First time" },
	{ "to", FIELD_INSTANT, false, 0, 0, NULL, NULL, "Time to end before" },
	{ "voided", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: those that were voided, too" },
	LIMIT, CURSOR, END
};

const struct field query_consumption[] = {
	{ "node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Metric code of a series of kind total" },
	SPAN, END
};

const struct field query_check[] = {
	{ "node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "flow_metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Metric code of the flow in m3/h; absent: flow" },
	{ "total_metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Metric code of the totaliser in m3; absent: volume" },
	{ "tolerance", FIELD_NUMBER, false, 0.0001, 1, NULL, NULL,
	    "Share of the larger volume by which both may part; absent: 0.05, "
	    "the permissible error of a class 2 meter at low flow" },
	{ "slack_m3", FIELD_NUMBER, false, 0, 1e6, NULL, NULL,
	    "m3 by which both may part besides, as the register's last digit; "
	    "absent: 0" },
	SPAN, END
};

const struct field query_flags[] = {
	{ "node", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Metric code" },
	{ "cleared", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: those that a later check cleared, too" },
	LIMIT, CURSOR, END
};

const struct field body_meter_event[] = {
	{ "at", FIELD_INSTANT, true, 0, 0, NULL, NULL,
	    "When the register changed; a reading at that very time is of the "
	    "register after it" },
	{ "type", FIELD_STRING, true, 0, 0, TYPES, NULL,
	    "rollover: it started again; reset: somebody set it; swap: another "
	    "meter took its place" },
	{ "old_index", FIELD_NUMBER, false, 0, 1e12, NULL, NULL,
	    "Last index before, canonical unit; absent: unknown, of a rollover "
	    "register_max" },
	{ "new_index", FIELD_NUMBER, false, 0, 1e12, NULL, NULL,
	    "First index after, canonical unit; absent: 0, of a swap unknown" },
	{ "register_max", FIELD_NUMBER, false, 1e-9, 1e12, NULL, NULL,
	    "Of a swap: index at which the new meter's register starts again "
	    "at 0; absent: as before" },
	{ "note", FIELD_STRING, false, 0, 500, NULL, NULL, "For people" },
	END
};

#define PATH_SERIES { SOURCE_PATH, "node" }, { SOURCE_PATH, "metric" }
#define PATH_ID   { SOURCE_PATH_ID, "id" }
#define BODY      { SOURCE_BODY, NULL }
#define WHO       { SOURCE_PRINCIPAL, NULL }
#define PAGE      { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(meter_events_list, 200, "series", PATH_SERIES,
    { SOURCE_QUERY, "from" }, { SOURCE_QUERY, "to" },
    { SOURCE_QUERY, "voided" }, PAGE);
RESOURCE(meter_events_create, 201, "series", PATH_SERIES, BODY, WHO);
RESOURCE(meter_events_void, 200, "meter event of", PATH_SERIES, PATH_ID, WHO);
RESOURCE(quality_flags_list, 200, "flag", { SOURCE_QUERY, "node" },
    { SOURCE_QUERY, "metric" }, { SOURCE_QUERY, "cleared" }, PAGE);
/* clang-format on */
