#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/resources.h"
#include "ingest/rule_json.h"

#define CODE_MAX     63
#define VERSION_MAX  1000
#define FINDINGS_MAX 200
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
#define LIMIT { "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL, \
	"Items per page, 100 if absent" }
#define RULE(must) \
	{ "rule", FIELD_OBJECT, must, 0, 0, NULL, NULL, \
	    "when, severity, type, direction, message, about: see README, " \
	    "Rules" }, \
	{ "name", FIELD_STRING, false, 0, 200, NULL, NULL, "For people" }, \
	{ "mode", FIELD_STRING, false, 0, 0, "live|shadow|off", NULL, \
	    "shadow: what it finds is only noted, and the mode of a new rule" }

const struct field body_rule[] = {
	{ "code", FIELD_STRING, true, 1, CODE_MAX, NULL, NULL,
	    "Business code: letters, digits, _ . : -" },
	RULE(true), END
};

const struct field body_rule_change[] = {
	RULE(false),
	{ "version", FIELD_INTEGER, false, 1, VERSION_MAX, NULL, NULL,
	    "The version that the mode is about, of those there are" },
	{ "shadow_version", FIELD_INTEGER, false, 1, VERSION_MAX, NULL, NULL,
	    "A version judged beside a live one, raising nothing; null: none" },
	{ "shadow_trial", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: the new rule becomes shadow_version, not version" },
	END
};

const struct field query_rule_versions[] = {
	LIMIT,
	{ "cursor", FIELD_INTEGER, false, 1, VERSION_MAX, NULL, NULL,
	    "`next` of the page before" },
	END
};

const struct field query_rule_shadow[] = {
	{ "since", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Event time from which on; 7 days ago if absent" },
	{ "limit", FIELD_INTEGER, false, 1, FINDINGS_MAX, NULL, NULL,
	    "Findings listed, 100 if absent" },
	END
};

#define CODE { SOURCE_PATH, "code" }
#define BODY { SOURCE_BODY, NULL }
#define WHO  { SOURCE_PRINCIPAL, NULL }
#define PAGE { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" }
#define RESOURCE(name, status, what, ...) \
	const struct resource resource_##name = { ST_##name, status, what, \
		{ __VA_ARGS__ } }

RESOURCE(rules_list, 200, "rule", PAGE);
RESOURCE(rules_create, 201, "rule", BODY, WHO);
RESOURCE(rules_get, 200, "rule", CODE);
RESOURCE(rules_change, 200, "rule", CODE, BODY, WHO,
    { SOURCE_IF_MATCH, NULL });
RESOURCE(rules_delete, 204, "rule", CODE, { SOURCE_IF_MATCH, NULL });
RESOURCE(rules_versions, 200, "rule", CODE, PAGE);
RESOURCE(rules_shadow, 200, "rule", CODE, { SOURCE_QUERY, "since" },
    { SOURCE_LIMIT, NULL });
/* clang-format on */

/* What it is made of is read here; whether its series are there, by SQL. */
void
rules_put(struct request *r)
{
	const json_t *rule = json_object_get(r->body, "rule");
	struct err_info info = {0};
	struct rule parsed;

	if (json_is_object(rule) &&
	    rule_json_tree(&r->arena, rule, "/rule", &parsed, &info) != ERR_OK)
		reply_problem(r, &info);
	else
		resource_handle(r);
}
