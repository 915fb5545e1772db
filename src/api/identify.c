#include "api/handlers.h"
#include "api/request_steps.h"

#include "auth/key.h"
#include "auth/token_cache.h"
#include "ingest/registry.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* RFC 6750 section 2.1. NULL if there is none. */
static const char *
bearer(const struct request *r)
{
	const char *h = request_header(r, "Authorization");

	if (h == NULL || strncasecmp(h, "Bearer ", 7) != 0)
		return (NULL);
	h += 7;
	return (h + strspn(h, " "));
}

static void
by_token(struct request *r, const char *text, void (*next)(struct request *))
{
	struct api *api = r->api;
	struct token_config config = api_token_config(api);
	struct err_info info = {.code = ERR_OK};
	struct token t;

	if (api->tokens == NULL)
		api->tokens = token_cache_new();
	if (token_cache_verify(api->tokens, &config, text, api->clocks.now_us(),
		&t, &info) != ERR_OK) {
		reply_problem(r, &info);
		return;
	}
	r->who.role = t.role;
	memcpy(r->who.name, t.subject, sizeof(t.subject));
	next(r);
}

_Static_assert(sizeof(((struct principal *)0)->name) ==
	sizeof(((struct token *)0)->subject),
    "a subject is copied whole");

struct key_wait {
	struct key key;
	void (*next)(struct request *);
};

static void
by_key_entry(struct request *r, const struct key *key,
    const struct key_entry *entry, void (*next)(struct request *))
{
	if (entry == NULL || entry->revoked ||
	    !digest_equal(entry->sha256, key->sha)) {
		reply_error(r, ERR_UNAUTHORIZED, NULL,
		    "the API key is unknown or was revoked");
		return;
	}
	r->who.role = ROLE_DEVICE;
	(void)snprintf(r->who.name, sizeof(r->who.name), "key:%s", key->id);
	next(r);
}

static void
after_refresh(struct request *r)
{
	const struct key_wait *w = r->state;

	by_key_entry(r, &w->key,
	    registry_key(r->api->registry, w->key.id, KEY_ID), w->next);
}

static void
by_key(struct request *r, const char *text, void (*next)(struct request *))
{
	const struct key_entry *entry;
	struct key_wait *w;
	struct key key;

	if (!key_parse(text, &key)) {
		reply_error(
		    r, ERR_UNAUTHORIZED, NULL, "the API key is malformed");
		return;
	}
	entry = registry_key(r->api->registry, key.id, KEY_ID);
	if (entry != NULL) {
		by_key_entry(r, &key, entry, next);
		return;
	}
	if ((w = arena_alloc(&r->arena, sizeof(*w))) == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	*w = (struct key_wait){key, next};
	r->state = w;
	request_refresh(r, after_refresh);
}

void
identify(struct request *r, void (*next)(struct request *))
{
	const char *text = bearer(r);

	if (text == NULL)
		reply_error(r, ERR_UNAUTHORIZED, NULL,
		    "send Authorization: Bearer with a token or an API key");
	else if (strncmp(text, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0)
		by_key(r, text, next);
	else
		by_token(r, text, next);
}
