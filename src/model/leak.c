#include "model/leak.h"

#include <math.h>
#include <string.h>

#define DAY		  24
#define REFERENCE	  (6 * DAY)
#define ENOUGH		  0.75	    /* of a window's hours must be there */
#define LEARN_DIFFERENCES (2 * DAY) /* before the first alarm */
#define LEARN_LATE	  30	    /* hours */
#define STEP_SIGMAS	  3.6
#define STEP_HOLD	  18  /* hours after which a step is told */
#define STEP_AT_ONCE	  2.0 /* limits, beyond which it is sooner */
#define STEP_STILL	  0.7 /* of D is there in the last hours */
#define STILL_SPAN	  6   /* hours */
#define STILL_LEAST	  3   /* of them must be there */
#define STEP_AGREE	  0.5 /* of D is there by night and by day */
#define NIGHT_LEAST	  2   /* hours */
#define DAY_FROM	  6   /* a clock's hour */
#define SAME_LEAST	  4   /* of six days */
#define NOISE_STEP	  0.05
#define NOISE_CLIP	  4.0	 /* times what is known teaches */
#define NOISE_FLOOR	  0.3	 /* of a day's mean: no hour counts alone */
#define EVENT_KEEP	  0.9998 /* an hour: halves in five months */
#define EVENT_SPAN	  (3 * DAY)
#define EVENT_SHARE	  0.5
#define EVENT_MOST	  0.3 /* of the level */
#define RETURN_SPAN	  (7 * DAY)
#define RETURN_SHARE	  1.15
#define CLIP		  3.0  /* sigmas of D that teach */
#define STEP_PEAKS	  1.15 /* above the largest D lately */
#define STEP_SHARE	  0.02 /* of the level */
#define SIGMA_SHARE	  0.003
#define SIGMA_STEP	  (1.0 / (14 * DAY))
#define PEAK_KEEP	  0.999 /* an hour: halves in a month */
#define MAD_TO_SD	  1.2533
#define ONSET_SPAN	  (2 * DAY)
#define NIGHT_FROM	  2
#define NIGHT_TO	  5
#define GROWTH_NEW	  7	/* nights */
#define GROWTH_LEAST	  5	/* of them must be there */
#define GROWTH_OLD	  15	/* nights ago the reference ends */
#define GROWTH_SHARE	  0.035 /* of the level */
#define GROWTH_SPREADS	  4.0	/* of the nights compared with */

#define GROWTH_DAYS  5 /* in a row */
#define PATTERN_STEP 0.2

const char *
leak_kind_name(enum leak_kind k)
{
	static const char *const names[] = {
	    "none", "step", "growth", "settled"};

	return (names[k]);
}

void
leak_init(struct leak *l)
{
	size_t i;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < LEAK_MEMORY; i++)
		l->u[i] = l->x[i] = NAN;
	for (i = 0; i < LEAK_NIGHTS; i++)
		l->nights[i] = l->raw[i] = NAN;
}

static double *
at(double *ring, int64_t hour)
{
	return (&ring[(hour % LEAK_MEMORY + LEAK_MEMORY) % LEAK_MEMORY]);
}

/* Mean over hours (from, to]; NaN if there are fewer than enough. */
static double
mean_of(double *ring, int64_t from, int64_t to, int64_t enough)
{
	double sum = 0;
	int64_t h, have = 0;

	for (h = from + 1; h <= to; h++)
		if (!isnan(*at(ring, h))) {
			sum += *at(ring, h);
			have++;
		}
	return (have < enough || have == 0 ? NAN : sum / (double)have);
}

static double
mean(double *ring, int64_t from, int64_t to)
{
	return (
	    mean_of(ring, from, to, (int64_t)(ENOUGH * (double)(to - from))));
}

static size_t
clock_of(int64_t hour)
{
	return ((size_t)((hour % DAY + DAY) % DAY));
}

/* u above that of the same hour of six days before, without their highest and
 * lowest; NaN: not known. */
static double
above(struct leak *l, int64_t hour)
{
	double sum = 0, least = INFINITY, most = -INFINITY, n = 0;
	int64_t h;

	for (h = hour - REFERENCE; h < hour; h += DAY)
		if (!isnan(*at(l->u, h))) {
			const double u = *at(l->u, h);

			least = fmin(least, u);
			most = fmax(most, u);
			sum += u;
			n++;
		}
	if (n < SAME_LEAST)
		return (NAN);
	return (*at(l->u, hour) -
	    (n > SAME_LEAST ? (sum - least - most) / (n - 2) : sum / n));
}

/* Of the hours of [from, to] that the clock has in [first, last); NaN: there
 * are too few. */
static double
above_mean(
    struct leak *l, int64_t from, size_t first, size_t last, double enough)
{
	double sum = 0, n = 0;
	int64_t h;

	for (h = from; h <= l->seen; h++) {
		const double e = above(l, h);

		if (clock_of(h) < first || clock_of(h) >= last || isnan(e))
			continue;
		sum += e;
		n++;
	}
	return (n < enough ? NAN : sum / n);
}

static void
learn_noise(struct leak *l, int64_t hour)
{
	const double e = MAD_TO_SD * fabs(above(l, hour));
	double *noise = &l->noise[clock_of(hour)];

	if (isnan(e))
		return;
	if (*noise == 0)
		*noise = e;
	*noise += NOISE_STEP * (fmin(e, NOISE_CLIP * *noise) - *noise);
}

/* D: hours that are quieter count more. */
static double
difference(struct leak *l, double *ret_reference)
{
	double floor = 0, sum = 0, weight = 0, n = 0;
	int64_t h;
	size_t i;

	*ret_reference = mean(l->u, l->seen - DAY - REFERENCE, l->seen - DAY);
	for (i = 0; i < DAY; i++)
		floor += NOISE_FLOOR / DAY * l->noise[i];
	for (h = l->seen - DAY + 1; h <= l->seen; h++) {
		const double e = above(l, h);
		const double s = fmax(floor, l->noise[clock_of(h)]);
		const double w = s > 0 ? 1 / (s * s) : 1;

		if (isnan(e))
			continue;
		sum += w * e;
		weight += w;
		n++;
	}
	return (n < ENOUGH * DAY || isnan(*ret_reference) ? NAN : sum / weight);
}

/* Hour 0 of the epoch was a Thursday's. */
static size_t
slot(int64_t hour)
{
	return ((size_t)((hour % LEAK_WEEK + LEAK_WEEK) % LEAK_WEEK));
}

/* What the slot's shape is, or, before it was seen, the same hour of the days
 * that were. */
static double
shape(const struct leak *l, int64_t hour)
{
	const size_t s = slot(hour);
	double sum = 0, have = 0;
	size_t d;

	if (l->weight[s] > 0)
		return (l->pattern[s]);
	for (d = s % DAY; d < LEAK_WEEK; d += DAY)
		if (l->weight[d] > 0) {
			sum += l->pattern[d];
			have++;
		}
	return (have > 0 ? sum / have : 0);
}

/* The shape, from an hour so long ago that a leak since would be known. */
static void
learn(struct leak *l, int64_t hour)
{
	const double now = mean(l->u, l->seen - LEAK_WEEK + 1, l->seen);
	const double u = *at(l->u, hour);
	const size_t s = slot(hour);

	if (isnan(u) || isnan(now))
		return;
	l->pattern[s] = shape(l, hour);
	l->weight[s]++;
	l->pattern[s] += fmax(PATTERN_STEP, 1 / l->weight[s]) * (u - now);
}

static int64_t
onset(struct leak *l, double reference)
{
	double sum = 0, best = 0;
	int64_t h, n = 0, found = l->seen;

	for (h = l->seen; h > l->seen - ONSET_SPAN; h--) {
		if (isnan(*at(l->u, h)))
			continue;
		sum += *at(l->u, h) - reference;
		n++;
		if (sum * fabs(sum) / (double)n > best) {
			best = sum * fabs(sum) / (double)n;
			found = h;
		}
	}
	return (found);
}

/* What a fall tells: of a leak it is the end; one that ends within days, or
 * was none, is what this zone does now and then. */
static void
learn_event(struct leak *l, double fall)
{
	const double untold = fall - l->standing;

	if (untold > 0) {
		l->event = fmax(l->event, untold);
		if (l->onset - l->fell >= RETURN_SPAN)
			l->fallen = 0;
		l->fallen += untold;
		l->fell = l->onset;
	}
	l->standing = fmax(0, l->standing - fall);
	if (l->onset - l->told < EVENT_SPAN &&
	    fall > EVENT_SHARE * l->told_size)
		l->event = fmax(l->event, l->told_d);
}

void
leak_dismiss(struct leak *l)
{
	l->event = fmax(l->event, STEP_PEAKS * fmax(l->told_d, l->told_size));
	l->standing = fmax(0, l->standing - fmax(0, l->told_size));
}

/* The step has lasted a day: it is the level now. With a gap in that day, the
 * next hours decide. */
static bool
settle(struct leak *l, struct leak_alarm *ret)
{
	const double after = mean(l->u, l->onset, l->onset + DAY);
	const double late = mean(l->u, l->seen - DAY, l->seen);
	double by = (isnan(after) ? late : after) - l->before;
	int64_t h;

	if (isnan(by) && l->seen - l->onset < LEAK_MEMORY / 2)
		return (false);
	l->settle = 0;
	if (isnan(by))
		return (false);
	l->offset += by;
	if (by < 0)
		learn_event(l, -by);
	else if (l->told == l->onset)
		l->standing += by;
	else
		l->fallen = fmax(0, l->fallen - by);
	for (h = l->seen - LEAK_MEMORY + 1; h <= l->seen; h++)
		if (h >= l->onset)
			*at(l->u, h) -= by;
	*ret = (struct leak_alarm){
	    .kind = LEAK_SETTLED, .onset = l->onset, .size = by};
	return (true);
}

static void
night_of(struct leak *l, int64_t hour, double x, double u)
{
	const int64_t clock = (hour % DAY + DAY) % DAY;
	int i;

	/* Clocks leave 02:00 out, meters any hour: what was before is no part
	 * of it. */
	if (clock < NIGHT_FROM || clock > NIGHT_TO)
		l->night_n = 0, l->night_sum = l->night_raw = 0;
	if (clock >= NIGHT_FROM && clock < NIGHT_TO) {
		l->night_n++;
		l->night_sum += u;
		l->night_raw += x;
	}
	if (clock != NIGHT_TO || l->night_n == 0)
		return;
	for (i = LEAK_NIGHTS - 1; i > 0; i--) {
		l->nights[i] = l->nights[i - 1];
		l->raw[i] = l->raw[i - 1];
	}
	l->nights[0] = l->night_sum / l->night_n;
	l->raw[0] = l->night_raw / l->night_n;
	l->night_n = 0;
	l->night_sum = l->night_raw = 0;
}

static double
nights_mean(const double *nights, int from, int to, double *ret_spread)
{
	double sum = 0, squares = 0;
	int i, n = 0;

	for (i = from; i < to; i++)
		if (!isnan(nights[i])) {
			sum += nights[i];
			squares += nights[i] * nights[i];
			n++;
		}
	if (n < GROWTH_LEAST)
		return (NAN);
	*ret_spread = sqrt(fmax(0, squares / n - sum / n * sum / n));
	return (sum / n);
}

/* Of the newest, without the highest and the lowest: it recurs. */
static double
nights_now(const double *nights)
{
	double sum = 0, least = INFINITY, most = -INFINITY, n = 0;
	int i;

	for (i = 0; i < GROWTH_NEW; i++)
		if (!isnan(nights[i])) {
			sum += nights[i];
			least = fmin(least, nights[i]);
			most = fmax(most, nights[i]);
			n++;
		}
	return (n < GROWTH_LEAST ? NAN : (sum - least - most) / (n - 2));
}

static void
usual_nights(const struct leak *l, int64_t begun, struct leak_alarm *a)
{
	const int ago = (int)((l->seen - begun) / DAY);
	double spread;

	a->night = l->raw[0];
	a->usual =
	    nights_mean(l->raw, ago < LEAK_NIGHTS ? ago + 1 : LEAK_NIGHTS,
		ago + 8 < LEAK_NIGHTS ? ago + 8 : LEAK_NIGHTS, &spread);
}

static bool
growth(struct leak *l, double level, struct leak_alarm *ret)
{
	double spread = 0, now, then, rise, limit;
	int i;

	now = nights_now(l->nights);
	then = nights_mean(l->nights, GROWTH_OLD, LEAK_NIGHTS, &spread);
	rise = now - then;
	limit = fmax(GROWTH_SHARE * fabs(level), GROWTH_SPREADS * spread);
	if (!(rise > limit)) {
		l->growing = 0;
		return (false);
	}
	if (++l->growing != GROWTH_DAYS)
		return (false);
	for (i = GROWTH_NEW; i < LEAK_NIGHTS; i++)
		l->nights[i] += rise; /* told; only more is news */
	l->growing = 0;
	*ret = (struct leak_alarm){.kind = LEAK_GROWTH,
	    .onset = l->seen - GROWTH_OLD * DAY,
	    .size = rise,
	    .limit = limit,
	    .confidence = 1 - exp(-rise / limit)};
	ret->volume = rise * GROWTH_OLD * DAY / 2; /* it grew from nothing */
	usual_nights(l, ret->onset, ret);
	return (true);
}

/* The last two days' do not count as seen lately: they may be the leak. */
static void
remember(struct leak *l, double d)
{
	const double size = fabs(d - l->centre);
	const double part = fmax(SIGMA_STEP, 1.0 / (double)(l->judged + 1));

	l->judged++;
	if (l->judged > LEARN_DIFFERENCES)
		d = l->centre +
		    fmax(
			-CLIP * l->sigma, fmin(CLIP * l->sigma, d - l->centre));
	l->sigma += part * (MAD_TO_SD * fabs(d - l->centre) - l->sigma);
	l->centre += part * (d - l->centre);
	l->today = fmax(l->today, size);
	l->peak *= PEAK_KEEP;
	l->event *= EVENT_KEEP;
	if (l->judged % DAY == 0) {
		l->peak = fmax(l->peak, l->yesterday);
		l->yesterday = l->today;
		l->today = 0;
	}
}

/* A rise that is there at night and by day, and still: not what fills a pool
 * or fights a fire. Too early to know: *ret_wait. */
static bool
lasts(struct leak *l, int64_t from, double d, double limit, bool *ret_wait)
{
	const double late =
	    above_mean(l, l->seen - STILL_SPAN + 1, 0, DAY, STILL_LEAST);
	const double night = above_mean(l, from, 0, DAY_FROM, NIGHT_LEAST);
	const double day = above_mean(l, from, DAY_FROM, DAY, STILL_LEAST);
	const bool still = late >= STEP_STILL * d;

	*ret_wait = l->seen - from + 1 < STEP_HOLD;
	if (d > STEP_AT_ONCE * limit)
		return (still);
	return (!*ret_wait && still && night >= STEP_AGREE * d &&
	    (isnan(day) || day >= STEP_AGREE * d));
}

static void
begin_step(struct leak *l, int64_t from, double reference)
{
	l->onset = from;
	l->before = reference;
	l->settle = from + DAY;
	if (l->settle <= l->seen)
		l->settle = l->seen + 1;
}

static double
step_size(struct leak *l, double d)
{
	const double size = mean(l->u, l->onset - 1, l->seen) - l->before;

	return (isnan(size) ? d : size);
}

/* Flow that was cut off days ago. */
static bool
comes_back(struct leak *l, double d)
{
	return (l->fallen > 0 && l->onset - l->fell < RETURN_SPAN &&
	    step_size(l, d) <= RETURN_SHARE * l->fallen);
}

static void
tell_step(struct leak *l, double d, double limit, struct leak_alarm *ret)
{
	*ret = (struct leak_alarm){.kind = LEAK_STEP,
	    .onset = l->onset,
	    .size = step_size(l, d),
	    .limit = limit,
	    .confidence = 1 - exp(-d / limit)};
	ret->volume = ret->size * (double)(l->seen - l->onset + 1);
	usual_nights(l, l->onset, ret);
	l->told = l->onset;
	l->told_size = ret->size;
	l->told_d = d;
}

static bool
step(struct leak *l, double level, struct leak_alarm *ret)
{
	double reference, d = difference(l, &reference), limit;
	int64_t from;
	bool wait;

	if (isnan(d))
		return (false);
	limit = fmax(fmax(STEP_SHARE * fabs(level),
			 fmin(EVENT_MOST * fabs(level), l->event)),
	    fmax(STEP_PEAKS * l->peak,
		STEP_SIGMAS * fmax(l->sigma, SIGMA_SHARE * fabs(level))));
	if (l->judged < LEARN_DIFFERENCES || fabs(d - l->centre) <= limit) {
		remember(l, d);
		return (false);
	}
	if (d < 0) {
		begin_step(l, l->seen - DAY / 2, reference);
		return (false);
	}
	from = onset(l, reference);
	if (!lasts(l, from, d, limit, &wait)) {
		if (!wait)
			remember(l, d);
		return (false);
	}
	begin_step(l, from, reference);
	if (comes_back(l, d))
		return (false);
	tell_step(l, d, limit, ret);
	return (true);
}

int64_t
leak_morning(int64_t hour)
{
	const int64_t since = ((hour - NIGHT_TO) % DAY + DAY) % DAY;

	return (hour - since);
}

bool
leak_night(
    const struct leak *l, int64_t hour, double *ret_least, double *ret_mean)
{
	const int64_t morning = leak_morning(hour);
	double least = INFINITY, sum = 0;
	int64_t h;

	if (l->seen - morning >= LEAK_MEMORY / 2)
		return (false);
	for (h = morning - NIGHT_TO + NIGHT_FROM; h < morning; h++) {
		const double x = *at((double *)(uintptr_t)l->x, h);

		if (h < l->begun || isnan(x))
			return (false);
		least = fmin(least, x);
		sum += x;
	}
	*ret_least = least;
	*ret_mean = sum / (NIGHT_TO - NIGHT_FROM);
	return (true);
}

static void
pass(struct leak *l, int64_t hour)
{
	if (!l->started) {
		l->started = true;
		l->begun = hour;
		l->seen = hour - 1;
	}
	if (hour - l->seen > LEAK_MEMORY)
		l->seen = hour - LEAK_MEMORY;
	while (l->seen < hour) {
		l->seen++;
		*at(l->u, l->seen) = *at(l->x, l->seen) = NAN;
	}
}

bool
leak_hour(struct leak *l, int64_t hour, double x, struct leak_alarm *ret)
{
	const bool young = !l->started || hour - l->begun < LEAK_WEEK;
	const size_t judged = l->judged;
	double level, u;

	pass(l, hour);
	if (isnan(x))
		return (false);
	*at(l->x, hour) = x;
	if (young) {
		l->pattern[slot(hour)] = x;
		l->weight[slot(hour)] = 1;
		return (false);
	}
	u = x - shape(l, hour) - l->offset;
	*at(l->u, hour) = u;
	learn_noise(l, hour);
	night_of(l, hour, x, u);
	level = mean(l->x, hour - LEAK_WEEK + 1, hour);
	if (isnan(level))
		return (false);
	if (l->settle != 0)
		return (hour >= l->settle && settle(l, ret));
	if (step(l, level, ret))
		return (true);
	if (l->settle == 0 && l->judged > judged)
		learn(l, hour - LEARN_LATE);
	return ((hour % DAY + DAY) % DAY == NIGHT_TO && growth(l, level, ret));
}
