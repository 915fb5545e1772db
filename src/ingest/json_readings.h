/*
 * json_readings: the decoder of application/json: one reading object or
 * {"readings": [...]}, scanned once, no tree, no allocation.
 *
 * Runs on: C. Frees: nothing.
 * Errors: ERR_BAD_JSON, with line and column, for anything that is not RFC
 * 8259 (or has a member twice); ERR_INVALID for JSON of another shape;
 * ERR_TOO_LARGE beyond `max` items or JSON_ITEM_BYTES in one. Any of them speaks of the whole body, so
 * nothing may be stored before the end was reached. What is wrong with one
 * item is in the item.
 */
#ifndef PENSTOCK_INGEST_JSON_READINGS_H
#define PENSTOCK_INGEST_JSON_READINGS_H

#include "core/err.h"
#include "ingest/json_scan.h"

struct json_readings {
	struct json_scan scan; /* of what may be scanned in one step */
	const char *end;       /* of the body */
	size_t max, count;
	bool list; /* {"readings": [...]} */
	bool done;
	struct err_info *info;
};

/* `info` (not NULL) must live as long as the decoder. */
void json_readings_init(struct json_readings *, const char *body, size_t len,
    size_t max, struct err_info *info);
/* ERR_OK: *ret_more tells whether *ret holds an item or the body ended. */
enum err
json_readings_next(struct json_readings *, struct item *ret, bool *ret_more);

#endif
