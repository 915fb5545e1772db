#include "ingest/json_readings.h"
#include "ingest/json_item.h"

#include <string.h>

/* An error so near the end of a narrowed scan may be of that end. */
#define CUT_BYTES 512

/* No more than one item may take, until widen(). */
static void
narrow(struct json_readings *d)
{
	if ((size_t)(d->end - d->scan.p) > JSON_ITEM_BYTES)
		d->scan.end = d->scan.p + JSON_ITEM_BYTES;
}

static bool
was_cut(const struct json_readings *d)
{
	return (d->scan.end < d->end && d->scan.end - d->scan.at < CUT_BYTES);
}

static void
widen(struct json_readings *d)
{
	d->scan.end = d->end;
}

static bool
at_end(struct json_readings *d)
{
	widen(d);
	if (json_peek(&d->scan) != '\0')
		return (json_bad(
		    &d->scan, d->scan.p, "there is more behind the JSON text"));
	d->done = true;
	return (true);
}

/* JSON of another shape, as far as it was read; `what` says which is wanted. */
static void
refuse_shape(struct json_readings *d, const char *pointer, const char *what)
{
	if (d->scan.what != NULL && !was_cut(d))
		return;
	d->scan.what = NULL;
	(void)err_set(d->info, ERR_INVALID, pointer, "%s", what);
}

static bool
is_readings(const struct span *name)
{
	return (name->len == 8 && memcmp(name->s, "readings", 8) == 0);
}

/* What stands behind the list; the scan is behind its value. */
static bool
finish_list(struct json_readings *d)
{
	struct json_scan *s = &d->scan;
	struct err_info unknown = {0};
	struct span name;

	narrow(d);
	while (json_peek(s) == ',') {
		s->p++;
		if (!json_name_take(s, s->scratch[0], &name) ||
		    !json_skip(s, 1))
			return (false);
		if (is_readings(&name))
			return (json_bad(s, s->p, "\"readings\" stands twice"));
		(void)err_set(&unknown, ERR_INVALID, NULL,
		    "unknown member \"%.*s\"", (int)name.len, name.s);
	}
	if (!json_expect(s, '}', "expected ',' or '}'") || !at_end(d))
		return (false);
	if (unknown.code != ERR_OK)
		*d->info = unknown;
	return (unknown.code == ERR_OK);
}

/* The scan is behind "readings". */
static void
open_list(struct json_readings *d)
{
	struct json_scan *s = &d->scan;

	d->list = true;
	if (!json_expect(s, ':', "expected ':'"))
		return;
	if (json_peek(s) == '[') {
		s->p++;
		return;
	}
	narrow(d);
	if (json_skip(s, 1))
		(void)finish_list(d);
	if (d->info->code == ERR_OK)
		refuse_shape(d, "/readings", "\"readings\" must be an array");
}

static void
open_body(struct json_readings *d)
{
	struct json_scan *s = &d->scan;
	const char *inside;
	struct span name;

	if (json_peek(s) != '{') {
		narrow(d);
		if (json_skip(s, 0))
			(void)at_end(d);
		refuse_shape(
		    d, NULL, "expected one reading or {\"readings\": [...]}");
		return;
	}
	inside = ++s->p;
	narrow(d);
	if (json_peek(s) == '"' &&
	    (s->p++, json_string_take(s, s->scratch[0], &name)) &&
	    is_readings(&name)) {
		widen(d);
		open_list(d);
	} else {
		/* One reading; if its name is broken, it fails there again. */
		s->p = inside;
		s->what = NULL;
		widen(d);
	}
}

/* Where and why the scan stopped, if it did. */
static enum err
tell(struct json_readings *d)
{
	const struct json_scan *s = &d->scan;
	const char *p, *line = s->start;
	unsigned long lines = 1;

	if (s->what == NULL || d->info->code != ERR_OK)
		return (d->info->code);
	if (was_cut(d))
		return (err_set(d->info, ERR_TOO_LARGE, NULL,
		    "more than %zu bytes in one reading", JSON_ITEM_BYTES));
	for (p = s->start; p < s->at; p++)
		if (*p == '\n') {
			lines++;
			line = p + 1;
		}
	return (
	    err_set(d->info, ERR_BAD_JSON, NULL, "line %lu, column %lu: %s%s",
		lines, (unsigned long)(s->at - line) + 1, s->what,
		s->at == d->end ? ", but the body ends" : ""));
}

void
json_readings_init(struct json_readings *d, const char *body, size_t len,
    size_t max, struct err_info *info)
{
	json_scan_init(&d->scan, body, len);
	d->end = d->scan.end;
	d->max = max;
	d->count = 0;
	d->list = d->done = false;
	d->info = info;
	err_clear(info);
	open_body(d);
	(void)tell(d);
}

/* ',' between items or the end of the list; *ret_more if one follows. */
static bool
take_separator(struct json_readings *d, bool *ret_more)
{
	char c = json_peek(&d->scan);

	*ret_more = false;
	if (c == ']') {
		d->scan.p++;
		return (finish_list(d));
	}
	*ret_more = true;
	return (
	    d->count == 0 || json_expect(&d->scan, ',', "expected ',' or ']'"));
}

static bool
take_item(struct json_readings *d, struct item *ret)
{
	bool ok;

	narrow(d);
	ret->index = d->count;
	ok = d->list ? json_item_take(&d->scan, ret)
		     : json_item_finish(&d->scan, ret) && at_end(d);
	if (ok)
		widen(d);
	return (ok);
}

enum err
json_readings_next(struct json_readings *d, struct item *ret, bool *ret_more)
{
	bool more = !d->done;

	if (d->info->code != ERR_OK)
		return (d->info->code);
	if (more && d->list && !take_separator(d, &more))
		return (tell(d));
	if (more && d->count == d->max)
		return (err_set(d->info, ERR_TOO_LARGE, "/readings",
		    "more than %zu readings in one request", d->max));
	if (more && !take_item(d, ret))
		return (tell(d));
	d->count += more;
	*ret_more = more;
	return (ERR_OK);
}
