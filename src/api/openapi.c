#include "api/openapi.h"

#include "api/field.h"
#include "api/request.h"
#include "api/resource.h"

#include <stdio.h>
#include <string.h>

#define DOCUMENT_MAX (1024u * 1024)

static const char *
schema_type(enum field_type type)
{
	static const char *const words[] = {
	    [FIELD_STRING] = "string",
	    [FIELD_NUMBER] = "number",
	    [FIELD_INTEGER] = "integer",
	    [FIELD_BOOLEAN] = "boolean",
	    [FIELD_OBJECT] = "object",
	    [FIELD_INSTANT] = "string",
	    [FIELD_ARRAY] = "array",
	    [FIELD_STRINGS] = "array",
	};

	return (words[type]);
}

static void
write_choices(struct text *t, const char *choices)
{
	size_t n;

	json_array(t, "enum");
	for (;; choices += n + 1) {
		n = strcspn(choices, "|");
		json_stringn(t, NULL, choices, n);
		if (choices[n] == '\0')
			break;
	}
	json_array_end(t);
}

/* The names of JSON Schema 2020-12 for a type's bounds. */
static void
write_bounds(struct text *t, const struct field *f)
{
	bool given = f->min != 0 || f->max != 0;
	double string = given ? f->max : FIELD_STRING_MAX;
	double array = given ? f->max : FIELD_ARRAY_MAX;

	switch (f->type) {
	case FIELD_STRING:
		if (f->choices != NULL)
			break;
		json_double(t, "minLength", f->min);
		json_double(t, "maxLength", string);
		break;
	case FIELD_NUMBER:
	case FIELD_INTEGER:
		if (!given)
			break;
		json_double(t, "minimum", f->min);
		json_double(t, "maximum", f->max);
		break;
	case FIELD_ARRAY:
	case FIELD_STRINGS:
		json_double(t, "minItems", f->min);
		json_double(t, "maxItems", array);
		break;
	case FIELD_INSTANT:
		json_string(t, "format", "date-time");
		break;
	case FIELD_BOOLEAN:
	case FIELD_OBJECT:
		break;
	}
}

static void write_object(struct text *, const char *, const struct field *);

/* What an array of strings is made of. */
static void
write_words(struct text *t)
{
	json_object(t, "items");
	json_string(t, "type", "string");
	json_int(t, "minLength", 1);
	json_int(t, "maxLength", FIELD_WORD_MAX);
	json_object_end(t);
}

/* An optional member of a body may be null; a query parameter may not. */
static void
write_schema(
    struct text *t, const char *key, const struct field *f, bool nullable)
{
	json_object(t, key);
	if (nullable && f->choices == NULL) {
		json_array(t, "type");
		json_string(t, NULL, schema_type(f->type));
		json_string(t, NULL, "null");
		json_array_end(t);
	} else if (!nullable)
		json_string(t, "type", schema_type(f->type));
	if (f->choices != NULL && !nullable)
		write_choices(t, f->choices);
	else if (f->choices != NULL) {
		json_array(t, "anyOf");
		json_object(t, NULL);
		write_choices(t, f->choices);
		json_object_end(t);
		json_object(t, NULL);
		json_string(t, "type", "null");
		json_object_end(t);
		json_array_end(t);
	}
	write_bounds(t, f);
	if (f->about != NULL)
		json_string(t, "description", f->about);
	if (f->items != NULL)
		write_object(t, "items", f->items);
	if (f->type == FIELD_STRINGS)
		write_words(t);
	json_object_end(t);
}

static void
write_object(struct text *t, const char *key, const struct field *table)
{
	const struct field *f;

	json_object(t, key);
	json_string(t, "type", "object");
	json_object(t, "properties");
	for (f = table; f->name != NULL; f++)
		write_schema(t, f->name, f, !f->required);
	json_object_end(t);
	json_array(t, "required");
	for (f = table; f->name != NULL; f++)
		if (f->required)
			json_string(t, NULL, f->name);
	json_array_end(t);
	json_bool(t, "additionalProperties", false);
	json_object_end(t);
}

static void
write_path_parameters(struct text *t, const char *pattern)
{
	const char *open, *close;

	for (open = pattern; (open = strchr(open, '{')) != NULL; open = close) {
		close = strchr(open, '}');
		json_object(t, NULL);
		json_stringn(t, "name", open + 1, (size_t)(close - open - 1));
		json_string(t, "in", "path");
		json_bool(t, "required", true);
		json_object(t, "schema");
		json_string(t, "type", "string");
		json_object_end(t);
		json_object_end(t);
	}
}

static bool
takes_if_match(const struct route *r)
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

static void
write_parameters(struct text *t, const struct route *r)
{
	const struct field *f;

	json_array(t, "parameters");
	write_path_parameters(t, r->pattern);
	for (f = r->query; f != NULL && f->name != NULL; f++) {
		json_object(t, NULL);
		json_string(t, "name", f->name);
		json_string(t, "in", "query");
		json_bool(t, "required", f->required);
		write_schema(t, "schema", f, false);
		json_object_end(t);
	}
	if (takes_if_match(r)) {
		json_object(t, NULL);
		json_string(t, "name", "If-Match");
		json_string(t, "in", "header");
		json_string(t, "description",
		    "ETag of what was read; 412 if it changed since");
		json_object(t, "schema");
		json_string(t, "type", "string");
		json_object_end(t);
		json_object_end(t);
	}
	json_array_end(t);
}

/* OpenAPI has no words for "one of these parameters". */
static void
write_one_of(struct text *t, const char *names)
{
	size_t n;

	if (names == NULL)
		return;
	json_array(t, "x-one-of");
	for (; *names != '\0'; names += n + (names[n] == '|')) {
		n = strcspn(names, "|");
		json_stringn(t, NULL, names, n);
	}
	json_array_end(t);
}

static bool
has_required(const struct field *f)
{
	for (; f->name != NULL; f++)
		if (f->required)
			return (true);
	return (false);
}

/* What src/ingest's decoders take: the one body without a table. */
static const char readings[] =
    "{\"oneOf\":[{\"$ref\":\"#/components/schemas/reading\"},"
    "{\"type\":\"object\",\"properties\":{\"readings\":{"
    "\"type\":\"array\",\"items\":"
    "{\"$ref\":\"#/components/schemas/reading\"}}},"
    "\"required\":[\"readings\"],\"additionalProperties\":false}]}";

static const char lines[] =
    "{\"type\":\"string\",\"description\":\"One reading a line: CSV with a "
    "header "
    "line that names node, metric, ts, value and perhaps unit in any order, "
    "an empty value being no reading; or one JSON object\"}";

/* "a/b|c/d", the first of which is JSON. */
static void
write_body_media(struct text *t, const char *media)
{
	char type[80];
	size_t n;

	for (; *media != '\0'; media += n + (media[n] == '|')) {
		n = strcspn(media, "|");
		(void)snprintf(type, sizeof(type), "%.*s", (int)n, media);
		json_object(t, type);
		if (strcmp(type, "application/json") == 0)
			json_raw(t, "schema", readings, sizeof(readings) - 1);
		else
			json_raw(t, "schema", lines, sizeof(lines) - 1);
		json_object_end(t);
	}
}

static void
write_body(struct text *t, const struct route *r)
{
	if (r->body == NULL && !r->body_own)
		return;
	json_object(t, "requestBody");
	json_bool(t, "required", r->body == NULL || has_required(r->body));
	if (r->inflated_max > 0)
		json_string(t, "description", "Content-Encoding may be gzip");
	json_object(t, "content");
	if (r->body != NULL) {
		json_object(t, "application/json");
		write_object(t, "schema", r->body);
		json_object_end(t);
	} else
		write_body_media(t,
		    r->body_media != NULL ? r->body_media : "application/json");
	json_object_end(t);
	json_object_end(t);
}

static void
write_media(struct text *t, const char *media)
{
	char type[80];
	size_t n;

	if (media == NULL)
		return;
	json_object(t, "content");
	for (;; media += n + 1) {
		n = strcspn(media, "|");
		(void)snprintf(type, sizeof(type), "%.*s", (int)n, media);
		json_object(t, type);
		json_object_end(t);
		if (media[n] == '\0')
			break;
	}
	json_object_end(t);
}

static void
write_responses(struct text *t, const struct route *r)
{
	const struct resource *res = r->resource;
	char status[8] = "2XX";

	if (res != NULL)
		snprintf(status, sizeof(status), "%d", res->ok_status);
	json_object(t, "responses");
	json_object(t, status);
	json_string(t, "description", r->summary);
	write_media(t, r->media);
	json_object_end(t);
	json_object(t, "default");
	json_string(t, "$ref", "#/components/responses/problem");
	json_object_end(t);
	json_object_end(t);
}

static void
write_roles(struct text *t, unsigned roles)
{
	int role;

	json_array(t, "x-roles");
	for (role = 0; role < ROLE_COUNT; role++)
		if (roles & ALLOW(role))
			json_string(t, NULL, role_name((enum role)role));
	json_array_end(t);
	json_array(t, "security");
	if (!(roles & ALLOW(ROLE_ANONYMOUS))) {
		json_object(t, NULL);
		json_array(t, "bearer");
		json_array_end(t);
		json_object_end(t);
	}
	json_array_end(t);
}

static void
write_operation(struct text *t, const struct route *r)
{
	const char *m = method_name(r->method);
	char key[12];
	size_t i;

	for (i = 0; m[i] != '\0' && i + 1 < sizeof(key); i++)
		key[i] = (char)(m[i] | 0x20); /* ASCII letters to lower case */
	key[i] = '\0';
	json_object(t, key);
	json_string(t, "operationId", r->name);
	json_string(t, "summary", r->summary);
	write_parameters(t, r);
	write_one_of(t, r->one_of);
	write_body(t, r);
	write_roles(t, r->roles);
	write_responses(t, r);
	json_object_end(t);
}

static bool
seen_before(size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (strcmp(routes[j].pattern, routes[i].pattern) == 0)
			return (true);
	return (false);
}

static void
write_paths(struct text *t)
{
	size_t i, j;

	json_object(t, "paths");
	for (i = 0; i < nroutes; i++) {
		if (seen_before(i))
			continue;
		json_object(t, routes[i].pattern);
		for (j = i; j < nroutes; j++)
			if (strcmp(routes[i].pattern, routes[j].pattern) == 0)
				write_operation(t, &routes[j]);
		json_object_end(t);
	}
	json_object_end(t);
}

static const char components[] =
    "{\"securitySchemes\":{\"bearer\":{\"type\":\"http\","
    "\"scheme\":\"bearer\",\"description\":\"An access token of "
    "/api/v1/auth/token, or a device key (pk_…)\"}},"
    "\"responses\":{\"problem\":{\"description\":"
    "\"What went wrong (RFC 9457)\",\"content\":"
    "{\"application/problem+json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/problem\"}}}}},"
    "\"schemas\":{\"reading\":{\"type\":\"object\",\"properties\":{"
    "\"node\":{\"type\":\"string\",\"description\":\"Node code\"},"
    "\"metric\":{\"type\":\"string\",\"description\":\"Metric code\"},"
    "\"ts\":{\"type\":\"string\",\"format\":\"date-time\","
    "\"description\":\"Event time\"},"
    "\"value\":{\"type\":\"number\"},"
    "\"unit\":{\"type\":\"string\",\"description\":"
    "\"Absent: the unit of the series\"}},"
    "\"required\":[\"node\",\"metric\",\"ts\",\"value\"],"
    "\"additionalProperties\":false},"
    "\"problem\":{\"type\":\"object\",\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
    "\"reason\":{\"type\":\"string\",\"description\":\"a word of a closed "
    "list, where there is one\"},"
    "\"request_id\":{\"type\":\"string\"},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"pointer\":{\"type\":\"string\","
    "\"description\":\"JSON pointer (RFC 6901) into the body\"},"
    "\"detail\":{\"type\":\"string\"}}}}},"
    "\"required\":[\"type\",\"title\",\"status\"]}}}";

void
openapi_write(struct text *t)
{
	json_object(t, NULL);
	json_string(t, "openapi", "3.1.0");
	json_object(t, "info");
	json_string(t, "title", "Penstock");
	json_string(t, "version", PENSTOCK_VERSION);
	json_string(t, "description",
	    "Watches a water network, proposes what to do about what it "
	    "sees, and does it once a person agrees.");
	json_object_end(t);
	write_paths(t);
	json_raw(t, "components", components, sizeof(components) - 1);
	json_object_end(t);
}

void
openapi_get(struct request *r)
{
	static struct text document;

	if (document.s == NULL) {
		text_init(&document, DOCUMENT_MAX);
		openapi_write(&document);
	}
	if (!text_ok(&document)) {
		text_done(&document);
		document.s = NULL;
		reply_error(r, ERR_NO_MEMORY, NULL,
		    "the description could not be built");
		return;
	}
	reply_json(r, 200, document.s, document.len);
}
