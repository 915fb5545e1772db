#include "ingest/ndjson_readings.h"
#include "ingest/json_item.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

void
ndjson_readings_init(struct ndjson_readings *d, const char *body, size_t len,
    size_t max, struct err_info *info)
{
	if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0) {
		body += 3;
		len -= 3;
	}
	d->p = body;
	d->end = body + len;
	d->max = max;
	d->count = d->blank = 0;
	d->info = info;
	err_clear(info);
}

/* The next line that holds something; false at the end. */
static bool
open_line(struct ndjson_readings *d)
{
	const char *feed;

	for (; d->p < d->end && d->blank <= d->max; d->blank++) {
		feed = memchr(d->p, '\n', (size_t)(d->end - d->p));
		if (feed == NULL)
			feed = d->end;
		json_scan_init(&d->scan, d->p, (size_t)(feed - d->p));
		d->p = feed + (feed < d->end);
		if (d->scan.end - d->scan.p > (ptrdiff_t)JSON_ITEM_BYTES ||
		    json_peek(&d->scan) != '\0')
			return (true);
	}
	return (false);
}

static void
take_line(struct ndjson_readings *d, struct item *ret)
{
	struct json_scan *s = &d->scan;

	if (s->end - s->start > (ptrdiff_t)JSON_ITEM_BYTES)
		(void)json_bad(s, s->p, "a line of more than 65536 bytes");
	else if (json_item_take(s, ret) && json_peek(s) != '\0')
		(void)json_bad(s, s->p, "there is more behind the object");
	if (s->what == NULL)
		return;
	(void)snprintf(d->sentence, sizeof(d->sentence), "column %zu: %s%s",
	    (size_t)(s->at - s->start) + 1, s->what,
	    s->at == s->end ? ", but the line ends" : "");
	*ret = (struct item){.index = ret->index,
	    .fault = ITEM_FAULT_SYNTAX,
	    .member = {d->sentence, strlen(d->sentence)}};
}

enum err
ndjson_readings_next(
    struct ndjson_readings *d, struct item *ret, bool *ret_more)
{
	if (d->info->code != ERR_OK)
		return (d->info->code);
	if (!open_line(d)) {
		*ret_more = false;
		if (d->p == d->end)
			return (ERR_OK);
		return (err_set(d->info, ERR_TOO_LARGE, NULL,
		    "more than %zu blank lines in one request", d->max));
	}
	if (d->count == d->max)
		return (err_set(d->info, ERR_TOO_LARGE, NULL,
		    "more than %zu readings in one request", d->max));
	ret->index = d->count++;
	take_line(d, ret);
	*ret_more = true;
	return (ERR_OK);
}
