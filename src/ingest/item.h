/*
 * item: one reading as a body says it, before anybody judged it: what each
 * decoder (json_readings, ndjson_readings, csv_readings) gives.
 *
 * Runs on: C. Frees: nothing; spans point into the body or into the decoder
 * and live until its next item. Units: as the sender wrote them.
 */
#ifndef PENSTOCK_INGEST_ITEM_H
#define PENSTOCK_INGEST_ITEM_H

#include <stddef.h>

#define ITEM_TEXT_MAX	255 /* bytes of a member's name or text, unescaped */
#define ITEM_NUMBER_MAX 400 /* characters of a number */

struct span {
	const char *s; /* not NUL-terminated; NULL: absent */
	size_t len;
};

enum item_fault {
	ITEM_FAULT_NONE,
	ITEM_FAULT_NOT_OBJECT,
	ITEM_FAULT_MISSING,
	ITEM_FAULT_UNKNOWN,
	ITEM_FAULT_NOT_STRING,
	ITEM_FAULT_NOT_NUMBER,
	ITEM_FAULT_TS_NUMBER, /* seconds since when? refused */
	ITEM_FAULT_TOO_LONG,
	ITEM_FAULT_SYNTAX, /* member: a sentence; the line says nothing else */
	ITEM_FAULT_COUNT
};

struct item {
	struct span node, metric, ts, unit;
	double value;	       /* exactly rounded; infinite if beyond double */
	enum item_fault fault; /* the first one */
	struct span member;    /* which it concerns */
	size_t index;	       /* in the body, from 0 */
};

enum { ITEM_NODE, ITEM_METRIC, ITEM_TS, ITEM_VALUE, ITEM_UNIT, ITEM_MEMBERS };

#endif
