#include "world.h"

#include "core/instant.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void
copy_thresholds(
    struct series *s, const struct district_series *from, int64_t cadence_us)
{
	const struct district_threshold *th;
	size_t i;

	for (i = 0; i < from->nthresholds; i++) {
		th = &from->thresholds[i];
		s->thresholds[i] = (struct threshold){
		    .id = s->id * 10 + (int32_t)i,
		    .direction = th->direction,
		    .severity = th->severity,
		    .set = th->set,
		    .clear = th->clear,
		    .on_delay_us = th->on_steps * cadence_us,
		    .off_delay_us = th->off_steps * cadence_us,
		};
	}
	s->nthresholds = from->nthresholds;
}

static void
make_series(struct world *w, int64_t cadence_us)
{
	const struct district_series *from;
	struct series *s;
	size_t i;

	for (i = 0; i < DISTRICT_SERIES; i++) {
		from = &district_series[i];
		s = &w->series[i];
		*s = (struct series){
		    .id = (int32_t)i + 1,
		    .node_id = (int32_t)from->node + 1,
		    .node = district_nodes[from->node].code,
		    .node_type = district_nodes[from->node].type,
		    .zone = DISTRICT_ZONE,
		    .metric = from->metric,
		    .unit = from->unit,
		    .kind = from->kind,
		    .cadence_us = cadence_us,
		    .max_rate_per_min = NAN,
		    .flatline_us = from->flatline_steps * cadence_us,
		    .outlier_k = from->outlier_k,
		    .silence_us = 3 * cadence_us,
		};
		if (from->max_step > 0)
			s->max_rate_per_min = from->max_step *
			    (double)US_PER_MINUTE / (double)cadence_us;
		copy_thresholds(s, from, cadence_us);
	}
}

static void
make_template(struct world *w, int64_t cadence_us)
{
	const struct district_template *t = &district_template;

	w->action = (struct template_action){
	    1, t->action, t->target_type, t->target_relation, "{}", false};
	w->template = (struct plan_template){
	    .id = 1,
	    .code = t->code,
	    .metric = t->metric,
	    .anomaly_type = t->anomaly_type,
	    .direction = t->direction,
	    .least_severity = t->least_severity,
	    .node_type = t->node_type,
	    .priority = 100,
	    .effect_metric = t->effect_metric,
	    .effect_direction = t->effect_direction,
	    .effect_least = t->effect_least,
	    .effect_window_us = t->effect_window_steps * cadence_us,
	    .expires_us = (int64_t)(t->expires_s * 1e6),
	    .command_life_us = (int64_t)(t->command_life_s * 1e6),
	    .actions = &w->action,
	    .nactions = 1,
	};
}

static size_t
make_actuators(struct world *w)
{
	const struct district_link *l;
	size_t i, n = 0;

	for (i = 0; i < DISTRICT_LINKS; i++) {
		l = &district_links[i];
		if (strcmp(l->type, "pipe") == 0)
			continue;
		w->actuators[n++] =
		    (struct actuator){(int32_t)i + 1, l->code, l->type,
			(int32_t)l->to + 1, DISTRICT_ZONE, 1, DISTRICT_GATEWAY};
	}
	return (n);
}

/* It has no memory for keys: whatever comes is done. */
static bool
execute(struct world *w, const struct command *c)
{
	bool first = w->acts[c->id - 1]++ == 0;

	if (!first && !c->repeatable)
		twin_violate(
		    w->twin, "command %lld executed twice", (long long)c->id);
	w->executed++;
	if (strcmp(c->action, "close_valve") == 0)
		(void)district_valve_set(&w->district, c->link, false);
	if (strcmp(c->action, "open_valve") == 0)
		(void)district_valve_set(&w->district, c->link, true);
	return (first);
}

/* What became of it, by the gateway's memory. */
static void
answer(struct world *w, enum gateway_mode mode, const struct command *c,
    struct gateway_reply *r)
{
	w->asked++;
	if (mode == GATEWAY_SILENT || mode == GATEWAY_MUTE)
		return;
	r->http_status = 200;
	r->outcome =
	    w->acts[c->id - 1] > 0 ? GATEWAY_EXECUTED : GATEWAY_NEVER_HAD;
}

static void
gateway(void *arg, const struct command *c, struct gateway_reply *r)
{
	struct world *w = arg;
	enum gateway_mode mode =
	    w->exchanges < w->nscript ? w->script[w->exchanges] : w->mode;
	bool first;

	w->exchanges++;
	if (c->ask) {
		answer(w, mode, c, r);
		return;
	}
	w->received++;
	switch (mode) {
	case GATEWAY_SILENT:
		return;
	case GATEWAY_BROKEN:
		r->http_status = 500;
		return;
	case GATEWAY_AWAY:
		r->outcome = GATEWAY_NOT_TAKEN;
		return;
	case GATEWAY_SAYS_NO:
		r->http_status = 422;
		r->outcome = GATEWAY_REFUSED;
		(void)snprintf(r->detail, sizeof(r->detail), "\"no\"\n");
		return;
	case GATEWAY_WORKS:
	case GATEWAY_DROPS:
	case GATEWAY_MUTE:
	case GATEWAY_LATE:
	case GATEWAY_ACCEPTS:
	case GATEWAY_MODES:
		break;
	}
	first = execute(w, c);
	if (mode == GATEWAY_MUTE || (mode == GATEWAY_DROPS && first))
		return;
	if (mode == GATEWAY_LATE) {
		r->outcome = GATEWAY_PENDING;
		return;
	}
	r->http_status = 200;
	r->outcome =
	    mode == GATEWAY_ACCEPTS ? GATEWAY_ACCEPTED : GATEWAY_EXECUTED;
}

void
world_init(struct world *w, uint64_t seed, int64_t t0_us, int64_t cadence_us)
{
	memset(w, 0, sizeof(*w));
	district_init(&w->district, seed, t0_us, cadence_us);
	make_series(w, cadence_us);
	make_template(w, cadence_us);
	w->twin = twin_new(t0_us, seed);
	w->twin->knowledge = (struct knowledge){
	    .version = 1,
	    .series = w->series,
	    .nseries = DISTRICT_SERIES,
	    .templates = &w->template,
	    .ntemplates = 1,
	    .actuators = w->actuators,
	    .nactuators = make_actuators(w),
	};
	w->twin->gateway = gateway;
	w->twin->gateway_arg = w;
	twin_ports(w->twin, &w->ports);
	loop_init(&w->loop);
}

void
world_done(struct world *w)
{
	loop_done(&w->loop);
	twin_free(w->twin);
}

static void
keep(struct world *w, size_t series)
{
	if (w->nkept < WORLD_KEPT)
		w->kept[w->nkept++] = (struct reading){(int32_t)series + 1,
		    QUALITY_GOOD, w->district.values[series], w->twin->now_us,
		    w->twin->now_us};
}

static void
send_readings(struct world *w)
{
	struct reading row[DISTRICT_SERIES];
	size_t i, n = 0;
	double value;

	for (i = 0; i < DISTRICT_SERIES; i++) {
		value = district_read(&w->district, i);
		if (isnan(value))
			keep(w, i);
		else
			row[n++] = (struct reading){(int32_t)i + 1,
			    QUALITY_GOOD, value + w->off[i], w->twin->now_us,
			    w->twin->now_us};
	}
	w->logged += (int64_t)n;
	twin_log(w->twin, row, n);
}

void
world_upload(struct world *w)
{
	size_t i;

	for (i = 0; i < w->nkept; i++)
		w->kept[i].received_us = w->twin->now_us;
	w->logged += (int64_t)w->nkept;
	twin_log(w->twin, w->kept, w->nkept);
	w->nkept = 0;
}

enum err
world_cycle_at(struct world *w, int64_t t_us)
{
	struct err_info info = {0};
	enum err err;

	w->twin->now_us = t_us;
	err = loop_cycle(&w->loop, &w->ports, &w->figures, &info);
	if (err != ERR_OK) {
		w->failed_cycles++;
		(void)snprintf(
		    w->failure, sizeof(w->failure), "%.60s", info.detail);
	}
	return (err);
}

enum err
world_tick_at(struct world *w, int64_t t_us)
{
	w->twin->now_us = t_us;
	district_step(&w->district, t_us);
	send_readings(w);
	return (world_cycle_at(w, t_us));
}

enum err
world_tick(struct world *w)
{
	return (world_tick_at(w, w->twin->now_us + w->district.cadence_us));
}

void
world_ticks(struct world *w, int n)
{
	while (n-- > 0)
		(void)world_tick(w);
}

struct twin_anomaly *
world_open(struct world *w, const char *node, const char *metric,
    enum anomaly_type type, enum direction direction, enum severity severity)
{
	struct condition c = {
	    district_find(node, metric) + 1, type, direction, severity, 0};

	return (twin_find_open(w->twin, &c));
}

struct twin_plan *
world_last_plan(struct world *w)
{
	return (
	    w->twin->nplans == 0 ? NULL : &w->twin->plans[w->twin->nplans - 1]);
}
