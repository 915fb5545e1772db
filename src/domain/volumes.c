#include "domain/volumes.h"

#include "core/instant.h"

#include <math.h>
#include <stdbool.h>

#define NO_VOLUME                                                     \
	(TOTALISER_FALL | TOTALISER_UNKNOWN | TOTALISER_IMPLAUSIBLE | \
	    TOTALISER_MISPLACED)

const char *const agreement_names[AGREEMENTS] = {
    "agree", "differ", "not_provable"};

static int64_t
first_edge(const struct volumes *v)
{
	return (v->edges_us[0]);
}

static int64_t
last_edge(const struct volumes *v)
{
	return (v->edges_us[v->n]);
}

/* The bucket with lo < t <= hi, since what is used up to a bound is used
 * before it; t lies in one. */
static size_t
bucket_to(struct volumes *v, int64_t t_us)
{
	while (v->at > 0 && v->edges_us[v->at] >= t_us)
		v->at--;
	while (v->edges_us[v->at + 1] < t_us)
		v->at++;
	return (v->at);
}

void
volumes_flag(struct volumes *v, int64_t from_us, int64_t to_us, unsigned flags)
{
	int64_t t = from_us < first_edge(v) ? first_edge(v) : from_us;
	size_t i;

	if (flags == 0 || to_us <= first_edge(v) || t > last_edge(v) ||
	    (t == last_edge(v) && to_us > t))
		return;
	i = bucket_to(v, t == to_us ? t : t + 1);
	do
		v->cells[i].flags |= flags;
	while (++i < v->n && v->edges_us[i] < to_us);
}

/* What is undone is taken away as it was added. */
static int
sign(const struct totaliser_step *s)
{
	return (s->undo ? -1 : 1);
}

static void
add_whole(struct volume_cell *c, const struct totaliser_step *s)
{
	c->volume += sign(s) * s->volume;
	c->covered_us += sign(s) * (s->t1_us - s->t0_us);
	c->points += sign(s) * (s->t1_us == s->t0_us);
}

/* Cut at the bounds it crosses. */
static void
add_parts(struct volumes *v, const struct totaliser_step *s)
{
	int64_t t0 = s->t0_us < first_edge(v) ? first_edge(v) : s->t0_us;
	int64_t t1 = s->t1_us > last_edge(v) ? last_edge(v) : s->t1_us;
	double per_us = s->volume / (double)(s->t1_us - s->t0_us), part;
	int64_t end;
	size_t i;

	for (i = bucket_to(v, t0 + 1); t0 < t1; i++, t0 = end) {
		end = v->edges_us[i + 1] < t1 ? v->edges_us[i + 1] : t1;
		part = per_us * (double)(end - t0);
		v->cells[i].volume += sign(s) * part;
		v->cells[i].estimated += sign(s) * part;
		v->cells[i].covered_us += sign(s) * (end - t0);
	}
}

void
volumes_step(struct volumes *v, const struct totaliser_step *s)
{
	bool inside = s->t0_us >= first_edge(v) && s->t1_us <= last_edge(v);
	int64_t length = s->t1_us - s->t0_us;
	size_t i;

	volumes_flag(v, s->t0_us, s->t1_us, s->flags);
	if (s->t1_us <= first_edge(v) || s->t0_us > last_edge(v) ||
	    (s->t0_us == last_edge(v) && length > 0) || isnan(s->volume))
		return;
	i = inside ? bucket_to(v, s->t1_us) : 0;
	if (inside && (v->edges_us[i] <= s->t0_us))
		add_whole(&v->cells[i], s);
	else if (length <= v->gap_us || s->volume <= 0)
		add_parts(v, s);
	else if (inside) {
		v->unplaced += sign(s) * s->volume;
		v->unplaced_us += sign(s) * length;
	}
}

void
volumes_flow(struct volumes *v, int64_t t0_us, double q0_m3h, int64_t t1_us,
    double q1_m3h)
{
	int64_t t = t0_us < first_edge(v) ? first_edge(v) : t0_us;
	int64_t stop = t1_us > last_edge(v) ? last_edge(v) : t1_us, end;
	double slope = (q1_m3h - q0_m3h) / (double)(t1_us - t0_us), middle;
	size_t i;

	if (t >= stop || t1_us - t0_us > v->gap_us)
		return;
	for (i = bucket_to(v, t + 1); t < stop; i++, t = end) {
		end = v->edges_us[i + 1] < stop ? v->edges_us[i + 1] : stop;
		middle = q0_m3h +
		    slope * ((double)(t - t0_us) + (double)(end - t) / 2);
		v->cells[i].volume +=
		    middle * (double)(end - t) / (double)US_PER_HOUR;
		v->cells[i].covered_us += end - t;
	}
}

enum agreement
volumes_compare(const struct volume_cell *flow, const struct volume_cell *total,
    int64_t width_us, double tolerance, double slack_m3)
{
	double least = (double)width_us * (1 - tolerance / 2);
	double apart = fabs(flow->volume - total->volume);

	if ((double)flow->covered_us < least ||
	    (double)total->covered_us < least || total->flags & NO_VOLUME)
		return (NOT_PROVABLE);
	return (
	    apart <= tolerance * fmax(fabs(flow->volume), fabs(total->volume)) +
			slack_m3
		? AGREE
		: DIFFER);
}
