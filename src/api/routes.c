#include "api/audit.h"
#include "api/handlers.h"
#include "api/meters.h"
#include "api/pages.h"
#include "api/resources.h"
#include "api/route.h"
#include "auth/password.h"

#define END                  \
	{                    \
		.name = NULL \
	}
#define ROLES	"viewer|operator|engineer|admin"
#define BUCKETS "5m|15m|1h|6h|1d|1w|1mo"
#define FORMATS "json|csv|ndjson"

#define KEY_BODY_MAX	      ((size_t)128 << 10) /* 1,000 nodes */
#define IMPORT_BODY_MAX	      ((size_t)8 << 20)
#define CONTROLS_BODY_MAX     ((size_t)1 << 20)
#define READINGS_BODY_MAX     ((size_t)2 << 20)
#define READINGS_INFLATED_MAX ((size_t)8 << 20)

/* clang-format off */
static const struct field body_token[] = {
	{ "username", FIELD_STRING, true, 1, 63, NULL, NULL, "User name" },
	{ "password", FIELD_STRING, true, 1, PASSWORD_MAX, NULL, NULL, "Password" },
	END
};

#define NEW_PASSWORD(name) \
	{ name, FIELD_STRING, true, PASSWORD_MIN, PASSWORD_MAX, NULL, NULL, \
	    "Of any characters; without the user's name, and not of the words " \
	    "and runs that are tried first" }
#define USER_ZONES \
	{ "zones", FIELD_STRINGS, false, 0, 100, NULL, NULL, \
	    "Codes of the zones in which an operator may act; null: in all. " \
	    "Reading is bound by none" }

static const struct field body_user[] = {
	{ "username", FIELD_STRING, true, 1, 63, NULL, NULL,
	    "a-z 0-9 . _ @ -, beginning with a letter or digit" },
	NEW_PASSWORD("password"),
	{ "role", FIELD_STRING, true, 0, 0, ROLES, NULL,
	    "What the user may do: each role includes those before it" },
	USER_ZONES,
	END
};

static const struct field body_user_change[] = {
	{ "role", FIELD_STRING, false, 0, 0, ROLES, NULL,
	    "What the user may do; who is no operator any more has no zones" },
	USER_ZONES,
	{ "disabled", FIELD_BOOLEAN, false, 0, 0, NULL, NULL,
	    "true: may not log in any more; false: may again" },
	END
};

static const struct field body_password[] = {
	NEW_PASSWORD("password"), END
};

static const struct field body_own_password[] = {
	{ "old_password", FIELD_STRING, true, 1, PASSWORD_MAX, NULL, NULL,
	    "Tried as often as at the log-in" },
	NEW_PASSWORD("new_password"), END
};

#define KEY_REST \
	{ "nodes", FIELD_STRINGS, false, 0, 1000, NULL, NULL, \
	    "Codes of nodes it may send for; with neither these nor zones: " \
	    "for all" }, \
	{ "zones", FIELD_STRINGS, false, 0, 100, NULL, NULL, \
	    "Codes of zones whose nodes it may send for" }, \
	{ "expires_at", FIELD_INSTANT, false, 0, 0, NULL, NULL, \
	    "Not taken from then on; absent: never" }

static const struct field body_key[] = {
	{ "name", FIELD_STRING, true, 1, 100, NULL, NULL,
	    "Who will send with this key" },
	KEY_REST, END
};

static const struct field body_key_change[] = {
	{ "name", FIELD_STRING, false, 1, 100, NULL, NULL,
	    "Who sends with this key" },
	KEY_REST, END
};

static const struct field body_key_rotate[] = {
	{ "overlap_s", FIELD_NUMBER, false, 0, 7776000, NULL, NULL,
	    "Seconds that the old key is taken yet; 86400 if absent" },
	{ "expires_at", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "When the new key expires; absent: never" },
	END
};

static const struct field query_latest[] = {
	{ "zone", FIELD_STRING, false, 1, 63, NULL, NULL, "Zone code" },
	{ "metric", FIELD_STRING, false, 1, 63, NULL, NULL, "Metric code" },
	END
};

static const struct field query_history[] = {
	{ "node", FIELD_STRING, false, 1, 63, NULL, NULL,
	    "Node code; without metric: all series of the node" },
	{ "metric", FIELD_STRING, false, 1, 500, NULL, NULL,
	    "Metric code, or several with commas" },
	{ "series", FIELD_STRING, false, 1, 6000, NULL, NULL,
	    "NODE/metric, up to 100 of them with commas; instead of node" },
	{ "zone", FIELD_STRING, false, 1, 63, NULL, NULL,
	    "Series of all nodes of a zone, up to 100; instead of node" },
	{ "from", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "First event time; absent: 24 hours before `to`" },
	{ "to", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Event time to end before; absent: now" },
	{ "as_known_at", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Only what had been received by then; buckets are then added up "
	    "from readings" },
	{ "format", FIELD_STRING, false, 0, 0, FORMATS, NULL,
	    "Instead of Accept. csv and ndjson: readings of any number, as a "
	    "stream; cut off if it cannot be whole" },
	{ "limit", FIELD_INTEGER, false, 1, 10000, NULL, NULL,
	    "Readings per page and series, 1000 if absent; limit times series "
	    "up to 100000; not with bucket" },
	{ "cursor", FIELD_STRING, false, 1, 20, NULL, NULL,
	    "`next` of the page before; one series, not with bucket" },
	{ "bucket", FIELD_STRING, false, 0, 0, BUCKETS, NULL,
	    "Sum up by bucket of this width; `from` and `to` are widened to "
	    "whole buckets, empty buckets are left out" },
	{ "agg", FIELD_STRING, false, 1, 40, NULL, NULL,
	    "Which of avg,min,max,sum,count; absent: all. count counts all "
	    "readings, the rest is of the good ones" },
	{ "tz", FIELD_STRING, false, 1, 60, NULL, NULL,
	    "IANA time zone of the buckets, UTC if absent" },
	END
};

static const struct field query_before[] = {
	{ "node", FIELD_STRING, true, 1, 63, NULL, NULL, "Node code" },
	{ "metric", FIELD_STRING, true, 1, 63, NULL, NULL, "Metric code" },
	{ "at", FIELD_INSTANT, false, 0, 0, NULL, NULL,
	    "Event time to look before; absent: now" },
	END
};

static const struct field query_stream[] = {
	{ "type", FIELD_STRING, false, 1, 600, NULL, NULL,
	    "Kinds (anomaly, alarm, plan, command, loop, rule) or types "
	    "(plan.proposed), with commas; absent: all" },
	{ "zone", FIELD_STRING, false, 1, 6400, NULL, NULL,
	    "Zone codes with commas, * for all; absent: the zones of an "
	    "operator who has some, else all. Events of the whole network "
	    "are always told" },
	{ "after", FIELD_STRING, false, 1, 18, NULL, NULL,
	    "Id of the last event that was heard, if Last-Event-ID does not "
	    "say it; without both, from now on" },
	{ "follow", FIELD_STRING, false, 0, 0, "true|false", NULL,
	    "false: it ends with what has happened by now" },
	END
};

static const struct resource resource_users_list = {
	ST_user_list, 200, "user",
	{ { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" } }
};
static const struct resource resource_users_create = {
	ST_user_create, 201, "user", { { SOURCE_END, NULL } }
};
static const struct resource resource_users_get = {
	ST_user_get, 200, "user", { { SOURCE_PATH, "username" } }
};
static const struct resource resource_users_change = {
	ST_user_change, 200, "user",
	{ { SOURCE_PATH, "username" }, { SOURCE_BODY, NULL },
	    { SOURCE_IF_MATCH, NULL } }
};
static const struct resource resource_users_disable = {
	ST_user_disable, 204, "user",
	{ { SOURCE_PATH, "username" }, { SOURCE_IF_MATCH, NULL } }
};
static const struct resource resource_password = {
	ST_user_set_password, 204, "user", { { SOURCE_END, NULL } }
};
static const struct resource resource_keys_list = {
	ST_api_key_list, 200, "key",
	{ { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" } }
};
static const struct resource resource_keys_create = {
	ST_api_key_create, 201, "API key", { { SOURCE_END, NULL } }
};
static const struct resource resource_keys_get = {
	ST_api_key_get, 200, "API key", { { SOURCE_PATH, "id" } }
};
static const struct resource resource_keys_change = {
	ST_api_key_change, 200, "API key",
	{ { SOURCE_PATH, "id" }, { SOURCE_BODY, NULL },
	    { SOURCE_IF_MATCH, NULL } }
};
static const struct resource resource_keys_rotate = {
	ST_api_key_rotate, 201, "API key", { { SOURCE_END, NULL } }
};
static const struct resource resource_keys_revoke = {
	ST_api_key_revoke, 204, "API key in use called",
	{ { SOURCE_PATH, "id" } }
};

const struct route routes[] = {
#include "api/routes_core.inc"
#include "api/routes_resources.inc"
};
/* clang-format on */

const size_t nroutes = sizeof(routes) / sizeof(routes[0]);
