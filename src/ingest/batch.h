/*
 * batch: all readings of one request, from body to reply.
 *
 * Runs on: C. Frees: the arena. Errors: those of decoder.h, and
 * ERR_NO_MEMORY when the arena is full.
 *
 *	batch_open(&b, &in, arena, info)
 *	batch_decode(&b, bytes, &more, info)  while there is more; if then
 *	                                     b.unknown > 0, a refreshed
 *	                                     registry and once more from open
 *	batch_split(&b, last_seen)
 *	for each i < b.nlookup: the reading b.readings[b.lookup[i]] is looked
 *	for, and batch_stored(&b, i, value) called if it is there
 *	batch_settle(&b)                     b.readings[0..n) are to be logged
 *	batch_write(&b, text)                after their commit
 */
#ifndef PENSTOCK_INGEST_BATCH_H
#define PENSTOCK_INGEST_BATCH_H

#include "core/arena.h"
#include "core/text.h"
#include "ingest/decoder.h"
#include "ingest/last_seen.h"
#include "ingest/normalise.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch_input {
	enum body_form form;
	const char *body; /* lives until it is decoded */
	size_t len;
	const struct registry *registry;
	struct ingest_limits limits;
	size_t max; /* items */
};

/* An item that was not accepted. */
struct batch_outcome {
	uint32_t index;	    /* in the body */
	enum reject reason; /* REJECT_NONE: a duplicate */
	const char *detail; /* NULL for a duplicate */
};

struct batch {
	struct arena *arena;
	struct decoder *decoder;
	struct err_info info; /* the decoder's */
	struct normaliser normaliser;
	bool single;		  /* one object, not a list */
	size_t empty;		  /* rows without a value */
	struct reading *readings; /* in body order */
	uint32_t *index;	  /* of each in the body */
	size_t n, cap;
	uint32_t *lookup; /* positions in readings */
	size_t nlookup;
	struct batch_outcome *outcomes; /* in body order after settling */
	size_t noutcomes, outcomes_cap;
	size_t duplicates, rejected, unknown;
	bool failed; /* the arena was full */
};

enum err batch_open(struct batch *, const struct batch_input *, struct arena *,
    struct err_info *);
/* About as many bytes of the body; SIZE_MAX: all. */
enum err
batch_decode(struct batch *, size_t bytes, bool *ret_more, struct err_info *);
/* Tells surely new readings from those to be looked up. Call once, last_seen
 * learns from it. */
void batch_split(struct batch *, struct last_seen *);
/* The reading of lookup[i] is stored, with this value. */
void batch_stored(struct batch *, size_t i, double value);
/* Also sets aside what the body itself has twice: the first one stays. */
enum err batch_settle(struct batch *, struct err_info *);
/* {"accepted","duplicates","rejected","items":[{"index","status",...}]}, and
 * "empty" if there were rows without a value. */
void batch_write(const struct batch *, struct text *);

#endif
