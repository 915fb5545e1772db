/* resource_handle() alone: what it asks and what it answers. The steps of a
 * request it uses are played here. */
#include <jansson.h>

#include "api/resource.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct field no_query[] = {{.name = NULL}};
static const struct resource everything = {(enum statement)0, 201, "thing",
    {{SOURCE_PATH, "code"}, {SOURCE_QUERY, "zone"}, {SOURCE_LIMIT, NULL},
	{SOURCE_BODY, NULL}, {SOURCE_PRINCIPAL, NULL}, {SOURCE_IF_MATCH, NULL},
	{SOURCE_CONSTANT, "fixed"}}};
static const struct resource by_id = {
    (enum statement)1, 200, "plan", {{SOURCE_PATH_ID, "id"}}};

/* What the request holds. */
static const char *path_value, *query_zone, *query_limit, *if_match;
/* What the database says. */
static struct {
	int n, columns;
	const char *cell[3];
} database;
/* What was asked and answered. */
static struct {
	int queries, nparams;
	enum statement statement;
	enum lane lane;
	char params[RESOURCE_PARAMS][80];
	int status;
	char headers[160], body[160];
	enum err problem;
	char detail[160];
} seen;

const char *
request_path(struct request *r, const char *name)
{
	(void)r;
	return (strcmp(name, "code") == 0 || strcmp(name, "id") == 0
		? path_value
		: "");
}

const char *
request_query(struct request *r, const char *name)
{
	(void)r;
	return (strcmp(name, "limit") == 0 ? query_limit : query_zone);
}

const char *
request_header(const struct request *r, const char *name)
{
	(void)r;
	return (strcmp(name, "If-Match") == 0 ? if_match : NULL);
}

static const char *
cell(const struct rows *rows, int row, int column, int *ret_len)
{
	const char *s = row < rows->n ? database.cell[column] : NULL;

	*ret_len = s == NULL ? 0 : (int)strlen(s);
	return (s);
}

void
request_ask(struct request *r, const struct query *q,
    void (*cb)(struct request *, const struct rows *))
{
	struct rows rows = {
	    .n = database.n, .columns = database.columns, .get = cell};

	seen.queries++;
	seen.statement = q->statement;
	seen.lane = q->lane;
	seen.nparams = q->nparams;
	for (int i = 0; i < q->nparams; i++)
		snprintf(seen.params[i], sizeof(seen.params[i]), "%s",
		    q->params[i].data != NULL ? q->params[i].data : "(null)");
	cb(r, &rows);
}

void
reply_with(struct request *r, int status, const struct header *h, size_t n,
    const char *body, size_t len)
{
	(void)r;
	seen.status = status;
	for (size_t i = 0; i < n; i++) {
		strncat(seen.headers, h[i].name, 40);
		strncat(seen.headers, "=", 2);
		strncat(seen.headers, h[i].value, 40);
		strncat(seen.headers, ";", 2);
	}
	snprintf(seen.body, sizeof(seen.body), "%.*s", (int)len,
	    body != NULL ? body : "");
}

void
reply_error(
    struct request *r, enum err code, const char *pointer, const char *fmt, ...)
{
	va_list ap;

	(void)r;
	(void)pointer;
	seen.problem = code;
	va_start(ap, fmt);
	vsnprintf(seen.detail, sizeof(seen.detail), fmt, ap);
	va_end(ap);
}

static void
ask(const struct resource *resource, const char *path, json_t *body)
{
	const struct route route = {.query = no_query, .resource = resource};
	struct request r = {.match = {.route = &route, .nparams = 1},
	    .who = {.name = "ada"},
	    .body = body};

	memset(&seen, 0, sizeof(seen));
	path_value = path;
	snprintf(r.match.params[0].value, sizeof(r.match.params[0].value), "%s",
	    path);
	arena_init(&r.arena, 4096);
	resource_handle(&r);
	arena_done(&r.arena);
}

static void
reset(void)
{
	memset(&database, 0, sizeof(database));
	query_zone = query_limit = if_match = NULL;
}

Test(resource, binds_every_source, .init = reset)
{
	json_t *body = json_pack("{s:s}", "a", "b");

	query_zone = "Z";
	query_limit = "7";
	if_match = "\"3\"";
	ask(&everything, "N1", body);
	cr_expect_eq(seen.statement, (enum statement)0);
	cr_expect_eq(seen.lane, LANE_SLOW);
	cr_assert_eq(seen.nparams, 7);
	cr_expect_str_eq(seen.params[0], "N1");
	cr_expect_str_eq(seen.params[1], "Z");
	cr_expect_str_eq(seen.params[2], "7");
	cr_expect_str_eq(seen.params[3], "{\"a\":\"b\"}");
	cr_expect_str_eq(seen.params[4], "ada");
	cr_expect_str_eq(seen.params[5], "\"3\"");
	cr_expect_str_eq(seen.params[6], "fixed");
	json_decref(body);
}

Test(resource, a_tag_of_what_was_read_gzipped, .init = reset)
{
	static const char *const of[][2] = {{"\"3-gzip\"", "\"3\""},
	    {"\"-gzip\"", "\"\""}, {"-gzip\"", "-gzip\""}, {"", ""}};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		if_match = of[i][0];
		ask(&everything, "N1", NULL);
		cr_expect_str_eq(seen.params[5], of[i][1]);
	}
}

Test(resource, what_is_absent_is_null, .init = reset)
{
	ask(&everything, "N1", NULL);
	cr_expect_str_eq(seen.params[1], "(null)");
	cr_expect_str_eq(seen.params[2], RESOURCE_LIMIT_DEFAULT);
	cr_expect_str_eq(seen.params[3], "(null)");
	cr_expect_str_eq(seen.params[5], "(null)");
}

Test(resource, sends_what_the_row_says, .init = reset)
{
	database.n = 1;
	database.columns = 3;
	database.cell[0] = "{}";
	database.cell[1] = "\"9\"";
	database.cell[2] = "/x";
	ask(&everything, "N1", NULL);
	cr_expect_eq(seen.status, 201);
	cr_expect_str_eq(seen.headers, "ETag=\"9\";Location=/x;");
	cr_expect_str_eq(seen.body, "{}");
	database.columns = 1; /* what is beyond is not read */
	ask(&everything, "N1", NULL);
	cr_expect_str_eq(seen.headers, "");
	database.columns = 3;
	database.cell[0] = database.cell[1] = NULL;
	ask(&everything, "N1", NULL);
	cr_expect_str_eq(seen.headers, "Location=/x;");
	cr_expect_str_eq(seen.body, "");
}

Test(resource, no_row_is_404, .init = reset)
{
	ask(&everything, "N1", NULL);
	cr_expect_eq(seen.problem, ERR_NOT_FOUND);
	cr_expect_str_eq(seen.detail, "there is no thing N1");
}

Test(resource, an_id_is_a_number_or_404, .init = reset)
{
	static const char *const bad[] = {
	    "", "x", "-1", "1x", " 1", "1.0", "9999999999999999999", "1e3"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask(&by_id, bad[i], NULL);
		cr_expect_eq(seen.queries, 0, "%s", bad[i]);
		cr_expect_eq(seen.problem, ERR_NOT_FOUND, "%s", bad[i]);
	}
	ask(&by_id, "42", NULL);
	cr_expect_eq(seen.queries, 1);
	cr_expect_str_eq(seen.params[0], "42");
}

Test(resource, a_body_beyond_the_arena_is_not_sent, .init = reset)
{
	static char big[8192];
	json_t *body;

	memset(big, 'x', sizeof(big) - 1);
	body = json_pack("{s:s}", "a", big);
	ask(&everything, "N1", body);
	cr_expect_eq(seen.queries, 0);
	cr_expect_eq(seen.problem, ERR_NO_MEMORY);
	json_decref(body);
}
