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
#define SINGLE	     log10(SMOOTH)
#define TOLD_AGAIN   200 /* readings */
#define TOLD_LEAST   0.1
#define TOLD_WHOLE   0.5
#define TOLD_STEPS   8	  /* of rarity 1 */
#define TOLD_ALIKE   2	  /* of them */
#define NEWS_SCALE   4	  /* 10^(N / 4) falls as tails are taken to fall */
#define LEVEL_SCALE  12	  /* of what shift and season say together: slower */
#define LEAST_RARE   1.3  /* of what tails tell, log10(1 / 5 %) */
#define SPARED	     2	  /* rates: tails are estimates */
#define STUCK	     24	  /* readings: a run that is never odd */
#define LONGER	     3	  /* times the longest */
#define LARGEST	     1e30 /* of any number: floats hold their sums */

#define STRAYED	     0.3 /* of a half hour's reach is usual */
#define ALLOWED	     1	 /* scales a reading that CUSUM lets pass */
#define SUM_MOST     200 /* scales: below the last bin of a tail */
#define WINDOW_LEAST 8
#define MAD_TO_SIGMA 1.4826 /* 1 / Phi^-1(3/4) */
#define PACE	     2	    /* times the usual gap */
#define PACE_AGAIN   1.5
#define EVEN	     0.25 /* of the gap: a regular series' gaps vary less */
#define OUTAGE	     512  /* gaps: more of one teach no pace */

/* What each rule is called, and what one series alone lets think of it: an
 * instrument's values jump, stand still and stay away on their own; a level
 * that many readings agree on, the water moves. */
static const struct {
	const char *name, *looks_like;
} rules[WATCH_RULES] = {
    [WATCH_NONE] = {"", ""},
    [WATCH_SHIFT] = {"shift", "process event"},
    [WATCH_SEASONAL] = {"seasonal", "process event"},
    [WATCH_DRIFT] = {"drift", ""},
    [WATCH_RATE] = {"rate", ""},
    [WATCH_SPIKE] = {"spike", "sensor fault"},
    [WATCH_LIMIT] = {"limit", "sensor fault"},
    [WATCH_FREEZE] = {"freeze", "sensor fault"},
    [WATCH_SILENCE] = {"silence", "sensor fault"},
    [WATCH_CADENCE] = {"cadence", "sensor fault"},
};

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
	return (rules[rule].name);
}

const char *
watch_looks_like(enum watch_rule rule)
{
	return (rules[rule].looks_like);
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
	for (i = 0; i <= WATCH_SPIKE; i++)
		tail_init(&w->tail[i]);
	tail_init(&w->news);
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
	double value, low, high, dev, step, reach;
};

static void
widen(struct expectation *e, const struct watch *w, int type, int slot)
{
	const struct watch_slot *s = &w->slot[type][slot];

	if (w->known[type][slot] < SLOT_LEAST)
		return;
	e->low = fmin(e->low, s->value.mean);
	e->high = fmax(e->high, s->value.mean);
	e->step = fmax(e->step, s->step);
	e->reach = fmax(e->reach, s->reach);
}

/* Another type of day's where this one is not known yet; then the mean. */
static void
expect(const struct watch *w, int64_t t_us, struct expectation *e)
{
	int slot = slot_of(t_us + w->ahead_us);
	int type = day_type(t_us + w->ahead_us);
	const struct watch_slot *s;

	if (w->known[type][slot] < SLOT_LEAST)
		type = 1 - type;
	s = &w->slot[type][slot];
	e->value = e->low = e->high = w->level.mean;
	e->dev = w->level.dev;
	e->step = w->change.dev;
	e->reach = 0;
	if (w->known[type][slot] < SLOT_LEAST)
		return;
	e->value = e->low = e->high = s->value.mean;
	e->dev = s->value.dev;
	e->step = s->step;
	e->reach = s->reach;
	widen(e, w, type, (slot + WATCH_SLOTS - 1) % WATCH_SLOTS);
	widen(e, w, type, (slot + 1) % WATCH_SLOTS);
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

static int
windowed(const struct watch *w)
{
	return (w->n < WATCH_WINDOW ? (int)w->n : WATCH_WINDOW);
}

/* The window's median, and its deviation as a normal scale: deviations rise
 * from the middle outwards, so the next is the smaller on either side. */
static double
middle(const struct watch *w, double *ret_mad)
{
	int n = windowed(w), hi = n / 2, lo = hi - 1, i;
	float median = n > 0 ? w->sorted[n / 2] : 0, left, right, next = 0;

	for (i = 0; i < n / 2 + 1 && i < n; i++) {
		left = lo >= 0 ? median - w->sorted[lo] : INFINITY;
		right = hi < n ? w->sorted[hi] - median : INFINITY;
		next = left < right ? left : right;
		if (left < right)
			lo--;
		else
			hi++;
	}
	*ret_mad = MAD_TO_SIGMA * next;
	return (median);
}

static void
window_learn(struct watch *w, double x)
{
	float *place = &w->window[w->n % WATCH_WINDOW], value = (float)x;
	int n = windowed(w), i = 0;

	if (n == WATCH_WINDOW) {
		while (i < n - 1 && w->sorted[i] < *place)
			i++;
		n--;
		memmove(&w->sorted[i], &w->sorted[i + 1],
		    (size_t)(n - i) * sizeof(value));
	}
	for (i = n; i > 0 && w->sorted[i - 1] > value; i--)
		w->sorted[i] = w->sorted[i - 1];
	w->sorted[i] = value;
	*place = value;
}

/* Or else its level: whatever foretells better of late. */
static bool
by_season(const struct watch *w)
{
	return (w->season_error <= BETTER * w->level_error);
}

static double
residual(struct watch *w, double seasonal, double plain)
{
	double a = 1.0 / (w->n < ERROR_MEMORY ? w->n + 1 : ERROR_MEMORY);
	double most = 10 * w->level.dev;
	bool season = by_season(w);

	w->season_error +=
	    (float)(a * (fmin(fabs(seasonal), most) - w->season_error));
	w->level_error +=
	    (float)(a * (fmin(fabs(plain), most) - w->level_error));
	return (season ? seasonal : plain);
}

/* Both ways at once; what one reading adds is bounded. */
static double
accumulate(struct watch *w, double r, double floor, int64_t t_us)
{
	double s = fmax(w->used.dev, floor), u;
	int i;

	u = s > 0 ? fmax(-CLIP, fmin(CLIP, r / s)) : 0;
	for (i = 0; i < 2; i++) {
		u = i == 0 ? u : -u;
		w->sum[i] = (float)fmax(
		    0, fmin(SUM_MOST, (double)w->sum[i] + u - ALLOWED));
		if (w->sum[i] <= 0)
			w->since_us[i] = t_us;
	}
	return (fmax(w->sum[0], w->sum[1]));
}

static void
measure(struct watch *w, double x, int64_t t_us, const struct expectation *e,
    double *z)
{
	double floor = 1e-6 * (fabs(w->level.mean) + w->level.dev);
	double dev = (e->dev + w->residual.dev) / 2, most;
	double step = (w->change.dev + e->step) / 2;
	double r = outside(x, e), mad, median = middle(w, &mad);

	z[WATCH_SEASONAL] = scaled(r, dev + STRAYED * e->reach, floor);
	z[WATCH_RATE] = scaled(x - w->last, step, floor);
	z[WATCH_SPIKE] = windowed(w) >= WINDOW_LEAST
	    ? scaled(x - median, mad + step, floor)
	    : 0;
	r = residual(w, r, x - w->level.mean);
	pair_learn(&w->used, r, w->n, MEMORY);
	most = SPIKE * fmax(dev, floor);
	r = fmax(-most, fmin(most, r));
	z[WATCH_DRIFT] = accumulate(w, r, floor, t_us);
	w->shift += (float)((r - w->shift) / SMOOTH);
	z[WATCH_SHIFT] = scaled(w->shift, w->used.dev, floor);
}

/* Up at once, down over weeks. */
static void
slot_learn(struct watch *w, double x, int64_t t_us)
{
	int slot = slot_of(t_us + w->ahead_us);
	int type = day_type(t_us + w->ahead_us);
	struct watch_slot *s = &w->slot[type][slot];
	uint8_t *n = &w->known[type][slot];
	double step = fabs(x - w->last) - s->step;
	double reach = fabs(x - s->value.mean) - s->reach;

	if (*n > 0)
		s->reach += (float)(reach * (reach > 0 ? 0.5 : 0.02));
	s->step += (float)(step * (step > 0 ? 0.5 : 0.02));
	pair_learn(&s->value, x, *n, SLOT_MEMORY);
	if (*n < UINT8_MAX)
		(*n)++;
}

static void
learn(struct watch *w, double x, int64_t t_us, const struct expectation *e)
{
	pair_learn(&w->level, x, w->n, MEMORY);
	pair_learn(&w->residual, x - e->value, w->n, MEMORY);
	if (w->n > 0)
		pair_learn(&w->change, x - w->last, w->n - 1, MEMORY);
	slot_learn(w, x, t_us);
	window_learn(w, x);
	w->last = x;
	w->last_us = t_us;
	if (w->n < UINT32_MAX)
		w->n++;
}

/* --- rarity ---------------------------------------------------------------- */

static int
step_of(double rarity)
{
	return ((int)fmin(rarity * TOLD_STEPS, WATCH_TOLD - 1));
}

/* Counts how long nothing about as rare was told. What was told for the most
 * part was told in full, so that an event is told again only as it grows. */
static double
news(struct watch *w, double rarity)
{
	int i, at = step_of(rarity);
	double age, share;

	if (w->n < 4 * PROBATION)
		return (0);
	age = w->n - w->told[at > TOLD_ALIKE ? at - TOLD_ALIKE : 0];
	share = rarity > 0 ? fmax(TOLD_LEAST, 1 - exp(-age / TOLD_AGAIN)) : 0;
	if (share < TOLD_WHOLE)
		at = step_of(share * rarity);
	for (i = 0; i <= at; i++)
		w->told[i] = w->n;
	return (share * rarity);
}

static double
rarest(struct watch *w, const double *z, enum watch_rule *ret_rule)
{
	double rarity[WATCH_SPIKE + 1], level, most;
	int k;

	for (k = WATCH_SHIFT; k <= WATCH_SPIKE; k++) {
		rarity[k] = tail_rarity(&w->tail[k], z[k]);
		if (w->n >= PROBATION)
			tail_learn(&w->tail[k], z[k], MEMORY);
		if (k != WATCH_SHIFT)
			rarity[k] -= SINGLE;
	}
	*ret_rule = rarity[WATCH_SEASONAL] > rarity[WATCH_SHIFT]
	    ? WATCH_SEASONAL
	    : WATCH_SHIFT;
	level = exp(fmax(0, rarity[*ret_rule]) * M_LN10 / LEVEL_SCALE);
	most = tail_rarity(&w->tail[WATCH_NONE], level);
	if (w->n >= 2 * PROBATION)
		tail_learn(&w->tail[WATCH_NONE], level, MEMORY);
	for (k = WATCH_DRIFT; k <= WATCH_SPIKE; k++)
		if (rarity[k] > most) {
			most = rarity[k];
			*ret_rule = k;
		}
	return (most);
}

/* --- what is certain -------------------------------------------------------- */

/* A run counts as known once it has ended. */
static bool
frozen(struct watch *w, double x, int64_t t_us)
{
	if (w->n > 0 && memcmp(&x, &w->last, sizeof(x)) == 0)
		w->run++;
	else {
		if (w->run > w->longest)
			w->longest = w->run;
		w->run = 1;
		w->run_us = t_us;
	}
	return (w->n >= 4 * PROBATION && w->change.dev > 0 &&
	    w->run == STUCK + LONGER * w->longest);
}

static bool
silent(const struct watch *w, double gap)
{
	return (w->n >= 4 * PROBATION && gap > STUCK * w->cadence_us &&
	    gap > LONGER * w->gap_us);
}

/* Told as the pace is left. No one gap is enough, and who never was regular
 * has no pace. */
static bool
off_pace(struct watch *w, double gap)
{
	double usual = w->cadence_us, p;
	bool was = w->off_pace != 0;

	w->pace_us += (fmin(gap, 2 * PACE * usual) - w->pace_us) /
	    (w->n < SMOOTH ? w->n : SMOOTH);
	p = w->pace_us > usual ? w->pace_us : usual;
	p /= fmax(1, w->pace_us < usual ? w->pace_us : usual);
	if (w->n < 4 * PROBATION || w->uneven_us > EVEN * usual)
		return (false);
	w->off_pace = p > (was ? PACE_AGAIN : PACE);
	return (w->off_pace != 0 && !was);
}

static enum watch_rule
of_time(struct watch *w, int64_t t_us)
{
	double gap = w->n > 0 ? (double)(t_us - w->last_us) : 0, a;
	bool is_silent, is_off;

	if (w->n == 0)
		return (WATCH_NONE);
	is_silent = silent(w, gap);
	a = 1.0 / (w->n < MEMORY ? w->n : MEMORY);
	if (w->n == 1)
		w->cadence_us = gap;
	is_off = off_pace(w, gap);
	w->uneven_us +=
	    a * (fmin(fabs(gap - w->cadence_us), w->cadence_us) - w->uneven_us);
	w->gap_us = fmax(w->gap_us, gap);
	if (w->cadence_us > 0)
		gap = fmin(gap, OUTAGE * w->cadence_us);
	w->cadence_us += a * (gap - w->cadence_us);
	return (is_silent ? WATCH_SILENCE
		: is_off  ? WATCH_CADENCE
			  : WATCH_NONE);
}

static enum watch_rule
certain(struct watch *w, double x, int64_t t_us)
{
	enum watch_rule rule = of_time(w, t_us);
	bool is_frozen = frozen(w, x, t_us);

	if (!(x >= w->low && x <= w->high))
		return (WATCH_LIMIT);
	return (is_frozen ? WATCH_FREEZE : rule);
}

/* --- the verdict ----------------------------------------------------------- */

/* Learns what was told, whatever comes of it. */
static bool
alarms(struct watch *w, double told, double a_week)
{
	double per_alarm = 7 * (double)US_PER_DAY /
	    (fmax(w->cadence_us, (double)US_PER_SECOND) * a_week);
	double z = told > 0 ? exp(told * M_LN10 / NEWS_SCALE) : 1;
	double rarity = tail_rarity(&w->news, z),
	       enough = log10(SPARED * per_alarm);

	if (w->n < 4 * PROBATION)
		return (false);
	tail_learn(&w->news, z, MEMORY);
	return (told > fmax(0, enough - SINGLE) &&
	    rarity > fmax(LEAST_RARE, enough));
}

/* A single reading's rules tell of itself. */
static int64_t
since(const struct watch *w, enum watch_rule rule, int64_t t_us)
{
	if (rule == WATCH_SHIFT)
		return (w->since_us[w->shift < 0]);
	if (rule == WATCH_DRIFT)
		return (w->since_us[w->sum[1] > w->sum[0]]);
	if (rule == WATCH_FREEZE)
		return (w->run_us);
	if (rule == WATCH_SILENCE || rule == WATCH_CADENCE)
		return (w->last_us);
	return (t_us);
}

/* By how much the readings of the run were off on average. */
static double
drifted(const struct watch *w, int64_t t_us)
{
	bool down = w->sum[1] > w->sum[0];
	double n = (double)(t_us - w->since_us[down]) / fmax(w->cadence_us, 1);
	double off = w->used.dev * (ALLOWED + w->sum[down] / fmax(n, 1));

	return (down ? -off : off);
}

/* A magnitude alarms beyond u of its tail, which one in twenty exceed; what it
 * has taught since does not count. */
static void
explain(const struct watch *w, double x, int64_t t_us,
    const struct expectation *e, const double *z, struct watch_verdict *v)
{
	struct watch_reason *why = &v->reason;
	const double edge = x > e->high ? e->high : e->low;
	const double u =
	    v->rule <= WATCH_SPIKE ? fmin(w->tail[v->rule].u, z[v->rule]) : 0;
	double mad;

	if (v->rule == WATCH_SEASONAL)
		why->band = fabs(edge - e->value) +
		    fabs(x - edge) / z[WATCH_SEASONAL] * u;
	if (v->rule == WATCH_RATE || v->rule == WATCH_SPIKE) {
		why->expected =
		    v->rule == WATCH_RATE ? w->last : middle(w, &mad);
		why->band = fabs(x - why->expected) / z[v->rule] * u;
	}
	if (v->rule != WATCH_SHIFT && v->rule != WATCH_DRIFT)
		return;
	why->expected = by_season(w) ? e->value : w->level.mean;
	why->mean_off = v->rule == WATCH_SHIFT ? w->shift : drifted(w, t_us);
	why->band = v->rule == WATCH_SHIFT ? fabs(w->shift) / z[WATCH_SHIFT] * u
					   : w->used.dev * ALLOWED;
}

double
watch_off(const struct watch_reason *why, double value)
{
	return (isnan(why->mean_off) ? value - why->expected : why->mean_off);
}

void
watch_judge(struct watch *w, double x, int64_t t_us, double a_week,
    struct watch_verdict *v)
{
	enum watch_rule rule = certain(w, x, t_us);
	double z[WATCH_SPIKE + 1], told;
	struct expectation e;

	memset(v, 0, sizeof(*v));
	if (w->n == 0)
		w->last = x;
	expect(w, t_us, &e);
	v->expected = e.value;
	v->band = CLIP * w->residual.dev;
	v->reason = (struct watch_reason){v->expected, v->band, NAN};
	if (rule == WATCH_LIMIT) { /* no instrument's: teaches nothing */
		v->rule = rule;
		v->alarm = true;
		v->score = 1;
		v->since_us = t_us;
		w->last_us = t_us;
		return;
	}
	measure(w, x, t_us, &e, z);
	told = news(w, rarest(w, z, &v->rule));
	v->alarm = alarms(w, told, a_week);
	v->score = told / (told + 3);
	if (rule != WATCH_NONE) {
		v->rule = rule;
		v->alarm = true;
		v->score = fmax(v->score, 0.5);
	} else if (told <= 0)
		v->rule = WATCH_NONE;
	v->since_us = since(w, v->rule, t_us);
	if (v->alarm)
		explain(w, x, t_us, &e, z, v);
	learn(w, x, t_us, &e);
}
