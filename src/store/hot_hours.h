/*
 * hot_hours: the commands to Redis about hours of readings, as bytes. Private
 * to src/store/hot*.c; what the keys mean is said in hot.h.
 *
 * Runs on: C. Frees: nothing. Each returns the command's length.
 */
#ifndef PENSTOCK_STORE_HOT_HOURS_H
#define PENSTOCK_STORE_HOT_HOURS_H

#include "store/hot_gather.h"

#include <stddef.h>
#include <stdint.h>

#define HOURS_EPOCH  "ps:epoch"
#define HOURS_SWITCH "ps:hours"
#define HOURS_KEPT   50 /* before the present one: 48 h and for skewed clocks */
#define HOURS_FETCH  56u	  /* in one question */
#define HOURS_GROUPS 128u	  /* in one command */
#define HOURS_APPEND (512u << 10) /* bytes of hours_append() */
#define HOURS_ASK    (8u << 10)	  /* of the others */

/* Replies of hours_append() and hours_note() below 1; above: the epoch that is
 * newer than the caller's, and nothing was done. */
#define HOURS_OFF 0
#define HOURS_ON  -1

/* Where in a gather the next command begins. */
struct hours_cursor {
	size_t group;
	uint32_t sent; /* of its records */
	uint32_t at;   /* the next of them, if some were sent */
};

/* Appends from the cursor on, as much as one command takes. */
size_t hours_append(
    char *buf, int64_t epoch, const struct gather *, struct hours_cursor *);
/* Asks whether hours are kept at all now; with `hole` they are not from then
 * on, until somebody builds them anew. */
size_t hours_note(char *buf, int64_t epoch, bool hole);
/*
 * The hours [first, last] of one series, at least one, and no more once they
 * hold `most` readings. Reply: array of the epoch, then of each hour count and
 * bytes; the epoch alone: not held, or not whole.
 */
struct hours_span {
	int32_t series, first, last;
	size_t most;
};
size_t hours_fetch(char *buf, const struct hours_span *);
/* "ps:h:SERIES:HOUR" and "ps:n:SERIES", at most HOURS_KEY bytes, no NUL. */
#define HOURS_KEY 40u
size_t hours_key(char *, int32_t series, int32_t hour);
size_t hours_index_key(char *, int32_t series);

#endif
