#include "api/openapi_parts.h"
#include "api/resource.h"
#include "core/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct contract contracts[] = {
#include "contract_rows.h"
};

const size_t ncontracts = sizeof(contracts) / sizeof(*contracts);

const char *
contract_find(const char *route, const char *kind, const char *key)
{
	for (const struct contract *c = contracts; c < contracts + ncontracts;
	     c++)
		if (strcmp(c->route, route) == 0 &&
		    strcmp(c->kind, kind) == 0 && strcmp(c->key, key) == 0)
			return (c->json);
	return (NULL);
}

static bool
always(const struct route *r)
{
	(void)r;
	return (true);
}

static bool
is_closed(const struct route *r)
{
	return (!(r->roles & ALLOW(ROLE_ANONYMOUS)));
}

static bool
has_path(const struct route *r)
{
	return (strchr(r->pattern, '{') != NULL);
}

static bool
has_body(const struct route *r)
{
	return (r->body != NULL || r->body_own);
}

static bool
is_limited(const struct route *r)
{
	return (r->limit != LIMIT_NONE);
}

/* Who may carry an Idempotency-Key; see idempotency.c for the exceptions. */
static bool
is_post(const struct route *r)
{
	return (r->method == METHOD_POST && is_closed(r) && !r->body_own);
}

bool
openapi_takes_if_match(const struct route *r)
{
	const struct resource *res = r->resource;
	const struct source *s;

	if (res == NULL)
		return (false);
	for (s = res->params; s->kind != SOURCE_END; s++)
		if (s->kind == SOURCE_IF_MATCH)
			return (true);
	return (false);
}

/* Which problems a route can have, by its row. */
static const struct {
	int status;
	bool (*when)(const struct route *);
} rules[] = {
    {400, always},
    {401, is_closed},
    {403, is_closed},
    {404, has_path},
    {409, is_post},
    {412, openapi_takes_if_match},
    {413, has_body},
    {415, has_body},
    {422, always},
    {429, is_limited},
    {500, always},
    {503, always},
};

static void
write_problem_ref(struct text *t, int status)
{
	char key[8], ref[48];

	(void)snprintf(key, sizeof(key), "%d", status);
	(void)snprintf(ref, sizeof(ref), "#/components/responses/%d", status);
	json_object(t, key);
	json_string(t, "$ref", ref);
	json_object_end(t);
}

static bool
has_problem(const struct route *r, int status)
{
	char key[8];

	(void)snprintf(key, sizeof(key), "%d", status);
	if (contract_find(r->name, "answer", key) != NULL)
		return (false); /* told already, and more exactly */
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].status == status && rules[i].when(r))
			return (true);
	return (contract_find(r->name, "error", key) != NULL);
}

void
openapi_responses(struct text *t, const struct route *r)
{
	const struct contract *c;

	json_object(t, "responses");
	for (c = contracts; c < contracts + ncontracts; c++)
		if (strcmp(c->route, r->name) == 0 &&
		    strcmp(c->kind, "answer") == 0)
			json_raw(t, c->key, c->json, strlen(c->json));
	for (int status = 400; status < 600; status++)
		if (has_problem(r, status))
			write_problem_ref(t, status);
	json_object(t, "default");
	json_string(t, "$ref", "#/components/responses/problem");
	json_object_end(t);
	json_object_end(t);
}

static bool
first_of_status(enum err e)
{
	for (int before = ERR_OK + 1; before < (int)e; before++)
		if (err_status((enum err)before) == err_status(e))
			return (false);
	return (true);
}

static void
write_fields(struct text *t, int status)
{
	static const struct {
		int status;
		const char *name;
	} fields[] = {{401, "WWW-Authenticate"}, {403, "WWW-Authenticate"},
	    {405, "Allow"}, {429, "Retry-After"}, {429, "RateLimit"},
	    {429, "RateLimit-Policy"}, {503, "Retry-After"}};
	char ref[64];

	json_object(t, "headers");
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (fields[i].status != status)
			continue;
		(void)snprintf(ref, sizeof(ref), "#/components/headers/%s",
		    fields[i].name);
		json_object(t, fields[i].name);
		json_string(t, "$ref", ref);
		json_object_end(t);
	}
	json_object_end(t);
}

/* All problems of a status as its examples. */
static void
write_examples(struct text *t, int status)
{
	struct err_info info;
	struct text one;
	char buf[512];

	json_object(t, "examples");
	for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
		if (err_status((enum err)e) != status)
			continue;
		info = (struct err_info){.code = (enum err)e};
		(void)snprintf(info.detail, sizeof(info.detail), "%s",
		    "What of it, in words");
		if (e == ERR_INVALID)
			(void)snprintf(
			    info.pointer, sizeof(info.pointer), "/name");
		text_init_fixed(&one, buf, sizeof(buf));
		problem_write(&one, &info, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
		json_object(t, err_slug((enum err)e));
		json_raw(t, "value", one.s, one.len);
		json_object_end(t);
	}
	json_object_end(t);
}

static void
write_problem(struct text *t, const char *key, const char *about, int status)
{
	json_object(t, key);
	json_string(t, "description", about);
	if (status != 0)
		write_fields(t, status);
	json_object(t, "content");
	json_object(t, PROBLEM_TYPE);
	json_object(t, "schema");
	json_string(t, "$ref", "#/components/schemas/problem");
	json_object_end(t);
	if (status != 0)
		write_examples(t, status);
	json_object_end(t);
	json_object_end(t);
	json_object_end(t);
}

void
openapi_problem_responses(struct text *t)
{
	char key[8];

	for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
		if (!first_of_status((enum err)e))
			continue;
		(void)snprintf(key, sizeof(key), "%d", err_status((enum err)e));
		write_problem(
		    t, key, err_title((enum err)e), err_status((enum err)e));
	}
	write_problem(t, "problem",
	    "Refused before the route was known: 408, 414, 431, 501, 505", 0);
}

static void
write_types(struct text *t)
{
	char type[64];

	json_object(t, "type");
	json_string(t, "type", "string");
	json_array(t, "enum");
	for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
		(void)snprintf(
		    type, sizeof(type), "/problems/%s", err_slug((enum err)e));
		json_string(t, NULL, type);
	}
	json_array_end(t);
	json_object_end(t);
}

void
openapi_problem_schema(struct text *t)
{
	static const char *const members[][2] = {
	    {"title", "{\"type\":\"string\"}"},
	    {"status",
		"{\"type\":\"integer\",\"minimum\":400,\"maximum\":599}"},
	    {"detail", "{\"type\":\"string\"}"},
	    {"reason",
		"{\"type\":\"string\",\"description\":\"a word of a closed "
		"list, where there is one\"}"},
	    {"request_id", "{\"type\":\"string\"}"},
	    {"errors",
		"{\"type\":\"array\",\"items\":{\"type\":\"object\","
		"\"properties\":{\"pointer\":{\"type\":\"string\","
		"\"description\":\"JSON pointer (RFC 6901) into the body\"},"
		"\"detail\":{\"type\":\"string\"}},"
		"\"required\":[\"pointer\",\"detail\"],"
		"\"additionalProperties\":false}}"},
	};

	json_object(t, "problem");
	json_string(t, "type", "object");
	json_string(t, "description", "RFC 9457");
	json_object(t, "properties");
	write_types(t);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		json_raw(
		    t, members[i][0], members[i][1], strlen(members[i][1]));
	json_object_end(t);
	json_raw(t, "required", "[\"type\",\"title\",\"status\"]", 25);
	json_bool(t, "additionalProperties", false);
	json_object_end(t);
}
