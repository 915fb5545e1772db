#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/resources.h"
#include "auth/hook_key.h"

#include <stdlib.h>
#include <string.h>

#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
#define WEBHOOK(must) \
	{ "name", FIELD_STRING, false, 0, 200, NULL, NULL, "For people" }, \
	{ "url", FIELD_STRING, must, 1, 400, NULL, NULL, \
	    "Where events are POSTed: https to a public address, or into a " \
	    "network that PENSTOCK_WEBHOOK_NETS names" }, \
	{ "types", FIELD_STRINGS, must, 1, 20, NULL, NULL, \
	    "Kinds (anomaly, alarm, plan, command, loop, rule) or types " \
	    "(plan.proposed)" }, \
	{ "zones", FIELD_STRINGS, false, 0, 100, NULL, NULL, \
	    "Codes of zones; absent or null: all" }, \
	{ "enabled", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, \
	    "false: nothing is queued or sent" }

const struct field body_webhook[] = {
	{ "code", FIELD_STRING, true, 1, 63, NULL, NULL,
	    "Business code: letters, digits, _ . : -" },
	WEBHOOK(true), END
};

const struct field body_webhook_change[] = { WEBHOOK(false), END };

const struct field body_webhook_secret[] = {
	{ "overlap_s", FIELD_NUMBER, false, 0, 7776000, NULL, NULL,
	    "Seconds that the old secret signs as well; 86400 if absent" },
	END
};

const struct field query_deliveries[] = {
	{ "state", FIELD_STRING, false, 0, 0, "pending|delivered|dead", NULL,
	    "State" },
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_INTEGER, false, 1, 999999999999999, NULL, NULL,
	    "`next` of the page before" },
	END
};

#define CODE	{ SOURCE_PATH, "code" }
#define BODY	{ SOURCE_BODY, NULL }
#define RESOURCE(name, statement, status, what, ...) \
	const struct resource resource_##name = { ST_##statement, status, \
		what, { __VA_ARGS__ } }

RESOURCE(webhooks_list, webhooks_list, 200, "webhook",
    { SOURCE_LIMIT, NULL }, { SOURCE_QUERY, "cursor" });
RESOURCE(webhooks_create, webhooks_create, 201, "webhook", BODY);
RESOURCE(webhooks_get, webhooks_get, 200, "webhook", CODE);
RESOURCE(webhooks_change, webhooks_change, 200, "webhook", CODE, BODY,
    { SOURCE_IF_MATCH, NULL });
RESOURCE(webhooks_delete, webhooks_delete, 204, "webhook", CODE);
RESOURCE(webhooks_secret, webhooks_turn, 200, "webhook", BODY, CODE);
RESOURCE(deliveries_list, deliveries_list, 200, "webhook", CODE,
    { SOURCE_QUERY, "state" }, { SOURCE_LIMIT, NULL },
    { SOURCE_QUERY, "cursor" });
RESOURCE(deliveries_again, deliveries_again, 200, "delivery", CODE,
    { SOURCE_PATH_ID, "event" });
/* clang-format on */

/* The one answer that shows the secret: what the row says, and it. */
static void
on_made(struct request *r, const struct rows *rows)
{
	const struct resource *res = r->match.route->resource;
	struct header h[2];
	char secret[HOOK_SECRET_TEXT];
	const char *doc, *id, *version, *location;
	struct text t;
	int len, n;

	if (rows->n != 1 || (doc = rows->get(rows, 0, 0, &len)) == NULL ||
	    len < 2 || doc[len - 1] != '}' ||
	    (id = rows->get(rows, 0, 3, &n)) == NULL ||
	    (version = rows->get(rows, 0, 4, &n)) == NULL) {
		reply_error(r, ERR_INTERNAL, NULL, "no answer on the webhook");
		return;
	}
	hook_secret_text(r->api->webhook_secret, (int32_t)strtol(id, NULL, 10),
	    (int32_t)strtol(version, NULL, 10), secret);
	text_init(&t, (size_t)len + HOOK_SECRET_TEXT + 32);
	text_add(&t, doc, (size_t)len - 1);
	text_printf(&t, ", \"secret\" : \"%s\"}", secret);
	h[0] = (struct header){"ETag", rows->get(rows, 0, 1, &n)};
	location = rows->get(rows, 0, 2, &n);
	h[1] = (struct header){"Location", location};
	if (text_ok(&t))
		reply_with(
		    r, res->ok_status, h, location != NULL ? 2 : 1, t.s, t.len);
	else
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	if (t.s != NULL)
		explicit_bzero(t.s, t.len);
	text_done(&t);
	explicit_bzero(secret, sizeof(secret));
}

void
webhooks_post(struct request *r)
{
	if (r->api->webhook_secret == NULL)
		reply_error(r, ERR_CONFLICT, NULL,
		    "PENSTOCK_WEBHOOK_SECRET is not set: nothing can be "
		    "signed");
	else
		resource_ask(r, on_made);
}
