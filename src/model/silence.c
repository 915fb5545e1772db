#include "model/silence.h"

#include "core/instant.h"

void
silence_heard(
    int64_t limit_us, struct series_state *s, int64_t t_us, int64_t received_us)
{
	int64_t live_within = limit_us > US_PER_HOUR ? limit_us : US_PER_HOUR;

	s->heard_us = received_us;
	if (received_us - t_us <= live_within)
		s->live = true;
}

bool
silence_heard_late(
    int64_t limit_us, struct series_state *s, int64_t t_us, int64_t received_us)
{
	if (received_us - t_us > limit_us || received_us <= s->heard_us)
		return (false);
	s->heard_us = received_us;
	return (true);
}

int64_t
silence_due(int64_t limit_us, const struct series_state *s, int64_t awake_us)
{
	int64_t listened, unheard;

	if (limit_us <= 0 || !s->live)
		return (INT64_MAX);
	unheard = s->heard_us + limit_us;
	listened = awake_us + (limit_us < US_PER_HOUR ? limit_us : US_PER_HOUR);
	return ((unheard > listened ? unheard : listened) + 1);
}

bool
silence_judge(int64_t limit_us, const struct series_state *s, int64_t awake_us,
    int64_t now_us)
{
	return (now_us >= silence_due(limit_us, s, awake_us));
}
