/* Any JSON as a body: what passes has no member but the table's, each of its
 * type and within its bounds; what does not is told by a pointer into it. */
#include <jansson.h>

#include "api/field.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct field inner[] = {
    {"s", FIELD_STRING, true, 1, 5, NULL, NULL, ""},
    {"n", FIELD_NUMBER, false, -1, 1, NULL, NULL, ""},
    {.name = NULL},
};

static const struct field table[] = {
    {"s", FIELD_STRING, true, 1, 5, NULL, NULL, ""},
    {"c", FIELD_STRING, false, 0, 0, "a|b", NULL, ""},
    {"n", FIELD_NUMBER, false, 0, 0, NULL, NULL, ""},
    {"i", FIELD_INTEGER, false, 1, 9, NULL, NULL, ""},
    {"b", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, ""},
    {"o", FIELD_OBJECT, false, 0, 0, NULL, NULL, ""},
    {"t", FIELD_INSTANT, false, 0, 0, NULL, NULL, ""},
    {"a", FIELD_ARRAY, false, 1, 3, NULL, inner, ""},
    {"w", FIELD_STRINGS, false, 0, 3, NULL, NULL, ""},
    {.name = NULL},
};

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static bool
fits(const struct field *f, const json_t *v)
{
	switch (f->type) {
	case FIELD_STRING:
	case FIELD_INSTANT:
		return (json_is_string(v) &&
		    json_string_length(v) <= 4 * FIELD_STRING_MAX);
	case FIELD_NUMBER:
		return (json_is_number(v) && isfinite(json_number_value(v)));
	case FIELD_INTEGER:
		return (json_is_integer(v) && json_integer_value(v) >= 1 &&
		    json_integer_value(v) <= 9);
	case FIELD_BOOLEAN:
		return (json_is_boolean(v));
	case FIELD_OBJECT:
		return (json_is_object(v));
	case FIELD_ARRAY:
	case FIELD_STRINGS:
		return (json_is_array(v) && json_array_size(v) <= 3);
	}
	return (false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_t *body, *v;
	struct err_info info = {.code = ERR_OK};
	const struct field *f;
	const char *key;
	enum err e;

	body =
	    json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
	if (body == NULL)
		return (0);
	e = field_check(table, body, &info);
	require(e == info.code && (e == ERR_OK || e == ERR_INVALID));
	require(e == ERR_OK || info.detail[0] != '\0');
	require(info.pointer[0] == '\0' || info.pointer[0] == '/');
	if (e == ERR_OK) {
		json_object_foreach(body, key, v)
		{
			require((f = field_find(table, key)) != NULL);
			require(json_is_null(v) ? !f->required : fits(f, v));
		}
		json_array_foreach(json_object_get(body, "a"), len, v)
		    require(json_is_string(json_object_get(v, "s")));
	}
	json_decref(body);
	return (0);
}
