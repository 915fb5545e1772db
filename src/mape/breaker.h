/*
 * breaker: one gateway's circuit breaker. Closed, it lets all pass; after
 * BREAKER_FAILURES without an answer in a row it opens for BREAKER_OPEN_US;
 * then it lets one probe pass at a time until one is answered.
 *
 * Reference: Nygard, "Release It!", 2nd ed. 2018, Circuit Breaker.
 * Runs on: C. Value type core/ports.h struct breaker_state. Units: µs.
 */
#ifndef PENSTOCK_MAPE_BREAKER_H
#define PENSTOCK_MAPE_BREAKER_H

#include "core/ports.h"

#define BREAKER_FAILURES 5
#define BREAKER_OPEN_US	 (30 * INT64_C(1000000))

bool breaker_is_open(const struct breaker_state *, int64_t now_us);
/* Not open, but only a probe may pass. */
bool breaker_is_probing(const struct breaker_state *, int64_t now_us);
/* Any answer, also a refusal; true if the state changed. */
bool breaker_answered(struct breaker_state *);
void breaker_unanswered(struct breaker_state *, int64_t now_us);

#endif
