#include "model/watch.h"

#include "core/instant.h"
#include "core/quantity.h"

#include <math.h>
#include <string.h>

#define CLIP	     3
#define MEMORY	     4096 /* readings */
#define SLOT_MEMORY  24	  /* readings of one slot */
#define SLOT_LEAST   4
#define PROBATION    32 /* readings until the tails learn */
#define SMOOTH	     24
#define SPIKE	     30 /* scales: no more of one reading enters the drift */
#define ERROR_MEMORY 1000
#define BETTER	     0.9
#define FADE	     0.997
#define NEWS	     0.5
#define SINGLE	     3
#define STUCK	     24	  /* readings: a run that is never odd */
#define LONGER	     3	  /* times the longest */
#define LARGEST	     1e30 /* of any number: floats hold their sums */

static const char *const names[WATCH_RULES] = {
    "", "drift", "seasonal", "change", "limit", "freeze", "silence"};

/* What an instrument can read, in canonical units: spans of common
 * instruments and the physics of water; far outside what is usual. */
static const struct {
	const char *canonical;
	double low, high;
} limits[] = {
    {"m", -100, 1000},
    {"degC", -20, 100},
    {"mg/L", 0, 50},
    {"NTU", 0, 10000},
    {"uS/cm", 0, 200000},
    {"mm/s", 0, 1000},
};

const char *
watch_rule_name(enum watch_rule rule)
{
	return (names[rule]);
}

/* Limits in the unit that readings come in. */
static void
limit(struct watch *w, const char *code)
{
	const struct unit *unit = unit_find(code, strlen(code));
	size_t i;

	w->low = -LARGEST;
	w->high = LARGEST;
	for (i = 0; unit != NULL && i < sizeof(limits) / sizeof(limits[0]); i++)
		if (strcmp(unit->canonical, limits[i].canonical) == 0) {
			w->low = (limits[i].low - unit->offset) / unit->factor;
			w->high =
			    (limits[i].high - unit->offset) / unit->factor;
		}
}

void
watch_init(struct watch *w, const char *unit)
{
	int i;

	memset(w, 0, sizeof(*w));
	w->last_us = INSTANT_NONE;
	limit(w, unit);
	tail_init(&w->all);
	for (i = 0; i <= WATCH_CHANGE; i++)
		tail_init(&w->tail[i]);
}

/* Moves towards x by 1/n, at most `memory`, no further than CLIP scales. */
static void
pair_learn(struct watch_pair *p, double x, double n, double memory)
{
	double a = 1 / (n < memory ? n + 1 : memory), r = x - p->mean;
	double most = CLIP * p->dev, size = fabs(r);

	if (n >= 8 && most > 0 && size > most) {
		r = copysign(most, r);
		size = most;
	}
	p->mean += (float)(a * r);
	p->dev += (float)(a * (size - p->dev));
}

/* --- season --------------------------------------------------------------- */

static int
slot_of(int64_t t_us)
{
	return ((int)((t_us - instant_floor(t_us, US_PER_DAY)) /
	    (US_PER_DAY / WATCH_SLOTS)));
}

/* 1970-01-01 was a Thursday. 1: Saturday and Sunday. */
static int
day_type(int64_t t_us)
{
	int64_t day = instant_floor(t_us, US_PER_DAY) / US_PER_DAY;

	return (((day + 3) % 7 + 7) % 7 >= 5);
}

/* What the time lets expect. Neighbouring half hours widen it, so that what
 * comes a little early or late is no surprise. */
struct expectation {
	double value, low, high, dev, step;
};

static void
widen(struct expectation *e, const struct watch_slot *s)
{
	if (s->n < SLOT_LEAST)
		return;
	e->low = fmin(e->low, s->value.mean);
	e->high = fmax(e->high, s->value.mean);
	e->step = fmax(e->step, s->step);
}

/* Another type of day's where this one is not known yet; then the mean. */
static void
expect(const struct watch *w, int64_t t_us, struct expectation *e)
{
	int slot = slot_of(t_us), type = day_type(t_us);
	const struct watch_slot *day = w->slot[type], *s;

	if (day[slot].n < SLOT_LEAST)
		day = w->slot[1 - type];
	s = &day[slot];
	e->value = e->low = e->high = w->level.mean;
	e->dev = w->level.dev;
	e->step = w->change.dev;
	if (s->n < SLOT_LEAST)
		return;
	e->value = e->low = e->high = s->value.mean;
	e->dev = s->value.dev;
	e->step = s->step;
	widen(e, &day[(slot + WATCH_SLOTS - 1) % WATCH_SLOTS]);
	widen(e, &day[(slot + 1) % WATCH_SLOTS]);
}

static double
outside(double x, const struct expectation *e)
{
	return (x > e->high ? x - e->high : x < e->low ? x - e->low : 0);
}

/* --- magnitudes ------------------------------------------------------------ */

static double
scaled(double r, double dev, double floor)
{
	double s = fmax(dev, floor);

	return (s > 0 ? fabs(r) / s : 0);
}

/* The error of whatever foretells better of late. */
static double
residual(struct watch *w, double seasonal, double plain)
{
	double a = 1.0 / (w->n < ERROR_MEMORY ? w->n + 1 : ERROR_MEMORY);
	double most = 10 * w->level.dev;
	bool season = w->season_error <= BETTER * w->level_error;

	w->season_error +=
	    (float)(a * (fmin(fabs(seasonal), most) - w->season_error));
	w->level_error +=
	    (float)(a * (fmin(fabs(plain), most) - w->level_error));
	return (season ? seasonal : plain);
}

static void
measure(struct watch *w, double x, const struct expectation *e, double *z)
{
	double floor = 1e-6 * (fabs(w->level.mean) + w->level.dev);
	double dev = (e->dev + w->residual.dev) / 2, most;
	double r = outside(x, e);

	z[WATCH_SEASONAL] = scaled(r, dev, floor);
	z[WATCH_CHANGE] =
	    scaled(x - w->last, (w->change.dev + e->step) / 2, floor);
	r = residual(w, r, x - w->level.mean);
	pair_learn(&w->used, r, w->n, MEMORY);
	most = SPIKE * fmax(dev, floor);
	r = fmax(-most, fmin(most, r));
	w->drift += (float)((r - w->drift) / SMOOTH);
	z[WATCH_DRIFT] = scaled(w->drift, w->used.dev, floor);
}

static void
learn(struct watch *w, double x, int64_t t_us, const struct expectation *e)
{
	struct watch_slot *s = &w->slot[day_type(t_us)][slot_of(t_us)];
	double v = fabs(x - w->last);

	pair_learn(&w->level, x, w->n, MEMORY);
	pair_learn(&w->residual, x - e->value, w->n, MEMORY);
	if (w->n > 0)
		pair_learn(&w->change, x - w->last, w->n - 1, MEMORY);
	pair_learn(&s->value, x, s->n, SLOT_MEMORY);
	s->step += (float)((v - s->step) * (v > s->step ? 0.5 : 0.02));
	if (s->n < UINT32_MAX)
		s->n++;
	w->last = x;
	w->last_us = t_us;
	if (w->n < UINT32_MAX)
		w->n++;
}

/* --- rarity ---------------------------------------------------------------- */

/* What is no rarer than what was told before is no news until that fades. */
static double
news(struct watch *w, double rarity)
{
	double before = w->told;

	w->told = (float)fmax(before * FADE, rarity);
	return (rarity > before + NEWS ? rarity : rarity / 10);
}

static double
rarest(struct watch *w, const double *z, enum watch_rule *ret_rule)
{
	double rarity[WATCH_CHANGE + 1], most;
	int k;

	for (k = WATCH_DRIFT; k <= WATCH_CHANGE; k++) {
		rarity[k] = tail_rarity(&w->tail[k], z[k]);
		if (w->n >= PROBATION)
			tail_learn(&w->tail[k], z[k], MEMORY);
	}
	*ret_rule = WATCH_DRIFT;
	most = tail_rarity(&w->all, rarity[WATCH_DRIFT]);
	if (w->n >= 2 * PROBATION)
		tail_learn(&w->all, rarity[WATCH_DRIFT], MEMORY);
	for (k = WATCH_SEASONAL; k <= WATCH_CHANGE; k++)
		if (rarity[k] - SINGLE > most) {
			most = rarity[k] - SINGLE;
			*ret_rule = k;
		}
	return (w->n >= 4 * PROBATION ? news(w, most) : 0);
}

/* --- what is certain -------------------------------------------------------- */

/* A run counts as known once it has ended. */
static bool
frozen(struct watch *w, double x)
{
	if (w->n > 0 && memcmp(&x, &w->last, sizeof(x)) == 0)
		w->run++;
	else {
		if (w->run > w->longest)
			w->longest = w->run;
		w->run = 1;
	}
	return (w->n >= 4 * PROBATION && w->change.dev > 0 &&
	    w->run == STUCK + LONGER * w->longest);
}

static bool
silent(struct watch *w, int64_t t_us)
{
	double gap = w->n > 0 ? (double)(t_us - w->last_us) : 0;
	bool odd = w->n >= 4 * PROBATION && gap > STUCK * w->cadence_us &&
	    gap > LONGER * w->gap_us;

	if (w->n > 0)
		w->cadence_us +=
		    (gap - w->cadence_us) / (w->n < MEMORY ? w->n : MEMORY);
	w->gap_us = fmax(w->gap_us, gap);
	return (odd);
}

static enum watch_rule
certain(struct watch *w, double x, int64_t t_us)
{
	bool is_silent = silent(w, t_us), is_frozen = frozen(w, x);

	if (!(x >= w->low && x <= w->high))
		return (WATCH_LIMIT);
	return (is_frozen   ? WATCH_FREEZE
		: is_silent ? WATCH_SILENCE
			    : WATCH_NONE);
}

/* --- the verdict ----------------------------------------------------------- */

/* The rarity that chance reaches so often a week, SMOOTH readings an event. */
static double
bar(const struct watch *w, double a_week)
{
	double events = 7 * (double)US_PER_DAY /
	    (fmax(w->cadence_us, (double)US_PER_SECOND) * SMOOTH);

	return (log10(fmax(events / a_week, 10)));
}

void
watch_judge(struct watch *w, double x, int64_t t_us, double a_week,
    struct watch_verdict *v)
{
	enum watch_rule rule = certain(w, x, t_us);
	double z[WATCH_CHANGE + 1], rarity;
	struct expectation e;

	memset(v, 0, sizeof(*v));
	if (w->n == 0)
		w->last = x;
	expect(w, t_us, &e);
	v->expected = e.value;
	v->band = CLIP * w->residual.dev;
	if (rule == WATCH_LIMIT) { /* no instrument's: teaches nothing */
		v->rule = rule;
		v->alarm = true;
		v->score = 1;
		w->last_us = t_us;
		return;
	}
	measure(w, x, &e, z);
	rarity = rarest(w, z, &v->rule);
	v->alarm = rarity > bar(w, a_week);
	v->score = rarity / (rarity + 3);
	if (rule != WATCH_NONE) {
		v->rule = rule;
		v->alarm = true;
		v->score = fmax(v->score, 0.5);
	} else if (rarity <= 0)
		v->rule = WATCH_NONE;
	learn(w, x, t_us, &e);
}
