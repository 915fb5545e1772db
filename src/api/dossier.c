#include "api/handlers.h"

#include "api/etag.h"
#include "api/resources.h"

const struct resource resource_plans_dossier = {
    ST_dossier_get, 200, "plan", {{SOURCE_PATH_ID, "id"}}};

/* The hash is of the document, whatever coding it is sent in. */
static void
on_rows(struct request *r, const struct rows *rows)
{
	const char *body, *hash, *known = request_header(r, "If-None-Match");
	struct header h[3] = {{"X-Content-SHA256", NULL}, {"ETag", NULL},
	    {"Cache-Control", "no-cache"}};
	int len, hash_len;

	if (rows->n == 0) {
		resource_answer(r, rows);
		return;
	}
	body = rows->get(rows, 0, 0, &len);
	hash = rows->get(rows, 0, 1, &hash_len);
	h[0].value = hash;
	h[1].value = arena_printf(&r->arena, "\"%s\"", hash);
	if (h[1].value == NULL)
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	else if (known != NULL && etag_matches(known, h[1].value))
		reply_with(r, 304, h, 3, NULL, 0);
	else
		reply_with(r, 200, h, 3, body, (size_t)len);
}

void
dossier_get(struct request *r)
{
	resource_ask(r, on_rows);
}
