/* Tokens over their life: refreshed, ended, refused, and by keys that come
 * late. */
#include "api/fake.h"
#include "auth/refresh.h"
#include "core/instant.h"
#include "core/loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define OTHER "another key of at least 32 bytes, as it must be"

TestSuite(tokens, .init = fake_init, .fini = fake_done);

static char sent[REFRESH_LEN + 1];
static struct refresh sent_parts;

static struct fake_call
refresh(const char *text)
{
	char body[400];

	snprintf(body, sizeof(body), "{\"refresh_token\":\"%s\"}", text);
	return (ask(METHOD_POST, "/api/v1/auth/refresh", body, ROLE_ANONYMOUS));
}

static struct fake_call
refresh_with(const char *verdict)
{
	static struct fake_rows rows[] = {
	    {.statement = ST_session_refresh, .n = 1, .columns = 5},
	    {.statement = ST_session_reused, .n = 1, .columns = 1},
	    {.columns = 0}};
	static const char *const cells[] = {"41", "anna", "operator", "7200"};

	rows[0].cells[0] = verdict;
	memcpy(rows[0].cells + 1, cells, sizeof(cells));
	fake.rows = rows;
	refresh_new(&sent_parts, sent);
	return (refresh(sent));
}

static void
token_of(const struct fake_call *c, char *ret, size_t size)
{
	const char *s = strstr(c->body, "\"access_token\":\"");

	cr_assert_not_null(s, "%s", c->body);
	s += strlen("\"access_token\":\"");
	snprintf(ret, size, "%.*s", (int)strcspn(s, "\""), s);
}

static struct fake_call
get_with(const char *path, const char *token)
{
	char bearer[TOKEN_MAX + 8];
	struct fake_call c;

	snprintf(bearer, sizeof(bearer), "Bearer %s", token);
	call_init(&c, METHOD_GET, path, NULL);
	call_header(&c, "Authorization", bearer);
	call_run(&c);
	return (c);
}

Test(tokens, refreshed)
{
	struct fake_call c = refresh_with("ok"), d;
	char token[TOKEN_MAX], next[REFRESH_LEN + 1];
	struct refresh parts;
	const char *s;

	cr_assert_eq(c.status, 200, "%s", c.body);
	cr_expect(says(&c, "\"expires_in\":900"));
	cr_expect(says(&c, "\"refresh_expires_in\":7200"));
	cr_expect(says(&c, "\"role\":\"operator\""));
	cr_assert_not_null(s = strstr(c.body, "\"pr_"));
	snprintf(next, sizeof(next), "%s", s + 1);
	cr_assert(refresh_parse(next, &parts));
	cr_expect(digest_equal(parts.handle, sent_parts.handle));
	cr_expect_not(digest_equal(parts.secret, sent_parts.secret));
	/* What the database is told: the old and the new, as hashes alone. */
	cr_expect_eq(fake.nasked, 1);
	cr_expect(digest_equal(
	    (const unsigned char *)fake.asked[0].params[0], sent_parts.handle));
	cr_expect(digest_equal(
	    (const unsigned char *)fake.asked[0].params[1], sent_parts.secret));
	cr_expect(digest_equal(
	    (const unsigned char *)fake.asked[0].params[2], parts.secret));
	cr_expect_str_eq(fake.asked[0].params[3], "7200");
	cr_expect_str_eq(fake.asked[0].params[4], "900");
	token_of(&c, token, sizeof(token));
	d = get_with("/api/v1/auth/me", token);
	cr_expect_eq(d.status, 200);
	cr_expect_str_eq(d.body,
	    "{\"name\":\"anna\",\"kind\":\"user\",\"role\":\"operator\","
	    "\"expires_at\":\"2026-11-18T11:21:40Z\"}");
	call_done(&c);
	call_done(&d);
}

Test(tokens, a_spent_one_ends_the_session)
{
	struct fake_call c = refresh_with("spent");

	cr_expect_eq(c.status, 401);
	cr_expect(says(&c, "used before"));
	cr_expect_not(says(&c, "access_token"));
	cr_assert_eq(fake.nasked, 2);
	cr_expect_eq(fake.asked[1].statement, ST_session_reused);
	cr_expect_str_eq(fake.asked[1].params[0], "41");
	call_done(&c);
}

Test(tokens, not_refreshed)
{
	static const char *const bad[] = {"x", "pr_", "pk_x"};
	struct fake_call c = refresh_with("over");

	cr_expect_eq(c.status, 401);
	cr_expect(got_is(&c, "WWW-Authenticate", "Bearer realm=\"penstock\""));
	call_done(&c);
	c = refresh_with("unknown");
	cr_expect_eq(c.status, 401);
	call_done(&c);
	cr_expect_eq(fake.nasked, 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		c = refresh(bad[i]);
		cr_expect_eq(c.status, 401);
		call_done(&c);
	}
	cr_expect_eq(fake.nasked, 2);
}

static void
revoke(int64_t session)
{
	struct revoked_row row = {
	    session, FAKE_NOW_US + 900 * US_PER_SECOND, 1, 0};

	cr_assert_eq(revoked_put(fake.api.revoked, &row, FAKE_NOW_US), ERR_OK);
}

Test(tokens, of_a_session_that_ended)
{
	struct fake_call c =
	    ask(METHOD_GET, "/api/v1/auth/me", NULL, ROLE_VIEWER);

	cr_expect_eq(c.status, 200);
	call_done(&c);
	revoke(FAKE_SESSION + 1);
	c = ask(METHOD_GET, "/api/v1/auth/me", NULL, ROLE_VIEWER);
	cr_expect_eq(c.status, 200);
	call_done(&c);
	revoke(FAKE_SESSION); /* although it is in the cache */
	c = ask(METHOD_GET, "/api/v1/auth/me", NULL, ROLE_VIEWER);
	cr_expect_eq(c.status, 401);
	cr_expect(got_is(&c, "WWW-Authenticate",
	    "Bearer realm=\"penstock\", error=\"invalid_token\", "
	    "error_description=\"the session has ended\""));
	cr_expect(says(&c, "\"reason\":\"invalid_token\""));
	call_done(&c);
}

/* A worker that could not ask yet lets nobody in. */
Test(tokens, while_nothing_is_known_of_sessions)
{
	struct fake_call c;

	revoked_free(fake.api.revoked);
	fake.api.revoked = revoked_new();
	c = ask(METHOD_GET, "/api/v1/auth/me", NULL, ROLE_ADMIN);
	cr_expect_eq(c.status, 503);
	cr_expect(got_is(&c, "Retry-After", "1"));
	call_done(&c);
}

static struct {
	loop_timer_cb *cb;
	void *arg;
} timer;

static struct loop_timer *
after(struct loop *l, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)l;
	if (ms <= 100) { /* the record's are longer, and never go off */
		timer.cb = cb;
		timer.arg = arg;
	}
	return ((struct loop_timer *)&timer);
}

/* A request of a worker that has just begun, after it looked `looks` times. */
static void
while_it_waits(struct fake_call *c, int looks)
{
	static const struct loop_ops ops = {.after = after};
	static struct loop loop = {.ops = &ops};
	static char bearer[TOKEN_MAX + 8];

	revoked_free(fake.api.revoked);
	fake.api.revoked = revoked_new();
	fake.api.loop = &loop;
	snprintf(bearer, sizeof(bearer), "%s", fake_bearer(ROLE_VIEWER));
	call_init(c, METHOD_GET, "/api/v1/auth/me", NULL);
	call_header(c, "Authorization", bearer);
	api_dispatch(&fake.api, &c->x);
	for (int i = 0; i < looks; i++) {
		cr_expect_eq(c->answers, 0);
		timer.cb(timer.arg);
	}
	cr_expect_eq(c->answers, 0);
}

Test(tokens, wait_until_a_new_worker_knows_who_has_ended)
{
	struct fake_call c;

	while_it_waits(&c, 3);
	revoked_loaded(fake.api.revoked, fake.api.clocks.monotonic_us());
	timer.cb(timer.arg);
	cr_expect_eq(c.status, 200, "%s", c.body);
	call_done(&c);
	while_it_waits(&c, 3);
	revoke(FAKE_SESSION);
	revoked_loaded(fake.api.revoked, fake.api.clocks.monotonic_us());
	timer.cb(timer.arg);
	cr_expect_eq(c.status, 401);
	call_done(&c);
	while_it_waits(&c, 99);
	timer.cb(timer.arg);
	cr_expect_eq(c.status, 503);
	call_done(&c);
	while_it_waits(&c, 1);
	call_leave(&c);
	timer.cb(timer.arg);
	cr_expect_eq(c.answers, 0);
}

/* Who may have logged out since reads, and changes nothing. */
Test(tokens, while_nothing_was_heard_of_sessions_for_a_while)
{
	static const enum method methods[] = {
	    METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE};
	struct fake_call c;
	size_t i;

	revoked_heard(fake.api.revoked,
	    fake.api.clocks.monotonic_us() - REVOKED_FRESH_S * US_PER_SECOND);
	c = ask(METHOD_GET, "/api/v1/auth/me", NULL, ROLE_ADMIN);
	cr_expect_eq(c.status, 200);
	call_done(&c);
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		c = ask(methods[i], "/api/v1/users/ann", "{}", ROLE_ADMIN);
		cr_expect(c.status == 503 || c.status == 405, "%d", c.status);
		call_done(&c);
	}
	c = ask(METHOD_DELETE, "/api/v1/users/ann", NULL, ROLE_ADMIN);
	cr_expect_eq(c.status, 503);
	call_done(&c);
	cr_expect_eq(fake.nasked, 0);
}

/* RFC 6750 section 3.1. */
Test(tokens, challenges)
{
	struct fake_call c =
	    ask(METHOD_GET, "/api/v1/auth/me", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 401);
	cr_expect(got_is(&c, "WWW-Authenticate", "Bearer realm=\"penstock\""));
	cr_expect_not(says(&c, "reason"));
	call_done(&c);
	c = get_with("/api/v1/auth/me", "a.b.c");
	cr_expect_eq(c.status, 401);
	cr_expect(got_is(&c, "WWW-Authenticate",
	    "Bearer realm=\"penstock\", error=\"invalid_token\", "
	    "error_description=\"the token is malformed\""));
	call_done(&c);
	c = ask(METHOD_GET, "/api/v1/users", NULL, ROLE_VIEWER);
	cr_expect_eq(c.status, 403);
	cr_expect(got_is(&c, "WWW-Authenticate",
	    "Bearer realm=\"penstock\", error=\"insufficient_scope\", "
	    "error_description=\"role viewer may not do this\""));
	call_done(&c);
}

static struct {
	int asked;
	bool busy;
	void (*done)(void *);
	void *arg;
} keys;

static enum err
keys_refresh(void (*done)(void *), void *arg)
{
	keys.asked++;
	keys.done = done;
	keys.arg = arg;
	return (keys.busy ? ERR_BUSY : ERR_OK);
}

/* A token by a key that comes while it waits. */
static struct fake_call
by_late_key(bool comes, bool leaves)
{
	static struct token_foreign foreign = {.issuer = "i",
	    .audience = "a",
	    .role_claim = "role",
	    .zones_claim = "zones",
	    .life_s = 86400};
	static char bearer[TOKEN_MAX + 8];
	struct fake_call c;

	fake_keys(OTHER);
	snprintf(bearer, sizeof(bearer), "%s", fake_bearer(ROLE_VIEWER));
	fake_keys("0123456789abcdef0123456789abcdef");
	fake.trust.foreign = &foreign;
	fake.api.keys_refresh = keys_refresh;
	call_init(&c, METHOD_GET, "/api/v1/auth/me", NULL);
	call_header(&c, "Authorization", bearer);
	api_dispatch(&fake.api, &c.x);
	fake_turn();
	if (keys.busy)
		return (c);
	cr_assert_eq(c.answers, 0);
	if (comes)
		fake_keys("0123456789abcdef0123456789abcdef\n" OTHER);
	if (leaves)
		call_leave(&c);
	keys.done(keys.arg);
	return (c);
}

Test(tokens, wait_for_a_key_that_may_be_new)
{
	struct fake_call c = by_late_key(true, false);

	cr_expect_eq(c.status, 200, "%s", c.body);
	cr_expect_eq(keys.asked, 1);
	call_done(&c);
	c = by_late_key(false, false);
	cr_expect_eq(c.status, 401);
	cr_expect(says(&c, "key is not known"));
	cr_expect_eq(keys.asked, 2);
	call_done(&c);
	c = by_late_key(true, true);
	cr_expect_eq(c.answers, 0);
	keys.busy = true;
	c = by_late_key(false, false);
	cr_expect_eq(c.status, 401);
	call_done(&c);
}

/* What an Idempotency-Key keeps would tell a second session of the first. */
Test(tokens, a_log_out_is_always_done)
{
	static const char *const paths[] = {
	    "/api/v1/auth/logout", "/api/v1/auth/logout-all"};
	static const enum statement asked[] = {
	    ST_session_end, ST_session_end_all};
	struct fake_call c;

	for (size_t i = 0; i < 2; i++) {
		call_init(&c, METHOD_POST, paths[i], NULL);
		call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
		call_header(&c, "Idempotency-Key", "abc-1");
		call_run(&c);
		cr_assert_eq(fake.nasked, i + 1);
		cr_expect_eq(fake.asked[i].statement, asked[i]);
		call_done(&c);
	}
}
