#include "api/request_steps.h"

#include "auth/key.h"
#include "core/instant.h"
#include "core/loop.h"
#include "ingest/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Uses that are not told of yet, of this worker. What a worker's end loses is
 * told again with a later use. */
#define USES_MAX 64
#define USES_MS	 5000

static struct {
	char ids[USES_MAX][KEY_ID + 1];
	int64_t at_us[USES_MAX];
	size_t n;
	bool timed; /* they will be told of */
} uses;

static void
on_told(void *arg, const struct rows *rows, const struct err_info *info)
{
	(void)arg;
	(void)rows;
	(void)info; /* a later use is told again */
}

/* An array of PostgreSQL's for each column; ids are letters and digits. */
static void
tell_uses(void *arg)
{
	struct api *api = arg;
	char ids[USES_MAX * (KEY_ID + 1) + 2], times[USES_MAX * 21 + 2];
	struct text i, t;
	struct err_info info = {.code = ERR_OK};

	text_init_fixed(&i, ids, sizeof(ids));
	text_init_fixed(&t, times, sizeof(times));
	for (size_t k = 0; k < uses.n; k++) {
		text_printf(&i, "%c%s", k == 0 ? '{' : ',', uses.ids[k]);
		text_printf(
		    &t, "%c%" PRId64, k == 0 ? '{' : ',', uses.at_us[k]);
	}
	text_puts(&i, "}");
	text_puts(&t, "}");
	uses.n = 0;
	uses.timed = false;
	(void)api->query.run(api->query.self,
	    &(struct query){
		.statement = ST_api_keys_used,
		.lane = LANE_SLOW,
		.params = (struct param[]){{i.s, (int)i.len, false},
		    {t.s, (int)t.len, false}},
		.nparams = 2,
	    },
	    on_told, NULL, &info);
}

/* Beside the request, which does not wait for it. */
static void
note_use(struct api *api, const struct key_entry *key, int64_t now_us)
{
	(void)snprintf(
	    uses.ids[uses.n], sizeof(uses.ids[0]), "%s", key->name.s);
	uses.at_us[uses.n++] = now_us;
	if (!uses.timed && api->loop != NULL)
		uses.timed = api->loop->ops->after(
				 api->loop, USES_MS, tell_uses, api) != NULL;
	if (!uses.timed || uses.n == USES_MAX)
		tell_uses(api);
}

struct key_wait {
	struct key key;
	void (*next)(struct request *);
};

static void
name_holder(struct principal *who, const struct key_entry *entry)
{
	size_t room = sizeof(who->name) - sizeof("key:");
	size_t len = entry->name.len < room ? entry->name.len : room;

	memcpy(who->name, "key:", 4);
	memcpy(who->name + 4, entry->name.s, len);
	who->name[4 + len] = '\0';
}

/* Who has shown that the key, or what stands for it, is his. */
static void
admit(struct request *r, const struct key_entry *entry,
    void (*next)(struct request *))
{
	struct api *api = r->api;
	int64_t now_us = api->clocks.now_us();

	if (entry->revoked) {
		refuse_token(r, "the API key is unknown or was revoked");
		return;
	}
	if (entry->expires_us != 0 && entry->expires_us <= now_us) {
		refuse_token(r, "the API key has expired");
		return;
	}
	if (registry_key_used(api->registry, entry, now_us))
		note_use(api, entry, now_us);
	r->who.role = ROLE_DEVICE;
	r->who.scope = entry->scope;
	name_holder(&r->who, entry);
	next(r);
}

static void
by_entry(struct request *r, const struct key *key,
    const struct key_entry *entry, void (*next)(struct request *))
{
	if (entry == NULL || !digest_equal(entry->sha256, key->sha))
		refuse_token(r, "the API key is unknown or was revoked");
	else
		admit(r, entry, next);
}

static void
after_refresh(struct request *r)
{
	const struct key_wait *w = r->state;

	by_entry(r, &w->key, registry_key(r->api->registry, w->key.id, KEY_ID),
	    w->next);
}

void
identify_key(
    struct request *r, const char *text, void (*next)(struct request *))
{
	const struct key_entry *entry;
	struct key_wait *w;
	struct key key;

	if (!key_parse(text, &key)) {
		refuse_token(r, "the API key is malformed");
		return;
	}
	entry = registry_key(r->api->registry, key.id, KEY_ID);
	if (entry != NULL) {
		by_entry(r, &key, entry, next);
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

/* False: nobody is called that, as far as is known here. */
static bool
by_name(struct request *r, void (*next)(struct request *))
{
	const struct api *api = r->api;
	const struct key_entry *entry = NULL;
	enum err e = registry_key_named(
	    api->registry, r->x->client, api->clocks.now_us(), &entry);

	if (e != ERR_OK)
		refuse_token(r, "several API keys have the certificate's name");
	else if (entry != NULL)
		admit(r, entry, next);
	return (e != ERR_OK || entry != NULL);
}

static void
after_named_refresh(struct request *r)
{
	const struct key_wait *w = r->state;

	if (!by_name(r, w->next))
		refuse_token(r, "no API key in use has the certificate's name");
}

void
identify_certificate(struct request *r, void (*next)(struct request *))
{
	struct key_wait *w;

	if (by_name(r, next))
		return;
	if ((w = arena_alloc(&r->arena, sizeof(*w))) == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	*w = (struct key_wait){.next = next};
	r->state = w;
	request_refresh(r, after_named_refresh);
}
