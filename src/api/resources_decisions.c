#include "api/resources.h"

#define CODE_MAX    63
#define ID_MAX	    999999999999999
#define SECONDS_MAX 31622400 /* 366 days */
#define NODE_TYPES  "junction|reservoir|tank|meter|dma|plant"
#define ANOMALY_WORDS                                         \
	"threshold|rate|flatline|silence|outlier|rule|burst|" \
	"leak|water_quality|equipment|unusual|joint|manipulation"
#define SEVERITIES "info|warning|critical"
#define ALARM_WORDS                                                   \
	"normal|unacknowledged|acknowledged|returned_unacknowledged|" \
	"latched|shelved|suppressed_by_design|out_of_service"
#define PLAN_WORDS                                                      \
	"proposed|approved|executing|verifying|worked|no_effect|worse|" \
	"not_provable|rejected|expired|failed|superseded|cancelled|"    \
	"undone"
#define COMMAND_WORDS                                                    \
	"planned|queued|sent|accepted|executed|verified|unknown|failed|" \
	"expired|cancelled"
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
#define LIMIT { "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL, \
	"Items per page, 100 if absent" }
#define CURSOR { "cursor", FIELD_INTEGER, false, 1, ID_MAX, NULL, NULL, \
	"`next` of the page before" }

const struct field query_anomalies[] = {
	{ "state", FIELD_STRING, false, 0, 0, "open|cleared", NULL, "State" },
	{ "severity", FIELD_STRING, false, 0, 0, SEVERITIES, NULL, "Severity" },
	{ "node", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Node code" },
	{ "alarm_state", FIELD_STRING, false, 0, 0, "live|" ALARM_WORDS, NULL,
	    "What became of it among people; live: any but normal" },
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Still going on at this time or later (event time)" },
	LIMIT, CURSOR, END
};

const struct field query_plans[] = {
	{ "state", FIELD_STRING, false, 0, 0, PLAN_WORDS, NULL, "State" },
	LIMIT, CURSOR, END
};

const struct field query_commands[] = {
	{ "state", FIELD_STRING, false, 0, 0, COMMAND_WORDS, NULL, "State" },
	{ "gateway", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL,
	    "Gateway code" },
	{ "link", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, "Link code" },
	{ "dead", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: dead letters alone, those that ended unexecuted or whose "
	    "end nobody knows" },
	LIMIT, CURSOR, END
};

static const struct field action[] = {
	{ "step", FIELD_INTEGER, true, 1, 20, NULL, NULL,
	    "Order; those of one step are done side by side, and the next "
	    "waits for all of them" },
	{ "action", FIELD_STRING, true, 1, 40, NULL, NULL,
	    "What the gateway is told: lower-case letters and _" },
	{ "target_type", FIELD_STRING, true, 0, 0, "valve|pump", NULL,
	    "Link type" },
	{ "target_relation", FIELD_STRING, true, 0, 0, "inlet|zone", NULL,
	    "inlet: a link into the anomaly's node; zone: into its zone" },
	{ "argument", FIELD_OBJECT, false, 0, 0, NULL, NULL,
	    "Sent to the gateway as it is" },
	{ "repeatable", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: doing it twice does no harm, so it may be sent again "
	    "without asking what became of it" },
	END
};

static const struct field guard[] = {
	{ "name", FIELD_STRING, true, 1, 40, NULL, NULL,
	    "Named when it refuses: lower-case letters and _" },
	{ "metric", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Of the anomaly's node" },
	{ "low", FIELD_NUMBER, false, -1e12, 1e12, NULL, NULL,
	    "No command leaves below, canonical unit" },
	{ "high", FIELD_NUMBER, false, -1e12, 1e12, NULL, NULL,
	    "No command leaves above, canonical unit" },
	END
};

/* `must`: required when creating. */
#define TEMPLATE(must) \
	{ "name", FIELD_STRING, must, 1, 200, NULL, NULL, "For people" }, \
	{ "metric", FIELD_STRING, must, 1, CODE_MAX, NULL, NULL, \
	    "Metric of the anomaly" }, \
	{ "anomaly_type", FIELD_STRING, false, 0, 0, ANOMALY_WORDS, NULL, \
	    "Absent: any" }, \
	{ "direction", FIELD_STRING, false, 0, 0, "high|low", NULL, \
	    "Absent: any" }, \
	{ "least_severity", FIELD_STRING, must, 0, 0, SEVERITIES, NULL, \
	    "The mildest it answers" }, \
	{ "node_type", FIELD_STRING, false, 0, 0, NODE_TYPES, NULL, \
	    "Absent: any" }, \
	{ "priority", FIELD_INTEGER, false, 0, 10000, NULL, NULL, \
	    "Of equally good ones the smaller goes first; 100 if absent" }, \
	{ "risk", FIELD_STRING, false, 0, 0, "low|medium|high", NULL, \
	    "Who must agree: low may run by policy, medium takes one person, " \
	    "high two who did not write it; medium if absent" }, \
	{ "approval_life_s", FIELD_NUMBER, false, 1, SECONDS_MAX, NULL, NULL, \
	    "An approval that is older does not count; 1800 if absent" }, \
	{ "effect_metric", FIELD_STRING, false, 1, CODE_MAX, NULL, NULL, \
	    "Metric that proves the effect; absent: not provable" }, \
	{ "effect_at", FIELD_STRING, false, 0, 0, "node|zone", NULL, \
	    "Whose: the anomaly's node, or its zone (of a dma in it, else " \
	    "the oldest series); node if absent" }, \
	{ "effect_direction", FIELD_STRING, false, 0, 0, "high|low", NULL, \
	    "The way it must go; needed with effect_metric" }, \
	{ "effect_least", FIELD_NUMBER, false, 0, 1e12, NULL, NULL, \
	    "Least change that counts, canonical unit" }, \
	{ "effect_window_s", FIELD_NUMBER, must, 1, SECONDS_MAX, NULL, NULL, \
	    "Seconds after the last command over which it is judged" }, \
	{ "expires_s", FIELD_NUMBER, false, 1, SECONDS_MAX, NULL, NULL, \
	    "A proposal's life in seconds; 3600 if absent" }, \
	{ "command_life_s", FIELD_NUMBER, false, 1, SECONDS_MAX, NULL, NULL, \
	    "Seconds after approval beyond which nothing is sent; 300 if " \
	    "absent" }, \
	{ "enabled", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, \
	    "false: never proposed" }, \
	{ "protective", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, \
	    "May run unasked in an emergency once it is preapproved" }, \
	{ "guards", FIELD_ARRAY, false, 0, 20, NULL, guard, \
	    "What must hold while its commands leave; replaces all" }, \
	{ "undo", FIELD_ARRAY, false, 0, 20, NULL, action, \
	    "What takes it back, as actions, on the links that were moved; " \
	    "replaces all" }, \
	{ "actions", FIELD_ARRAY, must, 1, 20, NULL, action, "In order" }

const struct field body_template[] = {
	{ "code", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Business code: letters, digits, _ . : -" },
	TEMPLATE(true), END
};

const struct field body_template_change[] = { TEMPLATE(false), END };

const struct field body_ack[] = {
	{ "note", FIELD_STRING, false, 0, 1000, NULL, NULL, "For people" },
	END
};

const struct field body_approve[] = {
	{ "reason", FIELD_STRING, false, 0, 1000, NULL, NULL, "For people" },
	END
};

const struct field body_reject[] = {
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why not" },
	END
};

const struct field body_redrive[] = {
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL, "Why again" },
	END
};

const struct field body_settle[] = {
	{ "outcome", FIELD_STRING, true, 0, 0, "executed|not_executed", NULL,
	    "What somebody saw who looked" },
	{ "reason", FIELD_STRING, true, 1, 1000, NULL, NULL,
	    "Who saw it, and how" },
	END
};

#define PATH_CODE { SOURCE_PATH, "code" }
#define PATH_ID   { SOURCE_PATH_ID, "id" }
#define BODY      { SOURCE_BODY, NULL }
#define WHO       { SOURCE_PRINCIPAL, NULL }
#define IF_MATCH  { SOURCE_IF_MATCH, NULL }
#define PAGE      { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, statement, status, what, ...) \
	const struct resource resource_##name = { ST_##statement, status, \
		what, { __VA_ARGS__ } }

RESOURCE(templates_list, templates_list, 200, "plan template", PAGE);
RESOURCE(templates_create, templates_create, 201, "plan template", BODY, WHO);
RESOURCE(templates_get, templates_get, 200, "plan template", PATH_CODE);
RESOURCE(templates_change, templates_change, 200, "plan template", PATH_CODE,
    BODY, IF_MATCH, WHO);

RESOURCE(anomalies_list, anomalies_list, 200, "anomaly",
    { SOURCE_QUERY, "state" }, { SOURCE_QUERY, "severity" },
    { SOURCE_QUERY, "node" }, { SOURCE_QUERY, "from" }, PAGE,
    { SOURCE_QUERY, "alarm_state" });
RESOURCE(anomalies_get, anomalies_get, 200, "anomaly", PATH_ID);

RESOURCE(plans_list, plans_list, 200, "plan", { SOURCE_QUERY, "state" }, PAGE);
RESOURCE(plans_get, plans_get, 200, "plan", PATH_ID);
RESOURCE(plans_approve, plans_decide, 200, "plan", PATH_ID,
    { SOURCE_CONSTANT, "approve" }, BODY, WHO);
RESOURCE(plans_reject, plans_decide, 200, "plan", PATH_ID,
    { SOURCE_CONSTANT, "reject" }, BODY, WHO);

RESOURCE(commands_list, commands_list, 200, "command",
    { SOURCE_QUERY, "state" }, { SOURCE_QUERY, "gateway" },
    { SOURCE_QUERY, "link" }, { SOURCE_QUERY, "dead" }, PAGE);
RESOURCE(commands_get, commands_get, 200, "command", PATH_ID);
RESOURCE(commands_redrive, commands_redrive, 200, "command", PATH_ID, BODY,
    WHO);
RESOURCE(commands_settle, commands_settle, 200, "command", PATH_ID, BODY,
    WHO);

RESOURCE(loop_get, loop_get, 200, "loop", { SOURCE_END, NULL });
RESOURCE(loop_pause, loop_pause, 200, "loop", { SOURCE_CONSTANT, "true" },
    WHO);
RESOURCE(loop_resume, loop_pause, 200, "loop", { SOURCE_CONSTANT, "false" },
    WHO);
/* clang-format on */
