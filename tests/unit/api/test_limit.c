/* What is refused because there is too much of it, and what never is. */
#include "api/fake.h"
#include "api/route.h"
#include "auth/limits.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define S INT64_C(1000000)

static struct limits limits;
static enum pressure level;

static enum pressure
pressure(int64_t now_us)
{
	(void)now_us;
	return (level);
}

static void
set(enum limit_class c, enum limit_by by, const char *name, const char *text)
{
	struct limit *l = &limits.of[c][by];

	cr_assert_eq(limits_parse(text, l, NULL), ERR_OK);
	l->name = name;
}

static void
init(void)
{
	static const unsigned char seed[BUCKETS_SEED];

	fake_init();
	memset(&limits, 0, sizeof(limits));
	limits.buckets = buckets_init(calloc(1, buckets_size()), seed);
	fake.api.limits = &limits;
	fake.api.pressure = pressure;
	level = PRESSURE_NONE;
}

static void
fini(void)
{
	free(limits.buckets);
	fake_done();
}

TestSuite(limit, .init = init, .fini = fini);

/* One call at that time from that address. */
static struct fake_call
call(
    enum method m, const char *path, enum role role, uint64_t place, int64_t at)
{
	struct fake_call c;

	call_init(&c, m, path, NULL);
	c.x.place = place;
	c.x.started_us = at;
	if (role != ROLE_ANONYMOUS)
		call_header(&c, "Authorization", fake_bearer(role));
	call_run(&c);
	return (c);
}

static int
status(
    enum method m, const char *path, enum role role, uint64_t place, int64_t at)
{
	struct fake_call c = call(m, path, role, place, at);
	int got = c.status;

	call_done(&c);
	return (got);
}

#define ME "/api/v1/auth/me"

Test(limit, by_address_comes_before_who_it_is)
{
	struct fake_call c;

	set(LIMIT_READ, LIMIT_ADDRESS, "read-address", "2/20");
	cr_expect_eq(status(METHOD_GET, ME, ROLE_ANONYMOUS, 1, S), 401);
	cr_expect_eq(status(METHOD_GET, "/nowhere", ROLE_VIEWER, 1, S), 404);
	c = call(METHOD_GET, ME, ROLE_ADMIN, 1, S);
	cr_expect_eq(c.status, 429);
	cr_expect(got_is(&c, "Content-Type", "application/problem+json"));
	cr_expect(got_is(&c, "Retry-After", "10"));
	cr_expect(got_is(&c, "RateLimit", "\"read-address\";r=0;t=10"));
	cr_expect(got_is(&c, "RateLimit-Policy", "\"read-address\";q=2;w=20"));
	cr_expect(says(&c, "\"reason\":\"read-address\""));
	call_done(&c);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_ADMIN, 2, S), 200);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_ADMIN, 1, 11 * S), 200);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_ADMIN, 1, 11 * S), 429);
}

Test(limit, by_principal_wherever_it_comes_from)
{
	set(LIMIT_READ, LIMIT_PRINCIPAL, "read", "2/20");
	cr_expect_eq(status(METHOD_GET, ME, ROLE_VIEWER, 1, S), 200);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_VIEWER, 2, S), 200);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_VIEWER, 3, S), 429);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_ANONYMOUS, 3, S), 401);
	cr_expect_eq(status(METHOD_GET, ME, ROLE_VIEWER, 3, 11 * S), 200);
}

Test(limit, is_told_once_half_is_used)
{
	struct fake_call c;

	set(LIMIT_READ, LIMIT_PRINCIPAL, "read", "4/8");
	for (int i = 0; i < 2; i++) {
		c = call(METHOD_GET, ME, ROLE_VIEWER, 1, S);
		cr_expect_null(call_got(&c, "RateLimit"));
		call_done(&c);
	}
	c = call(METHOD_GET, ME, ROLE_VIEWER, 1, S);
	cr_expect(got_is(&c, "RateLimit", "\"read\";r=1;t=2"));
	call_done(&c);
	/* The nearer one is. */
	set(LIMIT_READ, LIMIT_ADDRESS, "read-address", "100/100");
	c = call(METHOD_GET, ME, ROLE_VIEWER, 1, S);
	cr_expect(got_is(&c, "RateLimit", "\"read\";r=0;t=2"));
	call_done(&c);
}

Test(limit, of_one_request_is_told_too)
{
	struct fake_call c;

	set(LIMIT_READ, LIMIT_PRINCIPAL, "read", "1/8");
	for (int i = 0; i < 2; i++) {
		c = call(METHOD_GET, ME, ROLE_VIEWER, 1, S);
		cr_expect_eq(c.status, i == 0 ? 200 : 429);
		cr_expect(got_is(&c, "RateLimit", "\"read\";r=0;t=8"));
		call_done(&c);
	}
}

Test(limit, without_buckets_nothing_is_limited)
{
	set(LIMIT_READ, LIMIT_ADDRESS, "read-address", "1/60");
	free(limits.buckets);
	limits.buckets = NULL;
	for (int i = 0; i < 3; i++)
		cr_expect_eq(status(METHOD_GET, ME, ROLE_VIEWER, 1, S), 200);
}

Test(limit, health_has_none)
{
	set(LIMIT_READ, LIMIT_ADDRESS, "read-address", "1/60");
	level = PRESSURE_READ;
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(
		    status(METHOD_GET, "/health", ROLE_ANONYMOUS, 1, S), 200);
		cr_expect_neq(
		    status(METHOD_GET, "/ready", ROLE_ANONYMOUS, 1, S), 429);
	}
	cr_expect_eq(status(METHOD_GET, "/metrics", ROLE_ANONYMOUS, 1, S), 200);
	cr_expect_eq(status(METHOD_GET, "/metrics", ROLE_ANONYMOUS, 1, S), 429);
}

/* role -> status of POST readings, GET, POST of a change at each level */
Test(limit, load_is_shed_ingest_first_and_never_of_operators)
{
	static const struct {
		enum pressure level;
		enum role role;
		bool ingest, read;
	} rows[] = {
	    {PRESSURE_NONE, ROLE_DEVICE, true, true},
	    {PRESSURE_INGEST, ROLE_DEVICE, false, true},
	    {PRESSURE_INGEST, ROLE_ADMIN, false, true},
	    {PRESSURE_INGEST, ROLE_VIEWER, false, true},
	    {PRESSURE_READ, ROLE_VIEWER, false, false},
	    {PRESSURE_READ, ROLE_OPERATOR, false, true},
	    {PRESSURE_READ, ROLE_ENGINEER, false, true},
	    {PRESSURE_READ, ROLE_ADMIN, false, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c;

		level = rows[i].level;
		c = call(METHOD_POST, "/api/v1/readings", rows[i].role, 1, S);
		cr_expect_eq(says(&c, "try again"), !rows[i].ingest, "%zu", i);
		call_done(&c);
		c = call(METHOD_GET, ME, rows[i].role, 1, S);
		cr_expect_eq(c.status, rows[i].read ? 200 : 503, "%zu", i);
		cr_expect_eq(
		    call_got(&c, "Retry-After") != NULL, !rows[i].read);
		call_done(&c);
		c = call(
		    METHOD_POST, "/api/v1/auth/logout", rows[i].role, 1, S);
		cr_expect_not(says(&c, "try again"), "%zu: %s", i, c.body);
		call_done(&c);
	}
}

/* Of every route: what load is shed of it, and which limit it has. */
Test(limit, classes_of_routes)
{
	static const struct {
		const char *name;
		enum limit_class c;
	} rows[] = {{"health", LIMIT_NONE}, {"ready", LIMIT_NONE},
	    {"token_create", LIMIT_LOGIN}, {"token_refresh", LIMIT_LOGIN},
	    {"own_password", LIMIT_LOGIN}, {"readings_create", LIMIT_INGEST},
	    {"imports_part_put", LIMIT_INGEST}};
	size_t special = 0;

	for (size_t i = 0; i < nroutes; i++) {
		enum limit_class c = route_limit(&routes[i]),
				 usual = routes[i].method == METHOD_GET
		    ? LIMIT_READ
		    : LIMIT_CHANGE;

		for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++)
			if (strcmp(rows[k].name, routes[i].name) == 0) {
				usual = rows[k].c;
				special++;
			}
		cr_expect_eq(c, usual, "%s", routes[i].name);
	}
	cr_expect_eq(special, sizeof(rows) / sizeof(*rows));
}
