/*
 * guard: the last look before a command leaves. A table of named guards; the
 * first that does not pass decides, with the values it saw.
 *
 *	not_after      its time has passed: it is never sent (expire)
 *	plan_standing  the plan is approved or executing, and before its first
 *	               command its anomaly is still open (refuse)
 *	hands_off      nobody has taken hands off everywhere, or in a zone at
 *	               either end of the link (refuse)
 *	asset_lock     the link is not locked (refuse)
 *	link_free      no other executing plan moves the link (refuse)
 *	exclusion      no live plan moves a link of the same group (refuse)
 *	data_fresh     the effect series was heard within three cadences, but
 *	               never less than a minute, and what it said is no history
 *	               (mape/plan.h); unknown cadence passes (wait)
 *	limits         each series that bounds the link was heard of late (wait)
 *	               and is within (refuse)
 *	per_hour       the link was not moved too often in the last hour (wait)
 *	interval       nor too lately (wait)
 *	breaker        the gateway's circuit breaker lets it pass (wait)
 *
 * Waiting is bounded by not_after. Runs on: C, pure. Units: µs.
 */
#ifndef PENSTOCK_MAPE_GUARD_H
#define PENSTOCK_MAPE_GUARD_H

#include "core/ports.h"
#include "domain/plan.h"
#include "domain/series_state.h"

#define GUARD_FRESH_LEAST_US (60 * INT64_C(1000000))
#define GUARD_WAIT_US	     (5 * INT64_C(1000000))

/* A series that bounds the link, as it is known now. */
struct guard_level {
	const struct series *series; /* NULL: there is none (any more) */
	const struct series_state *state;
	double low, high; /* NAN: no bound */
	const char *name; /* of a template's guard; else NULL or "" */
};

struct guard_facts {
	int64_t now_us;
	const struct command *command;
	const struct plan *plan; /* NULL: neither approved nor executing */
	int64_t contested_by;	 /* an executing plan on the same link, or 0 */
	const struct series *effect; /* NULL: the plan has none */
	const struct series_state *effect_state;
	const struct breaker_state *breaker; /* NULL: never failed */
	bool probe_out; /* this cycle's probe to the gateway is taken */
	const struct guard_asset *asset; /* NULL: nothing is known of it */
	const struct guard_level *levels;
	size_t nlevels;
};

enum guard_verdict { GUARD_PASS, GUARD_WAIT, GUARD_REFUSE, GUARD_EXPIRE };

struct guard_result {
	enum guard_verdict verdict;
	const char *guard; /* the one that did not pass */
	char detail[200];
	char values[600]; /* what it saw, a JSON object */
	int64_t wait_until_us;
};

void guard_check(const struct guard_facts *, struct guard_result *ret);

#endif
