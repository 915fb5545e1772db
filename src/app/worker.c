#include "app/worker.h"

#include "api/api.h"
#include "api/audit.h"
#include "api/events.h"
#include "api/route.h"
#include "app/backtest.h"
#include "app/controls_json.h"
#include "app/courier.h"
#include "app/cycle.h"
#include "app/fit.h"
#include "app/loader.h"
#include "app/probe.h"
#include "app/shed.h"
#include "app/trust.h"
#include "auth/revoked.h"
#include "auth/token_cache.h"
#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "edge/edge.h"
#include "ingest/last_seen.h"
#include "ingest/registry.h"
#include "store/cold.h"
#include "store/hot.h"
#include "store/importer.h"
#include "store/hot_keep.h"
#include "store/log_writer.h"
#include "store/lookup.h"
#include "store/pg.h"
#include "store/range.h"
#include "store/redis.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEADER_WORKER 1	   /* the loop runs here */
#define LANE_QUEUE    1024 /* questions in flight on each */

static struct worker {
	const struct config *config;
	size_t number;
	struct api api;
	struct loop *loop;
	struct pg *pg;
	struct redis *redis;
	struct hot *hot;
	struct cold *cold;
	struct importer *importer;
	struct backtester *backtester;
	struct hot_keeper *keeper; /* NULL in all but LEADER_WORKER */
	struct log_writer *log_writer, *late_writer;
	struct loader *loader;
	struct probe *probe;
	struct shed *shed;
	struct trust *trust;
	struct token_cache *tokens;
	struct revoked *revoked;
	struct courier *courier; /* the same */
	struct cycle *cycle;	 /* NULL in all but LEADER_WORKER */
	struct fit *fit;	 /* the same */
} self;

static int64_t
clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return ((int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

static int64_t
utc_us(void)
{
	return (clock_us(CLOCK_REALTIME));
}

static int64_t
monotonic_us(void)
{
	return (clock_us(CLOCK_MONOTONIC));
}

static enum err
refresh(void (*done)(void *), void *arg)
{
	return (loader_refresh(self.loader, done, arg));
}

static enum err
keys_refresh(void (*done)(void *), void *arg)
{
	return (trust_fetch(self.trust, done, arg));
}

static void
reload(void)
{
	trust_reload(self.trust);
}

static size_t
dependencies(struct dependency *ret, size_t max)
{
	return (probe_dependencies(self.probe, ret, max));
}

static bool
registry_fresh(void)
{
	return (loader_fresh(self.loader));
}

/* One more than there are routes: what fits none. */
static void
write_metrics(struct text *t)
{
	metrics_write(t, route_label, nroutes + 1);
}

/* "id hash" of a row of the record: what stands in the log as well cannot be
 * cut off or replaced unseen. Once an instance. */
static void
on_audit(const char *row)
{
	const char *hash = strchr(row, ' ');
	int64_t id = strtoll(row, NULL, 10);

	if (self.number != LEADER_WORKER || hash == NULL)
		return;
	metric_gauge_set(GAUGE_AUDIT_ID, id);
	log_event(LOG_LEVEL_INFO, "audit", "id", LOG_INT, id, "hash", LOG_STR,
	    hash + 1, NULL);
}

/* NULL: the connection is new, anything may have changed meanwhile. */
static void
on_notify(void *arg, const char *table)
{
	static const char *const loaded[] = {"nodes", "series", "api_keys",
	    "archives", "sessions", "revocations"};
	bool load = table == NULL;
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(loaded) / sizeof(loaded[0]); i++)
		load = load || strcmp(table, loaded[i]) == 0;
	if (load)
		(void)loader_refresh(self.loader, NULL, NULL);
	if (table == NULL || strcmp(table, "hot_epoch") == 0)
		hot_notified(self.hot);
	if (table != NULL && strncmp(table, "hot_apart ", 10) == 0)
		hot_apart(self.hot, table + 10);
	if (table != NULL && strncmp(table, "audit ", 6) == 0)
		on_audit(table + 6);
	if (table == NULL || strcmp(table, "events") == 0)
		events_notified(self.api.events);
	if (table == NULL || strcmp(table, "events") == 0 ||
	    strcmp(table, "webhooks") == 0)
		courier_wake(self.courier);
	if (table != NULL && strcmp(table, "models") == 0)
		fit_wake(self.fit);
	if (table != NULL && strcmp(table, "instances") == 0)
		hot_instance_ended(self.hot);
}

static enum err
open_redis(const struct shared *shared, size_t number, struct err_info *info)
{
	struct redis_config rc = {.address = shared->redis_address};
	struct query_port query = pg_port(self.pg);

	if ((self.redis = redis_new(self.loop, &rc, info)) == NULL)
		return (info->code);
	if ((self.hot = hot_new(self.loop, self.redis, &query, shared->hot,
		 (unsigned)number)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "hot tier"));
	hot_seen(self.hot, last_seen_get, shared->last_seen);
	return (ERR_OK);
}

static enum err
open_keeper(const struct shared *shared, struct err_info *info)
{
	struct hot_keeper_config kc = {.loop = self.loop,
	    .run = edge_offload,
	    .conninfo = self.config->database_url,
	    .redis_address = shared->redis_address,
	    .shared = shared->hot};

	if ((self.keeper = hot_keeper_new(&kc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "hot tier"));
	return (ERR_OK);
}

static void
look(struct shed_signals *ret)
{
	size_t queued = log_writer_queued(self.log_writer),
	       late = log_writer_queued(self.late_writer);
	struct pg_lane_state lane;

	ret->log = (unsigned)((queued > late ? queued : late) * 1000 /
	    (size_t)self.config->queue_max);
	for (enum lane l = 0; l < LANE_COUNT; l++) {
		pg_state(self.pg, l, &lane);
		ret->lanes[l] = (unsigned)(lane.in_flight * 1000 / LANE_QUEUE);
	}
}

static enum pressure
pressure(int64_t now_us)
{
	return (shed_now(self.shed, now_us));
}

static enum err
open_shed(struct err_info *info)
{
	struct shed_config sc = {.loop = self.loop,
	    .lag_max_us = self.config->shed_lag_ms * 1000,
	    .look = look};

	if ((self.shed = shed_new(&sc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "shedding"));
	return (ERR_OK);
}

/* NULL: there is no such series. */
static const char *
metric_of(void *registry, int32_t series)
{
	const struct series_entry *s = registry_by_id(registry, series);

	return (s != NULL ? s->metric : NULL);
}

static const char *
unless_empty(const char *s)
{
	return (s[0] != '\0' ? s : NULL);
}

static enum err
open_archive(struct err_info *info)
{
	const struct config *c = self.config;
	struct cold_config cc = {.query = pg_port(self.pg),
	    .depot = {.dir = unless_empty(c->archive_dir),
		.s3 = {.endpoint = c->s3_endpoint,
		    .bucket = unless_empty(c->s3_bucket),
		    .region = c->s3_region,
		    .access_key = c->s3_access_key,
		    .secret_key = c->s3_secret_key,
		    .ca_path = unless_empty(c->s3_ca)}},
	    .offload = edge_offload,
	    .metric = metric_of,
	    .metric_arg = self.api.registry};

	if ((self.cold = cold_new(&cc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	return (ERR_OK);
}

static enum err
open_trust(struct err_info *info)
{
	struct trust_config tc = {.settings = self.config,
	    .loop = self.loop,
	    .offload = {.run = edge_offload}};

	tc.tokens = self.tokens = token_cache_new();
	self.revoked = revoked_new();
	if (self.tokens == NULL || self.revoked == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "tokens"));
	if ((self.trust = trust_new(&tc, info)) == NULL)
		return (info->code);
	edge_on_reload(reload);
	return (ERR_OK);
}

static enum err
open_database(const struct shared *shared, size_t number, struct err_info *info)
{
	char name[40];
	struct pg_config pc = {.conninfo = self.config->database_url,
	    .name = name,
	    .queue_max = LANE_QUEUE};
	struct loader_config lc = {.loop = self.loop,
	    .registry = self.api.registry,
	    .last_seen = shared->last_seen,
	    .revoked = self.revoked,
	    .now_us = utc_us};

	snprintf(name, sizeof(name), "penstock w%zu", number);
	if ((self.pg = pg_new(self.loop, &pc, info)) == NULL)
		return (info->code);
	if (open_archive(info) != ERR_OK)
		return (info->code);
	lc.query = pg_port(self.pg);
	lc.cold = self.cold;
	if ((self.loader = loader_new(&lc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "loader"));
	pg_on_notify(self.pg, on_notify, NULL);
	return (ERR_OK);
}

static enum err
open_writer(struct err_info *info)
{
	const struct config *c = self.config;
	struct query_port query = pg_port(self.pg);
	struct hot_port hot = hot_port(self.hot);
	struct log_writer_config wc = {.inflight = (size_t)c->rows_in_flight,
	    .row_max = (size_t)c->row_max,
	    .queue_max = (size_t)c->queue_max};
	struct probe_config pc = {.loop = self.loop,
	    .pg = self.pg,
	    .redis = self.redis,
	    .hot = hot,
	    .hot_tier = self.hot,
	    .loader = self.loader,
	    .revoked = self.revoked,
	    .trust = self.trust,
	    .loop_period_ms = c->loop_period_ms,
	    .zone = c->zone,
	    .archive = c->archive_dir[0] != '\0' || c->s3_bucket[0] != '\0'};

	self.log_writer = log_writer_new(self.loop, &query, &hot, &wc);
	self.late_writer = log_writer_new(self.loop, &query, &hot, &wc);
	pc.log_writer = self.log_writer;
	pc.late_writer = self.late_writer;
	self.probe = probe_new(&pc);
	self.importer = importer_new(c->database_url);
	self.backtester = backtester_new(
	    c->database_url, &(struct offload_port){.run = edge_offload});
	if (self.log_writer == NULL || self.late_writer == NULL ||
	    self.probe == NULL || self.importer == NULL ||
	    self.backtester == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "worker"));
	return (ERR_OK);
}

static void
fill_api(const struct shared *shared)
{
	const struct config *c = self.config;
	struct registry *registry = self.api.registry;

	self.api = (struct api){.query = pg_port(self.pg),
	    .log = log_writer_port(self.log_writer),
	    .log_late = log_writer_port(self.late_writer),
	    .lookup = lookup_warm(&self.api.query),
	    .hot = hot_port(self.hot),
	    .range_hot = hot_range_port(self.hot),
	    .offload = {.run = edge_offload},
	    .loop = self.loop,
	    .import = importer_port(self.importer),
	    .backtest = backtester_port(self.backtester),
	    .controls = controls_json,
	    .range_cold = cold_port(self.cold),
	    .clocks = {utc_us, monotonic_us},
	    .registry = registry,
	    .last_seen = shared->last_seen,
	    .registry_refresh = refresh,
	    .registry_fresh = registry_fresh,
	    .dependencies = dependencies,
	    .metrics = write_metrics,
	    .draining = edge_draining,
	    .limits = shared->limits,
	    .pressure = pressure,
	    .tokens = self.tokens,
	    .trust = trust_tokens(self.trust),
	    .webhook_secret =
		c->webhook_secret[0] != '\0' ? c->webhook_secret : NULL,
	    .gateway_secret =
		c->gateway_secret[0] != '\0' ? c->gateway_secret : NULL,
	    .revoked = self.revoked,
	    .keys_refresh = trust_foreign(self.trust) ? keys_refresh : NULL,
	    .session_life_s = (int)c->session_life_s,
	    .session_idle_s = (int)c->session_idle_s,
	    .login_tries = (int)c->login_tries,
	    .batch_max = (size_t)c->batch_max,
	    .future_us = c->future_s * US_PER_SECOND,
	    .oldest_us = instant_from_civil(1970, 1, 1, 0),
	    .cors_origin = c->cors_origin[0] != '\0' ? c->cors_origin : NULL};
	self.api.range_warm = range_warm(&self.api.query);
}

static enum err
open_events(struct err_info *info)
{
	const struct config *c = self.config;
	const struct events_config ec = {
	    .listeners_max = (unsigned)c->listeners_max,
	    .person_max = (unsigned)c->listeners_person_max,
	    .heartbeat_ms = (unsigned)c->heartbeat_ms};

	if ((self.api.events = events_new(&self.api, &ec)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "events"));
	return (ERR_OK);
}

static enum err
open_loop(const struct shared *shared, struct err_info *info)
{
	struct cycle_config cc = {.loop = self.loop,
	    .offload = {.run = edge_offload_first},
	    .database_url = self.config->database_url,
	    .period_ms = (unsigned)self.config->loop_period_ms,
	    .last_seen = shared->last_seen,
	    .gateway_timeout_ms = (unsigned)self.config->gateway_timeout_ms,
	    .gateway_ca = unless_empty(self.config->gateway_ca),
	    .gateway_secret = self.api.gateway_secret,
	    .gateway_nets = self.config->gateway_nets,
	    .gateway_ask_s = (unsigned)self.config->gateway_ask_s,
	    .low_risk_unasked = self.config->low_risk_unasked != 0,
	    .time_zone = self.config->zone,
	    .unusual_a_week = (unsigned)self.config->unusual_a_week,
	    .broker = unless_empty(self.config->broker),
	    .broker_user = unless_empty(self.config->broker_user),
	    .broker_password = unless_empty(self.config->broker_password)};
	const struct courier_config oc = {
	    .database_url = self.config->database_url,
	    .secret = self.api.webhook_secret,
	    .nets = self.config->webhook_nets,
	    .ca_path = unless_empty(self.config->webhook_ca),
	    .timeout_ms = (unsigned)self.config->webhook_timeout_ms,
	    .life_s = (double)self.config->webhook_life_s,
	    .keep_s = (double)self.config->events_keep_s};
	const struct fit_config fc = {.loop = self.loop,
	    .offload = {.run = edge_offload},
	    .database_url = self.config->database_url,
	    .zone = self.config->zone,
	    .at = self.config->fit_at,
	    .budget_s = (double)self.config->fit_budget_s,
	    .systems_a_week = (double)self.config->systems_a_week};

	if ((self.fit = fit_new(&fc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "forecasts"));
	if ((self.courier = courier_new(&oc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "courier"));
	if ((self.cycle = cycle_new(&cc)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "loop"));
	cycle_start(self.cycle);
	fit_start(self.fit);
	return (ERR_OK);
}

/* Kore forks another worker when one dies; the new one tells of it. */
static void
tell_predecessor(const struct shared *shared, size_t number)
{
	int before = atomic_exchange(&shared->pids[number], getpid());

	if (before != 0)
		log_event(LOG_LEVEL_ERROR, "worker_lost", "worker", LOG_INT,
		    (int64_t)number, "pid_lost", LOG_INT, (int64_t)before,
		    NULL);
}

enum err
worker_start(
    const struct config *config, const struct shared *shared, size_t number)
{
	struct err_info info = {0};

	metrics_worker(number);
	metric_count(COUNTER_WORKER_STARTS, 1);
	tell_predecessor(shared, number);
	self.config = config;
	self.number = number;
	self.loop = edge_loop();
	if ((self.api.registry = registry_new()) == NULL)
		err_set(&info, ERR_NO_MEMORY, NULL, "registry");
	else if (open_trust(&info) == ERR_OK &&
	    open_database(shared, number, &info) == ERR_OK &&
	    open_redis(shared, number, &info) == ERR_OK &&
	    open_writer(&info) == ERR_OK && open_shed(&info) == ERR_OK) {
		fill_api(shared);
		if (open_events(&info) == ERR_OK && number == LEADER_WORKER &&
		    open_keeper(shared, &info) == ERR_OK)
			open_loop(shared, &info);
	}
	if (info.code != ERR_OK)
		log_event(LOG_LEVEL_ERROR, "worker_failed", "worker", LOG_INT,
		    (int64_t)number, "detail", LOG_STR, info.detail, NULL);
	else
		log_event(LOG_LEVEL_INFO, "worker_started", "worker", LOG_INT,
		    (int64_t)number, NULL);
	return (info.code);
}

/* A worker that has just started knows no node yet; what comes in waits for
 * the first load rather than being told that its node does not exist. */
static void
parked_go(void *arg)
{
	struct exchange **parked = arg;

	if (*parked != NULL) {
		(*parked)->on_gone = NULL;
		(*parked)->user = NULL;
		api_dispatch(&self.api, *parked);
	}
	free(parked);
}

static void
parked_gone(struct exchange *x)
{
	*(struct exchange **)x->user = NULL;
}

static bool
needs_registry(const struct exchange *x)
{
	return (strncmp(x->path, "/api/", 5) == 0);
}

void
worker_handle(struct exchange *x)
{
	struct exchange **parked;

	if (loader_loaded(self.loader) || !needs_registry(x) ||
	    (parked = malloc(sizeof(*parked))) == NULL) {
		api_dispatch(&self.api, x);
		return;
	}
	*parked = x;
	x->user = parked;
	x->on_gone = parked_gone;
	if (loader_refresh(self.loader, parked_go, parked) != ERR_OK)
		parked_go(parked);
}

bool
worker_idle(void)
{
	return (audit_idle() && log_writer_queued(self.log_writer) == 0 &&
	    log_writer_queued(self.late_writer) == 0);
}

void
worker_halt_loop(void)
{
	if (self.cycle != NULL)
		cycle_halt(self.cycle);
	if (self.fit != NULL)
		fit_halt(self.fit);
	if (self.keeper != NULL)
		hot_keeper_stop(self.keeper);
}

/* The drain has waited for it already: a hanging cycle may not make the whole
 * stop much longer. */
void
worker_stop_loop(void)
{
	courier_free(self.courier);
	self.courier = NULL;
	if (self.cycle != NULL &&
	    !cycle_stop(self.cycle, (unsigned)self.config->drain_ms / 8))
		log_event(LOG_LEVEL_ERROR, "cycle_not_stopped", NULL);
	/* What it is at is rolled back, and noted as begun. */
	if (self.fit != NULL &&
	    !fit_stop(self.fit, (unsigned)self.config->drain_ms / 8))
		log_event(LOG_LEVEL_INFO, "fit_cut", NULL);
}

void
worker_stop(void)
{
	/* A part that a thread works on is not waited for: it is sent again. */
	self.api.import.cancel(self.api.import.self);
	/* pg_free() tells whoever waits for an answer, the loader and the log
	 * writer among them; the hot tier's readers would ask it. */
	probe_free(self.probe);
	shed_free(self.shed);
	hot_keeper_free(self.keeper);
	hot_free(self.hot);
	redis_free(self.redis);
	pg_free(self.pg);
	events_free(self.api.events);
	cold_free(self.cold);
	loader_free(self.loader);
	log_writer_free(self.log_writer);
	log_writer_free(self.late_writer);
	registry_free(self.api.registry);
	trust_free(self.trust);
	revoked_free(self.revoked);
	token_cache_free(self.tokens);
	log_event(LOG_LEVEL_INFO, "worker_stopped", NULL);
}
