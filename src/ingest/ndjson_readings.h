/*
 * ndjson_readings: the decoder of application/x-ndjson: one reading object a
 * line. Blank lines are passed over, and a byte order mark before the first.
 *
 * Runs on: C. Frees: nothing.
 * Errors: ERR_TOO_LARGE beyond `max` items or blank lines, of the whole body. What is wrong
 * with one line is in its item, and the next line is read as if nothing had
 * been.
 */
#ifndef PENSTOCK_INGEST_NDJSON_READINGS_H
#define PENSTOCK_INGEST_NDJSON_READINGS_H

#include "core/err.h"
#include "ingest/json_scan.h"

struct ndjson_readings {
	struct json_scan scan; /* of one line */
	const char *p, *end;
	size_t max, count, blank;
	struct err_info *info;
	char sentence[120];
};

/* `info` (not NULL) must live as long as the decoder. */
void ndjson_readings_init(struct ndjson_readings *, const char *body,
    size_t len, size_t max, struct err_info *info);
/* ERR_OK: *ret_more tells whether *ret holds an item or the body ended. */
enum err ndjson_readings_next(
    struct ndjson_readings *, struct item *ret, bool *ret_more);

#endif
