#include "app/probe.h"

#include "app/loader.h"
#include "app/trust.h"
#include "auth/revoked.h"
#include "core/instant.h"
#include "core/metrics.h"
#include "store/hot.h"
#include "store/log_writer.h"
#include "store/pg.h"
#include "store/redis.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_MS     2000
#define LOG_ROWS_MOST 10000 /* service_probe counts no further */

struct probe {
	struct probe_config config;
	struct query_port query;
	struct loop_timer *timer;
	int64_t asked_us, answered_us; /* monotonic; 0: never */
	int schema;		       /* newest migration applied */
	double cycle_age_s;	       /* NAN: no cycle yet */
	int log_rows;
	double log_age_s; /* NAN: none waits */
	bool paused, read_only, zone_known;
	bool archive_ok;
	char archive[sizeof(((struct dependency *)NULL)->state)];
	double archive_age_s; /* NAN: there was no run */
};

static int64_t
now_us(const struct probe *p)
{
	return (p->config.loop->ops->monotonic_us(p->config.loop));
}

static void
on_backlog(struct probe *p, const struct rows *rows)
{
	const char *v = rows->get(rows, 0, 5, NULL);

	p->log_rows = v != NULL ? (int)strtol(v, NULL, 10) : 0;
	v = rows->get(rows, 0, 6, NULL);
	p->log_age_s = v != NULL ? fmax(strtod(v, NULL), 0) : NAN;
}

static void
on_archive(struct probe *p, const struct rows *rows)
{
	const char *v = rows->get(rows, 0, 7, NULL);

	p->archive_ok = v != NULL && v[0] == 't';
	v = rows->get(rows, 0, 8, NULL);
	(void)snprintf(
	    p->archive, sizeof(p->archive), "%s", v != NULL ? v : "");
	v = rows->get(rows, 0, 9, NULL);
	p->archive_age_s = v != NULL ? strtod(v, NULL) : NAN;
	if (!p->config.archive || v == NULL)
		return;
	v = rows->get(rows, 0, 10, NULL);
	metric_gauge_set(GAUGE_ARCHIVE_OK, p->archive_ok);
	metric_gauge_set(
	    GAUGE_ARCHIVE_READINGS, v != NULL ? strtoll(v, NULL, 10) : 0);
	v = rows->get(rows, 0, 11, NULL);
	metric_gauge_set(
	    GAUGE_ARCHIVE_AT_US, v != NULL ? strtoll(v, NULL, 10) : 0);
}

static void
on_rows(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct probe *p = arg;
	const char *v;

	(void)info;
	if (rows == NULL || rows->n != 1)
		return;
	p->answered_us = now_us(p);
	/* On the lane that is told of what changes, so before this answer. */
	if (loader_fresh(p->config.loader))
		revoked_heard(p->config.revoked, p->answered_us);
	v = rows->get(rows, 0, 0, NULL);
	p->schema = v != NULL ? (int)strtol(v, NULL, 10) : 0;
	v = rows->get(rows, 0, 1, NULL);
	p->cycle_age_s = v != NULL ? strtod(v, NULL) : NAN;
	v = rows->get(rows, 0, 2, NULL);
	p->paused = v != NULL && v[0] == 't';
	v = rows->get(rows, 0, 3, NULL);
	p->read_only = v != NULL && v[0] == 't';
	v = rows->get(rows, 0, 4, NULL);
	if (v != NULL) {
		log_writer_split(p->config.log_writer, strcmp(v, "1") != 0);
		log_writer_split(p->config.late_writer, strcmp(v, "1") != 0);
	}
	v = rows->get(rows, 0, 12, NULL);
	p->zone_known = v != NULL && v[0] == 't';
	on_backlog(p, rows);
	on_archive(p, rows);
}

/* Second field of /proc/self/statm: resident pages (proc(5)). */
static void
measure_memory(void)
{
	char buf[128];
	long pages = 0;
	ssize_t n;
	int fd;

	if ((fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) == -1)
		return;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return;
	buf[n] = '\0';
	if (strchr(buf, ' ') != NULL)
		pages = strtol(strchr(buf, ' '), NULL, 10);
	metric_worker_memory(pages * sysconf(_SC_PAGESIZE));
}

static void
look(void *arg)
{
	struct probe *p = arg;
	const struct param zone = {p->config.zone, -1, false};
	struct query q = {.statement = ST_service_probe,
	    .lane = LANE_FAST,
	    .params = &zone,
	    .nparams = 1};

	measure_memory();
	p->asked_us = now_us(p);
	(void)p->query.run(p->query.self, &q, on_rows, p, NULL);
	p->timer =
	    p->config.loop->ops->after(p->config.loop, PERIOD_MS, look, p);
}

struct probe *
probe_new(const struct probe_config *config)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return (NULL);
	p->config = *config;
	p->query = pg_port(config->pg);
	p->cycle_age_s = p->log_age_s = p->archive_age_s = NAN;
	p->timer = config->loop->ops->after(config->loop, 50, look, p);
	return (p);
}

void
probe_free(struct probe *p)
{
	if (p->timer != NULL)
		p->config.loop->ops->cancel(p->config.loop, p->timer);
	free(p);
}

static double
seconds_since(const struct probe *p, int64_t t_us)
{
	return ((double)(now_us(p) - t_us) / 1e6);
}

static void
say_postgresql(const struct probe *p, struct dependency *d)
{
	struct pg_lane_state s;
	enum lane lane;

	d->name = "postgresql";
	d->required = true;
	d->ok = true;
	snprintf(d->state, sizeof(d->state), "connected");
	for (lane = 0; lane < LANE_COUNT; lane++) {
		pg_state(p->config.pg, lane, &s);
		d->age_s = seconds_since(p, s.since_us);
		if (s.connected)
			continue;
		d->ok = false;
		snprintf(d->state, sizeof(d->state), "away: %.80s",
		    s.error[0] != '\0' ? s.error : "connecting");
		return;
	}
	/* Who reads is served: no reason to send everybody away. */
	if (p->read_only) {
		d->ok = d->required = false;
		snprintf(d->state, sizeof(d->state),
		    "read-only; nothing can be stored");
	}
}

static void
say_hours(const struct probe *p, struct dependency *d)
{
	static const char *const words[] = {
	    [HOT_HOURS_WAIT] = "connected; the last 48 h are not kept now",
	    [HOT_HOURS_BUILD] = "connected; reading the last 48 h anew",
	    [HOT_HOURS_FULL] = "nearly full; the last 48 h are not kept",
	    [HOT_HOURS_ELSEWHERE] = "connected"};
	struct hot_hours h;

	hot_hours(p->config.hot_tier, &h);
	if (h.word == HOT_HOURS_KEPT)
		snprintf(d->state, sizeof(d->state),
		    "connected; last 48 h of %lld of %lld series",
		    (long long)h.whole, (long long)h.series);
	else
		snprintf(d->state, sizeof(d->state), "%s", words[h.word]);
	d->ok = h.word != HOT_HOURS_FULL;
}

static void
say_redis(const struct probe *p, struct dependency *d)
{
	struct redis_state s;

	redis_state(p->config.redis, &s);
	d->name = "redis";
	d->age_s = seconds_since(p, s.since_us);
	d->ok = s.connected;
	snprintf(d->state, sizeof(d->state), "%s",
	    s.connected ? "connected" : "away; answers come from PostgreSQL");
	if (s.connected &&
	    p->config.hot.stale_since_us(p->config.hot.self) != INSTANT_NONE) {
		d->ok = false;
		snprintf(d->state, sizeof(d->state), "connected, not trusted%s",
		    hot_is_apart(p->config.hot_tier)
			? ": another instance cannot write to it"
			: "");
	} else if (s.connected)
		say_hours(p, d);
}

static void
say_schema(const struct probe *p, struct dependency *d)
{
	d->name = "migrations";
	d->required = true;
	d->age_s = p->answered_us ? seconds_since(p, p->answered_us) : NAN;
	/* A newer schema is one that an instance beside this one brought:
	 * migrations only add to what an older build uses. */
	d->ok = p->answered_us != 0 && p->schema >= PENSTOCK_SCHEMA;
	if (p->answered_us == 0)
		snprintf(d->state, sizeof(d->state), "unknown");
	else if (d->ok)
		snprintf(d->state, sizeof(d->state), "at %d", p->schema);
	else
		snprintf(d->state, sizeof(d->state),
		    "at %d, this build needs %d", p->schema, PENSTOCK_SCHEMA);
}

static void
say_registry(const struct probe *p, struct dependency *d)
{
	d->name = "registry";
	d->required = true;
	d->age_s = NAN;
	d->ok = loader_loaded(p->config.loader);
	snprintf(d->state, sizeof(d->state), d->ok ? "loaded" : "loading");
}

/* A loop that stands still does not keep readings from coming in, so it makes
 * the service degraded, not unready. */
static void
say_loop(const struct probe *p, struct dependency *d)
{
	d->name = "loop";
	d->age_s = p->answered_us == 0
	    ? NAN
	    : p->cycle_age_s + seconds_since(p, p->answered_us);
	d->ok = !isnan(d->age_s) &&
	    d->age_s * 1000 < (double)(3 * p->config.loop_period_ms + 5000);
	snprintf(d->state, sizeof(d->state), "%s%s",
	    isnan(d->age_s) ? "no cycle yet"
		: d->ok	    ? "running"
			    : "stands still",
	    p->paused ? ", plan and execute paused" : "");
}

/* What the loop has not merged yet is stored and read all the same. */
static void
say_log(const struct probe *p, struct dependency *d)
{
	d->name = "log";
	d->age_s = isnan(p->log_age_s)
	    ? NAN
	    : p->log_age_s + seconds_since(p, p->answered_us);
	d->ok = isnan(d->age_s) ||
	    d->age_s * 1000 < (double)(3 * p->config.loop_period_ms + 60000);
	snprintf(d->state, sizeof(d->state), "%s%d rows wait for the loop%s",
	    p->log_rows == LOG_ROWS_MOST ? "at least " : "", p->log_rows,
	    d->ok ? "" : ", which is behind");
}

static void
say_archive(const struct probe *p, struct dependency *d)
{
	if (!p->config.archive)
		return;
	d->name = "archive";
	d->ok = p->answered_us == 0 || p->archive_ok;
	d->age_s = p->answered_us == 0
	    ? NAN
	    : p->archive_age_s + seconds_since(p, p->answered_us);
	snprintf(d->state, sizeof(d->state), "%s",
	    p->answered_us == 0 ? "unknown" : p->archive);
}

/* All is well with a zone that is known: nothing to tell. */
static void
say_zone(const struct probe *p, struct dependency *d)
{
	if (p->answered_us == 0 || p->zone_known)
		return;
	d->name = "zone";
	d->age_s = NAN;
	snprintf(d->state, sizeof(d->state),
	    "PostgreSQL knows no zone %.20s (PENSTOCK_ZONE): no leaks, no "
	    "forecasts",
	    p->config.zone);
}

static void
say_trust(const struct probe *p, struct dependency *d)
{
	if (!trust_foreign(p->config.trust))
		return;
	trust_state(p->config.trust, d);
}

size_t
probe_dependencies(const struct probe *p, struct dependency *ret, size_t max)
{
	static void (*const say[])(const struct probe *,
	    struct dependency *) = {say_postgresql, say_schema, say_registry,
	    say_redis, say_loop, say_log, say_archive, say_zone, say_trust};
	size_t i, n = 0;

	for (i = 0; i < sizeof(say) / sizeof(say[0]) && n < max; i++) {
		memset(&ret[n], 0, sizeof(ret[n]));
		say[i](p, &ret[n]);
		n += ret[n].name != NULL; /* not all are there to be asked */
	}
	return (n);
}
