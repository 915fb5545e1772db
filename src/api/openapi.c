#include "api/openapi.h"

#include "api/field.h"
#include "api/gzip.h"
#include "api/openapi_parts.h"
#include "api/pages.h"
#include "api/request.h"
#include "auth/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX (4u << 20)
#define TAG_BYTES    16

static void
write_given(struct text *t, const char *key, const char *json)
{
	if (json != NULL)
		json_raw(t, key, json, strlen(json));
}

static void
write_path_parameters(struct text *t, const struct route *r)
{
	const char *open, *close;
	char name[64];

	for (open = r->pattern; (open = strchr(open, '{')) != NULL;
	     open = close) {
		close = strchr(open, '}');
		(void)snprintf(name, sizeof(name), "%.*s",
		    (int)(close - open - 1), open + 1);
		json_object(t, NULL);
		json_string(t, "name", name);
		json_string(t, "in", "path");
		json_bool(t, "required", true);
		write_given(t, "example", contract_find(r->name, "path", name));
		json_object(t, "schema");
		json_string(t, "type", "string");
		json_object_end(t);
		json_object_end(t);
	}
}

static void
write_if_match(struct text *t)
{
	json_object(t, NULL);
	json_string(t, "name", "If-Match");
	json_string(t, "in", "header");
	json_string(
	    t, "description", "ETag of what was read; 412 if it changed since");
	json_object(t, "schema");
	json_string(t, "type", "string");
	json_object_end(t);
	json_object_end(t);
}

static void
write_parameters(struct text *t, const struct route *r)
{
	const struct field *f;

	json_array(t, "parameters");
	write_path_parameters(t, r);
	for (f = r->query; f != NULL && f->name != NULL; f++) {
		json_object(t, NULL);
		json_string(t, "name", f->name);
		json_string(t, "in", "query");
		json_bool(t, "required", f->required);
		if (f->about != NULL)
			json_string(t, "description", f->about);
		write_given(
		    t, "example", contract_find(r->name, "query", f->name));
		openapi_query(t, r, f);
		json_object_end(t);
	}
	if (openapi_takes_if_match(r))
		write_if_match(t);
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

/* "a/b|c/d": what a route takes that reads its body itself. */
static void
write_body_media(struct text *t, const struct route *r)
{
	const char *media =
	    r->body_media != NULL ? r->body_media : "application/json";
	char type[80];
	size_t n;

	for (; *media != '\0'; media += n + (media[n] == '|')) {
		n = strcspn(media, "|");
		(void)snprintf(type, sizeof(type), "%.*s", (int)n, media);
		json_object(t, type);
		write_given(t, "schema", contract_find(r->name, "body", type));
		write_given(t, "examples",
		    contract_find(r->name, "body_examples", type));
		json_object_end(t);
	}
}

static void
write_body_fields(struct text *t, const struct route *r)
{
	static const char type[] = "application/json";
	char ref[96];

	(void)snprintf(
	    ref, sizeof(ref), "#/components/schemas/%s.body", r->name);
	json_object(t, type);
	json_object(t, "schema");
	json_string(t, "$ref", ref);
	json_object_end(t);
	write_given(
	    t, "examples", contract_find(r->name, "body_examples", type));
	json_object_end(t);
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
	if (r->body != NULL)
		write_body_fields(t, r);
	else
		write_body_media(t, r);
	json_object_end(t);
	json_object_end(t);
}

/* The same in words, for who reads: `Roles: viewer, operator`. */
static void
write_role_words(struct text *t, unsigned roles)
{
	char buf[160];
	struct text words;
	int role;

	text_init_fixed(&words, buf, sizeof(buf));
	text_puts(&words, "Roles: ");
	if (roles & ALLOW(ROLE_ANONYMOUS))
		text_puts(&words, "anybody, without a token");
	else
		for (role = 0; role < ROLE_COUNT; role++)
			if (roles & ALLOW(role)) {
				text_puts(&words, words.len > 7 ? ", " : "");
				text_puts(&words, role_name((enum role)role));
			}
	json_stringn(t, "description", words.s, words.len);
}

static void
write_security(struct text *t, unsigned roles)
{
	static const char *const schemes[] = {
	    "bearer", "device_key", "client_certificate"};
	size_t n = roles & ALLOW(ROLE_ANONYMOUS) ? 0
	    : roles & ALLOW(ROLE_DEVICE)	 ? 3
						 : 1;

	json_array(t, "security");
	for (size_t i = 0; i < n; i++) {
		json_object(t, NULL);
		json_array(t, schemes[i]);
		json_array_end(t);
		json_object_end(t);
	}
	json_array_end(t);
}

static void
write_roles(struct text *t, unsigned roles)
{
	int role;

	write_role_words(t, roles);
	json_array(t, "x-roles");
	for (role = 0; role < ROLE_COUNT; role++)
		if (roles & ALLOW(role))
			json_string(t, NULL, role_name((enum role)role));
	json_array_end(t);
	write_security(t, roles);
}

/* What the viewer files it under: "nodes" of /api/v1/nodes/{code}. */
static void
write_tag(struct text *t, const char *pattern)
{
	static const char base[] = "/api/v1/";
	size_t n = sizeof(base) - 1;

	json_array(t, "tags");
	if (strncmp(pattern, base, n) == 0)
		json_stringn(t, NULL, pattern + n, strcspn(pattern + n, "/"));
	else
		json_string(t, NULL, "service");
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
	write_tag(t, r->pattern);
	write_parameters(t, r);
	write_one_of(t, r->one_of);
	write_body(t, r);
	write_roles(t, r->roles);
	openapi_responses(t, r);
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

static const char schemes[] =
    "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
    "\"bearerFormat\":\"JWT\",\"description\":\"An access token of "
    "POST /api/v1/auth/token, or of the utility's identity provider\"},"
    "\"device_key\":{\"type\":\"http\",\"scheme\":\"bearer\","
    "\"bearerFormat\":\"device key\",\"description\":\"pk_… of "
    "POST /api/v1/api-keys\"},"
    "\"client_certificate\":{\"type\":\"mutualTLS\",\"description\":"
    "\"Common name: id or name of a device key; where "
    "PENSTOCK_TLS_CLIENT_CA is set\"}}";

static const char fields[] =
    "{\"ETag\":{\"description\":\"Version of what was answered, for "
    "If-Match and If-None-Match\",\"schema\":{\"type\":\"string\"}},"
    "\"Location\":{\"description\":\"Path of what was created\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"Retry-After\":{\"description\":\"Seconds to wait\","
    "\"schema\":{\"type\":\"integer\"}},"
    "\"Allow\":{\"description\":\"Methods of the path\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"RateLimit\":{\"description\":\"What is left of a limit "
    "(draft-ietf-httpapi-ratelimit-headers-11); on other answers, too\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"RateLimit-Policy\":{\"description\":\"The limit itself; likewise\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"WWW-Authenticate\":{\"description\":\"RFC 6750\","
    "\"schema\":{\"type\":\"string\"}}}";

static void
write_components(struct text *t)
{
	const struct contract *c;

	json_object(t, "components");
	json_raw(t, "securitySchemes", schemes, sizeof(schemes) - 1);
	json_raw(t, "headers", fields, sizeof(fields) - 1);
	json_object(t, "responses");
	openapi_problem_responses(t);
	json_object_end(t);
	json_object(t, "schemas");
	for (c = contracts; c < contracts + ncontracts; c++)
		if (strcmp(c->kind, "schema") == 0)
			write_given(t, c->key, c->json);
	openapi_field_schemas(t);
	openapi_list_schemas(t);
	openapi_problem_schema(t);
	json_object_end(t);
	json_object_end(t);
}

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
	write_components(t);
	json_object_end(t);
}

static struct page document = {.type = "application/json"};

static void
tag_document(void)
{
	static char tag[2 * TAG_BYTES + 3];
	unsigned char sha[DIGEST_LEN];

	digest(&(struct digest_part){document.body, document.len}, 1, sha);
	tag[0] = '"';
	for (size_t i = 0; i < TAG_BYTES; i++)
		(void)snprintf(tag + 1 + 2 * i, 4, "%02x\"", sha[i]);
	document.etag = tag;
}

bool
openapi_make(void)
{
	struct text t;
	char *coded;

	if (document.body != NULL)
		return (true);
	text_init(&t, DOCUMENT_MAX);
	openapi_write(&t);
	if (!text_ok(&t)) {
		text_done(&t);
		return (false);
	}
	document.body = text_take(&t, &document.len);
	tag_document();
	if ((coded = malloc(document.len)) != NULL)
		document.coded_len =
		    gzip_once(document.body, document.len, coded, document.len);
	document.coded = coded;
	return (true);
}

void
openapi_get(struct request *r)
{
	if (openapi_make())
		page_send(r, &document);
	else
		reply_error(r, ERR_NO_MEMORY, NULL,
		    "the description could not be built");
}
