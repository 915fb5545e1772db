/*
 * Faults and events of each kind, set into a demand with a shape of its own
 * for working days and weekends, by a clock that is put forward and back: how
 * soon each is told, as what, and what is told of where there is none.
 */
#include "core/instant.h"
#include "model/watch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define BEGIN	(INT64_C(1767571200) * US_PER_SECOND) /* Monday 2026-01-05 */
#define FORWARD (INT64_C(1774746000) * US_PER_SECOND) /* 2026-03-29 01:00 */
#define BACK	(INT64_C(1792890000) * US_PER_SECOND) /* 2026-10-25 01:00 */
#define STEP	(15 * US_PER_MINUTE)
#define A_DAY	96
#define SERIES	8
#define NOISE	1.5 /* standard deviation */

static double
uniform(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed / 4294967296.0);
}

static double
noise(uint32_t *seed)
{
	return (
	    2 * NOISE * (uniform(seed) + uniform(seed) + uniform(seed) - 1.5));
}

static int64_t
ahead(int64_t t_us)
{
	return (t_us >= FORWARD && t_us < BACK ? 2 * US_PER_HOUR : US_PER_HOUR);
}

static double
peak(double h, double at, double width)
{
	return (exp(-(h - at) * (h - at) / width));
}

static double
demand(int64_t t_us, uint32_t *seed)
{
	int64_t local = t_us + ahead(t_us), day = local / US_PER_DAY;
	double h = (double)(local - day * US_PER_DAY) / (double)US_PER_HOUR;
	double morning = (day + 3) % 7 >= 5 ? 10.5 : 7.5;

	return (60 + 25 * peak(h, morning, 6) + 18 * peak(h, 19.5, 8) -
	    20 * peak(h, 3, 8) + noise(seed));
}

/* One series: the demand, or what only wanders, or a plain noise. */
struct feed {
	struct watch w;
	uint32_t seed;
	int64_t t_us;
	double wander, last;
	int kind;
};

static double
usual(struct feed *f)
{
	f->wander += noise(&f->seed) / 3;
	return (f->kind == 'w'	 ? 60 + f->wander
		: f->kind == 'n' ? 60 + noise(&f->seed)
				 : demand(f->t_us, &f->seed));
}

static struct watch_verdict
judge(struct feed *f, double x, double a_week)
{
	struct watch_verdict v;

	f->w.ahead_us = ahead(f->t_us);
	watch_judge(&f->w, x, f->t_us, a_week, &v);
	f->last = x;
	return (v);
}

/* Eight weeks and some days and hours of a series, another for each i. */
static struct feed
learnt(int i, int kind, const char *unit)
{
	int n = A_DAY * (57 + i) + 11 * (i + 1), k;
	struct feed f = {.seed = (uint32_t)(i + 1) * 7919, .kind = kind};

	watch_init(&f.w, unit);
	for (k = 0; k < n; k++) {
		f.t_us = BEGIN + k * STEP;
		(void)judge(&f, usual(&f), 1);
	}
	return (f);
}

/* What the event makes of the k-th reading since it began. */
static double
spoilt(struct feed *f, const char *event, int k)
{
	double x = usual(f), last = f->last;

	if (strcmp(event, "spike") == 0 || strcmp(event, "rate") == 0)
		return (k == 0 ? x + 14 : x);
	if (strcmp(event, "season") == 0)
		return (k < 8 ? x + 20 : x);
	if (strcmp(event, "shift") == 0)
		return (x + 6);
	if (strcmp(event, "drift") == 0)
		return (x + 30 * fmin(1, k / (2.0 * A_DAY)));
	if (strcmp(event, "freeze") == 0)
		return (last);
	if (strcmp(event, "limit") == 0)
		return (k == 0 ? 500 : x);
	return (x);
}

static const struct {
	const char *event;
	int kind, step; /* in quarters of the usual one */
	int within, of; /* readings; series of SERIES that tell it by then */
	const char *rules, *looks_like;
} events[] = {
    {"spike", 'n', 4, 1, 8, "spike seasonal rate", NULL},
    {"spike", 'n', 4, 1, 5, "spike", "sensor fault"},
    {"rate", 'w', 4, 1, 7, "rate", ""},
    {"season", 'd', 4, 2, 8, "seasonal shift rate", NULL},
    {"shift", 'd', 4, 12, 6, "shift", "process event"},
    {"drift", 'd', 4, 2 * A_DAY, 5, "shift drift", NULL},
    {"freeze", 'n', 4, 28, 7, "freeze", "sensor fault"},
    {"silence", 'd', 4 * 2 * A_DAY, 1, 8, "silence", "sensor fault"},
    {"cadence", 'd', 16, 16, 7, "cadence", "sensor fault"},
    {"cadence", 'd', 1, 32, 8, "cadence", "sensor fault"},
    {"limit", 'd', 4, 1, 8, "limit", "sensor fault"},
};

static bool
is_told(const struct watch_verdict *v, size_t e)
{
	return (v->alarm &&
	    strstr(events[e].rules, watch_rule_name(v->rule)) != NULL &&
	    (events[e].looks_like == NULL ||
		strcmp(watch_looks_like(v->rule), events[e].looks_like) == 0));
}

/* After how many readings, -1: never by when it is due. */
static int
told_after(int i, size_t e)
{
	bool limit = strcmp(events[e].event, "limit") == 0;
	struct feed f = learnt(i, events[e].kind, limit ? "degC" : "");
	struct watch_verdict v;
	int64_t began;
	int k;

	for (k = 0; k < events[e].within; k++) {
		f.t_us += events[e].step * STEP / 4;
		if (k == 0)
			began = f.t_us - events[e].step * STEP / 4;
		v = judge(&f, spoilt(&f, events[e].event, k), 1);
		if (!is_told(&v, e))
			continue;
		cr_expect_leq(v.since_us, f.t_us);
		if (events[e].of == SERIES && k == 0)
			cr_expect_geq(v.since_us, began - A_DAY * STEP);
		return (k);
	}
	return (-1);
}

Test(watch_kinds, tells_each_soon_and_by_its_name)
{
	int i, told, after;
	size_t e;

	for (e = 0; e < sizeof(events) / sizeof(events[0]); e++) {
		for (i = told = 0; i < SERIES; i++) {
			after = told_after(i, e);
			told += after >= 0;
		}
		cr_expect_geq(told, events[e].of,
		    "%s as %s: %d of %d within %d readings", events[e].event,
		    events[e].rules, told, SERIES, events[e].within);
	}
}

/* A year without a reading is one thing to tell, and no new pace: no more of the
 * fortnight behind it is an alarm than was asked for. */
Test(watch_kinds, knows_its_pace_after_an_outage)
{
	int i, k, alarms = 0, silences = 0;
	struct watch_verdict v;
	struct feed f;

	for (i = 0; i < SERIES; i++) {
		f = learnt(i, 'n', "");
		f.t_us += 364 * US_PER_DAY;
		for (k = 0; k < 14 * A_DAY; k++) {
			f.t_us += STEP;
			v = judge(&f, usual(&f), 1);
			silences += v.alarm && v.rule == WATCH_SILENCE;
			alarms += v.alarm && v.rule != WATCH_SILENCE;
		}
	}
	cr_expect_eq(silences, SERIES, "%d", silences);
	cr_expect_leq(alarms, 2 * SERIES, "%d", alarms);
}

static double
alarms_a_week(int every, double target)
{
	int64_t weeks = 0;
	int i, k, alarms = 0;
	struct feed f;

	for (i = 0; i < SERIES; i++) {
		memset(&f, 0, sizeof(f));
		f.seed = (uint32_t)(i + 1) * 7919;
		watch_init(&f.w, "");
		for (k = 0; k < 364 * A_DAY / every; k++) {
			f.t_us = BEGIN + k * every * STEP;
			alarms += judge(&f, usual(&f), target).alarm &&
			    k * every >= 14 * A_DAY;
		}
		weeks += 50;
	}
	return (alarms / (double)weeks);
}

/* A year of weekends and of summer time, by quarter of an hour and by hour. */
Test(watch_kinds, tells_no_more_of_a_usual_year_than_was_asked_for)
{
	static const double targets[] = {0.1, 1, 7};
	double came;
	size_t i;
	int every;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		for (every = 1; every <= 4; every += 3) {
			came = alarms_a_week(every, targets[i]);
			cr_expect_leq(came, targets[i], "%g a week came for %g",
			    came, targets[i]);
			cr_expect_geq(came, targets[i] / 10,
			    "%g a week came for %g", came, targets[i]);
		}
}
