/*
 * json_item: one reading object of JSON text: what stands between its braces.
 *
 * Runs on: C. Frees: nothing. Errors: those of json_scan.h for what is not
 * RFC 8259 or has a member twice; what is wrong with the item is in the item.
 */
#ifndef PENSTOCK_INGEST_JSON_ITEM_H
#define PENSTOCK_INGEST_JSON_ITEM_H

#include "ingest/json_scan.h"

/* Any value; one that is no object is an item with a fault. */
bool json_item_take(struct json_scan *, struct item *ret);
/* For a scan that is behind the opening brace. */
bool json_item_finish(struct json_scan *, struct item *ret);

#endif
