#include "app/trust.h"

#include "auth/jwks.h"
#include "auth/token.h"
#include "auth/token_cache.h"
#include "core/instant.h"
#include "core/log.h"
#include "core/loop.h"
#include "field/fetch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET	    "PENSTOCK_JWT_SECRET"
#define LEAST_MS    10000 /* between two fetches, whatever tokens name */
#define RETRY_MS    30000
#define TIMEOUT_MS  5000
#define WAITERS_MAX 64

struct waiter {
	void (*done)(void *);
	void *arg;
};

struct trust {
	struct trust_config config;
	struct keyring ring;
	struct token_foreign foreign;
	struct token_config tokens;
	/* The fetch: `source`, `fetched` and `info` are the thread's while it
	 * runs. */
	struct fetch source;
	struct jwks *fetched, *keys;
	struct err_info info;
	bool running, failed;
	int64_t began_us, good_us; /* monotonic; 0: never */
	struct waiter waiters[WAITERS_MAX];
	size_t nwaiters;
	struct loop_timer *timer;
};

static bool
is_set(const char *s)
{
	return (s[0] != '\0');
}

static enum err
read_foreign(
    const struct config *c, struct token_foreign *ret, struct err_info *info)
{
	struct err_info why = {.code = ERR_OK};

	*ret = (struct token_foreign){.issuer = c->idp_issuer,
	    .audience = c->idp_audience,
	    .role_claim = c->idp_role_claim,
	    .zones_claim = c->idp_zones_claim,
	    .zones_absent_all = strcmp(c->idp_zones_absent, "all") == 0,
	    .life_s = c->idp_life_s};
	if (!is_set(c->idp_audience) || !is_set(c->idp_keys))
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_IDP_ISSUER needs PENSTOCK_IDP_AUDIENCE and "
		    "PENSTOCK_IDP_KEYS"));
	if (strcmp(c->idp_issuer, c->jwt_issuer) == 0)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_IDP_ISSUER is our own issuer"));
	if (c->idp_keys[0] != '/' && strncmp(c->idp_keys, "https://", 8) != 0)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_IDP_KEYS is neither https:// nor a whole path"));
	if (!ret->zones_absent_all && strcmp(c->idp_zones_absent, "none") != 0)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_IDP_ZONES_ABSENT is neither none nor all"));
	if (token_roles_parse(c->idp_roles, &ret->roles, &why) != ERR_OK)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_IDP_ROLES: %s", why.detail));
	return (ERR_OK);
}

enum err
trust_check(const struct config *c, struct err_info *info)
{
	struct err_info why = {.code = ERR_OK};
	struct token_foreign foreign;
	struct keyring ring;

	if (keyring_parse(c->jwt_secret, &ring, &why) != ERR_OK)
		return (err_set(
		    info, ERR_INVALID, NULL, SECRET ": %s", why.detail));
	keyring_done(&ring);
	if (!is_set(c->idp_issuer))
		return (ERR_OK);
	return (read_foreign(c, &foreign, info));
}

void
trust_reload(struct trust *t)
{
	struct err_info info = {.code = ERR_OK};
	struct keyring ring;
	char *text = NULL;

	if (config_secret(SECRET, getenv, &text, &info) == ERR_OK &&
	    keyring_parse(text, &ring, &info) == ERR_OK) {
		if (keyring_same(&ring, &t->ring))
			keyring_done(&ring);
		else {
			keyring_done(&t->ring);
			t->ring = ring;
			token_cache_clear(t->config.tokens);
			log_event(LOG_LEVEL_INFO, "token_keys_loaded", "signs",
			    LOG_STR, ring.keys[0].kid, "keys", LOG_INT,
			    (int64_t)ring.n, NULL);
		}
	} else
		log_event(LOG_LEVEL_ERROR, "token_keys_kept", "reason", LOG_STR,
		    info.detail, NULL);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static int64_t
now_us(const struct trust *t)
{
	return (t->config.loop->ops->monotonic_us(t->config.loop));
}

/* On a thread. */
static void
work(void *arg)
{
	struct trust *t = arg;
	size_t len;
	char *text = fetch_get(&t->source, &len, &t->info);

	if (text != NULL)
		t->fetched = jwks_parse(text, len, &t->info);
	free(text);
}

static void
take(struct trust *t)
{
	t->good_us = now_us(t);
	t->failed = false;
	if (jwks_same(t->keys, t->fetched)) {
		jwks_free(t->fetched);
		t->fetched = NULL;
		return;
	}
	jwks_free(t->keys);
	t->foreign.keys = t->keys = t->fetched;
	t->fetched = NULL;
	token_cache_clear(t->config.tokens);
	log_event(LOG_LEVEL_INFO, "idp_keys_loaded", "keys", LOG_INT,
	    (int64_t)jwks_count(t->keys), NULL);
}

static void
keep(struct trust *t)
{
	if (!t->failed) /* said once */
		log_event(LOG_LEVEL_WARN, "idp_keys_kept", "reason", LOG_STR,
		    t->info.detail, NULL);
	t->failed = true;
}

static void
serve(struct trust *t)
{
	struct waiter w[WAITERS_MAX];
	size_t n = t->nwaiters;

	memcpy(w, t->waiters, n * sizeof(*w));
	t->nwaiters = 0;
	for (size_t i = 0; i < n; i++)
		w[i].done(w[i].arg);
}

static void begin(struct trust *);

static void
on_time(void *arg)
{
	struct trust *t = arg;

	t->timer = NULL;
	begin(t);
}

static void
plan_next(struct trust *t)
{
	int64_t ms = t->config.settings->idp_refresh_s * 1000;

	if (t->failed && ms > RETRY_MS)
		ms = RETRY_MS;
	if (t->timer != NULL)
		t->config.loop->ops->cancel(t->config.loop, t->timer);
	t->timer = t->config.loop->ops->after(
	    t->config.loop, (unsigned)ms, on_time, t);
}

static void
done(void *arg)
{
	struct trust *t = arg;

	t->running = false;
	if (t->fetched != NULL)
		take(t);
	else
		keep(t);
	plan_next(t);
	serve(t);
}

/* When no thread is free it is tried again later. */
static void
begin(struct trust *t)
{
	if (t->running)
		return;
	t->began_us = now_us(t);
	err_clear(&t->info);
	t->running = t->config.offload.run(
			 t->config.offload.self, work, done, t) == ERR_OK;
	if (!t->running)
		plan_next(t);
}

enum err
trust_fetch(struct trust *t, void (*cb)(void *), void *arg)
{
	if (!t->running &&
	    now_us(t) - t->began_us >= LEAST_MS * US_PER_SECOND / 1000)
		begin(t);
	if (!t->running || t->nwaiters == WAITERS_MAX)
		return (ERR_BUSY);
	t->waiters[t->nwaiters++] = (struct waiter){cb, arg};
	return (ERR_OK);
}

struct trust *
trust_new(const struct trust_config *config, struct err_info *info)
{
	const struct config *c = config->settings;
	struct trust *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		(void)err_set(info, ERR_NO_MEMORY, NULL, "trust");
		return (NULL);
	}
	t->config = *config;
	if (keyring_parse(c->jwt_secret, &t->ring, info) != ERR_OK ||
	    (is_set(c->idp_issuer) &&
		read_foreign(c, &t->foreign, info) != ERR_OK)) {
		trust_free(t);
		return (NULL);
	}
	/* The parent's may be old ones by now. */
	trust_reload(t);
	t->tokens = (struct token_config){.keys = &t->ring,
	    .issuer = c->jwt_issuer,
	    .audience = c->jwt_audience,
	    .life_s = (int)c->token_life_s};
	if (!is_set(c->idp_issuer))
		return (t);
	t->tokens.foreign = &t->foreign;
	t->source = (struct fetch){.source = c->idp_keys,
	    .ca_path = is_set(c->idp_ca) ? c->idp_ca : NULL,
	    .timeout_ms = TIMEOUT_MS,
	    .max = JWKS_BYTES};
	begin(t);
	return (t);
}

void
trust_free(struct trust *t)
{
	if (t == NULL || t->running) /* a thread has it; the process ends */
		return;
	if (t->timer != NULL)
		t->config.loop->ops->cancel(t->config.loop, t->timer);
	keyring_done(&t->ring);
	jwks_free(t->keys);
	free(t);
}

const struct token_config *
trust_tokens(const struct trust *t)
{
	return (&t->tokens);
}

bool
trust_foreign(const struct trust *t)
{
	return (t->tokens.foreign != NULL);
}

void
trust_state(const struct trust *t, struct dependency *d)
{
	d->name = "identity_provider";
	d->ok = t->keys != NULL && !t->failed;
	d->age_s =
	    t->good_us == 0 ? NAN : (double)(now_us(t) - t->good_us) / 1e6;
	(void)snprintf(d->state, sizeof(d->state), "%s",
	    t->keys == NULL ? "its keys did not come yet"
		: t->failed ? "away; its last keys are used"
			    : "its keys are known");
}
