/*
 * rule: conditions over several series, combined, as a flat array of nodes.
 *
 * Runs on: C. Value types; strings are borrowed from whoever read the rule.
 * Units: canonical unit of the metric; rates per minute; spans µs.
 *
 * A test is true, false or unknown (Kleene's strong three values): unknown as
 * long as a series was not heard of, or not lately. At a time T, by the event
 * times of readings:
 *	for       true if its part has been true without a break for the span
 *	within    true if each part was true at some time from T - span to T
 *	sequence  true if the parts became true one after the other, the first
 *	          no longer than the span before T
 */
#ifndef PENSTOCK_DOMAIN_RULE_H
#define PENSTOCK_DOMAIN_RULE_H

#include "core/err.h"
#include "domain/anomaly.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_NODES	 64
#define RULE_DEPTH	 7
#define RULE_SERIES	 201 /* 200 of all its tests, and what it is about */
#define RULE_CODE	 63
#define RULE_MESSAGE	 500
#define RULE_SPAN_MAX_US (INT64_C(7) * 86400 * 1000000)
#define RULE_BODY_MAX	 65536 /* bytes of JSON */

/* op and its word */
#define RULE_OPS(X)              \
	X(RULE_AND, "and")       \
	X(RULE_OR, "or")         \
	X(RULE_NOT, "not")       \
	X(RULE_FOR, "for")       \
	X(RULE_WITHIN, "within") \
	X(RULE_SEQUENCE, "sequence")

#define RULE_WHATS(X)                                     \
	X(RULE_VALUE, "value")                            \
	X(RULE_RATE, "rate_per_min")                      \
	X(RULE_AGE, "age_s")	   /* limit in seconds */ \
	X(RULE_QUALITY, "quality") /* limit 0: good, 1: suspect */

#define RULE_COMPARES(X)             \
	X(RULE_ABOVE, "above")       \
	X(RULE_AT_LEAST, "at_least") \
	X(RULE_BELOW, "below")       \
	X(RULE_AT_MOST, "at_most")   \
	X(RULE_EQUALS, "equals")

#define X(code, word) code,
enum rule_op { RULE_OPS(X) RULE_TEST };
enum rule_what { RULE_WHATS(X) RULE_WHAT_COUNT };
enum rule_compare { RULE_COMPARES(X) RULE_COMPARE_COUNT };
#undef X

enum rule_truth { RULE_FALSE, RULE_TRUE, RULE_UNKNOWN };

struct rule_node {
	enum rule_op op;
	int parent;	 /* -1: none. A parent stands before its parts, and
	    they in order */
	int64_t span_us; /* of for, within, sequence */
	/* Of a test. */
	enum rule_what what;
	enum rule_compare compare;
	double limit;
	const char *metric;
	const char *node, *zone; /* codes; of one is NULL, or of both: then
	    every series of the metric */
	bool all;		 /* of those series; else any */
};

struct rule {
	struct rule_node nodes[RULE_NODES];
	size_t n;
	enum anomaly_type type;
	enum direction direction;
	enum severity severity;
	const char *message;
	int64_t clear_us; /* false so long without a break, before it is over */
	/* Of the series that its anomalies are of; NULL: the first test's. */
	const char *node, *metric;
};

/* One version of a rule, as it is kept: JSON for a rule_reader. */
struct rule_text {
	int32_t rule, version;
	bool shadow; /* judged beside the others, and raises nothing */
	const char *code, *body;
};

struct arena;
/* Reads a rule's JSON; strings live in the arena. Errors tell the place. */
typedef enum err rule_reader(struct arena *, const char *json, size_t len,
    struct rule *ret, struct err_info *);

enum rule_truth rule_compare(enum rule_compare, double value, double limit);
enum rule_truth rule_not(enum rule_truth);
/* Of two parts. */
enum rule_truth rule_and(enum rule_truth, enum rule_truth);
enum rule_truth rule_or(enum rule_truth, enum rule_truth);
/* Whether anything of it is about time alone. */
bool rule_tells_age(const struct rule *);

#endif
