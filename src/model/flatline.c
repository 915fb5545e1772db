#include "model/flatline.h"

#include "core/instant.h"

bool
flatline_judge(
    int64_t span_us, struct series_state *s, double value, int64_t t_us)
{
	bool same = s->last_us != INSTANT_NONE && value == s->last_value &&
	    t_us - s->last_us <= span_us;

	if (!same || s->flat_since_us == INSTANT_NONE)
		s->flat_since_us = same ? s->last_us : t_us;
	return (t_us - s->flat_since_us >= span_us);
}
