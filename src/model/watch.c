#include "model/watch.h"

#include "core/instant.h"

#include <math.h>
#include <string.h>

#define CLIP	      3
#define MEMORY	      4096 /* readings */
#define SLOT_MEMORY   64   /* readings of one slot */
#define PROBATION     64
#define SHORT	      12
#define ALARMS_A_WEEK 1.0

static const char *const names[WATCH_RULES] = {
    "", "seasonal", "level", "change", "drift", "spread"};

const char *
watch_rule_name(enum watch_rule rule)
{
	return (names[rule]);
}

void
watch_init(struct watch *w)
{
	int i;

	memset(w, 0, sizeof(*w));
	w->last_us = INSTANT_NONE;
	for (i = 0; i < WATCH_RULES; i++)
		tail_init(&w->tail[i]);
}

/* Moves towards x by 1/n, at most `memory`, no further than CLIP scales. */
static void
pair_learn(struct watch_pair *p, double x, double n, double memory)
{
	double a = 1 / (n < memory ? n + 1 : memory), r = x - p->mean;
	double limit = CLIP * p->dev, abs = fabs(r);

	if (n >= 8 && limit > 0 && abs > limit) {
		r = copysign(limit, r);
		abs = limit;
	}
	p->mean += (float)(a * r);
	p->dev += (float)(a * (abs - p->dev));
}

static double
scaled(double r, double dev, double floor)
{
	double s = dev > floor ? dev : floor;

	return (s > 0 ? fabs(r) / s : 0);
}

static int
slot_of(int64_t t_us)
{
	return ((int)((t_us - instant_floor(t_us, US_PER_DAY)) /
	    (US_PER_DAY / WATCH_SLOTS)));
}

/* 1970-01-01 was a Thursday. */
static int
day_type(int64_t t_us)
{
	int64_t day = instant_floor(t_us, US_PER_DAY) / US_PER_DAY;
	int weekday = (int)(((day + 3) % 7 + 7) % 7);

	return (weekday >= 5);
}

void
watch_judge(struct watch *w, double x, int64_t t_us, struct watch_verdict *v)
{
	int type = day_type(t_us), slot = slot_of(t_us), k, best = 0;
	struct watch_pair *s = &w->slot[type][slot];
	double z[WATCH_RULES] = {0}, rarity, most = 0, r, floor, total;
	double expected = w->level.mean;

	memset(v, 0, sizeof(*v));
	if (w->seen[type][slot] < 4 && w->seen[1 - type][slot] >= 4)
		s = &w->slot[1 - type][slot], type = 1 - type;
	if (w->seen[type][slot] >= 4)
		expected = s->mean;
	r = x - expected;
	floor = 1e-6 * (fabs(w->level.mean) + w->level.dev);
	z[WATCH_SEASON] = scaled(r, (s->dev + w->residual.dev) / 2, floor);
	z[WATCH_LEVEL] = scaled(x - w->level.mean, w->level.dev, floor);
	if (w->n > 0)
		z[WATCH_CHANGE] = scaled(x - w->last, w->change.dev, floor);
	w->drift += (float)((r - w->drift) / SHORT);
	z[WATCH_DRIFT] = scaled(w->drift, w->residual.dev, floor);
	if (w->n > 0)
		w->quick +=
		    (float)((fabs(x - w->last) - w->quick) / (2 * SHORT));
	if (w->change.dev > 0)
		z[WATCH_SPREAD] = fabs(log(
		    (w->quick + floor + 0.01 * w->change.dev) / w->change.dev));
	for (k = 1; k < WATCH_RULES; k++) {
		rarity = tail_rarity(&w->tail[k], z[k]);
		if (rarity > most) {
			most = rarity;
			best = k;
		}
		if (w->n >= PROBATION)
			tail_learn(&w->tail[k], z[k], MEMORY);
	}
	total = w->n >= 4 * PROBATION ? tail_rarity(&w->tail[0], most) : 0;
	if (w->n >= 2 * PROBATION)
		tail_learn(&w->tail[0], most, MEMORY);
	w->peak *= 0.995F;
	if (total <= w->peak)
		total *= 0.1;
	else
		w->peak = (float)total;
	v->score = total / (total + 3);
	v->rule = best;
	v->expected = expected;
	v->band = 3 * w->residual.dev;
	pair_learn(&w->level, x, w->n, MEMORY);
	pair_learn(&w->residual, r, w->n, MEMORY);
	if (w->n > 0)
		pair_learn(&w->change, x - w->last, w->n, MEMORY);
	s = &w->slot[day_type(t_us)][slot];
	pair_learn(s, x, w->seen[day_type(t_us)][slot], SLOT_MEMORY);
	if (w->seen[day_type(t_us)][slot] < UINT16_MAX)
		w->seen[day_type(t_us)][slot]++;
	w->last = x;
	w->last_us = t_us;
	w->n++;
}
