/*
 * normalise: one decoded item to one reading in canonical units, or the
 * reason why not.
 *
 * Runs on: C. Frees: nothing. Units: the series' canonical unit, µs UTC.
 */
#ifndef PENSTOCK_INGEST_NORMALISE_H
#define PENSTOCK_INGEST_NORMALISE_H

#include "core/range_port.h"
#include "domain/reading.h"
#include "ingest/item.h"
#include "ingest/registry.h"

#include <stdint.h>

/* The closed list of reasons: code, word in the reply, what it means. */
/* clang-format off */
#define REJECT_TABLE(X) \
	X(REJECT_NONE,           "none", "Not rejected") \
	X(REJECT_BAD_ITEM,       "bad_item", "A member is missing, unknown or of the wrong type") \
	X(REJECT_UNKNOWN_SERIES, "unknown_series", "There is no series of this node and metric") \
	X(REJECT_SCOPE,          "not_in_scope", "The API key may not send for this node") \
	X(REJECT_RETIRED,        "retired", "The series takes no more readings") \
	X(REJECT_BAD_TIMESTAMP,  "bad_timestamp", "The time is not RFC 3339 text") \
	X(REJECT_BAD_UNIT,       "bad_unit", "The unit is unknown or of another quantity") \
	X(REJECT_NOT_FINITE,     "not_finite", "The value is beyond what a double holds") \
	X(REJECT_OUT_OF_RANGE,   "out_of_range", "The value is physically impossible") \
	X(REJECT_FUTURE,         "future", "The time is too far ahead of the server's clock") \
	X(REJECT_TOO_OLD,        "too_old", "The time is before the oldest that is kept") \
	X(REJECT_CONFLICT,       "conflict", "The series has another value at this time; the first stays")
/* clang-format on */

#define X(code, word, sentence) code,
enum reject { REJECT_TABLE(X) REJECT_COUNT };
#undef X

#define NORMALISE_DETAIL 200

struct ingest_limits {
	int64_t now_us;	   /* our clock */
	int64_t future_us; /* how far ahead a reading may be */
	int64_t oldest_us; /* the earliest event time taken */
	/* Its only(): spans that are archived and take no more. NULL: none. */
	const struct range_port *archive;
	const struct key_scope *scope; /* of the sender's key; NULL: all */
};

struct normaliser {
	const struct registry *registry;
	struct ingest_limits limits;
	const struct series_entry *last; /* found; begin with NULL */
	const struct node_entry *inside; /* of the scope; begin with NULL */
};

const char *reject_word(enum reject);
const char *reject_sentence(enum reject);
/* On rejection `detail` holds a sentence naming what is wrong. */
enum reject normalise(struct normaliser *, const struct item *,
    struct reading *ret, char detail[static NORMALISE_DETAIL]);

#endif
