#include "ingest/import_part.h"

#include "core/instant.h"
#include "domain/order.h"
#include "ingest/csv_readings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No row with a reading is shorter: a,b,2024-01-01T00:00:00Z,1 */
#define ROW_BYTES 26
/* What one transaction writes, in units of one reading's packing: a roll-up
 * row and a look-up of a day cost about as much as so many. */
#define ROLLUP_COST 10
#define DAY_COST    40
#define CHUNK_COST  (IMPORT_CHUNK * 3)

static size_t
line_length(const char *s, size_t len)
{
	const char *end = memchr(s, '\n', len);
	size_t n = end != NULL ? (size_t)(end - s) : len;

	return (n > 0 && s[n - 1] == '\r' ? n - 1 : n);
}

/* The first line that is not empty, a byte order mark before it left out. */
static struct span
first_line(const char *csv, size_t len)
{
	struct span line = {csv, len};

	if (len >= 3 && memcmp(csv, "\xef\xbb\xbf", 3) == 0)
		csv += 3;
	for (len -= (size_t)(csv - line.s); len > 0; csv++, len--)
		if (*csv != '\n' && *csv != '\r')
			break;
	return ((struct span){csv, line_length(csv, len)});
}

enum err
import_part_header(
    const char *csv, size_t len, struct span *ret, struct err_info *info)
{
	struct span line = first_line(csv, len);

	if (line.len > IMPORT_HEADER_MAX)
		return (err_set(info, ERR_INVALID, NULL,
		    "the header line is over %d bytes", IMPORT_HEADER_MAX));
	*ret = line;
	return (ERR_OK);
}

static void
reject(
    struct import_part *p, size_t row, enum reject reason, const char *detail)
{
	struct import_item *item = NULL;
	size_t i;

	p->rejected[reason]++;
	if (p->nitems < IMPORT_ITEMS)
		item = &p->items[p->nitems++];
	else
		/* Conflicts are found in another order than by row. */
		for (i = 0; i < IMPORT_ITEMS; i++)
			if (p->items[i].row > row &&
			    (item == NULL || p->items[i].row > item->row))
				item = &p->items[i];
	if (item == NULL)
		return;
	item->row = row;
	item->reason = reason;
	(void)snprintf(item->detail, sizeof(item->detail), "%s", detail);
}

void
import_part_known(struct import_part *p, size_t i, double value, const char *by)
{
	char detail[NORMALISE_DETAIL];

	if (p->readings[i].value == value) {
		p->duplicates++;
		return;
	}
	(void)snprintf(detail, sizeof(detail),
	    "%s has the value %.9g at this time; the first stays", by, value);
	reject(p, (size_t)p->readings[i].received_us, REJECT_CONFLICT, detail);
}

static bool
same_key(const struct reading *a, const struct reading *b)
{
	return (a->series == b->series && a->t_us == b->t_us);
}

/* Of two rows with one key the first stays. */
static void
drop_repeated(struct import_part *p)
{
	struct reading *r = p->readings;
	size_t i, n = 0;

	for (i = 0; i < p->n; i++) {
		if (n > 0 && same_key(&r[n - 1], &r[i]))
			import_part_known(
			    p, i, r[n - 1].value, "an earlier row");
		else
			r[n++] = r[i];
	}
	p->n = n;
}

static enum err
order(struct import_part *p, struct err_info *info)
{
	struct reading *other, *sorted;

	if ((other = malloc((p->n + 1) * sizeof(*other))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%zu rows", p->n));
	sorted = order_readings(p->readings, other, p->n);
	free(sorted == other ? p->readings : other);
	p->readings = sorted;
	drop_repeated(p);
	return (ERR_OK);
}

/* Begins to read rows, behind the header if the part has one. */
static void
begin(struct csv_readings *d, const struct import_input *in, size_t max,
    struct err_info *info)
{
	struct span line = first_line(in->csv, in->len);
	struct csv_readings head;

	if (in->header != NULL)
		csv_readings_init(
		    &head, in->header, strlen(in->header), max, info);
	if (in->header == NULL ||
	    (line.len == strlen(in->header) &&
		memcmp(line.s, in->header, line.len) == 0))
		csv_readings_init(d, in->csv, in->len, max, info);
	else
		csv_readings_init_rows(
		    d, &head.columns, in->csv, in->len, max, info);
}

static enum err
decode(struct import_part *p, const struct import_input *in, size_t max,
    struct err_info *info)
{
	char detail[NORMALISE_DETAIL];
	struct normaliser to = {.registry = in->registry, .limits = in->limits};
	struct csv_readings d;
	struct item item;
	enum reject why;
	bool more;
	enum err e;

	begin(&d, in, max, info);
	while ((e = csv_readings_next(&d, &item, &more)) == ERR_OK && more) {
		why = normalise(&to, &item, &p->readings[p->n], detail);
		if (why == REJECT_NONE)
			p->readings[p->n++].received_us = (int64_t)item.index;
		else
			reject(p, item.index, why, detail);
	}
	p->empty = d.empty;
	return (e);
}

enum err
import_part_decode(
    struct import_part *p, const struct import_input *in, struct err_info *info)
{
	size_t max = in->len / ROW_BYTES + 2;
	struct err_info mine = {.code = ERR_OK};
	enum err e;

	*p = (struct import_part){.n = 0};
	p->readings = malloc(max * sizeof(*p->readings));
	if (p->readings == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%zu rows", max));
	if ((e = decode(p, in, in->len + 1, &mine)) != ERR_OK) {
		(void)err_set(info, mine.code, mine.pointer, "%s", mine.detail);
		return (e);
	}
	return (order(p, info));
}

void
import_part_done(struct import_part *p)
{
	free(p->readings);
	p->readings = NULL;
}

static int
by_row(const void *a, const void *b)
{
	const struct import_item *x = a, *y = b;

	return ((x->row > y->row) - (x->row < y->row));
}

void
import_part_sort_items(struct import_part *p)
{
	qsort(p->items, p->nitems, sizeof(*p->items), by_row);
}

size_t
import_part_rejected(const struct import_part *p)
{
	size_t i, n = 0;

	for (i = 0; i < REJECT_COUNT; i++)
		n += p->rejected[i];
	return (n);
}

size_t
import_part_chunk(const struct import_part *p, size_t at)
{
	static const int64_t widths_us[] = {
	    5 * US_PER_MINUTE, US_PER_HOUR, US_PER_DAY};
	int64_t ends[3] = {0};
	const struct reading *r = p->readings;
	size_t i, w, cost = 0;

	for (i = at; i < p->n && cost < CHUNK_COST; i++) {
		cost++;
		for (w = 0; w < 3; w++) {
			if (i > at && r[i].series == r[i - 1].series &&
			    r[i].t_us < ends[w])
				break;
			ends[w] = instant_floor(r[i].t_us, widths_us[w]) +
			    widths_us[w];
			cost += ROLLUP_COST + (w == 2 ? DAY_COST : 0);
		}
	}
	return (i - at);
}
