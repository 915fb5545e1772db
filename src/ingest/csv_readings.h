/*
 * csv_readings: the decoder of text/csv (RFC 4180): a header line that names
 * the columns node, metric, ts, value and perhaps unit, in any order, then
 * one reading a line. Scanned once, no allocation.
 *
 * LF or CRLF; a byte order mark before the header is passed over, and so are
 * blank lines. A line break ends a row even within quotes, since no code and
 * no unit has one: so a forgotten quote spoils its own row only. A row with
 * an empty value is no reading: it has its number, but gives no item.
 *
 * Runs on: C. Frees: nothing.
 * Errors: ERR_INVALID for a header that cannot be used, ERR_TOO_LARGE beyond
 * `max` rows or blank lines; both speak of the whole body. What is wrong with one row is in
 * its item.
 */
#ifndef PENSTOCK_INGEST_CSV_READINGS_H
#define PENSTOCK_INGEST_CSV_READINGS_H

#include "core/err.h"
#include "ingest/item.h"

#include <stdbool.h>

/* Which member of an item stands in each column. */
struct csv_columns {
	unsigned char member[ITEM_MEMBERS];
	unsigned char n;
};

struct csv_readings {
	const char *p, *end;
	struct csv_columns columns;
	size_t max, rows; /* so far */
	size_t empty;	  /* of them, without a value */
	size_t blank;	  /* lines */
	struct err_info *info;
	/* Texts in which a quote was doubled, one place per column. */
	char scratch[ITEM_MEMBERS][ITEM_TEXT_MAX + 1];
};

/* The body begins with its header. `info` (not NULL) must live as long as the
 * decoder. */
void csv_readings_init(struct csv_readings *, const char *body, size_t len,
    size_t max, struct err_info *info);
/* Rows alone, of columns that are known from elsewhere: d->columns of another
 * decoder. */
void csv_readings_init_rows(struct csv_readings *, const struct csv_columns *,
    const char *rows, size_t len, size_t max, struct err_info *info);
/* ERR_OK: *ret_more tells whether *ret holds an item or the body ended. */
enum err
csv_readings_next(struct csv_readings *, struct item *ret, bool *ret_more);

#endif
