#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/resource.h"
#include "auth/key.h"

#include <stdlib.h>
#include <string.h>

struct new_key {
	struct key key;
	char text[KEY_LEN + 1];
};

/* The one answer that shows the key: what the row says, and the key. */
static void
on_created(struct request *r, const struct rows *rows)
{
	const struct new_key *k = r->state;
	struct header h[2] = {{"ETag", NULL}, {"Location", NULL}};
	const char *body;
	struct text t;
	int len;

	if (rows->n != 1 || (body = rows->get(rows, 0, 0, &len)) == NULL ||
	    len < 2 || body[len - 1] != '}') {
		reply_error(r, ERR_INTERNAL, NULL, "no answer on the key");
		return;
	}
	text_init(&t, (size_t)len + KEY_LEN + 32);
	text_add(&t, body, (size_t)len - 1);
	text_printf(&t, ", \"key\" : \"%s\"}", k->text);
	h[0].value = rows->get(rows, 0, 1, &len);
	h[1].value = rows->get(rows, 0, 2, &len);
	if (text_ok(&t))
		reply_with(r, 201, h, 2, t.s, t.len);
	else
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	text_done(&t);
}

/* `old`: the key that the new one is for, NULL: none. */
static void
make(struct request *r, enum statement statement, const char *old)
{
	struct new_key *k = arena_alloc(&r->arena, sizeof(*k));
	char *body = json_dumps(r->body, JSON_COMPACT);
	struct param all[5];

	if (k == NULL || body == NULL) {
		free(body);
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	key_new(&k->key, k->text);
	r->state = k;
	all[0] = (struct param){old, -1, false};
	all[1] = (struct param){body, -1, false};
	all[2] = (struct param){k->key.id, -1, false};
	all[3] = (struct param){(const char *)k->key.sha, DIGEST_LEN, true};
	all[4] = (struct param){r->who.name, -1, false};
	request_ask(r,
	    &(struct query){
		.statement = statement,
		.lane = LANE_SLOW,
		.params = old != NULL ? all : all + 1,
		.nparams = old != NULL ? 5 : 4,
	    },
	    on_created);
	free(body);
}

void
keys_post(struct request *r)
{
	make(r, ST_api_key_create, NULL);
}

void
keys_rotate(struct request *r)
{
	make(r, ST_api_key_rotate, request_path(r, "id"));
}
