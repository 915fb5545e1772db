#include "domain/totaliser.h"

#include "core/instant.h"

#include <math.h>

#define EDGE_SHARE 0.1 /* of the register: its first and its last tenth */
#define MOST_SHARE 0.5 /* of the register, in one step */

const char *const totaliser_flags[TOTALISER_FLAGS] = {"event",
    "derived_rollover", "unexplained_fall", "unknown_index", "implausible_rise",
    "misread", "misplaced_event"};

const char *const meter_event_types[METER_EVENT_TYPES] = {
    "rollover", "reset", "swap"};

/* The register's own way from x0 to x1, NAN if it cannot have gone it. */
static double
rise(const struct totaliser *m, double x0, double x1, unsigned *flags)
{
	if (isnan(x0) || isnan(x1)) {
		*flags |= TOTALISER_UNKNOWN;
		return (NAN);
	}
	if (x1 >= x0)
		return (x1 - x0);
	if (x0 <= m->width && x0 >= m->width * (1 - EDGE_SHARE) &&
	    x1 <= m->width * EDGE_SHARE) {
		*flags |= TOTALISER_ROLLOVER;
		return (m->width - x0 + x1);
	}
	*flags |= TOTALISER_FALL;
	return (NAN);
}

static bool
event_before(const struct totaliser *m, int64_t t_us)
{
	return (m->event < m->nevents && m->events[m->event].at_us <= t_us);
}

/* One register's step; whole_us: the time between the readings around it. */
static void
give(struct totaliser *m, struct totaliser_step *s, int64_t whole_us)
{
	double minutes = (double)whole_us / (double)US_PER_MINUTE;

	s->volume = rise(m, s->x0, s->x1, &s->flags);
	if (s->volume > m->max_rate_per_min * minutes ||
	    (!(s->flags & TOTALISER_EVENT) &&
		s->volume > m->width * MOST_SHARE)) {
		s->flags |= TOTALISER_IMPLAUSIBLE;
		s->volume = NAN;
	}
	m->step(m->arg, s);
}

/* Told late: the index fell before, and not at its own time. */
static bool
told_late(struct totaliser *m, const struct meter_event *e, double x1)
{
	if (!m->fell || e->at_us - m->fell_us > US_PER_DAY || x1 < m->from.x)
		return (false);
	m->fell = false;
	return (true);
}

/* Told early: the index fell now, and had not at the event's own time. */
static void
undo_early(struct totaliser *m, int64_t fell_us)
{
	struct totaliser_doubt *d = &m->doubt;
	struct totaliser_step s = {.t0_us = d->from.t_us,
	    .t1_us = d->to.t_us,
	    .x0 = d->from.x,
	    .x1 = d->to.x,
	    .flags = TOTALISER_MISPLACED};

	if (d->n == 0 || fell_us - d->at_us > US_PER_DAY)
		return;
	for (unsigned i = 0; i < d->n; i++) {
		d->steps[i].undo = true;
		m->step(m->arg, &d->steps[i]);
	}
	give(m, &s, s.t1_us - s.t0_us);
	d->n = 0;
	m->fell = false;
}

static void
note_fall(struct totaliser *m, const struct totaliser_step *s)
{
	if (!(s->flags & TOTALISER_FALL))
		return;
	m->fell = true;
	m->fell_us = s->t1_us;
	undo_early(m, s->t1_us);
}

/* Up to the event that is due, and on from it. */
static void
pass_event(
    struct totaliser *m, struct totaliser_step *s, double x1, int64_t whole_us)
{
	const struct meter_event *e = &m->events[m->event++];

	if (!told_late(m, e, x1)) {
		s->t1_us = e->at_us;
		s->x1 = e->old_index;
		s->flags |= TOTALISER_EVENT;
		give(m, s, whole_us);
		m->doubt.steps[0] = *s;
		m->doubt.at_us = e->at_us;
		*s = (struct totaliser_step){.t0_us = e->at_us,
		    .x0 = e->new_index,
		    .flags = TOTALISER_EVENT};
	} else
		s->flags |= TOTALISER_MISPLACED;
	if (!isnan(e->width))
		m->width = e->width;
}

/* From the point counted up to, to `to`, through the events between. */
static void
count_to(struct totaliser *m, struct totaliser_point to)
{
	int64_t whole_us = to.t_us - m->from.t_us;
	struct totaliser_step s = {
	    .t0_us = m->from.t_us, .x0 = m->from.x, .flags = m->misread};
	unsigned passed = 0;

	for (; event_before(m, to.t_us); passed++)
		pass_event(m, &s, to.x, whole_us);
	s.t1_us = to.t_us;
	s.x1 = to.x;
	give(m, &s, whole_us);
	if (passed > 0) {
		m->doubt.from = m->from;
		m->doubt.to = to;
		m->doubt.steps[1] = s;
		m->doubt.n = passed == 1 && s.flags & TOTALISER_EVENT &&
			to.x >= m->from.x
		    ? 2
		    : 0;
	}
	note_fall(m, &s);
	m->from = to;
	m->misread = 0;
}

/* Whether `next` falls out of the line from `from` to `to`. */
static bool
is_misread(const struct totaliser *m, struct totaliser_point to)
{
	return (to.x >= m->from.x &&
	    (m->next.x > to.x || m->next.x < m->from.x) &&
	    !event_before(m, to.t_us));
}

/* What happened before the first reading is of no matter, but for the width
 * of the register that it left. */
static void
skip_events(struct totaliser *m, int64_t t_us)
{
	for (; event_before(m, t_us); m->event++)
		if (!isnan(m->events[m->event].width))
			m->width = m->events[m->event].width;
}

void
totaliser_reading(struct totaliser *m, int64_t t_us, double x)
{
	struct totaliser_point p = {t_us, x};

	switch (m->points) {
	case 0:
		skip_events(m, t_us);
		m->from = p;
		m->points = 1;
		return;
	case 1:
		m->points = 2;
		break;
	default:
		if (is_misread(m, p))
			m->misread = TOTALISER_MISREAD;
		else
			count_to(m, m->next);
	}
	m->next = p;
}

void
totaliser_end(struct totaliser *m)
{
	if (m->points == 2)
		count_to(m, m->next);
	m->points = 0;
}
