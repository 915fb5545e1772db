/*
 * rule_json: a rule (domain/rule.h) from its JSON:
 *
 *	{"when": CONDITION, "severity": "info" | "warning" | "critical",
 *	 "type"?: a type of anomalies, "rule" if absent, "direction"?: "high" |
 *	 "low", "message": text, "about"?: "NODE/metric"}
 *	CONDITION =
 *	 {"and": [CONDITION, ...]} | {"or": [...]} | {"not": CONDITION} |
 *	 {"for": {"seconds": N, "of": CONDITION}} |
 *	 {"within" | "sequence": {"seconds": N, "of": [CONDITION, ...]}} |
 *	 {"series": "NODE/metric", TEST} |
 *	 {"metric": M, "where"?: {"zone": Z} | {"node": N},
 *	  "match"?: "any" | "all", TEST}
 *	TEST = "value" | "rate_per_min" | "age_s": {"above" | "at_least" |
 *	 "below" | "at_most" | "equals": number} | "quality": "good" | "suspect"
 *
 * Runs on: C. Frees: nothing; strings live in the arena. Units: as there.
 * Errors: ERR_BAD_JSON, ERR_INVALID with the place, ERR_NO_MEMORY. Whether
 * series, nodes and zones are there is not asked.
 */
#ifndef PENSTOCK_INGEST_RULE_JSON_H
#define PENSTOCK_INGEST_RULE_JSON_H

#include "core/arena.h"
#include "core/err.h"
#include "domain/rule.h"

struct json_t;

rule_reader rule_json_read;
/* The same of a tree of jansson's, which stands at `at` in what was sent. */
enum err rule_json_tree(struct arena *, const struct json_t *, const char *at,
    struct rule *ret, struct err_info *);

#endif
