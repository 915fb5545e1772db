/*
 * lab_csv: readings of many series in one file, a row each: the columns
 * node, metric, unit, ts, value, in any order. A series' times never go back. An
 * empty value, NaN or NA is no reading. Series are numbered from 0 as they
 * first appear.
 *
 * Runs on: penstock-lab. Frees: lab_csv_close(). Bounds: LAB_SERIES_MOST
 * series. Errors: told on stderr with the line.
 */
#ifndef PENSTOCK_CMD_LAB_CSV_H
#define PENSTOCK_CMD_LAB_CSV_H

#include "cmd/feed_csv.h"

#include <stdint.h>

#define LAB_SERIES_MOST 100000

struct lab_series {
	char *node, *metric, *unit;
	int64_t newest_us;
};

struct lab_row {
	int series;
	int64_t t_us;
	double value; /* NaN: no reading */
};

struct lab_csv {
	struct csv csv;
	int column[5];
	struct lab_series *series;
	int n, room;
	int *index; /* open addressing: series + 1 */
	size_t slots;
	int last; /* series of the row before */
};

/* RFC 3339; one without a zone is UTC, a date its first moment. */
bool lab_csv_time(const char *, int64_t *ret_us);
bool lab_csv_open(struct lab_csv *, const char *path);
void lab_csv_close(struct lab_csv *);
enum csv_result lab_csv_next(struct lab_csv *, struct lab_row *);

/* Writes a cell, in quotes where RFC 4180 needs them. */
void lab_csv_cell(FILE *, const char *);

#endif
