/* Any CSV as a part of an import: what is kept is in order and none twice, all
 * rows are counted, and cut at any line into two parts it comes to the same. */
#include "ingest/import_part.h"

#include "ingest/csv_readings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct registry *reg;
static struct import_part whole, first, second;

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
make(void)
{
	static const char *const metrics[] = {"m", "flow"};

	reg = registry_new();
	registry_put_node(reg, &(struct node_row){"A", "Z", false, 1});
	for (int i = 0; i < 2; i++)
		registry_put_series(reg,
		    &(struct series_row){.id = i + 1,
			.node = "A",
			.metric = metrics[i],
			.unit = "m3/h",
			.canonical = "m3/h",
			.low = -1e6,
			.high = 1e6});
}

static enum err
take(struct import_part *p, const char *csv, size_t len, const char *header)
{
	struct err_info info = {.code = ERR_OK};
	struct import_input in = {.csv = csv,
	    .len = len,
	    .header = header,
	    .registry = reg,
	    .limits = {.now_us = INT64_MAX / 2, .oldest_us = INT64_MIN + 1}};
	char *copy = malloc(len);
	enum err e;

	memcpy(copy, csv, len);
	in.csv = copy; /* so that what is beyond it is seen */
	e = import_part_decode(p, &in, &info);
	require(e == info.code);
	free(copy);
	return (e);
}

static void
check(struct import_part *p)
{
	size_t at, n;

	for (size_t i = 1; i < p->n; i++)
		require(p->readings[i - 1].series < p->readings[i].series ||
		    (p->readings[i - 1].series == p->readings[i].series &&
			p->readings[i - 1].t_us < p->readings[i].t_us));
	for (at = 0; at < p->n; at += n)
		require((n = import_part_chunk(p, at)) > 0 && n <= p->n - at);
	n = import_part_rejected(p);
	require(p->nitems == (n < IMPORT_ITEMS ? n : IMPORT_ITEMS));
	import_part_sort_items(p);
	for (size_t i = 1; i < p->nitems; i++)
		require(p->items[i - 1].row < p->items[i].row);
}

/* Rows in both halves of the cut may tell of one time twice. */
static void
cut(const char *csv, size_t len, size_t at)
{
	struct err_info info = {.code = ERR_OK};
	char header[IMPORT_HEADER_MAX + 1];
	struct span line;
	size_t rows, parts;

	if (import_part_header(csv, len, &line, &info) != ERR_OK ||
	    at < (size_t)(line.s + line.len - csv))
		return;
	memcpy(header, line.s, line.len);
	header[line.len] = '\0';
	if (strlen(header) != line.len)
		return;
	rows = whole.n + whole.duplicates + import_part_rejected(&whole);
	if (take(&first, csv, at, NULL) == ERR_OK &&
	    take(&second, csv + at, len - at, header) == ERR_OK) {
		parts = first.n + first.duplicates + second.n +
		    second.duplicates + import_part_rejected(&first) +
		    import_part_rejected(&second);
		require(first.empty + second.empty == whole.empty ||
		    parts < rows + whole.empty);
		require(parts <= rows && rows <= parts + 1);
	}
	import_part_done(&second); /* also what could not be read */
	import_part_done(&first);
}

/* The first byte says where it is cut. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *csv = (const char *)data + 1, *feed;

	if (reg == NULL)
		make();
	if (len < 1)
		return (0);
	len--;
	if (take(&whole, csv, len, NULL) == ERR_OK) {
		check(&whole);
		feed = len > 0 ? memchr(csv + len * data[0] / 256, '\n',
				     len - len * data[0] / 256)
			       : NULL;
		if (feed != NULL)
			cut(csv, len, (size_t)(feed + 1 - csv));
	}
	import_part_done(&whole);
	return (0);
}
