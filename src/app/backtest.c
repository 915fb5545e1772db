#include "app/backtest.h"

#include "core/instant.h"
#include "core/text.h"
#include "domain/plan.h"
#include "domain/reading.h"
#include "ingest/rule_json.h"
#include "mape/loop.h"
#include "store/twin.h"
#include "store/warm.h"

#include <stdlib.h>
#include <string.h>

#define STEP_US	   US_PER_MINUTE
#define KEEP_US	   (2 * US_PER_DAY)
#define ARENA_MAX  ((size_t)64 << 20)
#define TEXTS_MAX  ((size_t)256 << 20)
#define ANSWER_MAX ((size_t)4 << 20)
#define SEED	   1		     /* of keys that leave nothing */
#define SERIES_MAX (TWIN_SERIES / 2) /* the twin breaks beyond its own */

struct backtester {
	const char *database_url;
	struct offload_port offload;
	struct backtest *job; /* NULL: none is at work */
	void (*done)(void *);
	void *arg;
};

/* The loop's world of one backtest. */
struct past {
	struct backtest *job;
	struct twin *twin;
	struct ports ports;
	struct loop_ctx loop;
	struct rule_text rule;
	size_t nown; /* series that the rule is about */
	int64_t cycles;
};

static enum err
too_much(struct err_info *info, const char *what)
{
	return (err_set(
	    info, ERR_INVALID, NULL, "%s: ask for less time at once", what));
}

static void
send_none(
    void *self, const struct command *c, size_t n, struct gateway_reply *ret)
{
	(void)self;
	(void)c;
	for (; n > 0; n--, ret++)
		*ret = (struct gateway_reply){.outcome = GATEWAY_REFUSED};
}

/* Which of a zone and metric knowledge_series_in() finds first. */
static bool
speaks_before(const struct series *x, const struct series *y)
{
	bool x_dma = strcmp(x->node_type, "dma") == 0;
	bool y_dma = strcmp(y->node_type, "dma") == 0;

	return (x_dma == y_dma ? x->id < y->id : x_dma);
}

/* What guards and effects of templates may ask for, and nothing is read of:
 * the other metrics of a node that the rule is about, and of its zone. */
static bool
beside(const struct series *s, const struct series *of, size_t n, size_t own)
{
	bool in_zone = false;
	size_t i;

	for (i = 0; i < own; i++) {
		if (of[i].node_id == s->node_id)
			return (true);
		in_zone |=
		    s->zone[0] != '\0' && strcmp(of[i].zone, s->zone) == 0;
	}
	for (i = 0; in_zone && i < n; i++) {
		if (strcmp(of[i].zone, s->zone) == 0 &&
		    strcmp(of[i].metric, s->metric) == 0 &&
		    speaks_before(&of[i], s))
			return (false);
	}
	return (in_zone);
}

static int
by_id(const void *a, const void *b)
{
	const struct series *x = a, *y = b;

	return ((x->id > y->id) - (x->id < y->id));
}

/* Of the network what the rule is about, first and p->nown of them, and what
 * stands beside it. */
static size_t
pick_series(struct past *p, const struct knowledge *k, struct series *s)
{
	const struct backtest *b = p->job;
	size_t i, n = 0, at;

	/* Both rise by series. */
	for (i = 0, at = 0; i < k->nseries; i++) {
		while (at < b->nseries && b->series[at] < k->series[i].id)
			at++;
		if (at < b->nseries && b->series[at] == k->series[i].id)
			s[n++] = k->series[i];
	}
	p->nown = n;
	for (i = 0; i < k->nseries && n < SERIES_MAX; i++) {
		if (bsearch(&k->series[i], s, p->nown, sizeof(*s), by_id) ==
			NULL &&
		    beside(&k->series[i], s, n, p->nown))
			s[n++] = k->series[i];
	}
	qsort(s, n, sizeof(*s), by_id);
	return (n);
}

static enum err
open_past(struct past *p, const struct knowledge *k, struct arena *a)
{
	struct backtest *b = p->job;
	struct series *s = arena_alloc(a, (k->nseries + 1) * sizeof(*s));

	if (s == NULL || (p->twin = twin_new(b->from_us, SEED)) == NULL)
		return (err_set(&b->info, ERR_NO_MEMORY, NULL, "a backtest"));
	p->rule = (struct rule_text){
	    .rule = 1, .version = b->version, .code = b->code, .body = b->body};
	p->twin->knowledge = *k;
	p->twin->knowledge.series = s;
	p->twin->knowledge.nseries = pick_series(p, k, s);
	p->twin->knowledge.rules = &p->rule;
	p->twin->knowledge.nrules = 1;
	twin_ports(p->twin, &p->ports);
	p->ports.actuator = (struct actuator_port){NULL, send_none, NULL};
	loop_init(&p->loop);
	p->loop.read_rule = rule_json_read;
	return (ERR_OK);
}

static void
close_past(struct past *p)
{
	if (p->twin == NULL)
		return;
	loop_done(&p->loop);
	twin_free(p->twin);
}

static enum err
cycle(struct past *p, int64_t now_us)
{
	struct err_info *info = &p->job->info;
	struct err_info own = {0};
	struct loop_figures f;

	p->twin->now_us = now_us;
	p->cycles++;
	if (loop_cycle(&p->loop, &p->ports, &f, &own) != ERR_OK)
		return (own.code == ERR_DATABASE
			? too_much(info, "more happens than is kept")
			: err_set(info, own.code, NULL, "%s", own.detail));
	if (p->twin->violation[0] != '\0')
		return (err_set(
		    info, ERR_INTERNAL, NULL, "%s", p->twin->violation));
	if (p->twin->texts.used > TEXTS_MAX)
		return (too_much(info, "more happens than is kept"));
	if (p->loop.people.unreadable > 0)
		return (err_set(
		    info, ERR_CONFLICT, NULL, "the rule's series are gone"));
	return (ERR_OK);
}

static int
by_time(const void *a, const void *b)
{
	const struct reading *x = a, *y = b;

	if (x->t_us != y->t_us)
		return (x->t_us < y->t_us ? -1 : 1);
	return ((x->series > y->series) - (x->series < y->series));
}

/* Minute for minute, by event time: as if each had come when it was taken. */
static enum err
replay(struct past *p)
{
	struct backtest *b = p->job;
	int64_t now = b->from_us, forgot = now;
	size_t at = 0, end;
	enum err err = ERR_OK;

	qsort(b->readings, b->n, sizeof(*b->readings), by_time);
	while (err == ERR_OK && now < b->to_us) {
		now = now + STEP_US < b->to_us ? now + STEP_US : b->to_us;
		for (end = at; end < b->n && b->readings[end].t_us < now; end++)
			b->readings[end].received_us = b->readings[end].t_us;
		if (end > at)
			twin_log(p->twin, &b->readings[at], end - at);
		at = end;
		err = cycle(p, now);
		if (err == ERR_OK && now - forgot >= US_PER_DAY) {
			twin_forget(p->twin, now - KEEP_US);
			forgot = now;
		}
	}
	return (err);
}

static const struct series *
series_at(const struct past *p, int32_t id)
{
	const struct knowledge *k = &p->twin->knowledge;
	size_t i;

	for (i = 0; i < k->nseries; i++) {
		if (k->series[i].id == id)
			return (&k->series[i]);
	}
	return (NULL);
}

static void
write_fired(struct text *t, const struct past *p, const struct twin_anomaly *o)
{
	const struct condition *c = &o->anomaly.condition;
	const struct series *s = series_at(p, c->series);

	json_object(t, NULL);
	json_int(t, "id", o->anomaly.id);
	json_string(t, "rule", o->anomaly.rule_id);
	json_bool(t, "own", c->rule != 0);
	json_string(t, "node", s->node);
	json_string(t, "metric", s->metric);
	json_string(t, "type", anomaly_type_name(c->type));
	json_string(t, "direction", direction_name(c->direction));
	json_string(t, "severity", severity_name(c->severity));
	json_instant(t, "first_at", o->anomaly.first_us);
	json_instant(t, "last_at", o->anomaly.last_us);
	if (o->state == ANOMALY_CLEARED)
		json_instant(t, "cleared_at", o->cleared_us);
	else
		json_null(t, "cleared_at");
	json_string(t, "planning", o->planning != NULL ? o->planning : "none");
	json_raw(
	    t, "evidence", o->anomaly.evidence, strlen(o->anomaly.evidence));
	json_object_end(t);
}

static void
write_commands(struct text *t, const struct past *p, int64_t plan)
{
	const struct command *c;
	size_t i;

	json_array(t, "commands");
	for (i = 0; i < p->twin->ncommands; i++) {
		c = &p->twin->commands[i].command;
		if (c->plan_id != plan)
			continue;
		json_object(t, NULL);
		json_int(t, "step", c->step);
		json_string(t, "link", c->link);
		json_string(t, "action", c->action);
		json_raw(t, "argument", c->argument, strlen(c->argument));
		json_object_end(t);
	}
	json_array_end(t);
}

static void
write_proposed(struct text *t, const struct past *p, const struct plan *plan)
{
	const struct knowledge *k = &p->twin->knowledge;
	size_t i;

	json_object(t, NULL);
	json_int(t, "anomaly", plan->anomaly_id);
	json_instant(t, "proposed_at", plan->proposed_us);
	for (i = 0; i < k->ntemplates; i++) {
		if (k->templates[i].id == plan->template_id)
			json_string(t, "template", k->templates[i].code);
	}
	write_commands(t, p, plan->id);
	json_raw(t, "reasons", plan->reasons, strlen(plan->reasons));
	json_object_end(t);
}

static enum err
write_answer(const struct past *p)
{
	struct backtest *b = p->job;
	const struct twin *w = p->twin;
	struct text t;
	size_t i, own = 0;

	for (i = 0; i < w->nanomalies; i++)
		own += w->anomalies[i].anomaly.condition.rule != 0;
	text_init(&t, ANSWER_MAX);
	json_object(&t, NULL);
	json_string(&t, "code", b->code);
	json_int(&t, "version", b->version);
	json_instant(&t, "from", b->from_us);
	json_instant(&t, "to", b->to_us);
	json_int(&t, "series", (int64_t)p->nown);
	json_int(&t, "readings", (int64_t)b->n);
	json_int(&t, "cycles", p->cycles);
	json_int(&t, "fired_by_rule", (int64_t)own);
	json_array(&t, "fired");
	for (i = 0; i < w->nanomalies; i++)
		write_fired(&t, p, &w->anomalies[i]);
	json_array_end(&t);
	json_array(&t, "proposed");
	for (i = 0; i < w->nplans; i++)
		write_proposed(&t, p, &w->plans[i].plan);
	json_array_end(&t);
	json_object_end(&t);
	if (!text_ok(&t)) {
		text_done(&t);
		return (too_much(&b->info, "the answer is beyond 4 MiB"));
	}
	b->json = text_take(&t, &b->len);
	return (ERR_OK);
}

enum err
backtest_run(struct backtest *b, const struct knowledge *k, struct arena *a)
{
	struct past p = {.job = b};
	enum err err;

	if ((err = open_past(&p, k, a)) == ERR_OK &&
	    (err = replay(&p)) == ERR_OK)
		err = write_answer(&p);
	close_past(&p);
	return (err);
}

static void
work(void *arg)
{
	struct backtester *t = arg;
	struct backtest *b = t->job;
	struct warm *w = warm_new(t->database_url, "penstock backtest");
	struct knowledge k = {0};
	struct ports ports = {0};
	struct arena a;
	int64_t version;
	enum err err = ERR_OK;

	arena_init(&a, ARENA_MAX);
	if (w == NULL)
		err = err_set(&b->info, ERR_NO_MEMORY, NULL, "a backtest");
	if (err == ERR_OK) {
		warm_ports(w, &ports);
		err = warm_open(w, &b->info);
	}
	if (err == ERR_OK)
		err = ports.knowledge.version(
		    ports.knowledge.self, &version, &b->info);
	if (err == ERR_OK)
		err = ports.knowledge.load(
		    ports.knowledge.self, &a, &k, &b->info);
	warm_free(w);
	if (err == ERR_OK)
		(void)backtest_run(b, &k, &a);
	arena_done(&a);
}

static void
done(void *arg)
{
	struct backtester *t = arg;

	t->job = NULL;
	t->done(t->arg);
}

static enum err
run(void *self, struct backtest *b, void (*fn)(void *), void *arg)
{
	struct backtester *t = self;
	enum err err;

	if (t->job != NULL)
		return (ERR_BUSY);
	t->job = b;
	t->done = fn;
	t->arg = arg;
	err = t->offload.run(t->offload.self, work, done, t);
	if (err != ERR_OK)
		t->job = NULL;
	return (err);
}

struct backtester *
backtester_new(const char *database_url, const struct offload_port *offload)
{
	struct backtester *t = calloc(1, sizeof(*t));

	if (t != NULL)
		*t = (struct backtester){
		    .database_url = database_url, .offload = *offload};
	return (t);
}

void
backtester_free(struct backtester *t)
{
	free(t);
}

struct backtest_port
backtester_port(struct backtester *t)
{
	return ((struct backtest_port){t, run});
}
