/*
 * json_readings: the decoder of POST /api/v1/readings: one reading object or
 * {"readings": [...]}, scanned once, no tree, no allocation.
 *
 * Runs on: C. Frees: nothing; spans point into the body or into the decoder
 * and live until the next json_readings_next().
 * Errors: ERR_BAD_JSON, with line and column, for anything that is not RFC
 * 8259 (or has a member twice); ERR_INVALID for JSON of another shape;
 * ERR_TOO_LARGE beyond `max` items. Any of them speaks of the whole body, so
 * nothing may be stored before the end was reached. What is wrong with one
 * item is in the item.
 */
#ifndef PENSTOCK_INGEST_JSON_READINGS_H
#define PENSTOCK_INGEST_JSON_READINGS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

#define JSON_STRING_MAX 255 /* bytes of a member's name or text, unescaped */
#define JSON_NUMBER_MAX 400 /* characters of a number */
#define JSON_DEPTH_MAX	16

struct span {
	const char *s; /* not NUL-terminated; NULL: absent */
	size_t len;
};

enum json_fault {
	JSON_FAULT_NONE,
	JSON_FAULT_NOT_OBJECT,
	JSON_FAULT_MISSING,
	JSON_FAULT_UNKNOWN,
	JSON_FAULT_NOT_STRING,
	JSON_FAULT_NOT_NUMBER,
	JSON_FAULT_TS_NUMBER, /* seconds since when? refused */
	JSON_FAULT_TOO_LONG
};

struct json_reading {
	struct span node, metric, ts, unit;
	double value;	       /* exactly rounded; infinite if beyond double */
	enum json_fault fault; /* the first one */
	struct span member;    /* which it concerns */
};

enum { JSON_NODE, JSON_METRIC, JSON_TS, JSON_VALUE, JSON_UNIT, JSON_MEMBERS };

struct json_readings {
	const char *start, *p, *end;
	size_t max, count;
	bool list; /* {"readings": [...]} */
	bool done;
	struct err_info *info;
	/* Unescaped texts, one place per member, then names. */
	char scratch[JSON_MEMBERS + 2][JSON_STRING_MAX + 1];
};

/* `info` (not NULL) must live as long as the decoder. */
void json_readings_init(struct json_readings *, const char *body, size_t len,
    size_t max, struct err_info *info);
/* ERR_OK: *ret_more tells whether *ret holds an item or the body ended. */
enum err json_readings_next(
    struct json_readings *, struct json_reading *ret, bool *ret_more);

#endif
