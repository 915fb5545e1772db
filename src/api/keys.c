#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "auth/key.h"

#include <stdio.h>

struct new_key {
	struct key key;
	char text[KEY_LEN + 1];
	const char *name;
};

/* The one answer that shows the key. */
static void
on_created(struct request *r, const struct rows *rows)
{
	const struct new_key *k = r->state;
	char buf[2048], location[64];
	struct text t;
	int len;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "id", k->key.id);
	json_string(&t, "name", k->name);
	json_string(&t, "role", "device");
	json_string(&t, "key", k->text);
	json_string(&t, "created_at", rows->get(rows, 0, 0, &len));
	json_object_end(&t);
	(void)snprintf(
	    location, sizeof(location), "/api/v1/api-keys/%s", k->key.id);
	reply_with(
	    r, 201, &(struct header){"Location", location}, 1, t.s, t.len);
}

void
keys_post(struct request *r)
{
	struct new_key *k = arena_alloc(&r->arena, sizeof(*k));

	if (k == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	key_new(&k->key, k->text);
	k->name = json_string_value(json_object_get(r->body, "name"));
	r->state = k;
	request_ask(r,
	    &(struct query){
		.statement = ST_api_key_create,
		.lane = LANE_SLOW,
		.params = (struct param[]){{k->key.id, -1, false},
		    {k->name, -1, false},
		    {(const char *)k->key.sha, DIGEST_LEN, true},
		    {r->who.name, -1, false}},
		.nparams = 4,
	    },
	    on_created);
}
