#include "model/threshold.h"

static bool
beyond(enum direction direction, double value, double level)
{
	return (direction == DIRECTION_HIGH ? value > level : value < level);
}

/* Strictly the other side of `level`. */
static bool
back_past(enum direction direction, double value, double level)
{
	return (direction == DIRECTION_HIGH ? value < level : value > level);
}

static void
enter(struct level_state *s, enum level_phase phase, int64_t t_us)
{
	s->phase = phase;
	s->since_us = t_us;
}

bool
threshold_is_open(const struct level_state *s)
{
	return (s->phase == LEVEL_SET || s->phase == LEVEL_FALLING);
}

enum verdict
threshold_judge(const struct threshold *th, struct level_state *s, double value,
    int64_t t_us)
{
	if (!threshold_is_open(s)) {
		if (!beyond(th->direction, value, th->set)) {
			enter(s, LEVEL_NORMAL, t_us);
			return (VERDICT_NORMAL);
		}
		if (s->phase == LEVEL_NORMAL)
			enter(s, LEVEL_RISING, t_us);
		if (t_us - s->since_us < th->on_delay_us)
			return (VERDICT_NORMAL);
		s->phase = LEVEL_SET; /* since its first reading beyond */
		return (VERDICT_RAISE);
	}
	if (!back_past(th->direction, value, th->clear)) {
		if (s->phase == LEVEL_FALLING)
			enter(s, LEVEL_SET, t_us);
		return (VERDICT_HOLD);
	}
	if (s->phase == LEVEL_SET)
		enter(s, LEVEL_FALLING, t_us);
	if (t_us - s->since_us < th->off_delay_us)
		return (VERDICT_HOLD);
	enter(s, LEVEL_NORMAL, t_us);
	return (VERDICT_CLEAR);
}
