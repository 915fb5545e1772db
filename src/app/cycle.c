#include "app/cycle.h"

#include "auth/gateway_key.h"
#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "field/carrier.h"
#include "field/connector.h"
#include "ingest/last_seen.h"
#include "ingest/rule_json.h"
#include "mape/leaks.h"
#include "mape/loop.h"
#include "mape/systems.h"
#include "store/warm_leaks.h"
#include "store/warm_systems.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define NAP_MS 5
/* How long a cycle waits for its gateways; the end for what is under way. */
#define PATIENCE_MS 250
#define LINGER_MS   3000
/* How often, at most, an instance looks for others; how much further back
 * than one period it asks what they stored, for clocks that differ. */
#define LOOK_US US_PER_SECOND
#define SKEW_S	10
/* How often, at most, it looks for hours to judge for leaks, how long that may
 * take, and when it tries again if it failed. */
#define LEAKS_LOOK_US	(10 * US_PER_SECOND)
#define LEAKS_BUDGET_US (US_PER_SECOND / 4)
#define LEAKS_REST_US	US_PER_MINUTE
/* The same of zones that are judged jointly. */
#define SYSTEMS_LOOK_US	  (10 * US_PER_SECOND)
#define SYSTEMS_BUDGET_US (US_PER_SECOND / 4)
#define SYSTEMS_REST_US	  US_PER_MINUTE
/* What is larger goes back to the system when it is freed. */
#define MAPPED_BYTES (256 * 1024)
/* Alarms within 10 minutes that nobody can deal with (EEMUA 191). */
#define FLOOD 10

_Static_assert(GAUGE_PLANS_UNDONE == GAUGE_PLANS_PROPOSED + PLAN_UNDONE &&
	PLAN_UNDONE + 1 == PLAN_STATE_COUNT,
    "each state of a plan has its gauge");

struct cycle {
	struct cycle_config config;
	struct warm *warm;
	struct connector_config connector;
	struct carrier *carrier;
	struct ports ports;
	struct loop_timer *timer;
	bool out; /* handed to the offload port, done() still due; L only */
	atomic_bool busy, stopping;
	/* The thread's; the loop reads `next_ms` in done(). */
	struct loop_ctx ctx;
	bool led;
	int64_t looked_us, leaks_us, systems_us; /* monotonic */
	struct systems systems;
	struct leaks leaks;
	struct warm_leaks areas;
	uint32_t boot; /* tells the ids of one start from another's */
	uint64_t count;
	char id[32];
	unsigned next_ms;
};

static void schedule(struct cycle *, unsigned ms);

static int64_t
clock_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

static int64_t
now_us(void *self)
{
	(void)self;
	return (clock_us(CLOCK_REALTIME));
}

static void
fill(void *self, void *buf, size_t len)
{
	unsigned char *p = buf;
	ssize_t n;

	(void)self;
	while (len > 0) {
		n = getrandom(p, len, 0);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

/*
 * A cycle takes hundreds of megabytes after a burst, each time on whichever
 * thread is free. Left to itself malloc raises its threshold with the first
 * large block it sees freed and then keeps such a heap for every thread.
 */
static void
bound_heaps(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	(void)mallopt(M_ARENA_MAX, 2);
}

/* On a thread of the carrier. */
static void
send_batch(
    void *arg, const struct command *cmds, size_t n, struct gateway_reply *ret)
{
	const struct cycle *c = arg;

	connector_send(&c->connector, cmds, n, ret);
}

struct cycle *
cycle_new(const struct cycle_config *config)
{
	struct cycle *c = calloc(1, sizeof(*c));
	struct connector_config connector = {
	    .timeout_ms = (long)config->gateway_timeout_ms,
	    .whole_ms = (long)config->gateway_timeout_ms + 1000,
	    .ca_path = config->gateway_ca,
	    .broker = config->broker,
	    .broker_user = config->broker_user,
	    .broker_password = config->broker_password,
	};
	struct err_info info = {0};

	if (c == NULL)
		return (NULL);
	bound_heaps();
	c->config = *config;
	loop_init(&c->ctx);
	leaks_init(&c->leaks);
	systems_init(&c->systems);
	c->ctx.read_rule = rule_json_read;
	c->ctx.rules.ask_us = config->gateway_ask_s * US_PER_SECOND;
	c->ctx.rules.low_risk = config->low_risk_unasked;
	c->ctx.unusual.a_week = config->unusual_a_week;
	c->ctx.rules.lost_us += config->gateway_timeout_ms * INT64_C(1000);
	/* Both were checked when the service started. */
	(void)address_rules_parse(
	    config->gateway_nets, &connector.rules, &info);
	if (config->gateway_secret != NULL)
		connector.signer = gateway_signer(config->gateway_secret);
	c->warm = warm_new(config->database_url, "penstock loop");
	c->connector = connector;
	c->carrier = carrier_new(&(struct carrier_config){c, send_batch,
	    PATIENCE_MS,
	    connector.whole_ms < LINGER_MS ? connector.whole_ms : LINGER_MS});
	if (c->warm == NULL || c->carrier == NULL) {
		cycle_free(c);
		return (NULL);
	}
	c->areas =
	    (struct warm_leaks){.warm = c->warm, .zone = config->time_zone};
	warm_ports(c->warm, &c->ports);
	c->ports.actuator = carrier_port(c->carrier);
	c->ports.clock = (struct clock_port){NULL, now_us};
	c->ports.entropy = (struct entropy_port){NULL, fill};
	fill(NULL, &c->boot, sizeof(c->boot));
	return (c);
}

void
cycle_free(struct cycle *c)
{
	if (c == NULL)
		return;
	loop_done(&c->ctx);
	leaks_done(&c->leaks);
	systems_done(&c->systems);
	warm_free(c->warm);
	carrier_free(c->carrier);
	free(c);
}

static void
count(const struct loop_figures *f)
{
	static const enum metric_histogram phases[LOOP_PHASE_COUNT] = {
	    [LOOP_MONITOR] = HISTOGRAM_MONITOR_TIME,
	    [LOOP_ANALYZE] = HISTOGRAM_ANALYZE_TIME,
	    [LOOP_PLAN] = HISTOGRAM_PLAN_TIME,
	    [LOOP_EXECUTE] = HISTOGRAM_EXECUTE_TIME,
	};
	int i;

	for (i = 0; i < LOOP_PHASE_COUNT; i++)
		metric_observe(phases[i], f->phase_us[i]);
	metric_count(COUNTER_READINGS_MERGED, (uint64_t)f->merged);
	metric_count(COUNTER_READINGS_LATE, (uint64_t)f->late);
	metric_count(COUNTER_UNUSUAL_JUDGED, (uint64_t)f->judged);
	metric_count(COUNTER_UNUSUAL_RAISED, (uint64_t)f->odd);
	metric_count(COUNTER_UNUSUAL_VOID, (uint64_t)f->begun_anew);
	metric_count(COUNTER_ANOMALIES_RAISED, (uint64_t)f->raised);
	metric_count(COUNTER_ANOMALIES_CLEARED, (uint64_t)f->cleared);
	metric_count(COUNTER_COMMANDS_SENT, (uint64_t)f->sent);
	metric_count(COUNTER_COMMANDS_DONE, (uint64_t)f->done);
	metric_count(COUNTER_COMMANDS_FAILED, (uint64_t)f->failed);
}

static enum err
gauge(struct cycle *c, struct err_info *info)
{
	struct warm_gauges g = {0};
	enum err e = warm_gauges(c->warm, &g, info);
	unsigned i;

	if (e != ERR_OK)
		return (e);
	metric_gauge_set(GAUGE_LOG_BACKLOG, g.backlog);
	metric_gauge_set(GAUGE_ANOMALIES_INFO, g.open[0]);
	metric_gauge_set(GAUGE_ANOMALIES_WARNING, g.open[1]);
	metric_gauge_set(GAUGE_ANOMALIES_CRITICAL, g.open[2]);
	metric_gauge_set(GAUGE_BREAKERS_OPEN, g.breakers);
	metric_gauge_set(GAUGE_ALARMS_UNACKED, g.unacknowledged);
	metric_gauge_set(GAUGE_ALARMS_STALE, g.stale);
	metric_gauge_set(GAUGE_ALARMS_RAISED, g.raised);
	metric_gauge_set(GAUGE_ALARMS_FLOOD, g.raised > FLOOD);
	metric_gauge_set(GAUGE_REVIEWS_OPEN, g.reviews);
	for (i = 0; i < PLAN_STATE_COUNT; i++)
		metric_gauge_set(GAUGE_PLANS_PROPOSED + i, g.plans[i]);
	return (ERR_OK);
}

static void
tell(const struct cycle *c, const struct loop_figures *f, int64_t took_us)
{
	bool news = f->raised + f->cleared + f->proposed + f->sent + f->done +
		f->failed + f->verified >
	    0;

	log_event(news ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "cycle", "cycle",
	    LOG_STR, c->id, "merged", LOG_INT, f->merged, "duplicates", LOG_INT,
	    f->duplicates, "late", LOG_INT, f->late, "raised", LOG_INT,
	    f->raised, "cleared", LOG_INT, f->cleared, "proposed", LOG_INT,
	    f->proposed, "sent", LOG_INT, f->sent, "done", LOG_INT, f->done,
	    "failed", LOG_INT, f->failed, "verified", LOG_INT, f->verified,
	    "took_us", LOG_INT, took_us, "memory", LOG_INT, (int64_t)f->memory,
	    NULL);
}

static void
see(void *arg, int32_t series, int64_t t_us)
{
	(void)last_seen_advance(arg, series, t_us);
}

/*
 * Shards change hands when instances come and go. And a reading that another
 * instance took is a duplicate here, too.
 */
static enum err
look_around(struct cycle *c, struct err_info *info)
{
	int64_t now = clock_us(CLOCK_MONOTONIC), others = 0;
	double lately_s = (double)(now - c->looked_us) / US_PER_SECOND + SKEW_S;
	bool changed = false;
	enum err e;

	if (now < c->looked_us + LOOK_US)
		return (ERR_OK);
	e = warm_instances(c->warm, (int32_t)(c->boot >> 1), &others, info);
	if (e == ERR_OK)
		e = warm_shards(c->warm, others, &changed, info);
	if (e != ERR_OK || changed)
		loop_forget(&c->ctx);
	if (e == ERR_OK && others > 0 && c->config.last_seen != NULL)
		e = warm_seen(
		    c->warm, lately_s, see, c->config.last_seen, info);
	if (e == ERR_OK)
		c->looked_us = now;
	return (e);
}

/* What another instance did while it led is not in our caches. */
static enum err
lead(struct cycle *c, struct err_info *info)
{
	bool leads = false;
	enum err e = warm_lead(c->warm, &leads, info);

	if (e != ERR_OK || leads != c->led)
		loop_forget(&c->ctx);
	c->led = e == ERR_OK && leads;
	c->ctx.watch_only = !c->led;
	return (e);
}

/* Beside the cycle: what fails here is told and tried again, and stops no
 * other part of the loop. */
static void
judge_leaks(struct cycle *c)
{
	const struct leak_port port = warm_leaks(&c->areas);
	const int64_t began = clock_us(CLOCK_MONOTONIC);
	struct leaks *l = &c->leaks;
	struct err_info info = {0};

	if (began < c->leaks_us)
		return;
	do {
		if (leaks_judge(l, &c->ports, &port, c->ctx.knowledge.version,
			&info) != ERR_OK) {
			log_event(LOG_LEVEL_ERROR, "leaks_failed", "error",
			    LOG_STR, err_slug(info.code), "why", LOG_STR,
			    info.detail, NULL);
			c->leaks_us = began + LEAKS_REST_US;
			return;
		}
		metric_count(COUNTER_ANOMALIES_RAISED, (uint64_t)l->raised);
		metric_count(COUNTER_ANOMALIES_CLEARED, (uint64_t)l->cleared);
		if (l->areas == 0)
			c->leaks_us = began + LEAKS_LOOK_US;
	} while (l->areas > 0 &&
	    clock_us(CLOCK_MONOTONIC) - began < LEAKS_BUDGET_US);
}

/* As judge_leaks(). */
static void
judge_systems(struct cycle *c)
{
	const struct system_port port = warm_systems(c->warm);
	const int64_t began = clock_us(CLOCK_MONOTONIC);
	struct systems *s = &c->systems;
	struct err_info info = {0};
	bool any = true;

	if (began < c->systems_us)
		return;
	while (any && clock_us(CLOCK_MONOTONIC) - began < SYSTEMS_BUDGET_US) {
		if (systems_judge(s, &c->ports, &port, c->ctx.knowledge.version,
			&any, &info) != ERR_OK) {
			log_event(LOG_LEVEL_ERROR, "systems_failed", "error",
			    LOG_STR, err_slug(info.code), "why", LOG_STR,
			    info.detail, NULL);
			c->systems_us = began + SYSTEMS_REST_US;
			return;
		}
		metric_count(COUNTER_ANOMALIES_RAISED, (uint64_t)s->raised);
		metric_count(COUNTER_ANOMALIES_CLEARED, (uint64_t)s->cleared);
		if (s->void_states > 0)
			log_event(LOG_LEVEL_WARN, "system_state_void", "zones",
			    LOG_INT, s->void_states, NULL);
		if (!any)
			c->systems_us = began + SYSTEMS_LOOK_US;
	}
}

static enum err
run(struct cycle *c, int64_t began_us, struct err_info *info)
{
	struct loop_figures f = {0};
	int64_t took, joined;
	enum err e = lead(c, info);

	if (e == ERR_OK)
		e = look_around(c, info);
	metric_gauge_set(GAUGE_UNUSUAL_STATES, (int64_t)c->ctx.unusual.n);
	if (e != ERR_OK || !warm_watches(c->warm))
		return (e);
	if ((e = warm_name(c->warm, c->id, info)) != ERR_OK)
		return (e);
	e = loop_cycle(&c->ctx, &c->ports, &f, info);
	took = clock_us(CLOCK_MONOTONIC) - began_us;
	count(&f);
	if (f.begun_anew > 0)
		log_event(LOG_LEVEL_WARN, "watch_states_void", "series",
		    LOG_INT, f.begun_anew, NULL);
	if (f.more)
		c->next_ms = 0;
	if (e == ERR_OK && c->led)
		e = gauge(c, info);
	if (e != ERR_OK)
		return (e);
	metric_count(COUNTER_CYCLES, 1);
	metric_observe(HISTOGRAM_CYCLE_TIME, took);
	metric_gauge_set(GAUGE_CYCLE_AT_US, clock_us(CLOCK_REALTIME));
	tell(c, &f, took);
	if (f.more || !c->led)
		return (ERR_OK);
	judge_leaks(c);
	judge_systems(c);
	return (warm_tidy(c->warm, now_us(NULL), &joined, info));
}

static void
work(void *arg)
{
	struct cycle *c = arg;
	struct err_info info = {0};
	int64_t began = clock_us(CLOCK_MONOTONIC), took;
	unsigned period = c->config.period_ms;

	if (!atomic_load(&c->stopping)) {
		(void)snprintf(c->id, sizeof(c->id), "%08x-%llu", c->boot,
		    (unsigned long long)++c->count);
		c->next_ms = period;
		if (run(c, began, &info) != ERR_OK) {
			c->next_ms = period;
			metric_count(COUNTER_CYCLES_FAILED, 1);
			log_event(LOG_LEVEL_ERROR, "cycle_failed", "cycle",
			    LOG_STR, c->id, "error", LOG_STR,
			    err_slug(info.code), "why", LOG_STR, info.detail,
			    NULL);
			loop_forget(&c->ctx);
			c->looked_us = 0; /* the locks may be gone */
		}
		took = (clock_us(CLOCK_MONOTONIC) - began) / 1000;
		if (c->next_ms > 0)
			c->next_ms =
			    took < period ? period - (unsigned)took : 1;
	}
	atomic_store(&c->busy, false);
}

static void
done(void *arg)
{
	struct cycle *c = arg;

	c->out = false;
	schedule(c, c->next_ms);
}

static void
due(void *arg)
{
	struct cycle *c = arg;

	c->timer = NULL;
	if (c->out || atomic_load(&c->stopping))
		return;
	c->out = true;
	atomic_store(&c->busy, true);
	if (c->config.offload.run(c->config.offload.self, work, done, c) ==
	    ERR_OK)
		return;
	atomic_store(&c->busy, false);
	c->out = false;
	log_event(LOG_LEVEL_WARN, "cycle_put_off", "period_ms", LOG_INT,
	    (int64_t)c->config.period_ms, NULL);
	schedule(c, c->config.period_ms);
}

static void
schedule(struct cycle *c, unsigned ms)
{
	struct loop *loop = c->config.loop;

	if (atomic_load(&c->stopping))
		return;
	c->timer = loop->ops->after(loop, ms, due, c);
	if (c->timer == NULL)
		log_event(LOG_LEVEL_ERROR, "loop_stands", "why", LOG_STR,
		    "no memory for a timer", NULL);
}

void
cycle_start(struct cycle *c)
{
	schedule(c, 0);
}

static bool
wait_for(struct cycle *c, unsigned ms)
{
	const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	unsigned waited;

	for (waited = 0; atomic_load(&c->busy) && waited < ms; waited += NAP_MS)
		(void)nanosleep(&nap, NULL);
	return (!atomic_load(&c->busy));
}

void
cycle_halt(struct cycle *c)
{
	atomic_store(&c->stopping, true);
	if (c->timer != NULL)
		c->config.loop->ops->cancel(c->config.loop, c->timer);
	c->timer = NULL;
}

bool
cycle_stop(struct cycle *c, unsigned deadline_ms)
{
	cycle_halt(c);
	if (wait_for(c, deadline_ms))
		return (true);
	warm_cancel(c->warm);
	return (wait_for(c, deadline_ms));
}

bool
cycle_idle(const struct cycle *c)
{
	return (!c->out);
}
