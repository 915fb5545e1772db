#include "api/fake.h"
#include "api/request.h"
#include "auth/key.h"
#include "auth/password.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(identity, .init = fake_init, .fini = fake_done);
TestSuite(once, .init = fake_init, .fini = fake_done);

Test(identity, bad_authorization)
{
	static const char *const rows[] = {"Basic YTpi", "Bearer", "Bearer ",
	    "Bearer x", "bearer pk_short", "Token x", "",
	    ("Bearer pk_ABCDEFGHIJKLMNOP-012345678901234567890123456789012345"
	     "6789012")};
	struct fake_call c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		call_init(&c, METHOD_GET, "/api/v1/latest", NULL);
		call_header(&c, "Authorization", rows[i]);
		call_run(&c);
		cr_expect_eq(c.status, 401, "%s", rows[i]);
		cr_expect_eq(strncmp(call_got(&c, "WWW-Authenticate"),
				 "Bearer realm=\"penstock\"", 23),
		    0);
		call_done(&c);
	}
	cr_expect_eq(fake.refreshes, 0);
}

static struct key new_key;
static char new_text[KEY_LEN + 1], new_bearer[KEY_LEN + 16];

static void
put_key(bool revoked, int64_t change)
{
	struct key_row row = {.id = new_key.id,
	    .label = "pump house",
	    .sha256 = new_key.sha,
	    .revoked = revoked,
	    .change = change};

	cr_assert_eq(registry_put_key(fake.api.registry, &row), ERR_OK);
}

static void
learn_key(void)
{
	put_key(false, 1);
}

static int
post_with_key(const char *bearer)
{
	struct fake_call c;
	int status;

	call_init(&c, METHOD_POST, "/api/v1/readings", "{\"readings\":[]}");
	call_header(&c, "Authorization", bearer);
	call_run(&c);
	status = c.status;
	call_done(&c);
	return (status);
}

Test(identity, device_key)
{
	char *last = new_bearer + 7 + KEY_LEN - 2;

	key_new(&new_key, new_text);
	snprintf(new_bearer, sizeof(new_bearer), "Bearer %s", new_text);
	cr_expect_eq(post_with_key(new_bearer), 401);
	cr_expect_eq(fake.refreshes, 1);
	fake.on_refresh = learn_key;
	cr_expect_eq(post_with_key(new_bearer), 200);
	cr_expect_eq(fake.refreshes, 2);
	cr_expect_eq(post_with_key(new_bearer), 200);
	cr_expect_eq(fake.refreshes, 2);
	*last = *last == 'x' ? 'y' : 'x';
	cr_expect_eq(post_with_key(new_bearer), 401);
	*last = new_text[KEY_LEN - 2];
	cr_expect_eq(post_with_key(new_bearer), 200);
	put_key(true, 2);
	cr_expect_eq(post_with_key(new_bearer), 401);
}

/* Once a minute and key at most, and nobody waits for it. */
Test(identity, a_use_is_told_of)
{
	key_new(&new_key, new_text);
	snprintf(new_bearer, sizeof(new_bearer), "Bearer %s", new_text);
	learn_key();
	for (int i = 0; i < 3; i++)
		cr_expect_eq(post_with_key(new_bearer), 200);
	cr_assert_eq(fake.nasked, 1);
	cr_expect_eq(fake.asked[0].statement, ST_api_keys_used);
	cr_expect_eq(fake.asked[0].lane, LANE_SLOW);
	cr_expect_eq(fake.asked[0].params[0][0], '{');
	cr_expect_eq(
	    strncmp(fake.asked[0].params[0] + 1, new_key.id, KEY_ID), 0);
	cr_expect_str_eq(fake.asked[0].params[1], "{1795000000000000}");
}

Test(identity, a_key_expires)
{
	struct key_row row;

	key_new(&new_key, new_text);
	snprintf(new_bearer, sizeof(new_bearer), "Bearer %s", new_text);
	row = (struct key_row){.id = new_key.id,
	    .sha256 = new_key.sha,
	    .change = 1,
	    .expires_us = FAKE_NOW_US + 1};
	cr_assert_eq(registry_put_key(fake.api.registry, &row), ERR_OK);
	cr_expect_eq(post_with_key(new_bearer), 200);
	row.expires_us = FAKE_NOW_US;
	row.change = 2;
	cr_assert_eq(registry_put_key(fake.api.registry, &row), ERR_OK);
	cr_expect_eq(post_with_key(new_bearer), 401);
}

static char stored_hash[PASSWORD_HASH];

static struct fake_call
log_in(const char *username, const char *password)
{
	char body[400];

	snprintf(body, sizeof(body),
	    "{\"username\":\"%s\",\"password\":\"%s\"}", username, password);
	return (ask(METHOD_POST, "/api/v1/auth/token", body, ROLE_ANONYMOUS));
}

/* Any number of tries, and a user who is still the same afterwards. */
static const struct fake_rows begun = {.statement = ST_login_begin,
				  .n = 1,
				  .columns = 4,
				  .cells = {stored_hash, "engineer", "0", "t"}},
			      done = {.statement = ST_login_done,
				  .n = 1,
				  .columns = 1,
				  .cells = {"engineer"}},
			      session = {.statement = ST_session_begin,
				  .n = 1,
				  .columns = 5,
				  .cells = {
				      "ok", "41", "anna", "engineer", "7200"}};

/* The token that is given opens the doors of its role. */
Test(identity, log_in)
{
	struct fake_rows rows[] = {begun, done, session, {.columns = 0}};
	struct fake_call c, d;
	char bearer[1200], *token, *end;

	cr_assert_eq(
	    password_hash("correct horse battery", stored_hash, NULL), ERR_OK);
	fake.rows = rows;
	c = log_in("anna", "correct horse battery");
	cr_assert_eq(c.status, 200);
	cr_expect(says(&c,
	    "\"token_type\":\"Bearer\",\"expires_in\":900,"
	    "\"refresh_token\":\"pr_"));
	cr_expect(
	    says(&c, "\"refresh_expires_in\":7200,\"role\":\"engineer\""));
	cr_expect_eq(fake.asked[0].lane, LANE_FAST);
	cr_expect_str_eq(fake.asked[0].params[0], "anna");
	cr_expect_str_eq(fake.asked[0].params[1], "127.0.0.1");
	cr_expect_str_eq(fake.asked[0].params[2], "5");
	cr_expect_str_eq(fake.asked[1].params[2], stored_hash);
	cr_expect_str_eq(fake.asked[1].params[3], "t");
	cr_expect_str_eq(fake.asked[2].params[0], "anna");
	cr_expect_str_eq(fake.asked[2].params[1], stored_hash);
	cr_expect_str_eq(fake.asked[2].params[4], "43200");
	cr_assert_not_null(token = strstr(c.body, "access_token\":\""));
	token += strlen("access_token\":\"");
	cr_assert_not_null(end = strchr(token, '"'));
	snprintf(
	    bearer, sizeof(bearer), "Bearer %.*s", (int)(end - token), token);
	call_init(&d, METHOD_GET, "/api/v1/latest", NULL);
	call_header(&d, "Authorization", bearer);
	call_run(&d);
	cr_expect_eq(d.status, 200);
	call_done(&d);
	call_done(&c);
}

Test(identity, wrong_password_and_unknown_user_look_the_same)
{
	struct fake_rows rows[] = {begun, done, {.columns = 0}};
	struct fake_call c, d;

	cr_assert_eq(
	    password_hash("correct horse battery", stored_hash, NULL), ERR_OK);
	fake.rows = rows;
	c = log_in("anna", "correct horse batterx");
	rows[0].cells[0] = rows[0].cells[1] = NULL;
	d = log_in("nobody", "correct horse battery");
	cr_expect_eq(c.status, 401);
	cr_expect_eq(d.status, 401);
	cr_expect_str_eq(c.body, d.body);
	cr_expect(got_is(&d, "WWW-Authenticate", "Bearer realm=\"penstock\""));
	call_done(&c);
	call_done(&d);
}

/* No password is looked at while an account or an address has to wait. */
Test(identity, a_wait_is_told)
{
	struct fake_rows rows[] = {begun, {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	fake.offload_refuses = ERR_BUSY;
	rows[0].cells[0] = rows[0].cells[1] = NULL;
	rows[0].cells[2] = "17";
	c = log_in("anna", "correct horse battery");
	cr_expect_eq(c.status, 429);
	cr_expect(got_is(&c, "Retry-After", "17"));
	cr_expect(got_is(&c, "Content-Type", "application/problem+json"));
	cr_expect_eq(fake.nasked, 1);
	call_done(&c);
}

/* Disabled, or given another password, while the password was checked. */
Test(identity, a_user_who_changed_meanwhile_gets_no_token)
{
	struct fake_rows rows[] = {begun, done, {.columns = 0}};
	struct fake_call c;

	cr_assert_eq(
	    password_hash("correct horse battery", stored_hash, NULL), ERR_OK);
	fake.rows = rows;
	rows[1].n = 0;
	c = log_in("anna", "correct horse battery");
	cr_expect_eq(c.status, 401);
	call_done(&c);
}

Test(identity, too_many_wait_for_a_hash)
{
	struct fake_rows rows[] = {begun, {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	fake.offload_refuses = ERR_BUSY;
	c = log_in("anna", "correct horse battery");
	cr_expect_eq(c.status, 503);
	cr_expect(got_is(&c, "Retry-After", "1"));
	call_done(&c);
}

Test(identity, users_are_created)
{
	struct fake_rows rows[] = {{.statement = ST_user_create,
				       .n = 1,
				       .columns = 3,
				       .cells = {"{\"username\":\"bo\"}",
					   "\"7\"", "/api/v1/users/bo"}},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = ask(METHOD_POST, "/api/v1/users",
	    "{\"username\":\"bo\",\"password\":\"correct horse battery\","
	    "\"role\":\"operator\",\"zones\":[\"north\"]}",
	    ROLE_ADMIN);
	cr_expect_eq(c.status, 201);
	cr_expect_str_eq(fake.asked[0].params[0],
	    "{\"username\":\"bo\",\"role\":\"operator\",\"zones\":[\"north\"]"
	    "}");
	cr_expect(got_is(&c, "Location", "/api/v1/users/bo"));
	cr_expect_not(says(&c, "horse"));
	cr_expect(
	    password_verify(fake.asked[0].params[1], "correct horse battery"));
	call_done(&c);
}

static const struct fake_rows stored = {
    .statement = ST_user_set_password, .n = 1, .columns = 1, .cells = {"t"}};

Test(identity, an_admin_gives_another_password)
{
	struct fake_rows rows[] = {stored, {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = ask(METHOD_PUT, "/api/v1/users/bo/password",
	    "{\"password\":\"correct horse battery\"}", ROLE_ADMIN);
	cr_expect_eq(c.status, 204, "%s", c.body);
	cr_expect_str_eq(fake.asked[0].params[0], "bo");
	cr_expect(
	    password_verify(fake.asked[0].params[1], "correct horse battery"));
	cr_expect_eq(fake.asked[0].lens[2], -1);
	call_done(&c);
}

#define OWN_PASSWORD                                   \
	"{\"old_password\":\"correct horse battery\"," \
	"\"new_password\":\"brass lantern orbit\"}"

/* The new one is stored only over the one that was checked. */
Test(identity, own_password_needs_the_old_one)
{
	struct fake_rows rows[] = {begun, done, stored, {.columns = 0}};
	struct fake_call c;

	cr_assert_eq(
	    password_hash("correct horse battery", stored_hash, NULL), ERR_OK);
	fake.rows = rows;
	c = ask(METHOD_PUT, "/api/v1/auth/password", OWN_PASSWORD, ROLE_VIEWER);
	cr_expect_eq(c.status, 204, "%s", c.body);
	cr_assert_eq(fake.nasked, 3);
	cr_expect_str_eq(fake.asked[2].params[0], "viewer");
	cr_expect(
	    password_verify(fake.asked[2].params[1], "brass lantern orbit"));
	cr_expect_str_eq(fake.asked[2].params[2], stored_hash);
	call_done(&c);
	rows[2].cells[0] = "f";
	c = ask(METHOD_PUT, "/api/v1/auth/password", OWN_PASSWORD, ROLE_VIEWER);
	cr_expect_eq(c.status, 409);
	call_done(&c);
	cr_assert_eq(
	    password_hash("another old battery", stored_hash, NULL), ERR_OK);
	fake.nasked = 0;
	c = ask(METHOD_PUT, "/api/v1/auth/password", OWN_PASSWORD, ROLE_VIEWER);
	cr_expect_eq(c.status, 422);
	cr_expect(says(&c, "/old_password"));
	cr_expect_eq(fake.nasked, 1);
	call_done(&c);
}

Test(identity, user_bodies)
{
	static const struct {
		const char *body, *pointer;
	} rows[] = {
	    {"{\"username\":\"Bo\",\"password\":\"correct horse battery\","
	     "\"role\":\"operator\"}",
		"/username"},
	    {"{\"username\":\".bo\",\"password\":\"correct horse battery\","
	     "\"role\":\"operator\"}",
		"/username"},
	    {"{\"username\":\"bo\",\"password\":\"short\","
	     "\"role\":\"operator\"}",
		"/password"},
	    {"{\"username\":\"bo\",\"password\":\"correct horse battery\","
	     "\"role\":\"device\"}",
		"/role"},
	    {"{\"username\":\"bo\",\"password\":\"Password2024!\","
	     "\"role\":\"operator\"}",
		"/password"},
	    {"{\"username\":\"bo\",\"password\":\"correct horse battery\","
	     "\"role\":\"operator\",\"zones\":[\"a\",7]}",
		"/zones/1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c =
		    ask(METHOD_POST, "/api/v1/users", rows[i].body, ROLE_ADMIN);

		cr_expect_eq(c.status, 422, "%s", c.body);
		cr_expect(says(&c, rows[i].pointer), "%s", c.body);
		call_done(&c);
	}
	cr_expect_eq(fake.nasked, 0);
}

/* What the answer shows is what was given to the database, from `at` on. */
static void
expect_new_key(const struct fake_call *c, int at)
{
	struct key key;
	char text[KEY_LEN + 1];
	const char *shown = strstr(c->body, "\"key\" : \"pk_");

	cr_assert_not_null(shown);
	snprintf(text, sizeof(text), "%s", shown + strlen("\"key\" : \""));
	cr_assert(key_parse(text, &key));
	cr_expect_str_eq(fake.asked[0].params[at], key.id);
	cr_expect_eq(fake.asked[0].lens[at + 1], DIGEST_LEN);
	cr_expect_eq(
	    memcmp(fake.asked[0].params[at + 1], key.sha, DIGEST_LEN), 0);
	cr_expect_str_eq(fake.asked[0].params[at + 2], "engineer");
}

Test(identity, keys_are_shown_once)
{
	struct fake_rows rows[] = {
	    {.statement = ST_api_key_create,
		.n = 1,
		.columns = 3,
		.cells = {"{\"id\" : \"x\"}", "\"7\"", "/api/v1/api-keys/x"}},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = ask(METHOD_POST, "/api/v1/api-keys", "{\"name\":\"pump house\"}",
	    ROLE_ENGINEER);
	cr_assert_eq(c.status, 201, "%s", c.body);
	cr_expect(got_is(&c, "Location", "/api/v1/api-keys/x"));
	cr_expect_str_eq(fake.asked[0].params[0], "{\"name\":\"pump house\"}");
	expect_new_key(&c, 1);
	call_done(&c);
	fake.nasked = 0;
	rows[0].statement = ST_api_key_rotate;
	c = ask(METHOD_POST, "/api/v1/api-keys/OLD/rotate",
	    "{\"overlap_s\":60}", ROLE_ENGINEER);
	cr_assert_eq(c.status, 201, "%s", c.body);
	cr_expect_str_eq(fake.asked[0].params[0], "OLD");
	cr_expect_str_eq(fake.asked[0].params[1], "{\"overlap_s\":60}");
	expect_new_key(&c, 2);
	call_done(&c);
}

/* Idempotency-Key, on a route that is one statement. */
#define NODE_BODY "{\"code\":\"N1\",\"type\":\"tank\"}"

static struct fake_call
create(const char *key)
{
	struct fake_call c;

	call_init(&c, METHOD_POST, "/api/v1/nodes", NODE_BODY);
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_header(&c, "Idempotency-Key", key);
	call_run(&c);
	return (c);
}

static struct fake_rows claim_rows[] = {
    {.statement = ST_idempotency_claim,
	.n = 1,
	.columns = 5,
	.cells = {"t", "t", "0", "", NULL}},
    {.statement = ST_nodes_create,
	.n = 1,
	.columns = 3,
	.cells = {"{\"code\":\"N1\"}", "\"e1\"", "/api/v1/nodes/N1"}},
    {.statement = ST_idempotency_keep, .n = 0, .columns = 1},
    {.statement = ST_idempotency_drop, .n = 0, .columns = 1},
    {.columns = 0},
};

Test(once, first_answer_is_kept_before_it_leaves)
{
	struct fake_call c;

	fake.rows = claim_rows;
	c = create("abc-1");
	cr_expect_eq(c.status, 201, "%s", c.body);
	cr_expect_str_eq(c.body, "{\"code\":\"N1\"}");
	cr_expect(got_is(&c, "Location", "/api/v1/nodes/N1"));
	cr_expect(got_is(&c, "ETag", "\"e1\""));
	cr_assert_eq(fake.nasked, 3);
	cr_expect_eq(fake.asked[2].statement, ST_idempotency_keep);
	cr_expect_str_eq(fake.asked[2].params[0], "engineer");
	cr_expect_str_eq(fake.asked[2].params[1], "abc-1");
	cr_expect_str_eq(fake.asked[2].params[2], "201");
	cr_expect_str_eq(fake.asked[2].params[3], "{\"code\":\"N1\"}");
	cr_expect_str_eq(fake.asked[2].params[4], "/api/v1/nodes/N1");
	call_done(&c);
}

Test(once, kept_answer_is_given_again)
{
	struct fake_rows rows[] = {
	    {.statement = ST_idempotency_claim,
		.n = 1,
		.columns = 5,
		.cells = {"f", "t", "201", "{\"code\":\"N1\"}",
		    "/api/v1/nodes/N1"}},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = create("abc-1");
	cr_expect_eq(c.status, 201);
	cr_expect_str_eq(c.body, "{\"code\":\"N1\"}");
	cr_expect(got_is(&c, "Location", "/api/v1/nodes/N1"));
	cr_expect(got_is(&c, "Idempotency-Replayed", "true"));
	cr_expect_eq(fake.nasked, 1);
	call_done(&c);
}

Test(once, other_request_or_unfinished_one)
{
	struct fake_rows rows[] = {{.statement = ST_idempotency_claim,
				       .n = 1,
				       .columns = 5,
				       .cells = {"f", "f", "201", "{}", NULL}},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = create("abc-1");
	cr_expect_eq(c.status, 422);
	call_done(&c);
	rows[0].cells[1] = "t";
	rows[0].cells[2] = "0";
	c = create("abc-1");
	cr_expect_eq(c.status, 409);
	call_done(&c);
	rows[0].n = 0;
	c = create("abc-1");
	cr_expect_eq(c.status, 409);
	call_done(&c);
}

/* What failed for our own reasons is not kept. */
Test(once, failure_gives_the_key_back)
{
	struct fake_rows rows[] = {claim_rows[0],
	    {.statement = ST_nodes_create, .error = ERR_DATABASE},
	    claim_rows[3], {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = create("abc-1");
	cr_expect_eq(c.status, 503);
	cr_expect(got_is(&c, "Retry-After", "1"));
	cr_assert_eq(fake.nasked, 3);
	cr_expect_eq(fake.asked[2].statement, ST_idempotency_drop);
	call_done(&c);
}

/* The client left while its key was being claimed, or after: the answer is
 * kept for its next attempt. */
Test(once, answer_is_kept_for_a_client_that_left)
{
	for (int steps = 0; steps < 2; steps++) {
		struct fake_call c;

		fake.rows = claim_rows;
		fake.nasked = 0;
		call_init(&c, METHOD_POST, "/api/v1/nodes", NODE_BODY);
		call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
		call_header(&c, "Idempotency-Key", "abc-1");
		api_dispatch(&fake.api, &c.x);
		for (int i = 0; i < steps; i++)
			fake_step();
		c.x.on_gone(&c.x);
		fake_turn();
		cr_expect_eq(c.answers, 0);
		cr_assert_eq(fake.nasked, 3, "after %d", steps);
		cr_expect_eq(fake.asked[2].statement, ST_idempotency_keep);
	}
}

/* Without our secret nobody can try passwords on what is kept. */
Test(once, request_is_kept_as_a_keyed_hash)
{
	struct fake_call c;
	char first[DIGEST_LEN];

	fake.rows = claim_rows;
	c = create("abc-1");
	call_done(&c);
	memcpy(first, fake.asked[0].params[2], sizeof(first));
	c = create("abc-1");
	call_done(&c);
	cr_expect_eq(memcmp(fake.asked[3].params[2], first, DIGEST_LEN), 0);
	fake_keys("another secret of at least 32 bytes");
	c = create("abc-1");
	call_done(&c);
	cr_expect_neq(memcmp(fake.asked[6].params[2], first, DIGEST_LEN), 0);
}

Test(once, keys_of_the_wrong_form)
{
	static const char *const keys[] = {"", "a b", "\xc3\xa8",
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "4"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct fake_call c = create(keys[i]);

		cr_expect_eq(c.status, 400, "%s", keys[i]);
		call_done(&c);
	}
	cr_expect_eq(fake.nasked, 0);
}

Test(once, secrets_are_not_kept)
{
	struct fake_call c;

	call_init(&c, METHOD_POST, "/api/v1/api-keys", "{\"name\":\"x\"}");
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_header(&c, "Idempotency-Key", "abc-1");
	call_run(&c);
	cr_expect_eq(c.status, 422);
	cr_expect_eq(fake.nasked, 0);
	call_done(&c);
}
