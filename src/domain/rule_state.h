/*
 * rule_state: what is remembered of one version of a rule between cycles.
 *
 * Runs on: C. Frees: nothing; `seen` is the caller's array, rising by series.
 * Units: canonical unit of the metric; µs UTC, INSTANT_NONE for never.
 * Errors: decode() is false for bytes it does not know; the caller then
 * starts from rule_state_init(). A series that the bytes do not name, or name
 * though it is not of the rule any more, starts anew.
 */
#ifndef PENSTOCK_DOMAIN_RULE_STATE_H
#define PENSTOCK_DOMAIN_RULE_STATE_H

#include "domain/rule.h"

#define RULE_STATE_BYTES (8 * (11 + 3 * RULE_NODES + 6 * RULE_SERIES))

/* The newest reading of a series and the one before it. */
struct rule_seen {
	int32_t series;
	int quality;
	int64_t t_us, before_us;
	double value, before;
};

struct rule_mark {
	/* Since when the part of a `for`, or this part of a `sequence`, is
	 * true. */
	int64_t since_us;
	/* Of a part of a `within`: when it was last true. Of a `sequence`:
	 * when the newest chain came to it, and when that had begun. */
	int64_t at_us, from_us;
};

struct rule_state {
	int64_t clock_us; /* the newest time it was judged at */
	int64_t since_us; /* since when it is true */
	bool open;
	int64_t false_us;	    /* of what is open: false since; a gap
	    begins anew */
	struct condition condition; /* of what is open */
	struct rule_mark marks[RULE_NODES];
	struct rule_seen *seen;
	size_t nseen; /* at most RULE_SERIES */
};

/* `seen` has the series already. */
void rule_state_init(struct rule_state *, struct rule_seen *seen, size_t n);
struct rule_seen *rule_state_find(const struct rule_state *, int32_t series);
/* Returns the bytes used. */
size_t rule_state_encode(const struct rule_state *, size_t nmarks,
    unsigned char buf[static RULE_STATE_BYTES]);
bool rule_state_decode(
    struct rule_state *ret, size_t nmarks, const unsigned char *, size_t);
/* What was open, of a state whose rule is not judged any more. */
bool rule_state_open(const unsigned char *, size_t, struct condition *ret);

#endif
