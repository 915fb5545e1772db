#include "model/silence.h"

#include "core/instant.h"

#include <math.h>

#define TIMES_LEAST 3
#define SHARES	    2 /* it has one of them */
#define LONGEST_US  (366 * US_PER_DAY)

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

void
silence_waited(struct series_state *s, int64_t wait_us)
{
	if (wait_us <= 0)
		return;
	if (wait_us > s->longest_us)
		s->longest_us = wait_us;
	if (s->waited_us < INT64_MAX / 2)
		s->waited_us += wait_us;
}

int64_t
silence_usual(const struct series_state *s, double a_week, int64_t least_us)
{
	double weeks, limit;

	if (s->waited_us < least_us || s->longest_us <= 0 || !(a_week > 0))
		return (0);
	weeks = (double)s->waited_us / (7.0 * (double)US_PER_DAY);
	limit = fmax(TIMES_LEAST, sqrt(SHARES / (a_week * weeks))) *
	    (double)s->longest_us;
	return ((int64_t)fmax(
	    (double)US_PER_HOUR, fmin((double)LONGEST_US, limit)));
}

int64_t
silence_usual_due(
    int64_t limit_us, const struct series_state *s, int64_t awake_us)
{
	int64_t listened = awake_us +
	    (s->longest_us > US_PER_HOUR ? s->longest_us : US_PER_HOUR);
	int64_t unheard = s->heard_us + limit_us;

	if (limit_us <= 0 || !s->live)
		return (INT64_MAX);
	return ((unheard > listened ? unheard : listened) + 1);
}
