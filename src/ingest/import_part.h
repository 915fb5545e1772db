/*
 * import_part: one part of a CSV import: from bytes to readings in the order
 * in which they are stored, with what was refused on the way.
 *
 * Runs on: C. Frees: import_part_done(). Units: canonical, µs UTC.
 * Errors: those of csv_readings.h, all of the whole part; ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_INGEST_IMPORT_PART_H
#define PENSTOCK_INGEST_IMPORT_PART_H

#include "domain/reading.h"
#include "ingest/normalise.h"

#include <stdbool.h>
#include <stddef.h>

#define IMPORT_ITEMS	  100	 /* refused rows that are told one by one */
#define IMPORT_HEADER_MAX 4096	 /* bytes of a header line */
#define IMPORT_CHUNK	  200000 /* readings that are stored at once */

struct import_input {
	const char *csv;
	size_t len;
	/* Of part 0, without its line break; NULL: this part brings it. If the
	 * part's first line is the same, it is no row. */
	const char *header;
	const struct registry *registry;
	struct ingest_limits limits;
};

struct import_item {
	size_t row; /* of the part, from 0, without the header */
	enum reject reason;
	char detail[NORMALISE_DETAIL];
};

struct import_part {
	/* By (series, time), none twice. received_us holds the row until the
	 * reading is stored. */
	struct reading *readings;
	size_t n;
	size_t empty; /* rows without a value */
	size_t duplicates;
	size_t rejected[REJECT_COUNT];
	struct import_item items[IMPORT_ITEMS]; /* the first by row */
	size_t nitems;
};

enum err import_part_decode(
    struct import_part *, const struct import_input *, struct err_info *);
void import_part_done(struct import_part *);
/* The header line of a part 0, borrowed. ERR_INVALID if it is too long. */
enum err import_part_header(
    const char *csv, size_t len, struct span *ret, struct err_info *);
/* The reading at i is stored, or comes earlier in the part, with this value:
 * a duplicate or a conflict. */
void
import_part_known(struct import_part *, size_t i, double value, const char *by);
/* Items by row. */
void import_part_sort_items(struct import_part *);
size_t import_part_rejected(const struct import_part *);
/* How many of the readings from `at` on one transaction stores: so many that
 * it holds the lock of segments well under a second. */
size_t import_part_chunk(const struct import_part *, size_t at);

#endif
