/* Whose tokens are taken: settings, and keys that come, go and fail to come.
 * The loop and its threads are the test's. */
#include "app/trust.h"
#include "auth/jwks.h"
#include "auth/token.h"
#include "auth/token_cache.h"
#include "core/loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define KEY(kid)                                                 \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"" kid "\"," \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define SET(keys) "{\"keys\":[" keys "]}"

static struct config config;
static char path[] = "/tmp/penstock-trust.XXXXXX";
static struct world {
	struct loop loop;
	int64_t now_us;
	unsigned timer_ms; /* of the one timer; 0: none */
	loop_timer_cb *timer;
	void *timer_arg;
	bool busy;
	void (*work)(void *), (*done)(void *);
	void *arg;
	int served;
} world;
static struct token_cache *cache;
static struct trust *trust;

static struct loop_timer *
after(struct loop *l, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)l;
	world.timer_ms = ms;
	world.timer = cb;
	world.timer_arg = arg;
	return ((struct loop_timer *)&world);
}

static void
cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	(void)t;
	world.timer_ms = 0;
}

static int64_t
monotonic_us(struct loop *l)
{
	(void)l;
	return (world.now_us);
}

static const struct loop_ops ops = {
    .after = after, .cancel = cancel, .monotonic_us = monotonic_us};

static enum err
run(void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	(void)self;
	if (world.busy)
		return (ERR_BUSY);
	cr_assert_null(world.work, "one fetch at a time");
	world.work = work;
	world.done = done;
	world.arg = arg;
	return (ERR_OK);
}

/* What a thread was given comes back. */
static void
thread(void)
{
	void (*work)(void *) = world.work;

	cr_assert_not_null(work);
	world.work = NULL;
	work(world.arg);
	world.done(world.arg);
}

static void
write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static void
make(void)
{
	struct err_info info = {.code = ERR_OK};

	memset(&world, 0, sizeof(world));
	world.loop.ops = &ops;
	world.now_us = 1000000000;
	setenv("PENSTOCK_JWT_SECRET", SECRET, 1);
	close(mkstemp(path));
	config = (struct config){.jwt_secret = SECRET,
	    .jwt_issuer = "penstock",
	    .jwt_audience = "penstock-api",
	    .token_life_s = 900,
	    .idp_issuer = "https://idp.example",
	    .idp_audience = "penstock",
	    .idp_keys = path,
	    .idp_ca = "",
	    .idp_role_claim = "role",
	    .idp_roles = "viewer=viewer",
	    .idp_zones_claim = "zones",
	    .idp_zones_absent = "none",
	    .idp_life_s = 86400,
	    .idp_refresh_s = 300};
	write_file(SET(KEY("a")));
	cache = token_cache_new();
	trust = trust_new(&(struct trust_config){.settings = &config,
			      .loop = &world.loop,
			      .offload = {NULL, run},
			      .tokens = cache},
	    &info);
	cr_assert_not_null(trust, "%s", info.detail);
}

static void
drop(void)
{
	trust_free(trust);
	token_cache_free(cache);
	unlink(path);
}

TestSuite(trust, .init = make, .fini = drop);

static bool
knows(const char *kid)
{
	const struct jwks *keys = trust_tokens(trust)->foreign->keys;

	return (keys != NULL && jwks_find(keys, kid) != NULL);
}

static void
pass(int64_t s)
{
	world.now_us += s * 1000000;
}

static void
serve(void *arg)
{
	(void)arg;
	world.served++;
}

static bool
state_ok(void)
{
	struct dependency d = {.ok = false};

	trust_state(trust, &d);
	cr_expect_str_eq(d.name, "identity_provider");
	return (d.ok);
}

Test(trust, keys_come_at_start_and_every_so_often)
{
	cr_expect(trust_foreign(trust));
	cr_expect_not(knows("a"));
	cr_expect_not(state_ok());
	thread();
	cr_expect(knows("a"));
	cr_expect(state_ok());
	cr_expect_eq(world.timer_ms, 300000);
	write_file(SET(KEY("b")));
	world.timer(world.timer_arg);
	thread();
	cr_expect(knows("b"));
	cr_expect_not(knows("a"));
}

Test(trust, who_names_an_unknown_key_waits_for_one_fetch)
{
	/* The first is under way. */
	for (int i = 0; i < 64; i++)
		cr_expect_eq(trust_fetch(trust, serve, NULL), ERR_OK);
	cr_expect_eq(trust_fetch(trust, serve, NULL), ERR_BUSY);
	thread();
	cr_expect_eq(world.served, 64);
	/* No other so soon, whoever asks. */
	pass(9);
	cr_expect_eq(trust_fetch(trust, serve, NULL), ERR_BUSY);
	cr_expect_null(world.work);
	pass(1);
	cr_expect_eq(trust_fetch(trust, serve, NULL), ERR_OK);
	cr_expect_eq(trust_fetch(trust, serve, NULL), ERR_OK);
	thread();
	cr_expect_eq(world.served, 66);
	/* No thread is free: it is tried later. */
	pass(10);
	world.busy = true;
	world.timer_ms = 0;
	cr_expect_eq(trust_fetch(trust, serve, NULL), ERR_BUSY);
	cr_expect_gt(world.timer_ms, 0);
}

Test(trust, the_last_good_keys_stay)
{
	static const char *const bad[] = {"", "{", SET(""), SET("{}")};

	thread();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_file(bad[i]);
		world.timer(world.timer_arg);
		thread();
		cr_expect(knows("a"), "%s", bad[i]);
		cr_expect_not(state_ok());
		cr_expect_eq(world.timer_ms, 30000);
	}
	unlink(path);
	world.timer(world.timer_arg);
	thread();
	cr_expect(knows("a"));
	write_file(SET(KEY("a") "," KEY("c")));
	world.timer(world.timer_arg);
	thread();
	cr_expect(knows("c"));
	cr_expect(state_ok());
	cr_expect_eq(world.timer_ms, 300000);
}

Test(trust, our_own_keys_are_read_again)
{
	const struct token_config *c = trust_tokens(trust);
	char first[JWS_KID + 1];

	thread();
	memcpy(first, c->keys->keys[0].kid, sizeof(first));
	setenv("PENSTOCK_JWT_SECRET", SECRET "x\n" SECRET, 1);
	trust_reload(trust);
	cr_assert_eq(c->keys->n, 2);
	cr_expect_str_neq(c->keys->keys[0].kid, first);
	cr_expect_str_eq(c->keys->keys[1].kid, first);
	setenv("PENSTOCK_JWT_SECRET", SECRET "x\nshort", 1);
	trust_reload(trust);
	cr_expect_eq(c->keys->n, 2);
	unsetenv("PENSTOCK_JWT_SECRET");
	trust_reload(trust);
	cr_expect_eq(c->keys->n, 2);
}

Test(trust, settings_that_are_refused)
{
	static const struct {
		size_t offset;
		const char *value, *named;
	} rows[] = {
#define ROW(member, value, named) \
	{offsetof(struct config, member), value, named}
	    ROW(idp_audience, "", "PENSTOCK_IDP_AUDIENCE"),
	    ROW(idp_keys, "", "PENSTOCK_IDP_KEYS"),
	    ROW(idp_keys, "http://idp.example/keys", "PENSTOCK_IDP_KEYS"),
	    ROW(idp_keys, "keys.json", "PENSTOCK_IDP_KEYS"),
	    ROW(idp_issuer, "penstock", "PENSTOCK_IDP_ISSUER"),
	    ROW(idp_roles, "root=x", "PENSTOCK_IDP_ROLES"),
	    ROW(idp_roles, "admin", "PENSTOCK_IDP_ROLES"),
	    ROW(idp_zones_absent, "some", "PENSTOCK_IDP_ZONES_ABSENT"),
	    ROW(jwt_secret, SECRET "\nshort", "PENSTOCK_JWT_SECRET"),
#undef ROW
	};
	struct err_info info = {.code = ERR_OK};

	thread();
	cr_expect_eq(trust_check(&config, &info), ERR_OK, "%s", info.detail);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config c = config;

		info.code = ERR_OK;
		memcpy((char *)&c + rows[i].offset, &rows[i].value,
		    sizeof(rows[i].value));
		cr_expect_eq(
		    trust_check(&c, &info), ERR_INVALID, "%s", rows[i].value);
		cr_expect_not_null(
		    strstr(info.detail, rows[i].named), "%s", info.detail);
	}
	config.idp_issuer = "";
	config.idp_keys = "";
	cr_expect_eq(trust_check(&config, NULL), ERR_OK);
}
