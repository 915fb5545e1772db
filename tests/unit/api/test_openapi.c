/* /openapi.json and the resources' tables, walked against the route table. */
#include <jansson.h>

#include "api/field.h"
#include "api/openapi.h"
#include "api/resource.h"
#include "ingest/json_readings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static json_t *
document(void)
{
	struct text t;
	json_error_t e;
	json_t *doc;

	text_init(&t, 4 << 20);
	openapi_write(&t);
	cr_assert(text_ok(&t));
	doc = json_loadb(t.s, t.len, JSON_REJECT_DUPLICATES, &e);
	cr_assert_not_null(doc, "%s at %d", e.text, e.position);
	text_done(&t);
	return (doc);
}

static const json_t *
operation(const json_t *doc, const struct route *r)
{
	static const char *const methods[METHOD_COUNT] = {
	    "get", "head", "post", "put", "patch", "delete", "options"};
	const json_t *paths = json_object_get(doc, "paths");

	return (json_object_get(
	    json_object_get(paths, r->pattern), methods[r->method]));
}

static bool
has_parameter(const json_t *op, const char *in, const char *name)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(op, "parameters"), i, p)
	{
		if (strcmp(in, json_string_value(json_object_get(p, "in"))) ==
			0 &&
		    strcmp(name,
			json_string_value(json_object_get(p, "name"))) == 0)
			return (true);
	}
	return (false);
}

static bool
in_pattern(const char *pattern, const char *name)
{
	char braced[80];

	snprintf(braced, sizeof(braced), "{%s}", name);
	return (strstr(pattern, braced) != NULL);
}

Test(openapi, describes_every_route)
{
	json_t *doc = document();
	const json_t *op;
	const struct field *f;
	size_t i, n;

	cr_expect_str_eq(
	    json_string_value(json_object_get(doc, "openapi")), "3.1.0");
	for (i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];

		op = operation(doc, r);
		cr_assert_not_null(op, "%s %s", r->name, r->pattern);
		cr_expect_str_eq(
		    json_string_value(json_object_get(op, "operationId")),
		    r->name);
		cr_expect_not_null(r->summary, "%s", r->name);
		for (f = r->query; f != NULL && f->name != NULL; f++)
			cr_expect(has_parameter(op, "query", f->name), "%s %s",
			    r->name, f->name);
		n = (size_t)__builtin_popcount(r->roles);
		cr_expect_eq(json_array_size(json_object_get(op, "x-roles")), n,
		    "%s", r->name);
		cr_expect_eq(
		    json_array_size(json_object_get(op, "security")) == 0,
		    (r->roles & ALLOW(ROLE_ANONYMOUS)) != 0, "%s", r->name);
		cr_expect_eq(json_object_get(op, "requestBody") != NULL,
		    r->body != NULL || r->body_own, "%s", r->name);
	}
	json_decref(doc);
}

static const json_t *
schema(const json_t *op)
{
	const json_t *content =
	    json_object_get(json_object_get(op, "requestBody"), "content");
	const json_t *type = json_object_get(content, "application/json");

	if (type == NULL)
		type = json_object_get(content, "text/csv");
	if (type == NULL)
		type = json_object_get(content, "text/plain");
	return (json_object_get(type, "schema"));
}

/* The members that the decoder of readings takes, and no others. */
Test(openapi, describes_every_body)
{
	static const char body[] =
	    "{\"node\":\"N\",\"metric\":\"m\",\"ts\":\"t\","
	    "\"value\":1,\"unit\":\"m\"}";
	json_t *doc = document(), *taken = json_loads(body, 0, NULL);
	const json_t *reading = json_object_get(
	    json_object_get(json_object_get(doc, "components"), "schemas"),
	    "reading");
	json_t *described = json_object_get(reading, "properties"), *v;
	struct err_info info = {.code = ERR_OK};
	struct json_readings d;
	struct item r;
	const char *name;
	bool more;

	for (size_t i = 0; i < nroutes; i++)
		if (routes[i].body != NULL || routes[i].body_own)
			cr_expect_not_null(schema(operation(doc, &routes[i])),
			    "%s", routes[i].name);
	json_readings_init(&d, body, strlen(body), 1, &info);
	cr_assert_eq(json_readings_next(&d, &r, &more), ERR_OK);
	cr_expect_eq(r.fault, ITEM_FAULT_NONE);
	cr_expect_eq(json_object_size(described), json_object_size(taken));
	json_object_foreach(taken, name, v)
	    cr_expect_not_null(json_object_get(described, name), "%s", name);
	json_decref(taken);
	json_decref(doc);
}

Test(openapi, describes_nothing_else)
{
	json_t *doc = document(), *item;
	const char *path;
	size_t n = 0;

	json_object_foreach(json_object_get(doc, "paths"), path, item) n +=
	    json_object_size(item);
	cr_expect_eq(n, nroutes);
	json_decref(doc);
}

Test(resources, sources_are_there_to_be_read)
{
	const struct resource *res;
	const struct source *s;
	size_t i, handled = 0;

	for (i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];

		/* Others use it to answer, or to say their status. */
		cr_expect(r->handle != resource_handle || r->resource != NULL,
		    "%s", r->name);
		if ((res = r->resource) == NULL)
			continue;
		handled++;
		for (s = res->params; s->kind != SOURCE_END; s++) {
			if (s->kind == SOURCE_PATH || s->kind == SOURCE_PATH_ID)
				cr_expect(in_pattern(r->pattern, s->name),
				    "%s %s", r->name, s->name);
			if (s->kind == SOURCE_QUERY)
				cr_expect_not_null(
				    field_find(r->query, s->name), "%s %s",
				    r->name, s->name);
			if (s->kind == SOURCE_LIMIT)
				cr_expect_not_null(
				    field_find(r->query, "limit"), "%s",
				    r->name);
			if (s->kind == SOURCE_BODY)
				cr_expect(r->body != NULL || r->body_own, "%s",
				    r->name);
		}
	}
	cr_expect_gt(handled, 30);
}

/* A query parameter or body that no source reads would be ignored silently. */
Test(resources, what_is_taken_is_read)
{
	const struct resource *res;
	const struct source *s;
	const struct field *f;
	bool read;
	size_t i;

	for (i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];

		if ((res = r->resource) == NULL || r->handle != resource_handle)
			continue;
		for (f = r->query; f != NULL && f->name != NULL; f++) {
			read = false;
			for (s = res->params; s->kind != SOURCE_END; s++)
				read = read ||
				    (s->kind == SOURCE_QUERY &&
					strcmp(s->name, f->name) == 0) ||
				    (s->kind == SOURCE_LIMIT &&
					strcmp("limit", f->name) == 0);
			cr_expect(read, "%s %s", r->name, f->name);
		}
		read = r->body == NULL;
		for (s = res->params; s->kind != SOURCE_END; s++)
			read = read || s->kind == SOURCE_BODY;
		cr_expect(read, "%s", r->name);
	}
}
