#include "mape/breaker.h"

#include "core/instant.h"

bool
breaker_is_open(const struct breaker_state *b, int64_t now_us)
{
	return (b->open_until_us != INSTANT_NONE && now_us < b->open_until_us);
}

bool
breaker_is_probing(const struct breaker_state *b, int64_t now_us)
{
	return (b->open_until_us != INSTANT_NONE && now_us >= b->open_until_us);
}

bool
breaker_answered(struct breaker_state *b)
{
	bool changed = b->failures != 0 || b->open_until_us != INSTANT_NONE;

	b->failures = 0;
	b->open_until_us = INSTANT_NONE;
	return (changed);
}

void
breaker_unanswered(struct breaker_state *b, int64_t now_us)
{
	b->failures++;
	if (b->failures >= BREAKER_FAILURES)
		b->open_until_us = now_us + BREAKER_OPEN_US;
}
