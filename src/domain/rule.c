#include "domain/rule.h"

#include <math.h>

enum rule_truth
rule_compare(enum rule_compare how, double value, double limit)
{
	if (isnan(value))
		return (RULE_UNKNOWN);
	switch (how) {
	case RULE_ABOVE:
		return (value > limit ? RULE_TRUE : RULE_FALSE);
	case RULE_AT_LEAST:
		return (value >= limit ? RULE_TRUE : RULE_FALSE);
	case RULE_BELOW:
		return (value < limit ? RULE_TRUE : RULE_FALSE);
	case RULE_AT_MOST:
		return (value <= limit ? RULE_TRUE : RULE_FALSE);
	case RULE_EQUALS:
		/* Neither more nor less: of states and counts. */
		return (
		    value < limit || value > limit ? RULE_FALSE : RULE_TRUE);
	case RULE_COMPARE_COUNT:
		break;
	}
	return (RULE_UNKNOWN);
}

enum rule_truth
rule_not(enum rule_truth a)
{
	if (a == RULE_UNKNOWN)
		return (RULE_UNKNOWN);
	return (a == RULE_TRUE ? RULE_FALSE : RULE_TRUE);
}

enum rule_truth
rule_and(enum rule_truth a, enum rule_truth b)
{
	if (a == RULE_FALSE || b == RULE_FALSE)
		return (RULE_FALSE);
	return (a == RULE_TRUE && b == RULE_TRUE ? RULE_TRUE : RULE_UNKNOWN);
}

enum rule_truth
rule_or(enum rule_truth a, enum rule_truth b)
{
	if (a == RULE_TRUE || b == RULE_TRUE)
		return (RULE_TRUE);
	return (a == RULE_FALSE && b == RULE_FALSE ? RULE_FALSE : RULE_UNKNOWN);
}

bool
rule_tells_age(const struct rule *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->nodes[i].op == RULE_TEST && r->nodes[i].what == RULE_AGE)
			return (true);
	}
	return (false);
}
