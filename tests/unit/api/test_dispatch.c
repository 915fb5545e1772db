#include "api/fake.h"
#include "api/request.h"
#include "auth/key.h"
#include "auth/password.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(dispatch, .init = fake_init, .fini = fake_done);
TestSuite(identity, .init = fake_init, .fini = fake_done);
TestSuite(once, .init = fake_init, .fini = fake_done);

static struct fake_call
ask(enum method m, const char *path, const char *body, enum role role)
{
	struct fake_call c;

	call_init(&c, m, path, body);
	if (role != ROLE_ANONYMOUS)
		call_header(&c, "Authorization", fake_bearer(role));
	call_run(&c);
	return (c);
}

static bool
says(const struct fake_call *c, const char *text)
{
	return (strstr(c->body, text) != NULL);
}

static bool
got_is(const struct fake_call *c, const char *name, const char *value)
{
	const char *got = call_got(c, name);

	return (got != NULL && strcmp(got, value) == 0);
}

Test(dispatch, health_asks_nothing)
{
	struct fake_call c = ask(METHOD_GET, "/health", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 200);
	cr_expect_str_eq(c.body, "{\"status\":\"alive\"}");
	cr_expect(got_is(&c, "Content-Type", "application/json"));
	cr_expect_eq(fake.nasked, 0);
	call_done(&c);
}

Test(dispatch, head_is_served_by_get)
{
	struct fake_call c = ask(METHOD_HEAD, "/health", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 200);
	call_done(&c);
}

Test(dispatch, unknown_paths)
{
	static const char *const paths[] = {"/", "", "/api", "/api/v1/nodes/",
	    "/api/v1/nodes//latest", "/api/v1/nodes/%2e%2e", "/health/",
	    "/api/v1/nodes/..", "/api/v1/nodes/a%2Fb", "/api/v1/nodes/%zz",
	    "/api/v1/nodes/a%00", "/api/v1/nodes/%ff", "/a/b/c/d/e/f/g/h/i/j",
	    "/Health", "//health", "/api/v1/nodes/%"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct fake_call c =
		    ask(METHOD_GET, paths[i], NULL, ROLE_ADMIN);

		cr_expect_eq(c.status, 404, "%s: %d", paths[i], c.status);
		cr_expect(
		    got_is(&c, "Content-Type", "application/problem+json"));
		cr_expect(says(&c, "\"request_id\":\"req-1\""));
		call_done(&c);
	}
}

Test(dispatch, wrong_method_names_the_right_ones)
{
	struct fake_call c =
	    ask(METHOD_PUT, "/api/v1/users", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 405);
	cr_expect(got_is(&c, "Allow", "GET, HEAD, POST, OPTIONS"));
	call_done(&c);
}

Test(dispatch, options)
{
	struct fake_call c =
	    ask(METHOD_OPTIONS, "/api/v1/users/anna", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 204);
	cr_expect_eq(c.body_len, 0);
	cr_expect(got_is(&c, "Allow", "DELETE, OPTIONS"));
	cr_expect_null(call_got(&c, "Access-Control-Allow-Origin"));
	call_done(&c);
	fake.api.cors_origin = "https://board.example";
	c = ask(METHOD_OPTIONS, "/api/v1/users/anna", NULL, ROLE_ANONYMOUS);
	cr_expect(
	    got_is(&c, "Access-Control-Allow-Origin", "https://board.example"));
	cr_expect(
	    got_is(&c, "Access-Control-Allow-Methods", "DELETE, OPTIONS"));
	call_done(&c);
	c = ask(METHOD_GET, "/health", NULL, ROLE_ANONYMOUS);
	cr_expect(got_is(&c, "Vary", "Origin"));
	call_done(&c);
}

Test(dispatch, literal_goes_before_name)
{
	struct route_match m;

	route_find(METHOD_GET, "/api/v1/series/A%2D1/flow/thresholds", &m);
	cr_assert_not_null(m.route);
	cr_expect_str_eq(m.route->name, "thresholds_get");
	cr_assert_eq(m.nparams, 2);
	cr_expect_str_eq(m.params[0].name, "node");
	cr_expect_str_eq(m.params[0].value, "A-1");
	cr_expect_str_eq(m.params[1].name, "metric");
}

/* path?query -> status and a word of the detail */
Test(dispatch, query_is_checked)
{
	static const struct {
		const char *path;
		int status;
		const char *word;
	} rows[] = {
	    {"/api/v1/latest?color=red", 422, "color"},
	    {"/api/v1/latest?zone=", 422, "zone"},
	    {"/api/v1/latest?zone=A&zone=B", 422, "twice"},
	    {"/api/v1/latest?zone=%zz", 400, "form-encoded"},
	    {"/api/v1/latest?zone=%00", 400, "form-encoded"},
	    {"/api/v1/latest?zone=%ff", 400, "form-encoded"},
	    {"/api/v1/latest?zone=%c3%a8", 200, "items"},
	    {"/api/v1/latest?zone=A&metric=flow", 200, "items"},
	    {"/api/v1/latest?&&zone=A&", 200, "items"},
	    {"/health?x=1", 422, "x"},
	    {"/api/v1/readings?node=A", 422, "metric"},
	    {"/api/v1/readings?node=A&metric=flow&limit=0", 422, "limit"},
	    {"/api/v1/readings?node=A&metric=flow&limit=10001", 422, "limit"},
	    {"/api/v1/readings?node=A&metric=flow&from=monday", 422, "from"},
	    {"/api/v1/readings?node=A&metric=flow&bucket=2h", 422, "bucket"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c =
		    ask(METHOD_GET, rows[i].path, NULL, ROLE_VIEWER);

		cr_expect_eq(c.status, rows[i].status, "%s: %d %s",
		    rows[i].path, c.status, c.body);
		cr_expect(
		    says(&c, rows[i].word), "%s: %s", rows[i].path, c.body);
		call_done(&c);
	}
	cr_expect_eq(fake.nasked, 0);
}

Test(dispatch, body_is_checked)
{
	static const struct {
		const char *body;
		int status;
		const char *word;
	} rows[] = {
	    {"{\"name\":\"pump\"", 400, "line 1"},
	    {"", 415, "Content-Type"},
	    {"[]", 422, "object"},
	    {"\"x\"", 400, "line 1"},
	    {"{\"name\":1}", 422, "/name"},
	    {"{\"name\":\"\"}", 422, "/name"},
	    {"{}", 422, "name"},
	    {"{\"name\":\"a\",\"name\":\"b\"}", 400, "line 1"},
	    {"{\"name\":\"a\",\"nmae\":\"b\"}", 422, "nmae"},
	    {"{\"name\":\"a\\u0000b\"}", 400, "line 1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c;

		call_init(&c, METHOD_POST, "/api/v1/api-keys", rows[i].body);
		if (rows[i].body[0] == '\0')
			c.nheaders = 0;
		call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
		call_run(&c);
		cr_expect_eq(c.status, rows[i].status, "%s: %d %s",
		    rows[i].body, c.status, c.body);
		cr_expect(
		    says(&c, rows[i].word), "%s: %s", rows[i].body, c.body);
		call_done(&c);
	}
	cr_expect_eq(fake.nasked, 0);
}

Test(dispatch, body_bounds_and_type)
{
	static char big[65537 + 1];
	struct fake_call c;

	memset(big, ' ', sizeof(big) - 1);
	c = ask(METHOD_POST, "/api/v1/api-keys", big, ROLE_ENGINEER);
	cr_expect_eq(c.status, 413);
	cr_expect(says(&c, "65536"));
	call_done(&c);
	call_init(&c, METHOD_POST, "/api/v1/api-keys", "name=x");
	c.headers[0].value = "application/x-www-form-urlencoded";
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_run(&c);
	cr_expect_eq(c.status, 415);
	call_done(&c);
	call_init(&c, METHOD_POST, "/api/v1/api-keys", "{}");
	c.headers[0].value = "Application/JSON; charset=utf-8";
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_run(&c);
	cr_expect_eq(c.status, 422);
	call_done(&c);
	c = ask(METHOD_POST, "/api/v1/loop/pause", "{}", ROLE_ENGINEER);
	cr_expect_eq(c.status, 400);
	call_done(&c);
}

/* The database is away or busy: 503 with Retry-After, never 500 or 200. */
Test(dispatch, database_away)
{
	static const enum err errors[] = {ERR_DATABASE, ERR_BUSY};
	struct fake_call c;

	for (size_t i = 0; i < 2; i++) {
		fake.query_refuses = errors[i];
		c = ask(METHOD_GET, "/api/v1/users", NULL, ROLE_ADMIN);
		cr_expect_eq(c.status, 503);
		cr_expect(got_is(&c, "Retry-After", "1"));
		call_done(&c);
	}
	fake.query_refuses = ERR_OK;
	c = ask(METHOD_GET, "/api/v1/users", NULL, ROLE_ADMIN);
	cr_expect_eq(c.status, 503);
	call_done(&c);
}

/* A client that leaves is not answered, and nothing of it is left. */
Test(dispatch, client_leaves)
{
	struct fake_call c;

	call_init(&c, METHOD_GET, "/api/v1/users", NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_ADMIN));
	api_dispatch(&fake.api, &c.x);
	cr_assert_eq(fake_waiting(), 1);
	c.x.on_gone(&c.x);
	fake_turn();
	cr_expect_eq(c.answers, 0);
}

Test(dispatch, ready)
{
	struct fake_call c;

	fake.ndependencies = 2;
	fake.dependencies[0] =
	    (struct dependency){"postgresql", true, true, "connected", 0.5};
	fake.dependencies[1] =
	    (struct dependency){"redis", true, false, "connected", 0.5};
	c = ask(METHOD_GET, "/ready", NULL, ROLE_ANONYMOUS);
	cr_expect_eq(c.status, 200);
	cr_expect(says(&c, "\"status\":\"ready\""));
	call_done(&c);
	fake.dependencies[1].ok = false;
	c = ask(METHOD_GET, "/ready", NULL, ROLE_ANONYMOUS);
	cr_expect_eq(c.status, 200);
	cr_expect(says(&c, "\"status\":\"degraded\""));
	call_done(&c);
	fake.dependencies[0].ok = false;
	c = ask(METHOD_GET, "/ready", NULL, ROLE_ANONYMOUS);
	cr_expect_eq(c.status, 503);
	cr_expect(says(&c, "\"status\":\"not_ready\""));
	call_done(&c);
	fake.dependencies[0].ok = fake.draining = true;
	c = ask(METHOD_GET, "/ready", NULL, ROLE_ANONYMOUS);
	cr_expect_eq(c.status, 503);
	cr_expect(says(&c, "\"status\":\"draining\""));
	call_done(&c);
}

Test(dispatch, metrics_are_text)
{
	struct fake_call c = ask(METHOD_GET, "/metrics", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 200);
	cr_expect(got_is(
	    &c, "Content-Type", "text/plain; version=0.0.4; charset=utf-8"));
	cr_expect(says(&c, "penstock_up 1\n"));
	call_done(&c);
}

Test(identity, bad_authorization)
{
	static const char *const rows[] = {"Basic YTpi", "Bearer", "Bearer ",
	    "Bearer x", "bearer pk_short", "Token x", "",
	    "Bearer pk_ABCDEFGHIJKLMNOP-0123456789012345678901234567890123456"
	    "789012"};
	struct fake_call c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		call_init(&c, METHOD_GET, "/api/v1/latest", NULL);
		call_header(&c, "Authorization", rows[i]);
		call_run(&c);
		cr_expect_eq(c.status, 401, "%s", rows[i]);
		cr_expect(got_is(&c, "WWW-Authenticate", "Bearer"));
		call_done(&c);
	}
	cr_expect_eq(fake.refreshes, 0);
}

static struct key new_key;
static char new_text[KEY_LEN + 1], new_bearer[KEY_LEN + 16];

static void
put_key(bool revoked, int64_t change)
{
	struct key_row row = {
	    new_key.id, "pump house", new_key.sha, revoked, change};

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

static char stored_hash[PASSWORD_HASH];

static struct fake_call
log_in(const char *username, const char *password)
{
	char body[400];

	snprintf(body, sizeof(body),
	    "{\"username\":\"%s\",\"password\":\"%s\"}", username, password);
	return (ask(METHOD_POST, "/api/v1/auth/token", body, ROLE_ANONYMOUS));
}

/* The token that is given opens the doors of its role. */
Test(identity, log_in)
{
	struct fake_rows rows[] = {{.statement = ST_user_login,
				       .n = 1,
				       .columns = 2,
				       .cells = {stored_hash, "engineer"}},
	    {.columns = 0}};
	struct fake_call c, d;
	char bearer[1200], *token, *end;

	cr_assert_eq(
	    password_hash("correct horse battery", stored_hash, NULL), ERR_OK);
	fake.rows = rows;
	c = log_in("anna", "correct horse battery");
	cr_assert_eq(c.status, 200);
	cr_expect(says(&c,
	    "\"token_type\":\"Bearer\",\"expires_in\":900,"
	    "\"role\":\"engineer\""));
	cr_expect_eq(fake.asked[0].lane, LANE_FAST);
	cr_expect_str_eq(fake.asked[0].params[0], "anna");
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
	struct fake_rows rows[] = {{.statement = ST_user_login,
				       .n = 1,
				       .columns = 2,
				       .cells = {stored_hash, "engineer"}},
	    {.columns = 0}};
	struct fake_call c, d;

	cr_assert_eq(
	    password_hash("correct horse battery", stored_hash, NULL), ERR_OK);
	fake.rows = rows;
	c = log_in("anna", "correct horse batterx");
	rows[0].n = 0;
	d = log_in("nobody", "correct horse battery");
	cr_expect_eq(c.status, 401);
	cr_expect_eq(d.status, 401);
	cr_expect_str_eq(c.body, d.body);
	cr_expect(got_is(&d, "WWW-Authenticate", "Bearer"));
	call_done(&c);
	call_done(&d);
}

Test(identity, too_many_wait_for_a_hash)
{
	struct fake_rows rows[] = {
	    {.statement = ST_user_login, .n = 0, .columns = 2}, {.columns = 0}};
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
				       .columns = 1,
				       .cells = {"{\"username\":\"bo\"}"}},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = ask(METHOD_POST, "/api/v1/users",
	    "{\"username\":\"bo\",\"password\":\"correct horse battery\","
	    "\"role\":\"operator\"}",
	    ROLE_ADMIN);
	cr_expect_eq(c.status, 201);
	cr_expect(got_is(&c, "Location", "/api/v1/users/bo"));
	cr_expect_not(says(&c, "horse"));
	cr_expect(
	    password_verify(fake.asked[0].params[1], "correct horse battery"));
	call_done(&c);
	rows[0].n = 0;
	c = ask(METHOD_POST, "/api/v1/users",
	    "{\"username\":\"bo\",\"password\":\"correct horse battery\","
	    "\"role\":\"operator\"}",
	    ROLE_ADMIN);
	cr_expect_eq(c.status, 409);
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

Test(identity, keys_are_shown_once)
{
	struct fake_rows rows[] = {{.statement = ST_api_key_create,
				       .n = 1,
				       .columns = 1,
				       .cells = {"2026-11-18T11:06:40Z"}},
	    {.columns = 0}};
	struct fake_call c;
	struct key key;
	char text[KEY_LEN + 1], *at;

	fake.rows = rows;
	c = ask(METHOD_POST, "/api/v1/api-keys", "{\"name\":\"pump house\"}",
	    ROLE_ENGINEER);
	cr_assert_eq(c.status, 201);
	cr_assert_not_null(at = strstr(c.body, "\"key\":\"pk_"));
	snprintf(text, sizeof(text), "%s", at + strlen("\"key\":\""));
	cr_assert(key_parse(text, &key));
	cr_expect_str_eq(fake.asked[0].params[0], key.id);
	cr_expect_eq(fake.asked[0].lens[2], DIGEST_LEN);
	cr_expect_eq(memcmp(fake.asked[0].params[2], key.sha, DIGEST_LEN), 0);
	cr_expect_str_eq(fake.asked[0].params[3], "engineer");
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

/* The client left after its key was claimed: the answer is kept for its
 * next attempt. */
Test(once, answer_is_kept_for_a_client_that_left)
{
	struct fake_call c;

	fake.rows = claim_rows;
	call_init(&c, METHOD_POST, "/api/v1/nodes", NODE_BODY);
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_header(&c, "Idempotency-Key", "abc-1");
	api_dispatch(&fake.api, &c.x);
	fake_step();
	c.x.on_gone(&c.x);
	fake_turn();
	cr_expect_eq(c.answers, 0);
	cr_assert_eq(fake.nasked, 3);
	cr_expect_eq(fake.asked[2].statement, ST_idempotency_keep);
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
