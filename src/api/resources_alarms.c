#include "api/resources.h"

#define CODE_MAX    63
#define ID_MAX	    999999999999999
#define SECONDS_MAX 31622400 /* 366 days */
#define HOLDS	    "maintenance|out_of_service"
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
#define LIMIT { "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL, \
	"Items per page, 100 if absent" }
#define CURSOR { "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL, \
	"`next` of the page before" }
#define TEXT(name, must, about) \
	{ name, FIELD_STRING, must, must ? 1 : 0, 1000, NULL, NULL, about }

const struct field body_comment[] = { TEXT("text", true, "For people"), END };

const struct field body_assign[] = {
	{ "to", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "User name; null: nobody's any more" },
	TEXT("note", false, "For people"), END
};

const struct field body_shelve[] = {
	{ "for_s", FIELD_NUMBER, true, 1, SECONDS_MAX, NULL, NULL,
	    "For how many seconds; the alarm's class says how many at most" },
	TEXT("reason", true, "Why"), END
};

const struct field body_unshelve[] = { TEXT("reason", false, "Why"), END };

const struct field body_resolve[] = {
	TEXT("note", false, "What it was, for people"),
	{ "reason", FIELD_STRING, false, 0, 0, "mended|no_leak", NULL,
	    "Of a leak: after no_leak only larger ones are told for months" },
	END
};

const struct field body_take_out[] = {
	TEXT("reason", true, "Why"),
	{ "to", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Until when; absent: until it is put back" },
	END
};

const struct field query_holds[] = {
	{ "kind", FIELD_STRING, false, 0, 0, HOLDS, NULL, "Kind" },
	{ "live", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: those that have not ended; false: those that have" },
	LIMIT, CURSOR, END
};

#define SPAN(ends) \
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL, \
	    "Begin; absent: now" }, \
	{ "to", FIELD_INSTANT, ends, 0, 0, NULL, NULL, "End" }, \
	TEXT("reason", true, "Why")

const struct field body_maintenance[] = {
	{ "node", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Node code; or a zone" },
	{ "zone", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Zone code; or a node" },
	SPAN(true), END
};

const struct field body_out_of_service[] = {
	{ "node", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "One series of the node; absent: all of them" },
	SPAN(false), END
};

const struct field query_incidents[] = {
	{ "open", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: those with live alarms; false: the others" },
	LIMIT, CURSOR, END
};

const struct field query_figures[] = {
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Begin; absent: a day before to" },
	{ "to", FIELD_INSTANT, false, 0, 0, NULL, NULL, "End; absent: now" },
	END
};

#define SECONDS(name, about) \
	{ name, FIELD_NUMBER, false, 1, SECONDS_MAX, NULL, NULL, about }

const struct field body_alarm_class[] = {
	{ "needs_ack", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "Whether an alarm that is over waits to be acknowledged" },
	{ "latching", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "Whether one that is over and acknowledged waits to be resolved" },
	SECONDS("escalate_after_s",
	    "Unacknowledged for so long it escalates, three times; null: never"),
	SECONDS("climb_after_s",
	    "Each so long that it lasts its priority climbs; null: never"),
	SECONDS("fall_after_s",
	    "Each so long that it is over its priority falls; null: never"),
	SECONDS("shelve_most_s", "Longest shelf"),
	{ "chatter_limit", FIELD_INTEGER, false, 2, 1000, NULL, NULL,
	    "Raised that often in a row it chatters; null: never" },
	SECONDS("chatter_window_s",
	    "In a row: within so many seconds of the last clearing"),
	SECONDS("chatter_hold_s",
	    "One that chatters clears after so many quiet seconds"),
	END
};

#define PATH_ID   { SOURCE_PATH_ID, "id" }
#define SEVERITY  { SOURCE_PATH, "severity" }
#define BODY      { SOURCE_BODY, NULL }
#define WHO       { SOURCE_PRINCIPAL, NULL }
#define IF_MATCH  { SOURCE_IF_MATCH, NULL }
#define PAGE      { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, statement, status, what, ...) \
	const struct resource resource_##name = { ST_##statement, status, \
		what, { __VA_ARGS__ } }
#define ACT(name) \
	RESOURCE(name, name, 200, "anomaly", PATH_ID, BODY, WHO, IF_MATCH)

ACT(anomalies_ack);
ACT(anomalies_comment);
ACT(anomalies_assign);
ACT(anomalies_shelve);
ACT(anomalies_unshelve);
ACT(anomalies_resolve);
ACT(anomalies_take_out);
ACT(anomalies_put_back);

RESOURCE(holds_list, alarm_holds_list, 200, "hold", { SOURCE_QUERY, "kind" },
    { SOURCE_QUERY, "live" }, PAGE);
RESOURCE(holds_get, alarm_holds_get, 200, "hold", PATH_ID);
RESOURCE(holds_end, alarm_holds_end, 200, "hold", PATH_ID, WHO);
RESOURCE(maintenance_create, alarm_holds_create, 201, "hold",
    { SOURCE_CONSTANT, "maintenance" }, BODY, WHO);
RESOURCE(out_of_service_create, alarm_holds_create, 201, "hold",
    { SOURCE_CONSTANT, "out_of_service" }, BODY, WHO);

RESOURCE(alarm_classes_list, alarm_classes_list, 200, "alarm class",
    { SOURCE_END, NULL });
RESOURCE(alarm_classes_get, alarm_classes_get, 200, "alarm class", SEVERITY);
RESOURCE(alarm_classes_change, alarm_classes_change, 200, "alarm class",
    SEVERITY, BODY, IF_MATCH);
RESOURCE(incidents_list, incidents_list, 200, "incident",
    { SOURCE_QUERY, "open" }, PAGE);
RESOURCE(incidents_get, incidents_get, 200, "incident", PATH_ID);
RESOURCE(alarm_figures, alarm_figures, 200, "figure", { SOURCE_QUERY, "from" },
    { SOURCE_QUERY, "to" });
RESOURCE(notifications_list, notifications_list, 200, "notification", PAGE);
/* clang-format on */
