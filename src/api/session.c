/* Who somebody is to us, and ending what a log-in began. */
#include "api/handlers.h"
#include "api/resources.h"

#include "auth/token.h"

#include <string.h>

/* clang-format off */
const struct field body_refresh[] = {
	{ "refresh_token", FIELD_STRING, true, 1, 200, NULL, NULL,
	    "The newest one of the session; it is good for one use" },
	{ .name = NULL }
};

const struct field body_revocation[] = {
	{ "principal", FIELD_STRING, false, 5, TOKEN_SUBJECT - 1, NULL, NULL,
	    "idp:SUBJECT: ends all that began before now" },
	{ "jti", FIELD_STRING, false, 1, 255, NULL, NULL,
	    "Of one token: ends that" },
	{ "reason", FIELD_STRING, true, 1, 500, NULL, NULL, "For the record" },
	{ .name = NULL }
};

const struct field query_revocations[] = {
	{ "limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Items per page, 100 if absent" },
	{ "cursor", FIELD_INTEGER, false, 1, 999999999999999, NULL, NULL,
	    "`next` of the page before" },
	{ .name = NULL }
};
/* clang-format on */

const struct resource resource_logout = {
    .statement = ST_session_end,
    .ok_status = 204,
    .what = "session",
    .params = {{SOURCE_SESSION, NULL}, {SOURCE_END, NULL}},
};

const struct resource resource_logout_all = {
    .statement = ST_session_end_all,
    .ok_status = 204,
    .what = "session",
    .params = {{SOURCE_PRINCIPAL, NULL}, {SOURCE_SESSION, NULL},
	{SOURCE_END, NULL}},
};

const struct resource resource_revocations_list = {
    .statement = ST_revocations_list,
    .ok_status = 200,
    .what = "revocation",
    .params = {{SOURCE_LIMIT, NULL}, {SOURCE_QUERY, "cursor"},
	{SOURCE_END, NULL}},
};

const struct resource resource_revocations_create = {
    .statement = ST_revocations_create,
    .ok_status = 201,
    .what = "revocation",
    .params = {{SOURCE_BODY, NULL}, {SOURCE_PRINCIPAL, NULL},
	{SOURCE_END, NULL}},
};

static const char *
kind_of(const struct principal *who)
{
	if (who->role == ROLE_DEVICE)
		return ("key");
	return (who->session != 0 ? "user" : "foreign");
}

void
me_get(struct request *r)
{
	const struct principal *who = &r->who;
	char buf[1024 + TOKEN_ZONES];
	struct text t;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "name", who->name);
	json_string(&t, "kind", kind_of(who));
	json_string(&t, "role", role_name(who->role));
	if (who->zones != NULL)
		json_raw(&t, "zones", who->zones, strlen(who->zones));
	if (who->expires_us != 0)
		json_instant(&t, "expires_at", who->expires_us);
	json_object_end(&t);
	reply_text(r, 200, &t);
}
