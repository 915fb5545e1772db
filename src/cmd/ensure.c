#include "cmd/ensure.h"

#include "cmd/tool.h"

#include <string.h>

#define WAIT_MS 500

void
ensure_call(struct ensure *e, const char *method, const char *path,
    const char *body, struct client_reply *r)
{
	int64_t deadline = tool_monotonic_ms() + e->patience_ms;

	for (;;) {
		client_call(e->client, method, path, e->token, body,
		    body == NULL ? 0 : strlen(body), r);
		if (!client_transient(r) || tool_stopping() ||
		    tool_monotonic_ms() + WAIT_MS > deadline)
			return;
		tool_sleep_ms(WAIT_MS);
	}
}

static bool
complain(const char *method, const char *path, const struct client_reply *r)
{
	char buf[400];

	if (!tool_stopping())
		tool_error("%s %s: %s", method, path,
		    client_reason(r, buf, sizeof(buf)));
	return (false);
}

bool
ensure_there(struct ensure *e, const char *item, const char *collection,
    const char *body, bool *ret_made)
{
	struct client_reply r;

	if (ret_made != NULL)
		*ret_made = false;
	ensure_call(e, "GET", item, NULL, &r);
	if (r.status == 200)
		return (true);
	if (r.status != 404)
		return (complain("GET", item, &r));
	ensure_call(e, "POST", collection, body, &r);
	/* 409: made by somebody else between the two calls, or by us when
	 * the answer was lost. */
	if (r.status != 201 && r.status != 409)
		return (complain("POST", collection, &r));
	if (ret_made != NULL)
		*ret_made = true;
	return (true);
}

bool
ensure_done(
    struct ensure *e, const char *method, const char *path, const char *body)
{
	struct client_reply r;

	ensure_call(e, method, path, body, &r);
	return (r.status / 100 == 2 || complain(method, path, &r));
}
