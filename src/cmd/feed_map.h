/*
 * feed_map: which column of a wide file is which series; and the text of a
 * cell as the API wants it.
 *
 * Runs on: penstock-feed. Frees: feed_map_free(). Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_FEED_MAP_H
#define PENSTOCK_CMD_FEED_MAP_H

#include "cmd/feed_csv.h"

#include <stdbool.h>
#include <stddef.h>

#define FEED_WORD   128 /* node, metric and unit fit into this */
#define FEED_NUMBER 128

struct feed_column {
	size_t index; /* of the cell */
	char node[FEED_WORD], metric[FEED_WORD];
	char unit[FEED_WORD]; /* "": the series' own */
};

struct feed_map {
	struct feed_column *columns;
	size_t n;
};

/* From a mapping file (column,node,metric[,unit]); `header` is the wide
 * file's first row. */
bool
feed_map_read(struct feed_map *, const char *path, const struct csv *header);
/* Every column but `time` is a node: `node` with {column} replaced. */
bool feed_map_spread(struct feed_map *, const struct csv *header, int time,
    const struct feed_column *pattern);
void feed_map_free(struct feed_map *);

/* The cell as a JSON number, digit for digit; false if it is none. */
bool feed_number(const char *cell, char decimal, char ret[static FEED_NUMBER]);
/* The cell read with strptime(3) as UTC, written as RFC 3339. */
bool feed_time(const char *cell, const char *format, char *ret, size_t size);

#endif
