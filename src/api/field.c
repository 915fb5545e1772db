#include <jansson.h>

#include "api/field.h"

#include "core/instant.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where we are in the body; text is cut, never overrun. */
struct place {
	char pointer[128];
	size_t len;
};

static void
place_add(struct place *p, const char *name)
{
	size_t left;

	/* One step needs '/', a character of two bytes and the NUL. */
	if (p->len + 4 > sizeof(p->pointer))
		return;
	p->pointer[p->len++] = '/';
	for (; *name != '\0'; name++) {
		left = sizeof(p->pointer) - p->len;
		if (left < 3)
			break;
		if (*name == '~' || *name == '/') {
			p->pointer[p->len++] = '~';
			p->pointer[p->len++] = *name == '~' ? '0' : '1';
		} else
			p->pointer[p->len++] = *name;
	}
	p->pointer[p->len] = '\0';
}

static struct place
place_in(const struct place *parent, const char *name)
{
	struct place p = *parent;

	place_add(&p, name);
	return (p);
}

const struct field *
field_find(const struct field *table, const char *name)
{
	if (table == NULL)
		return (NULL);
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return (table);
	return (NULL);
}

static bool
is_choice(const char *choices, const char *s)
{
	size_t len = strlen(s), n;

	for (;; choices += n + 1) {
		n = strcspn(choices, "|");
		if (n == len && memcmp(choices, s, n) == 0)
			return (true);
		if (choices[n] == '\0')
			return (false);
	}
}

static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return (n);
}

static bool
bounded(const struct field *f)
{
	return (f->min != 0 || f->max != 0);
}

static enum err
check_string(
    const struct field *f, const char *s, const char *at, struct err_info *info)
{
	double n = (double)characters(s);
	double max = bounded(f) ? f->max : FIELD_STRING_MAX;

	if (f->choices != NULL && !is_choice(f->choices, s))
		return (err_set(info, ERR_INVALID, at, "%s must be one of %s",
		    f->name, f->choices));
	if (n < f->min || n > max)
		return (err_set(info, ERR_INVALID, at,
		    "%s must have %.0f to %.0f characters", f->name, f->min,
		    max));
	return (ERR_OK);
}

static enum err
check_number(
    const struct field *f, double v, const char *at, struct err_info *info)
{
	double min = f->min, max = f->max;

	if (!isfinite(v))
		return (err_set(
		    info, ERR_INVALID, at, "%s must be finite", f->name));
	if (!bounded(f)) {
		if (f->type != FIELD_INTEGER)
			return (ERR_OK);
		min = -FIELD_INTEGER_MAX;
		max = FIELD_INTEGER_MAX;
	}
	if (v < min || v > max)
		return (err_set(info, ERR_INVALID, at,
		    "%s must be from %.17g to %.17g", f->name, min, max));
	return (ERR_OK);
}

static enum err
check_instant(
    const struct field *f, const char *s, const char *at, struct err_info *info)
{
	int64_t t;

	if (instant_parse(s, strlen(s), &t))
		return (ERR_OK);
	return (err_set(info, ERR_INVALID, at,
	    "%s must be a time like 2026-11-20T09:27:04Z", f->name));
}

static enum err
wrong_type(const struct field *f, const char *at, struct err_info *info)
{
	static const char *const words[] = {
	    [FIELD_STRING] = "a string",
	    [FIELD_NUMBER] = "a number",
	    [FIELD_INTEGER] = "an integer",
	    [FIELD_BOOLEAN] = "true or false",
	    [FIELD_OBJECT] = "an object",
	    [FIELD_INSTANT] = "a string with a time",
	    [FIELD_ARRAY] = "an array",
	    [FIELD_STRINGS] = "an array of strings",
	};

	return (err_set(
	    info, ERR_INVALID, at, "%s must be %s", f->name, words[f->type]));
}

static enum err check_object(const struct field *, const json_t *,
    const struct place *, struct err_info *);

static enum err
check_word(const json_t *v, const struct place *at, struct err_info *info)
{
	const char *s = json_string_value(v);
	size_t n = s != NULL ? characters(s) : 0;

	if (n >= 1 && n <= FIELD_WORD_MAX)
		return (ERR_OK);
	return (err_set(info, ERR_INVALID, at->pointer,
	    "a string of 1 to %d characters is expected here", FIELD_WORD_MAX));
}

static enum err
check_array(const struct field *f, const json_t *v, const struct place *at,
    struct err_info *info)
{
	double n = (double)json_array_size(v);
	double max = bounded(f) ? f->max : FIELD_ARRAY_MAX;
	struct place item;
	const json_t *e;
	enum err err;
	char index[24];
	size_t i;

	if (n < f->min || n > max)
		return (err_set(info, ERR_INVALID, at->pointer,
		    "%s must have %.0f to %.0f items", f->name, f->min, max));
	json_array_foreach(v, i, e)
	{
		snprintf(index, sizeof(index), "%zu", i);
		item = place_in(at, index);
		err = f->type == FIELD_STRINGS
		    ? check_word(e, &item, info)
		    : check_object(f->items, e, &item, info);
		if (err != ERR_OK)
			return (err);
	}
	return (ERR_OK);
}

static enum err
check_value(const struct field *f, const json_t *v, const struct place *at,
    struct err_info *info)
{
	switch (f->type) {
	case FIELD_STRING:
		if (json_is_string(v))
			return (check_string(
			    f, json_string_value(v), at->pointer, info));
		break;
	case FIELD_NUMBER:
		if (json_is_number(v))
			return (check_number(
			    f, json_number_value(v), at->pointer, info));
		break;
	case FIELD_INTEGER:
		if (json_is_integer(v))
			return (check_number(
			    f, json_number_value(v), at->pointer, info));
		break;
	case FIELD_BOOLEAN:
		if (json_is_boolean(v))
			return (ERR_OK);
		break;
	case FIELD_OBJECT:
		if (json_is_object(v))
			return (ERR_OK);
		break;
	case FIELD_INSTANT:
		if (json_is_string(v))
			return (check_instant(
			    f, json_string_value(v), at->pointer, info));
		break;
	case FIELD_ARRAY:
	case FIELD_STRINGS:
		if (json_is_array(v))
			return (check_array(f, v, at, info));
		break;
	}
	return (wrong_type(f, at->pointer, info));
}

static enum err
check_unknown(const struct field *table, const json_t *body,
    const struct place *at, struct err_info *info)
{
	struct place p;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)body, key, v)
	{
		if (field_find(table, key) != NULL)
			continue;
		p = place_in(at, key);
		return (err_set(info, ERR_INVALID, p.pointer,
		    "there is no member \"%.80s\" here", key));
	}
	return (ERR_OK);
}

static enum err
check_object(const struct field *table, const json_t *body,
    const struct place *at, struct err_info *info)
{
	const struct field *f;
	struct place p;
	const json_t *v;
	enum err err;

	if (!json_is_object(body))
		return (err_set(info, ERR_INVALID, at->pointer,
		    "an object is expected here"));
	if ((err = check_unknown(table, body, at, info)) != ERR_OK)
		return (err);
	for (f = table; f->name != NULL; f++) {
		v = json_object_get(body, f->name);
		p = place_in(at, f->name);
		if (v == NULL || json_is_null(v)) {
			if (!f->required)
				continue;
			return (err_set(info, ERR_INVALID, p.pointer,
			    "%s is required", f->name));
		}
		if ((err = check_value(f, v, &p, info)) != ERR_OK)
			return (err);
	}
	return (ERR_OK);
}

enum err
field_check(
    const struct field *table, const json_t *body, struct err_info *info)
{
	struct place root = {.len = 0};

	return (check_object(table, body, &root, info));
}

static enum err
check_number_text(const struct field *f, const char *s, struct err_info *info)
{
	/* No hexadecimal, "inf" or "nan", which strtod would take. */
	const char *set =
	    f->type == FIELD_INTEGER ? "0123456789-" : "0123456789+-.eE";
	char *end;
	double v;

	errno = 0;
	v = strtod(s, &end);
	if (s[0] == '\0' || s[strspn(s, set)] != '\0' || *end != '\0' ||
	    errno != 0)
		return (wrong_type(f, "", info));
	return (check_number(f, v, "", info));
}

enum err
field_check_text(const struct field *f, const char *s, struct err_info *info)
{
	switch (f->type) {
	case FIELD_STRING:
		return (check_string(f, s, "", info));
	case FIELD_NUMBER:
	case FIELD_INTEGER:
		return (check_number_text(f, s, info));
	case FIELD_BOOLEAN:
		if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
			return (ERR_OK);
		break;
	case FIELD_INSTANT:
		return (check_instant(f, s, "", info));
	case FIELD_OBJECT:
	case FIELD_ARRAY:
	case FIELD_STRINGS:
		break;
	}
	return (wrong_type(f, "", info));
}
