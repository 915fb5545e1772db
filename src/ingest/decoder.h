/*
 * decoder: the body of POST /api/v1/readings, whatever its form, item by item.
 *
 * Runs on: C. Frees: nothing. Errors: those of the form's own decoder; all
 * speak of the whole body.
 */
#ifndef PENSTOCK_INGEST_DECODER_H
#define PENSTOCK_INGEST_DECODER_H

#include "ingest/csv_readings.h"
#include "ingest/json_readings.h"
#include "ingest/ndjson_readings.h"

/* In the order of the route's media types. */
enum body_form { FORM_JSON, FORM_CSV, FORM_NDJSON };

struct decoder {
	enum body_form form;
	union {
		struct json_readings json;
		struct csv_readings csv;
		struct ndjson_readings ndjson;
	};
};

/* `info` (not NULL) must live as long as the decoder. */
void decoder_init(struct decoder *, enum body_form, const char *body,
    size_t len, size_t max, struct err_info *info);
/* ERR_OK: *ret_more tells whether *ret holds an item or the body ended. */
enum err decoder_next(struct decoder *, struct item *ret, bool *ret_more);
/* What was not read yet. */
const char *decoder_at(const struct decoder *);
/* One object, not a list. */
bool decoder_single(const struct decoder *);
/* Rows without a value. */
size_t decoder_empty(const struct decoder *);
/* No whole reading takes fewer bytes. */
size_t decoder_item_bytes(enum body_form);

#endif
