#include "ingest/import_spans.h"

#include "ingest/registry_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err
import_spans_take(
    struct import_spans *s, const struct rows *rows, struct err_info *info)
{
	struct import_span *at;
	int i;

	at = calloc((size_t)rows->n + 1, sizeof(*at));
	if (at == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archived spans"));
	for (i = 0; i < rows->n; i++) {
		(void)snprintf(at[i].metric, sizeof(at[i].metric), "%s",
		    registry_row_text(rows, i, 0));
		at[i].from_us = registry_row_int(rows, i, 1);
		at[i].to_us = registry_row_int(rows, i, 2);
	}
	free(s->at);
	s->at = at;
	s->n = (size_t)rows->n;
	return (ERR_OK);
}

void
import_spans_done(struct import_spans *s)
{
	free(s->at);
	s->at = NULL;
	s->n = 0;
}

bool
import_spans_same(const struct import_spans *a, const struct import_spans *b)
{
	size_t i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (strcmp(a->at[i].metric, b->at[i].metric) != 0 ||
		    a->at[i].from_us != b->at[i].from_us ||
		    a->at[i].to_us != b->at[i].to_us)
			return (false);
	return (a->n == b->n);
}

static bool
only(void *self, int32_t series, int64_t t_us, int64_t *ret_end_us)
{
	const struct import_spans *s = self;
	const struct series_entry *e = registry_by_id(s->registry, series);
	const struct import_span *at;

	*ret_end_us = INT64_MAX;
	for (at = s->at; e != NULL && at < s->at + s->n; at++) {
		if (at->to_us <= t_us || strcmp(at->metric, e->metric) != 0)
			continue;
		*ret_end_us = at->from_us > t_us ? at->from_us : at->to_us;
		return (at->from_us <= t_us);
	}
	return (false);
}

struct range_port
import_spans_port(struct import_spans *s)
{
	return ((struct range_port){.self = s, .only = only});
}
