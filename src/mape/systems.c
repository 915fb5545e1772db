#include "mape/systems.h"

#include "core/text.h"
#include "domain/anomaly.h"
#include "model/system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX    ((size_t)64 << 20)
#define EVIDENCE_MAX 8192
#define PARTS_TOLD   20
#define SCORE_WARNS  0.75

struct walk {
	struct systems *systems;
	const struct ports *ports;
	const struct system_port *port;
	int64_t version;
	struct err_info *info;
	struct system_zone zone;
	struct system *system;
	struct system_open open;
	unsigned char *state; /* malloc'd; NULL: no hour ended */
	size_t state_len;
	int64_t upto_us;
	/* Of the step that alarmed last. */
	struct system_part parts[PARTS_TOLD];
	size_t nparts;
	double ratio;
	int64_t last_us; /* its end */
	bool changed;	 /* the evidence is not what was told */
	char newest[EVIDENCE_MAX];
};

void
systems_init(struct systems *s)
{
	*s = (struct systems){0};
	arena_init(&s->arena, ARENA_MAX);
}

void
systems_done(struct systems *s)
{
	arena_done(&s->arena);
}

/* --- words ---------------------------------------------------------------- */

static void
write_control(struct text *t, const struct control *c)
{
	char s[256];

	(void)snprintf(s, sizeof(s), "%s is %s while %s is %s %.6g", c->link,
	    c->open ? "closed" : "open", c->node, c->above ? "above" : "below",
	    c->level);
	json_string(t, "control", s);
}

static void
write_parts(struct text *t, const struct walk *w)
{
	const struct system_zone *z = &w->zone;
	size_t i;

	json_array(t, "contributions");
	for (i = 0; i < w->nparts; i++) {
		const struct system_part *p = &w->parts[i];

		if (!(p->share > 0))
			continue;
		json_object(t, NULL);
		json_string(t, "node", z->signals[p->signal].node);
		json_string(t, "metric", z->signals[p->signal].metric);
		json_string(t, "rule", system_rule_name(p->rule));
		json_double(t, "share", p->share);
		json_double(t, "value", p->value);
		json_double(t, "expected", p->expected);
		json_double(t, "band", p->band);
		if (p->rule == SYSTEM_REPLAY)
			json_instant(t, "repeats",
			    w->last_us - z->step_us * (1 + (int64_t)p->ago));
		if (p->rule == SYSTEM_BALANCE)
			json_double(t, "missing", p->missing);
		if (p->rule == SYSTEM_CONTROL && p->control != NULL)
			write_control(t, p->control);
		json_object_end(t);
	}
	json_array_end(t);
}

/* What most of its steps look like; what looked once like somebody's doing
 * stays so. */
static enum system_look
looks(const struct system_open *o)
{
	if (o->manipulation)
		return (SYSTEM_MANIPULATION);
	if (o->sensor + o->process == 0)
		return (SYSTEM_UNTOLD);
	return (o->sensor > o->process ? SYSTEM_SENSOR : SYSTEM_PROCESS);
}

/* Of the step that ended then. */
static void
write_step(struct text *t, const struct walk *w, int64_t end_us, double ratio)
{
	json_instant(t, "ts", end_us - w->zone.step_us);
	json_double(t, "score", system_score(ratio));
	write_parts(t, w);
}

/* The rule of the part that adds most. */
static const struct system_part *
first_part(const struct walk *w)
{
	const struct system_part *best = &w->parts[0];
	size_t i;

	for (i = 1; i < w->nparts; i++)
		if (w->parts[i].share > best->share)
			best = &w->parts[i];
	return (best);
}

static const char *
evidence(const struct walk *w, const char *rule)
{
	char buf[EVIDENCE_MAX];
	struct text t;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "rule", rule);
	json_string(&t, "zone", w->zone.code);
	json_instant(&t, "since", w->open.since_us);
	json_int(&t, "step_s", w->zone.step_us / US_PER_SECOND);
	if (looks(&w->open) != SYSTEM_UNTOLD)
		json_string(
		    &t, "looks_like", system_look_name(looks(&w->open)));
	write_step(&t, w, w->last_us, w->ratio);
	json_object_end(&t);
	return (
	    text_ok(&t) ? arena_strndup(&w->systems->arena, buf, t.len) : NULL);
}

/* --- the anomaly ---------------------------------------------------------- */

static struct condition
condition(const struct walk *w)
{
	return ((struct condition){w->open.lead,
	    w->open.manipulation ? ANOMALY_MANIPULATION : ANOMALY_JOINT,
	    DIRECTION_NONE, w->open.warning ? SEVERITY_WARNING : SEVERITY_INFO,
	    0});
}

static enum err
tell(struct walk *w)
{
	const struct decisions_port *d = &w->ports->decisions;
	const struct notifier_port *notifier = &w->ports->notifier;
	const struct system_part *p = first_part(w);
	char rule[40];
	struct anomaly an = {
	    .condition = condition(w),
	    .rule_id = rule,
	    .first_us = w->open.since_us,
	    .last_us = w->last_us - w->zone.step_us,
	    .value = w->nparts > 0 ? p->value : NAN,
	    .limit = w->nparts > 0 ? p->expected : NAN,
	    .knowledge_version = w->version,
	};
	int64_t id;
	bool new;
	enum err err;

	(void)snprintf(rule, sizeof(rule), "system:%s",
	    system_rule_name(w->nparts > 0 ? p->rule : SYSTEM_JOINT));
	w->changed = false;
	if ((an.evidence = evidence(w, rule)) == NULL)
		return (err_set(w->info, ERR_NO_MEMORY, NULL,
		    "no room for the evidence of a zone"));
	err = d->anomaly_raise(d->self, &an, &id, &new, w->info);
	if (err != ERR_OK || !new)
		return (err);
	w->systems->raised++;
	notifier->notify(notifier->self, "anomaly_opened", id, an.evidence);
	return (ERR_OK);
}

/* It is over; or goes on as another. */
static enum err
end(struct walk *w, int64_t at_us, const char *why)
{
	const struct decisions_port *d = &w->ports->decisions;
	const struct fsm_row *row =
	    fsm_find(&anomaly_fsm, ANOMALY_OPEN, ANOMALY_CLEAR);
	const struct condition c = condition(w);
	char facts[128];
	struct text t;

	text_init_fixed(&t, facts, sizeof(facts));
	json_object(&t, NULL);
	json_instant(&t, "ts", at_us);
	json_string(&t, "why", why);
	json_object_end(&t);
	w->systems->cleared++;
	return (d->anomaly_clear(d->self, &c,
	    &(struct move){.subject = "anomaly",
		.row_id = row->id,
		.from = anomaly_fsm.states[row->from],
		.to = anomaly_fsm.states[row->to],
		.at_us = at_us,
		.facts = facts,
		.knowledge_version = w->version},
	    w->info));
}

static void
begin(struct walk *w, int64_t since_us, bool manipulation)
{
	w->open.lead = w->zone.signals[first_part(w)->signal].series;
	w->open.since_us = since_us;
	w->open.manipulation = manipulation;
	w->open.warning = manipulation || system_score(w->ratio) >= SCORE_WARNS;
}

static enum err
alarm(struct walk *w, int64_t end_us, double ratio)
{
	const enum system_look look = system_looks_like(w->system);
	const bool manipulation = look == SYSTEM_MANIPULATION;
	enum err err;

	w->nparts = system_parts(w->system, w->parts, PARTS_TOLD);
	if (w->nparts == 0)
		return (ERR_OK);
	w->ratio = ratio;
	w->last_us = end_us;
	w->open.calm = 0;
	w->open.sensor += look == SYSTEM_SENSOR;
	w->open.process += look == SYSTEM_PROCESS;
	w->changed = true;
	if (w->open.lead == 0) {
		begin(w, system_since(w->system), manipulation);
		return (tell(w));
	}
	if (!manipulation || w->open.manipulation)
		return (ERR_OK);
	err = end(w, end_us, "it looks like manipulation now");
	if (err == ERR_OK) {
		begin(w, w->open.since_us, true);
		err = tell(w);
	}
	return (err);
}

static enum err
calm(struct walk *w, int64_t end_us)
{
	enum err err = ERR_OK;

	if (w->open.lead == 0 || ++w->open.calm < SYSTEMS_CALM)
		return (ERR_OK);
	if (w->changed)
		err = tell(w);
	if (err == ERR_OK)
		err = end(w, end_us, "calm");
	w->open = (struct system_open){.since_us = INSTANT_NONE};
	return (err);
}

/* --- steps ---------------------------------------------------------------- */

static bool
is_heard(const double *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isnan(x[i]))
			return (true);
	return (false);
}

static void
note(struct walk *w, int64_t end_us, double ratio)
{
	struct text t;

	if (!(ratio > 1))
		w->nparts = 0;
	text_init_fixed(&t, w->newest, sizeof(w->newest));
	json_object(&t, NULL);
	write_step(&t, w, end_us, ratio);
	json_object_end(&t);
	if (!text_ok(&t))
		w->newest[0] = '\0';
}

static enum err
step(struct walk *w, size_t i)
{
	const struct system_zone *z = &w->zone;
	const double *x = z->x + i * z->n;
	const int64_t t_us = z->from_us + (int64_t)i * z->step_us;
	const int64_t end_us = t_us + z->step_us;
	const double ratio = system_judge(w->system, t_us, x);
	enum err err = ERR_OK;

	if (end_us <= z->told_us)
		return (ERR_OK);
	w->systems->judged++;
	if (ratio > 1)
		err = alarm(w, end_us, ratio);
	else if (is_heard(x, z->n))
		err = calm(w, end_us);
	if (err == ERR_OK && i + 1 == z->steps) {
		if (w->changed && w->open.lead != 0)
			err = tell(w);
		note(w, end_us, ratio);
	}
	return (err);
}

/* How many of the steps are before the last whole hour. */
static size_t
kept(const struct system_zone *z)
{
	const int64_t until_us = z->from_us + (int64_t)z->steps * z->step_us;
	const int64_t hour_us = instant_floor(until_us, SYSTEMS_KEEP_US);

	return (hour_us > z->from_us
		? (size_t)((hour_us - z->from_us) / z->step_us)
		: 0);
}

static enum err
steps(struct walk *w)
{
	const size_t keep = kept(&w->zone);
	enum err err = ERR_OK;
	size_t i;

	w->upto_us = w->zone.from_us;
	for (i = 0; err == ERR_OK && i < w->zone.steps; i++) {
		err = step(w, i);
		if (err != ERR_OK || i + 1 != keep)
			continue;
		err = system_pack(w->system, &w->state, &w->state_len);
		w->upto_us += (int64_t)keep * w->zone.step_us;
		if (err != ERR_OK)
			return (err_set(w->info, err, NULL,
			    "no room for the state of a zone"));
	}
	return (err);
}

static enum err
begin_anew(struct walk *w, int64_t now_us)
{
	enum err err = ERR_OK;

	w->systems->void_states += !w->zone.gone;
	if (w->open.lead != 0)
		err = end(w, now_us,
		    w->zone.gone ? "too few of its series are left"
				 : "it is learnt anew");
	if (err == ERR_OK)
		err = w->port->void_state(w->port->self, &w->zone, w->info);
	return (err);
}

static enum err
judge(struct walk *w, int64_t now_us)
{
	const struct system_zone *z = &w->zone;
	int64_t until_us;
	enum err err;

	w->open = z->open;
	if (z->gone)
		return (begin_anew(w, now_us));
	if (z->steps == 0)
		return (ERR_OK);
	if (system_unpack(z->state, z->state_len, &w->system) != ERR_OK)
		return (begin_anew(w, now_us));
	if (system_signals(w->system) != z->n)
		return (begin_anew(w, now_us));
	if ((err = steps(w)) != ERR_OK)
		return (err);
	until_us = z->from_us + (int64_t)z->steps * z->step_us;
	return (w->port->save(w->port->self, z,
	    &(struct system_result){
		.state = w->state,
		.state_len = w->state_len,
		.upto_us = w->upto_us,
		.told_us = until_us > z->told_us ? until_us : z->told_us,
		.newest = w->newest[0] != '\0' ? w->newest : NULL,
		.open = w->open,
	    },
	    w->info));
}

static enum err
zone(struct walk *w, int32_t number, int64_t now_us)
{
	const struct decisions_port *d = &w->ports->decisions;
	enum err err;

	w->system = NULL;
	w->state = NULL;
	w->nparts = 0;
	w->changed = false;
	w->newest[0] = '\0';
	if ((err = d->begin(d->self, w->info)) == ERR_OK)
		err = w->port->take(w->port->self, &w->systems->arena, number,
		    now_us, &w->zone, w->info);
	if (err == ERR_OK)
		err = judge(w, now_us);
	if (err == ERR_OK)
		err = d->commit(d->self, w->info);
	if (err != ERR_OK)
		d->rollback(d->self);
	system_free(w->system);
	free(w->state);
	arena_reset(&w->systems->arena);
	return (err);
}

enum err
systems_judge(struct systems *s, const struct ports *ports,
    const struct system_port *port, int64_t knowledge_version, bool *ret_any,
    struct err_info *info)
{
	const int64_t now_us = ports->clock.now_us(ports->clock.self);
	struct walk *w;
	enum err err = ERR_OK;

	s->raised = s->cleared = s->judged = s->void_states = 0;
	if (s->ndue == 0)
		err = port->due(
		    port->self, now_us, s->due, SYSTEMS_DUE, &s->ndue, info);
	if (err != ERR_OK)
		return (err);
	*ret_any = s->ndue > 0;
	if (s->ndue == 0)
		return (ERR_OK);
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "a zone"));
	*w = (struct walk){.systems = s,
	    .ports = ports,
	    .port = port,
	    .version = knowledge_version,
	    .info = info};
	err = zone(w, s->due[--s->ndue], now_us);
	free(w);
	/* It was learnt anew meanwhile: its steps are due again. */
	return (err == ERR_CONFLICT ? ERR_OK : err);
}
