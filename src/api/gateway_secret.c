#include "auth/gateway_key.h"

#include "api/api.h"
#include "api/handlers.h"
#include "core/query.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* The one answer that shows it. */
static void
on_turned(struct request *r, const struct rows *rows)
{
	char secret[GATEWAY_SECRET], body[256];
	const char *code, *version;
	struct text t;
	int len;

	if (rows->n != 1 || (code = rows->get(rows, 0, 0, &len)) == NULL ||
	    (version = rows->get(rows, 0, 1, &len)) == NULL) {
		reply_error(r, ERR_INTERNAL, NULL, "no answer on the secret");
		return;
	}
	gateway_secret(r->api->gateway_secret, code,
	    (int)strtol(version, NULL, 10), secret);
	text_init_fixed(&t, body, sizeof(body));
	json_object(&t, NULL);
	json_string(&t, "gateway", code);
	json_int(&t, "version", strtol(version, NULL, 10));
	json_string(&t, "secret", secret);
	json_object_end(&t);
	reply_json(r, 200, t.s, t.len);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(body, sizeof(body));
}

void
gateway_secret_post(struct request *r)
{
	struct param p = {request_path(r, "code"), -1, false};

	if (r->api->gateway_secret == NULL) {
		reply_error(r, ERR_CONFLICT, NULL,
		    "PENSTOCK_GATEWAY_SECRET is not set: nothing is signed");
		return;
	}
	request_ask(r,
	    &(struct query){.statement = ST_gateways_secret,
		.lane = LANE_SLOW,
		.params = &p,
		.nparams = 1},
	    on_turned);
}
