#include "app/fit_system.h"

#include "core/instant.h"
#include "core/log.h"
#include "model/system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHORT_US      (300 * US_PER_SECOND)
#define LONG_US	      US_PER_HOUR
#define SHORT_SPAN_US (60 * US_PER_DAY)
#define LONG_SPAN_US  (365 * US_PER_DAY)
#define WEEK_US	      (7.0 * US_PER_DAY)
#define LEAST_US      (14 * US_PER_DAY)
#define SILENT_US     (3 * US_PER_DAY) /* behind the one heard last */
#define CELLS_MOST    (4 * 1024 * 1024)
#define OFTEN	      0.8 /* of the 5 minutes of a day */
#define ENOUGH	      0.5 /* of the steps of the last two weeks */

struct lesson {
	struct warm *warm;
	struct arena *arena;
	struct err_info *info;
	int64_t now_us;
	const char *code;
	double a_week; /* false alarms */
	struct system_offer offer;
	struct system_learnt learnt;
	struct system_series *members;
	struct system_table table;
	int64_t *newest_us;
	char reason[160]; /* why it is not learnt; "": it is */
};

static enum err
no_memory(struct lesson *l)
{
	return (err_set(l->info, ERR_NO_MEMORY, NULL, "a zone to learn"));
}

/* Those that are heard at all. */
static enum err
choose(struct lesson *l)
{
	const struct system_offer *o = &l->offer;
	int64_t newest_us = INT64_MIN;
	size_t i, n = 0;

	if (o->n > SYSTEM_SIGNALS_MOST) {
		(void)snprintf(l->reason, sizeof(l->reason),
		    "it has more than %d series", SYSTEM_SIGNALS_MOST);
		return (ERR_OK);
	}
	l->members = arena_calloc(l->arena, o->n + 1, sizeof(*l->members));
	if (l->members == NULL)
		return (no_memory(l));
	for (i = 0; i < o->n; i++)
		if (o->newest_us[i] != INSTANT_NONE &&
		    o->newest_us[i] > newest_us)
			newest_us = o->newest_us[i];
	for (i = 0; i < o->n; i++)
		if (o->newest_us[i] != INSTANT_NONE &&
		    newest_us - o->newest_us[i] < SILENT_US)
			l->members[n++] = o->series[i];
	l->learnt.members = l->members;
	l->learnt.n = n;
	if (n < 2)
		(void)snprintf(l->reason, sizeof(l->reason),
		    "fewer than 2 of its series are heard");
	return (ERR_OK);
}

/* The table of the last so many steps. */
static enum err
read_table(struct lesson *l, int64_t step_us, int64_t until_us, size_t steps)
{
	struct system_table *t = &l->table;
	enum err e = ERR_OK;
	size_t i;

	*t = (struct system_table){.series = l->members,
	    .n = l->learnt.n,
	    .steps = steps,
	    .from_us = until_us - (int64_t)steps * step_us,
	    .step_us = step_us};
	t->x = arena_calloc(l->arena, t->n * t->steps + 1, sizeof(*t->x));
	if (t->x == NULL)
		return (no_memory(l));
	for (i = 0; e == ERR_OK && i < t->n; i++)
		e = warm_system_column(l->warm, t, i, l->info);
	return (e);
}

/* How much of the last so many steps of a column is there. */
static double
filled(const struct system_table *t, size_t column, size_t last)
{
	size_t k, have = 0;

	for (k = t->steps - last; k < t->steps; k++)
		have += !isnan(t->x[k * t->n + column]);
	return ((double)have / (double)last);
}

static enum err
until(struct lesson *l, int64_t step_us, int64_t *ret_us)
{
	l->learnt.step_s = (int32_t)(step_us / US_PER_SECOND);
	return (
	    warm_system_until(l->warm, &l->learnt, l->now_us, ret_us, l->info));
}

/* 5 minutes where all that is measured comes so often; else an hour. */
static enum err
choose_step(struct lesson *l, int64_t *ret_until_us)
{
	const size_t day = US_PER_DAY / SHORT_US;
	bool often = true;
	enum err e;
	size_t i;

	if ((e = until(l, SHORT_US, ret_until_us)) != ERR_OK ||
	    (e = read_table(l, SHORT_US, *ret_until_us, day)) != ERR_OK)
		return (e);
	for (i = 0; i < l->table.n; i++)
		often = often &&
		    (l->members[i].status ||
			filled(&l->table, i, day) >= OFTEN);
	return (often ? ERR_OK : until(l, LONG_US, ret_until_us));
}

/* Drops signals that are hardly ever there. */
static void
drop(struct lesson *l)
{
	struct system_table *t = &l->table;
	const size_t last = (size_t)(LEAST_US / t->step_us), was = t->n;
	bool stays[SYSTEM_SIGNALS_MOST];
	size_t i, k, n = 0, to = 0;

	for (i = 0; i < was; i++)
		stays[i] = filled(t, i, last) >= ENOUGH;
	for (k = 0; k < t->steps; k++)
		for (i = 0; i < was; i++)
			if (stays[i])
				t->x[to++] = t->x[k * was + i];
	for (i = 0; i < was; i++)
		if (stays[i])
			l->members[n++] = l->members[i];
	t->n = l->learnt.n = n;
	if (n < 2)
		(void)snprintf(l->reason, sizeof(l->reason),
		    "fewer than 2 of its series were there half of the last "
		    "14 days");
}

/* Of what was odd nothing is learnt. */
static enum err
leave_out(struct lesson *l)
{
	struct system_table *t = &l->table;
	const struct system_span span = {
	    t->from_us, t->from_us + (int64_t)t->steps * t->step_us};
	struct system_span *odd;
	size_t i, k;
	enum err e;

	e = warm_system_odd(
	    l->warm, l->learnt.zone, &span, l->arena, &odd, l->info);
	if (e != ERR_OK)
		return (e);
	for (; odd->to_us != 0; odd++)
		for (k = 0; k < t->steps; k++) {
			const int64_t at = t->from_us + (int64_t)k * t->step_us;

			if (at + t->step_us <= odd->from_us || at > odd->to_us)
				continue;
			for (i = 0; i < t->n; i++)
				t->x[k * t->n + i] = (double)NAN;
		}
	return (ERR_OK);
}

/* From the first step with anything on. */
static void
begin(struct lesson *l)
{
	struct system_table *t = &l->table;
	const int64_t until_us = t->from_us + (int64_t)t->steps * t->step_us;
	size_t i = 0;

	while (i < t->n * t->steps && isnan(t->x[i]))
		i++;
	t->x += i / t->n * t->n;
	t->steps -= i / t->n;
	t->from_us = until_us - (int64_t)t->steps * t->step_us;
	l->learnt.span = (struct system_span){t->from_us, until_us};
	if (until_us - t->from_us < LEAST_US)
		(void)snprintf(l->reason, sizeof(l->reason),
		    "it has readings of %d days; 14 are needed",
		    (int)((until_us - t->from_us) / US_PER_DAY));
}

static enum err
load(struct lesson *l)
{
	int64_t until_us, step_us, span_us;
	size_t steps, most;
	enum err e;

	if ((e = choose(l)) != ERR_OK || l->reason[0] != '\0' ||
	    (e = choose_step(l, &until_us)) != ERR_OK)
		return (e);
	step_us = l->learnt.step_s * US_PER_SECOND;
	span_us = step_us == SHORT_US ? SHORT_SPAN_US : LONG_SPAN_US;
	steps = (size_t)(span_us / step_us);
	most = CELLS_MOST / l->learnt.n;
	if ((e = read_table(
		 l, step_us, until_us, steps < most ? steps : most)) != ERR_OK)
		return (e);
	drop(l);
	if (l->reason[0] == '\0')
		begin(l);
	return (l->reason[0] == '\0' ? leave_out(l) : ERR_OK);
}

static enum err
read_controls(struct lesson *l, struct control **ret, size_t *ret_n)
{
	struct system_control *found;
	struct control *c;
	size_t i, n, kept = 0;
	enum err e;

	e = warm_system_controls(
	    l->warm, l->learnt.zone, l->arena, &found, &n, l->info);
	if (e != ERR_OK)
		return (e);
	if ((c = arena_calloc(l->arena, n + 1, sizeof(*c))) == NULL)
		return (no_memory(l));
	for (i = 0; i < n && kept < SYSTEM_CONTROLS_MOST; i++) {
		struct control *to = &c[kept];

		if (strlen(found[i].link) >= sizeof(to->link) ||
		    strlen(found[i].node) >= sizeof(to->node))
			continue;
		strncpy(to->link, found[i].link, sizeof(to->link) - 1);
		strncpy(to->node, found[i].node, sizeof(to->node) - 1);
		to->open = found[i].open;
		to->above = found[i].above;
		to->level = found[i].level;
		kept++;
	}
	*ret = c;
	*ret_n = kept;
	return (ERR_OK);
}

static enum err
make(struct lesson *l, struct system **ret)
{
	struct system_signal *names;
	struct control *controls = NULL;
	size_t i, ncontrols = 0;
	enum err e;

	names = arena_calloc(l->arena, l->learnt.n, sizeof(*names));
	if (names == NULL)
		return (no_memory(l));
	for (i = 0; i < l->learnt.n; i++)
		names[i] = (struct system_signal){
		    l->members[i].node, l->members[i].metric};
	if ((e = read_controls(l, &controls, &ncontrols)) != ERR_OK)
		return (e);
	e = system_new(names, l->learnt.n, controls, ncontrols, ret);
	return (e == ERR_OK ? e : err_set(l->info, e, NULL, "a system"));
}

static enum err
learn(struct lesson *l)
{
	struct system *system = NULL;
	unsigned char *bytes = NULL;
	enum err e;

	if ((e = make(l, &system)) != ERR_OK)
		return (e);
	system_target(system, l->a_week * (double)l->table.step_us / WEEK_US);
	e = system_fit(system, l->table.x, l->table.steps);
	if (e == ERR_OK)
		e = system_pack(system, &bytes, &l->learnt.state_len);
	system_free(system);
	if (e != ERR_OK)
		(void)snprintf(l->reason, sizeof(l->reason),
		    "it cannot be learnt: %s", err_title(e));
	l->learnt.state = bytes;
	e = bytes == NULL ? ERR_OK
			  : warm_system_learnt(l->warm, &l->learnt, l->info);
	free(bytes);
	return (e);
}

static int64_t
monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

static enum err
lesson(struct lesson *l)
{
	const int64_t began_us = monotonic_us();
	enum err e;

	if ((e = warm_system_offer(l->warm, l->learnt.zone, l->arena, &l->offer,
		 l->info)) != ERR_OK ||
	    (e = load(l)) != ERR_OK)
		return (e);
	l->learnt.offered = &l->offer;
	if (l->reason[0] == '\0' && (e = learn(l)) != ERR_OK)
		return (e);
	if (l->reason[0] != '\0') {
		log_event(LOG_LEVEL_INFO, "system_refused", "zone", LOG_STR,
		    l->code, "why", LOG_STR, l->reason, NULL);
		return (warm_system_refused(
		    l->warm, l->learnt.zone, &l->offer, l->reason, l->info));
	}
	log_event(LOG_LEVEL_INFO, "system_learnt", "zone", LOG_STR, l->code,
	    "signals", LOG_INT, (int64_t)l->learnt.n, "steps", LOG_INT,
	    (int64_t)l->table.steps, "bytes", LOG_INT,
	    (int64_t)l->learnt.state_len, "took_us", LOG_INT,
	    monotonic_us() - began_us, NULL);
	return (ERR_OK);
}

enum err
fit_system_next(
    const struct fit_system *f, bool *ret_any, struct err_info *info)
{
	struct lesson l = {.warm = f->warm,
	    .arena = f->arena,
	    .info = info,
	    .now_us = f->now_us};
	struct system_due due = {0};
	enum err e;

	arena_reset(f->arena);
	e = warm_systems_next(f->warm, f->began_us, f->arena, &due, info);
	l.learnt.zone = due.zone;
	l.code = due.code;
	l.a_week = due.systems > 0 ? f->a_week / (double)due.systems : 0;
	if (e == ERR_OK && due.zone != 0)
		e = lesson(&l);
	*ret_any = due.zone != 0;
	arena_reset(f->arena);
	return (e);
}
