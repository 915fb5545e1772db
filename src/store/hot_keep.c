#include "store/hot_keep.h"

#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "domain/hour.h"
#include "store/hot_build.h"
#include "store/hot_parts.h"
#include "store/hot_source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUILD_MOST   64u /* series in one step */
#define SHORT_MS     200u
#define LOOK_MS	     1000u /* at the switch, between two passes */
#define AWAY_MS	     2000u
#define QUIET_MS     3000u
#define PASS_MS	     10000u
#define BACKOFF_MAX  (5 * US_PER_MINUTE)
#define FULL_US	     (10 * US_PER_MINUTE)
#define MEMORY_US    US_PER_SECOND
#define FULL_PERCENT 85 /* of maxmemory: the newest values come first */
#define FREE_PERCENT 70
#define OVER_US	     (10 * US_PER_MINUTE) /* an hour that is over by so much */

struct hot_keeper {
	struct hot_keeper_config config;
	struct loop_timer *timer;
	bool out, closed; /* L only; out: done() is still due */
	atomic_bool stop;
	unsigned next_ms;
	/* The thread's. */
	struct hot_source *source;
	struct hot_build *build;
	int64_t off_since_us, on_since_us, backoff_us, memory_us;
	int64_t full_since_us; /* 0: it is not */
	uint64_t losses;       /* of the hot tier, when the step began */
	int32_t after;
	size_t batch;
	int64_t whole, series; /* so far in this pass */
	bool any;	       /* was built in this pass */
	int64_t pass_at_us;    /* the next one begins */
	char told[128];
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

static void
say(struct hot_keeper *k, enum hot_hours_word word)
{
	atomic_store(&k->config.shared->hours_losses, k->losses);
	atomic_store(&k->config.shared->hours_word, (int)word);
}

static void
forget_pass(struct hot_keeper *k)
{
	k->after = INT32_MIN;
	k->whole = k->series = 0;
	k->any = false;
}

static unsigned
away(struct hot_keeper *k, const struct err_info *info)
{
	bool news = strcmp(info->detail, k->told) != 0;

	memcpy(k->told, info->detail, sizeof(k->told) - 1);
	if (news && !atomic_load(&k->stop))
		log_event(LOG_LEVEL_WARN, "hot_keeper_waits", "error", LOG_STR,
		    err_slug(info->code), "why", LOG_STR, info->detail, NULL);
	say(k, HOT_HOURS_WAIT);
	return (AWAY_MS);
}

/* Turned off soon after it was turned on: not again at once. */
static void
back_off(struct hot_keeper *k, int64_t now)
{
	int64_t least = (int64_t)k->config.quiet_ms * 1000;

	if (now - k->on_since_us > US_PER_MINUTE || k->on_since_us == 0)
		k->backoff_us = 0;
	else
		k->backoff_us = k->backoff_us == 0    ? least
		    : k->backoff_us * 2 < BACKOFF_MAX ? k->backoff_us * 2
						      : BACKOFF_MAX;
}

static unsigned
turn_on(struct hot_keeper *k, int64_t epoch, struct err_info *info)
{
	int64_t now = now_us();
	bool quiet = false, on;

	forget_pass(k);
	k->pass_at_us = 0;
	say(k, HOT_HOURS_WAIT);
	if (k->off_since_us == 0) {
		back_off(k, now);
		k->off_since_us = now;
	}
	if (now - k->off_since_us <
	    (int64_t)k->config.quiet_ms * 1000 + k->backoff_us)
		return (SHORT_MS);
	if (hot_source_quiet(k->source, &quiet, info) != ERR_OK)
		return (away(k, info));
	if (!quiet)
		return (SHORT_MS);
	if (hot_build_on(k->build, epoch, &on, info) != ERR_OK)
		return (away(k, info));
	k->off_since_us = 0;
	k->on_since_us = now;
	return (0);
}

/* Runs of the readings, by series: finish each of those begun. */
static enum err
finish(struct hot_keeper *k, const struct hot_ask *of,
    const struct reading *all, size_t n, struct err_info *info)
{
	struct hot_run run = {.packed_to = hour_of(hot_wall_us() - OVER_US)};
	size_t i, at = 0;
	enum err e;
	bool done;

	for (i = 0; i < of->n; i++) {
		run.series = of->series[i];
		run.readings = all + at;
		for (run.n = 0; at < n && all[at].series == run.series; at++)
			run.n++;
		done = false;
		e = hot_build_finish(k->build, &run, &done, info);
		if (e == ERR_TOO_LARGE) {
			err_clear(info);
			e = hot_build_dense(k->build, run.series, info);
		}
		if (e != ERR_OK)
			return (e);
		k->whole += done;
	}
	metric_count(COUNTER_HOT_BUILT, of->n);
	return (ERR_OK);
}

static enum err
build(struct hot_keeper *k, const int32_t *series, size_t n,
    struct err_info *info)
{
	int32_t hour = hour_of(hot_wall_us()) - BUILD_HOURS;
	struct hot_ask of = {series, n, hour * US_PER_HOUR};
	const struct reading *all;
	size_t count;
	enum err e = hot_build_begin(k->build, series, n, hour, info);

	if (e != ERR_OK)
		return (e);
	k->any = true;
	e = hot_source_readings(k->source, &of, &all, &count, info);
	if (e == ERR_OK) {
		if (k->batch < BUILD_MOST)
			k->batch *= 2;
		return (finish(k, &of, all, count, info));
	}
	if (e != ERR_TOO_LARGE)
		return (e);
	err_clear(info);
	k->batch = n > 1 ? n / 2 : 1;
	return (n > 1 ? ERR_OK : hot_build_dense(k->build, series[0], info));
}

static bool
is_whole(const struct hot_index *index)
{
	return (index->state == HOT_WHOLE &&
	    index->since <= hour_of(hot_wall_us()) - BUILD_HOURS + 1);
}

/* From the first of `ids` on, as many as one step does; *ret_n: how many have
 * been seen to. */
static enum err
see_to(struct hot_keeper *k, const int32_t *ids, size_t n, size_t *ret_n,
    struct err_info *info)
{
	struct hot_index index[BUILD_BATCH];
	int32_t todo[BUILD_MOST], to = hour_of(hot_wall_us() - OVER_US);
	size_t i, ntodo = 0, packed = 0;
	enum err e = hot_build_look(k->build, ids, n, index, info);

	for (i = 0;
	     i < n && e == ERR_OK && ntodo < k->batch && packed < BUILD_MOST;
	     i++) {
		if (is_whole(&index[i])) {
			k->whole++;
			if (index[i].packed_to >= to)
				continue;
			packed++;
			e = hot_build_pack(
			    k->build, ids[i], &index[i], to, info);
		} else if (index[i].state != HOT_DENSE)
			todo[ntodo++] = ids[i];
	}
	*ret_n = i;
	if (e == ERR_OK && ntodo > 0)
		e = build(k, todo, ntodo, info);
	return (e);
}

static unsigned
pass_end(struct hot_keeper *k)
{
	k->pass_at_us =
	    k->any ? 0 : now_us() + (int64_t)k->config.pass_ms * 1000;
	atomic_store(&k->config.shared->hours_whole, k->whole);
	atomic_store(&k->config.shared->hours_series, k->series);
	metric_gauge_set(GAUGE_HOT_WHOLE, k->whole);
	metric_gauge_set(GAUGE_HOT_NOT_WHOLE, k->series - k->whole);
	say(k, HOT_HOURS_KEPT);
	forget_pass(k);
	k->told[0] = '\0';
	return (SHORT_MS);
}

static unsigned
go_on(struct hot_keeper *k, struct err_info *info)
{
	int32_t ids[BUILD_BATCH];
	size_t n, seen = 0;
	int64_t left = k->pass_at_us - now_us();

	if (left > 0)
		return (left < LOOK_MS * 1000 ? (unsigned)(left / 1000) + 1
					      : LOOK_MS);
	if (hot_source_series(
		k->source, k->after, BUILD_BATCH, ids, &n, info) != ERR_OK)
		return (away(k, info));
	if (n == 0)
		return (pass_end(k));
	if (see_to(k, ids, n, &seen, info) != ERR_OK)
		return (away(k, info));
	k->series += (int64_t)seen;
	k->after = ids[seen - 1];
	if (k->any)
		say(k, HOT_HOURS_BUILD);
	return (0);
}

static int64_t
percent_used(struct hot_keeper *k, struct err_info *info)
{
	struct hot_memory m;

	if (hot_build_memory(k->build, &m, info) != ERR_OK || m.most <= 0)
		return (0);
	return (m.used * 100 / m.most);
}

/* Redis nearly full: off, and what is there is deleted, so that it neither
 * evicts nor refuses the newest values. */
static bool
is_full(struct hot_keeper *k, bool on, struct err_info *info)
{
	int64_t now = now_us(), percent;
	bool more = false;

	if (k->full_since_us == 0 && now - k->memory_us < MEMORY_US)
		return (false);
	k->memory_us = now;
	percent = percent_used(k, info);
	if (k->full_since_us == 0 && percent < FULL_PERCENT)
		return (false);
	if (k->full_since_us == 0) {
		k->full_since_us = now;
		log_event(LOG_LEVEL_WARN, "hot_hours_off", "why", LOG_STR,
		    "Redis is nearly full", NULL);
	}
	if (on && hot_build_off(k->build, info) != ERR_OK)
		return (true);
	say(k, HOT_HOURS_FULL);
	(void)hot_build_sweep(k->build, &more, info);
	if (!more && percent < FREE_PERCENT && now - k->full_since_us > FULL_US)
		k->full_since_us = 0;
	k->next_ms = more ? 20 : MEMORY_US / 1000;
	return (true);
}

static unsigned
step(struct hot_keeper *k)
{
	const struct hot_shared *shared = k->config.shared;
	struct err_info info = {.code = ERR_OK};
	bool leads = false, on = false;
	int64_t epoch;

	k->losses = atomic_load(&shared->losses);
	if (hot_source_lead(k->source, &leads, &info) != ERR_OK)
		return (away(k, &info));
	if (!leads) {
		say(k, HOT_HOURS_ELSEWHERE);
		return (AWAY_MS);
	}
	if (atomic_load(&shared->trusted) != k->losses) {
		say(k, HOT_HOURS_WAIT);
		return (SHORT_MS);
	}
	if (hot_build_switch(k->build, &epoch, &on, &info) != ERR_OK)
		return (away(k, &info));
	if (epoch != atomic_load(&shared->epoch))
		return (SHORT_MS);
	if (is_full(k, on, &info))
		return (k->next_ms);
	return (on ? go_on(k, &info) : turn_on(k, epoch, &info));
}

static void
work(void *arg)
{
	struct hot_keeper *k = arg;
	int64_t began = now_us();
	unsigned ms, took;

	if (atomic_load(&k->stop))
		return;
	ms = step(k);
	took = (unsigned)((now_us() - began) / 1000);
	k->next_ms = ms > 2 * took ? ms : 2 * took + 1;
}

static void schedule(struct hot_keeper *, unsigned ms);

static void
release(struct hot_keeper *k)
{
	hot_source_free(k->source);
	hot_build_free(k->build);
	free(k);
}

static void
done(void *arg)
{
	struct hot_keeper *k = arg;

	k->out = false;
	if (k->closed)
		release(k);
	else
		schedule(k, k->next_ms);
}

static void
due(void *arg)
{
	struct hot_keeper *k = arg;

	k->timer = NULL;
	k->out = k->config.run(k->config.run_self, work, done, k) == ERR_OK;
	if (!k->out)
		schedule(k, SHORT_MS);
}

static void
schedule(struct hot_keeper *k, unsigned ms)
{
	if (!atomic_load(&k->stop))
		k->timer =
		    k->config.loop->ops->after(k->config.loop, ms, due, k);
}

struct hot_keeper *
hot_keeper_new(const struct hot_keeper_config *config)
{
	struct hot_keeper *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return (NULL);
	k->config = *config;
	if (k->config.quiet_ms == 0)
		k->config.quiet_ms = QUIET_MS;
	if (k->config.pass_ms == 0)
		k->config.pass_ms = PASS_MS;
	k->batch = BUILD_MOST;
	forget_pass(k);
	k->source = hot_source_new(config->conninfo, &k->stop);
	k->build = hot_build_new(config->redis_address);
	if (k->source == NULL || k->build == NULL) {
		release(k);
		return (NULL);
	}
	schedule(k, SHORT_MS);
	return (k);
}

void
hot_keeper_stop(struct hot_keeper *k)
{
	atomic_store(&k->stop, true);
	if (k->timer != NULL)
		k->config.loop->ops->cancel(k->config.loop, k->timer);
	k->timer = NULL;
}

void
hot_keeper_free(struct hot_keeper *k)
{
	if (k == NULL)
		return;
	hot_keeper_stop(k);
	k->closed = true;
	if (!k->out)
		release(k);
}
