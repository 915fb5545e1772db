#include "api/fake.h"
#include "api/route.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(dispatch, .init = fake_init, .fini = fake_done);

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
	    "/Health", "//health", "/api/v1/nodes/%", "/api/v1%2Fnodes",
	    "/%2568ealth"};

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
	struct fake_call c = ask(METHOD_OPTIONS,
	    "/api/v1/series/N1/volume/meter-events/1", NULL, ROLE_ANONYMOUS);

	cr_expect_eq(c.status, 204);
	cr_expect_eq(c.body_len, 0);
	cr_expect(got_is(&c, "Allow", "DELETE, OPTIONS"));
	cr_expect_null(call_got(&c, "Access-Control-Allow-Origin"));
	call_done(&c);
	fake.api.cors_origin = "https://board.example";
	c = ask(METHOD_OPTIONS, "/api/v1/series/N1/volume/meter-events/1", NULL,
	    ROLE_ANONYMOUS);
	cr_expect(
	    got_is(&c, "Access-Control-Allow-Methods", "DELETE, OPTIONS"));
	cr_expect_not_null(strstr(
	    call_got(&c, "Access-Control-Allow-Headers"), "If-None-Match"));
	call_done(&c);
	c = ask(METHOD_OPTIONS, "*", NULL, ROLE_ANONYMOUS);
	cr_expect_eq(c.status, 204);
	cr_expect(got_is(
	    &c, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
	call_done(&c);
	c = ask(METHOD_GET, "/health", NULL, ROLE_ANONYMOUS);
	cr_expect(got_is(&c, "Vary", "Origin"));
	call_done(&c);
}

Test(dispatch, origins)
{
	static const struct {
		const char *list, *own;
		bool allowed;
	} of[] = {
	    {"https://board.example", "https://board.example", true},
	    {"https://a.example  https://b.example:8443",
		"https://b.example:8443", true},
	    {"https://a.example https://b.example:8443", "https://b.example",
		false},
	    {"https://a.example", "https://a.example.evil", false},
	    {"https://a.example", "https://a.example https://b.example", false},
	    {"https://a.example", "null", false},
	    {"https://a.example", "", false},
	    {" ", "", false},
	    {"https://a.example", NULL, false},
	};
	const char *name = "Access-Control-Allow-Origin";
	struct fake_call c;

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		fake.api.cors_origin = of[i].list;
		call_init(&c, METHOD_GET, "/health", NULL);
		if (of[i].own != NULL)
			call_header(&c, "Origin", of[i].own);
		call_run(&c);
		if (of[i].allowed)
			cr_expect(got_is(&c, name, of[i].own), "%zu", i);
		else
			cr_expect_null(call_got(&c, name), "%zu", i);
		cr_expect(got_is(&c, "Vary", "Origin"));
		call_done(&c);
	}
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
	route_find(METHOD_GET, "/%68eal%74h", &m);
	cr_assert_not_null(m.route);
	cr_expect_str_eq(m.route->name, "health");
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
	    {"/api/v1/readings/before?node=A", 422, "metric"},
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
	    {"", 422, "name"},
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
	c = ask(METHOD_POST, "/api/v1/series", big, ROLE_ENGINEER);
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

/* A call whose body is on its way. */
static void
begin_upload(struct fake_call *c, enum method m, const char *path)
{
	call_init(c, m, path, "{}");
	c->x.body_len = 0;
	c->x.body_waits = true;
}

static void
finish_upload(struct fake_call *c)
{
	c->x.body_waits = false;
	c->x.body_len = 2;
	c->on_body(&c->x);
	fake_turn();
}

Test(dispatch, no_body_is_taken_of_who_may_not_send_it)
{
	static const struct {
		const char *path, *authorization;
		int status;
	} rows[] = {{"/api/v1/readings", NULL, 401},
	    {"/api/v1/readings", "Bearer x", 401},
	    {"/api/v1/readings", "Basic eDp5", 401},
	    {"/api/v1/readings", "viewer", 403}, {"/api/v1/no", NULL, 404},
	    {"/api/v1/nodes?x=1", "engineer", 422}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *said = rows[i].authorization;
		struct fake_call c;

		begin_upload(&c, METHOD_POST, rows[i].path);
		if (said != NULL && strcmp(said, "viewer") == 0)
			said = fake_bearer(ROLE_VIEWER);
		else if (said != NULL && strcmp(said, "engineer") == 0)
			said = fake_bearer(ROLE_ENGINEER);
		if (said != NULL)
			call_header(&c, "Authorization", said);
		call_run(&c);
		cr_expect_eq(c.status, rows[i].status, "%zu: %d", i, c.status);
		cr_expect_null(c.on_body, "%zu", i);
		call_done(&c);
	}
}

Test(dispatch, a_body_is_taken_once_it_is_known_whose)
{
	struct fake_call c;

	begin_upload(&c, METHOD_POST, "/api/v1/readings");
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	api_dispatch(&fake.api, &c.x);
	fake_turn();
	cr_assert_eq(c.answers, 0);
	cr_assert_not_null(c.on_body);
	finish_upload(&c);
	cr_expect_eq(c.status, 422, "%d %s", c.status, c.body);
	call_done(&c);
	/* Anybody's body where anybody may send one. */
	begin_upload(&c, METHOD_POST, "/api/v1/auth/token");
	api_dispatch(&fake.api, &c.x);
	cr_assert_not_null(c.on_body);
	finish_upload(&c);
	cr_expect_eq(c.status, 422);
	call_done(&c);
}

Test(dispatch, a_session_may_end_while_its_body_comes)
{
	struct fake_call c;

	begin_upload(&c, METHOD_POST, "/api/v1/readings");
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	api_dispatch(&fake.api, &c.x);
	cr_assert_not_null(c.on_body);
	cr_assert_eq(revoked_put(fake.api.revoked,
			 &(struct revoked_row){.key = FAKE_SESSION,
			     .until_us = FAKE_NOW_US * 2,
			     .change = 1},
			 FAKE_NOW_US),
	    ERR_OK);
	finish_upload(&c);
	cr_expect_eq(c.status, 401);
	call_done(&c);
}

/* ASan tells if anything is left of it, or touched. */
Test(dispatch, a_client_may_leave_while_its_body_comes)
{
	struct fake_call c;

	begin_upload(&c, METHOD_POST, "/api/v1/readings");
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	api_dispatch(&fake.api, &c.x);
	cr_assert_not_null(c.on_body);
	call_leave(&c);
	fake_turn();
	cr_expect_eq(c.answers, 0);
	call_done(&c);
}
