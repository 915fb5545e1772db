#include "app/fit.h"

#include "app/fit_series.h"
#include "app/fit_system.h"
#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS	 15000 /* how soon a night is noticed */
#define BUSY_MS	 1000
#define SLICE_US (US_PER_SECOND / 4) /* of forecasting, per job */
#define NAP_MS	 5
#define ROOM	 ((size_t)128 << 20) /* of what a zone learns from */
#define TELL_US	 US_PER_MINUTE	     /* how old gauges are at most */

struct fit {
	struct fit_config config;
	struct warm *warm;
	struct loop_timer *timer;
	bool out, woken; /* L only; out: done() still due */
	atomic_bool busy, stopping;
	/* The thread's; the loop reads `next_ms` in done(). */
	struct fit_series series; /* room NULL: not at work */
	struct forecasts_due due;
	struct arena room;	   /* for learning zones */
	int64_t until_us, told_us; /* monotonic; told_us 0: tell at once */
	unsigned next_ms;
};

static void schedule(struct fit *, unsigned ms);

static int64_t
clock_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

enum err
fit_check(const char *at, struct err_info *info)
{
	if (strcmp(at, "off") == 0)
		return (ERR_OK);
	if (strlen(at) == 5 && at[2] == ':' && at[0] >= '0' && at[0] <= '2' &&
	    at[1] >= '0' && at[1] <= (at[0] == '2' ? '3' : '9') &&
	    at[3] >= '0' && at[3] <= '5' && at[4] >= '0' && at[4] <= '9')
		return (ERR_OK);
	return (err_set(info, ERR_INVALID, NULL,
	    "PENSTOCK_FIT_AT must be a time like 02:00, or off"));
}

struct fit *
fit_new(const struct fit_config *config)
{
	struct fit *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return (NULL);
	f->config = *config;
	arena_init(&f->room, ROOM);
	if ((f->warm = warm_new(config->database_url, "penstock fit")) ==
	    NULL) {
		free(f);
		return (NULL);
	}
	return (f);
}

void
fit_free(struct fit *f)
{
	if (f == NULL)
		return;
	fit_series_done(&f->series);
	arena_done(&f->room);
	warm_free(f->warm);
	free(f);
}

/* --- on the thread ---------------------------------------------------------
 */

static void
rest(struct fit *f)
{
	fit_series_done(&f->series);
	arena_done(&f->room);
	arena_init(&f->room, ROOM);
	f->series = (struct fit_series){0};
	f->due = (struct forecasts_due){0};
}

static enum err
begin(struct fit *f, struct err_info *info)
{
	const struct forecasts_plan plan = {
	    f->config.zone, f->config.at, f->config.budget_s};
	struct forecasts_run run;
	enum err e = forecasts_run(f->warm, &plan, &run, info);

	if (e != ERR_OK)
		return (e);
	if (!fit_series_init(&f->series, f->warm, &f->stopping))
		return (err_set(info, ERR_NO_MEMORY, NULL, "forecasts"));
	f->series.run = run;
	f->series.now_us = clock_us(CLOCK_REALTIME);
	f->until_us =
	    clock_us(CLOCK_MONOTONIC) + (int64_t)(run.left_s * US_PER_SECOND);
	if (run.id != 0)
		log_event(
		    LOG_LEVEL_INFO, "fit_runs", "run", LOG_INT, run.id, NULL);
	return (ERR_OK);
}

/* The clock on the wall and the holidays: anew each night. */
static enum err
need_calendar(struct fit *f, struct err_info *info)
{
	struct fit_series *s = &f->series;
	int64_t from_us, to_us;
	enum err e;

	if (s->zone.n > 0)
		return (ERR_OK);
	if ((e = forecasts_calendar(f->warm, &s->holidays, info)) != ERR_OK)
		return (e);
	fit_series_span(s->now_us, &from_us, &to_us);
	return (forecasts_zone(
	    f->warm, f->config.zone, from_us, to_us, &s->zone, info));
}

/* Out of series: zones learn after forecasting, series then, and the end comes
 * after all. */
static enum err
refill(struct fit *f, bool *ret_ended, struct err_info *info)
{
	const struct forecasts_run *run = &f->series.run;
	const bool over =
	    run->id != 0 && clock_us(CLOCK_MONOTONIC) >= f->until_us;
	const struct fit_system room = {.warm = f->warm,
	    .arena = &f->room,
	    .began_us = run->began_us,
	    .now_us = clock_us(CLOCK_REALTIME),
	    .a_week = f->config.systems_a_week};
	enum err e = ERR_OK;
	bool any;

	*ret_ended = false;
	/* Also between those that learn: somebody may have promoted one. */
	f->due.learn = false;
	if (!over)
		e = forecasts_next(f->warm, run, &f->due, info);
	if (e == ERR_OK && f->due.n == 0 && run->id != 0 && !over) {
		e = fit_system_next(&room, &any, info);
		if (e != ERR_OK || any)
			return (e);
		f->due.learn = true;
		e = forecasts_next(f->warm, run, &f->due, info);
	}
	if (e != ERR_OK || f->due.n > 0)
		return (e);
	*ret_ended = true;
	return (run->id != 0 ? forecasts_end(f->warm, run, info) : ERR_OK);
}

static bool
may_go_on(const struct fit *f)
{
	return (!atomic_load(&f->stopping) &&
	    (f->series.run.id == 0 || clock_us(CLOCK_MONOTONIC) < f->until_us));
}

static enum err
slice(struct fit *f, struct err_info *info)
{
	const int64_t end = clock_us(CLOCK_MONOTONIC) + SLICE_US;
	bool ended = false;
	enum err e = ERR_OK;

	if (f->due.n > 0 && !may_go_on(f))
		f->due.n = 0;
	if (f->due.n == 0)
		e = refill(f, &ended, info);
	if (e == ERR_OK && f->due.n > 0)
		e = need_calendar(f, info);
	while (e == ERR_OK && f->due.n > 0 && may_go_on(f)) {
		e = fit_series_do(
		    &f->series, f->due.ids[--f->due.n], f->due.learn, info);
		if (f->due.learn || clock_us(CLOCK_MONOTONIC) > end)
			break;
	}
	if (e == ERR_OK && !ended)
		f->next_ms = 0;
	if (ended) {
		/* With no night there was but a look, and that every 15 s. */
		if (f->series.run.id != 0)
			f->told_us = 0;
		rest(f);
	}
	return (e);
}

/* Of all instances, whoever leads. */
static enum err
tell(struct fit *f, struct err_info *info)
{
	const int64_t now = clock_us(CLOCK_MONOTONIC);
	struct forecasts_gauges g;
	enum err e;

	if (f->told_us != 0 && now - f->told_us < TELL_US)
		return (ERR_OK);
	if ((e = forecasts_gauges(f->warm, &g, info)) != ERR_OK)
		return (e);
	f->told_us = now;
	metric_gauge_set(GAUGE_FIT_PREDICTED, g.predicted);
	metric_gauge_set(GAUGE_FIT_FITTED, g.fitted);
	metric_gauge_set(GAUGE_FIT_CROWNED, g.crowned);
	metric_gauge_set(GAUGE_FIT_REFUSED, g.refused);
	metric_gauge_set(GAUGE_FIT_WAITING, g.waiting);
	metric_gauge_set(GAUGE_FIT_BEGAN_US, g.began_us);
	metric_gauge_set(GAUGE_FIT_NIGHT_MS, (int64_t)(g.night_s * 1000));
	metric_gauge_set(GAUGE_FORECASTS_FRESH, g.fresh);
	metric_gauge_set(GAUGE_FORECASTS_BARE, g.bare);
	metric_gauge_set(GAUGE_MODELS_OLDEST_S, (int64_t)g.oldest_s);
	metric_gauge_set(GAUGE_MODELS_PROMOTED, g.promoted);
	return (ERR_OK);
}

static enum err
run(struct fit *f, struct err_info *info)
{
	bool leads = false;
	enum err e = tell(f, info);

	if (e == ERR_OK)
		e = forecasts_lead(f->warm, &leads, info);
	if (e != ERR_OK || !leads)
		return (e);
	if (f->series.room == NULL && (e = begin(f, info)) != ERR_OK)
		return (e);
	return (slice(f, info));
}

static void
work(void *arg)
{
	struct fit *f = arg;
	struct err_info info = {0};

	f->next_ms = LOOK_MS;
	if (!atomic_load(&f->stopping) && run(f, &info) != ERR_OK) {
		f->next_ms = LOOK_MS;
		rest(f);
		if (!atomic_load(&f->stopping))
			log_event(LOG_LEVEL_ERROR, "fit_waits", "why", LOG_STR,
			    info.detail, NULL);
	}
	atomic_store(&f->busy, false);
}

/* --- on the loop -----------------------------------------------------------
 */

static void
done(void *arg)
{
	struct fit *f = arg;

	f->out = false;
	schedule(f, f->woken ? 0 : f->next_ms);
	f->woken = false;
}

static void
due(void *arg)
{
	struct fit *f = arg;

	f->timer = NULL;
	if (f->out || atomic_load(&f->stopping))
		return;
	f->out = true;
	atomic_store(&f->busy, true);
	if (f->config.offload.run(f->config.offload.self, work, done, f) ==
	    ERR_OK)
		return;
	atomic_store(&f->busy, false);
	f->out = false;
	schedule(f, BUSY_MS);
}

static void
schedule(struct fit *f, unsigned ms)
{
	struct loop *loop = f->config.loop;

	if (atomic_load(&f->stopping))
		return;
	f->timer = loop->ops->after(loop, ms, due, f);
	if (f->timer == NULL)
		log_event(LOG_LEVEL_ERROR, "fit_stands", "why", LOG_STR,
		    "no memory for a timer", NULL);
}

void
fit_start(struct fit *f)
{
	if (strcmp(f->config.at, "off") != 0)
		schedule(f, 0);
}

void
fit_wake(struct fit *f)
{
	if (f == NULL || strcmp(f->config.at, "off") == 0)
		return;
	f->woken = f->out;
	if (f->out || f->timer == NULL)
		return;
	f->config.loop->ops->cancel(f->config.loop, f->timer);
	schedule(f, 0);
}

void
fit_halt(struct fit *f)
{
	atomic_store(&f->stopping, true);
	if (f->timer != NULL)
		f->config.loop->ops->cancel(f->config.loop, f->timer);
	f->timer = NULL;
}

bool
fit_stop(struct fit *f, unsigned deadline_ms)
{
	const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	unsigned waited;

	fit_halt(f);
	for (waited = 0; atomic_load(&f->busy) && waited < deadline_ms;
	     waited += NAP_MS)
		(void)nanosleep(&nap, NULL);
	return (!atomic_load(&f->busy));
}
