#include "ingest/registry_rows.h"

#include <stdlib.h>

const char *
registry_row_text(const struct rows *r, int row, int column)
{
	const char *v = r->get(r, row, column, NULL);

	return (v != NULL ? v : "");
}

int64_t
registry_row_int(const struct rows *r, int row, int column)
{
	return (strtoll(registry_row_text(r, row, column), NULL, 10));
}

bool
registry_row_true(const struct rows *r, int row, int column)
{
	return (registry_row_text(r, row, column)[0] == 't');
}

enum err
registry_row_node(struct registry *reg, const struct rows *r, int row)
{
	return (registry_put_node(reg,
	    &(struct node_row){.code = registry_row_text(r, row, 0),
		.zone = registry_row_text(r, row, 1),
		.retired = registry_row_true(r, row, 2),
		.change = registry_row_int(r, row, 3)}));
}

enum err
registry_row_series(struct registry *reg, const struct rows *r, int row)
{
	return (registry_put_series(reg,
	    &(struct series_row){.id = (int32_t)registry_row_int(r, row, 0),
		.node = registry_row_text(r, row, 1),
		.metric = registry_row_text(r, row, 2),
		.unit = registry_row_text(r, row, 3),
		.canonical = registry_row_text(r, row, 4),
		.kind = (enum series_kind)series_kind_parse(
		    registry_row_text(r, row, 5)),
		.low = strtod(registry_row_text(r, row, 6), NULL),
		.high = strtod(registry_row_text(r, row, 7), NULL),
		.retired = registry_row_true(r, row, 8),
		.change = registry_row_int(r, row, 9)}));
}
