#include "api/handlers.h"
#include "api/request_steps.h"

#include "auth/key.h"
#include "auth/revoked.h"
#include "auth/token_cache.h"
#include "core/loop.h"

#include <string.h>
#include <strings.h>

#define LOOK_MS 20
#define LOOKS	100 /* two seconds */

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

_Static_assert(sizeof(((struct principal *)0)->name) ==
	sizeof(((struct token *)0)->subject),
    "a subject is copied whole");

static void
refuse(struct request *r, struct err_info *info)
{
	if (info->code == ERR_UNAUTHORIZED)
		info->reason = REASON_TOKEN;
	else if (info->code == ERR_FORBIDDEN)
		info->reason = REASON_SCOPE;
	reply_problem(r, info);
}

void
refuse_token(struct request *r, const char *why)
{
	struct err_info info = {.code = ERR_OK};

	(void)err_set(&info, ERR_UNAUTHORIZED, NULL, "%s", why);
	refuse(r, &info);
}

static bool
changes_nothing(const struct request *r)
{
	return (r->method == METHOD_GET || r->method == METHOD_HEAD ||
	    r->method == METHOD_OPTIONS);
}

static void
admit(struct request *r, const struct token *t, void (*next)(struct request *))
{
	r->who.role = t->role;
	r->who.session = t->session;
	r->who.expires_us = t->expires_us;
	r->who.ends = t->ends;
	memcpy(r->who.name, t->subject, sizeof(t->subject));
	if (t->zones[0] != '\0' &&
	    (r->who.zones = arena_strdup(&r->arena, t->zones)) == NULL)
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	else
		next(r);
}

/* The signature is good: its holder enters unless the session has ended. Who
 * cannot be told of that any more lets only those in who read. */
static void
enter_known(
    struct request *r, const struct token *t, void (*next)(struct request *))
{
	const struct revoked *revoked = r->api->revoked;

	if (!revoked_known(revoked) ||
	    (!changes_nothing(r) &&
		!revoked_fresh(revoked, r->api->clocks.monotonic_us())))
		reply_error(r, ERR_DATABASE, NULL,
		    "which sessions have ended cannot be looked up now");
	else if (revoked_has(revoked, &t->ends)) {
		memcpy(r->who.name, t->subject, sizeof(t->subject));
		refuse_token(r,
		    t->session != 0 ? "the session has ended"
				    : "the token was revoked");
	} else
		admit(r, t, next);
}

struct enter_wait {
	struct request *r;
	struct token token;
	void (*next)(struct request *);
	unsigned looks;
};

static void
look_again(void *arg)
{
	struct enter_wait *w = arg;
	struct request *r = w->r;
	struct loop *loop = r->api->loop;

	if (!request_gone(r)) {
		if (!revoked_known(r->api->revoked) && w->looks++ < LOOKS &&
		    loop->ops->after(loop, LOOK_MS, look_again, w) != NULL)
			return;
		enter_known(r, &w->token, w->next);
	}
	request_release(r);
}

/* A worker that has just begun knows in a moment, once it is connected. */
static void
enter(struct request *r, const struct token *t, void (*next)(struct request *))
{
	struct enter_wait *w;

	if (revoked_known(r->api->revoked) || r->api->loop == NULL) {
		enter_known(r, t, next);
		return;
	}
	if ((w = arena_alloc(&r->arena, sizeof(*w))) == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	*w = (struct enter_wait){.r = r, .token = *t, .next = next};
	request_hold(r);
	look_again(w);
}

static enum err
check_token(struct request *r, const char *text, struct token *ret,
    struct err_info *info)
{
	struct api *api = r->api;

	if (api->tokens == NULL)
		api->tokens = token_cache_new();
	return (token_cache_verify(
	    api->tokens, api->trust, text, api->clocks.now_us(), ret, info));
}

struct token_wait {
	struct request *r;
	void (*next)(struct request *);
};

static void
on_keys(void *arg)
{
	struct token_wait *w = arg;
	struct request *r = w->r;
	struct err_info info = {.code = ERR_OK};
	struct token t;

	/* The header is gone with the client. */
	if (!request_gone(r)) {
		if (check_token(r, bearer(r), &t, &info) == ERR_OK)
			enter(r, &t, w->next);
		else
			refuse(r, &info);
	}
	request_release(r);
}

/* False: what is not known now is not known. */
static bool
fetch_keys(struct request *r, void (*next)(struct request *))
{
	struct token_wait *w;

	if (r->api->keys_refresh == NULL ||
	    (w = arena_alloc(&r->arena, sizeof(*w))) == NULL)
		return (false);
	*w = (struct token_wait){r, next};
	if (r->api->keys_refresh(on_keys, w) != ERR_OK)
		return (false);
	request_hold(r);
	return (true);
}

static void
by_token(struct request *r, const char *text, void (*next)(struct request *))
{
	struct err_info info = {.code = ERR_OK};
	struct token t;
	enum err e = check_token(r, text, &t, &info);

	if (e == ERR_OK)
		enter(r, &t, next);
	else if (e != ERR_NOT_FOUND || !fetch_keys(r, next))
		refuse(r, &info);
}

void
identify(struct request *r, void (*next)(struct request *))
{
	const char *text = bearer(r);

	if (text == NULL && r->x->client != NULL &&
	    request_header(r, "Authorization") == NULL)
		identify_certificate(r, next);
	else if (text == NULL)
		reply_error(r, ERR_UNAUTHORIZED, NULL,
		    "send Authorization: Bearer with a token or an API key");
	else if (strncmp(text, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0)
		identify_key(r, text, next);
	else
		by_token(r, text, next);
}
