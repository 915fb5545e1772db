/*
 * feed_csv: comma-separated values as RFC 4180 has them, one row at a time;
 * any delimiter, LF or CRLF, a byte order mark is passed over, blanks around
 * unquoted cells too.
 *
 * Runs on: penstock-feed. Frees: csv_close(). A row's cells live until the
 * next call. Bounds: 1 MiB and 4096 cells a row. Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_FEED_CSV_H
#define PENSTOCK_CMD_FEED_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CSV_ROW	  (1024 * 1024)
#define CSV_CELLS 4096

struct csv {
	FILE *f;
	const char *path;
	char delimiter;
	char *row;
	size_t len;
	char *cells[CSV_CELLS];
	size_t ncells;
	size_t line; /* where the row began, from 1 */
	size_t next_line;
};

enum csv_result { CSV_OK, CSV_END, CSV_BAD };

/* "-" is standard input. */
bool csv_open(struct csv *, const char *path, char delimiter);
void csv_close(struct csv *);
/* Empty lines are passed over. */
enum csv_result csv_next(struct csv *);
/* Index of the cell that reads so, -1 if there is none. */
int csv_find(const struct csv *, const char *cell);

#endif
