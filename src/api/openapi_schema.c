#include "api/field.h"
#include "api/openapi_parts.h"
#include "domain/reading.h"
#include "domain/totaliser.h"
#include "domain/volumes.h"
#include "ingest/normalise.h"

#include <stdio.h>
#include <string.h>

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

static void
write_nullable_choices(struct text *t, const char *choices)
{
	json_array(t, "anyOf");
	json_object(t, NULL);
	write_choices(t, choices);
	json_object_end(t);
	json_object(t, NULL);
	json_string(t, "type", "null");
	json_object_end(t);
	json_array_end(t);
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
	else if (f->choices != NULL)
		write_nullable_choices(t, f->choices);
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

void
openapi_query(struct text *t, const struct route *r, const struct field *f)
{
	char ref[120];

	if (f->choices == NULL) {
		write_schema(t, "schema", f, false);
		return;
	}
	(void)snprintf(
	    ref, sizeof(ref), "#/components/schemas/%s.%s", r->name, f->name);
	json_object(t, "schema");
	json_string(t, "$ref", ref);
	json_object_end(t);
}

static const char *
reason_word(int i)
{
	return (reject_word((enum reject)(i + 1)));
}

static const char *
volume_word(int i)
{
	return (
	    i < TOTALISER_FLAGS ? totaliser_flags[i] : "flow_total_mismatch");
}

static const char *
agreement_word(int i)
{
	return (agreement_names[i]);
}

static const char *
role_word(int i)
{
	return (role_name((enum role)i));
}

/* Closed lists of words that answers have. */
static const struct list {
	const char *name;
	const char *(*word)(int);
	int n;
} lists[] = {
    {"agreement", agreement_word, AGREEMENTS},
    {"quality", quality_name, QUALITY_CLOCK_AHEAD + 1},
    {"reject_reason", reason_word, REJECT_COUNT - 1},
    {"role", role_word, ROLE_COUNT},
    {"volume_flag", volume_word, TOTALISER_FLAGS + 1},
};

void
openapi_list_schemas(struct text *t)
{
	const struct list *end = lists + sizeof(lists) / sizeof(*lists);

	for (const struct list *l = lists; l < end; l++) {
		json_object(t, l->name);
		json_string(t, "type", "string");
		json_array(t, "enum");
		for (int i = 0; i < l->n; i++)
			json_string(t, NULL, l->word(i));
		json_array_end(t);
		json_object_end(t);
	}
}

void
openapi_field_schemas(struct text *t)
{
	const struct field *f;
	char name[80];

	for (const struct route *r = routes; r < routes + nroutes; r++) {
		for (f = r->query; f != NULL && f->name != NULL; f++) {
			if (f->choices == NULL)
				continue;
			(void)snprintf(
			    name, sizeof(name), "%s.%s", r->name, f->name);
			write_schema(t, name, f, false);
		}
		if (r->body == NULL)
			continue;
		(void)snprintf(name, sizeof(name), "%s.body", r->name);
		write_object(t, name, r->body);
	}
}
