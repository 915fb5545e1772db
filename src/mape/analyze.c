#include "mape/analyze.h"

#include "core/instant.h"
#include "core/text.h"
#include "mape/finding.h"
#include "mape/unusual.h"
#include "model/flatline.h"
#include "model/outlier.h"
#include "model/rate.h"
#include "model/silence.h"
#include "model/threshold.h"

#include <math.h>
#include <stdio.h>

/* Conditions that one reading can touch: the levels first, then these. */
enum slot {
	SLOT_RATE = LEVEL_SLOTS,
	SLOT_FLATLINE,
	SLOT_OUTLIER,
	SLOT_UNUSUAL,
	SLOT_COUNT
};

/* A condition that goes on: told once, at its end or the batch's. */
struct held {
	bool due;
	struct finding finding;
	struct reading reading;
};

struct judge {
	struct analysis *a;
	const struct series *series;
	struct series_state *state;
	struct held held[SLOT_COUNT];
	struct outlier_window window; /* if have_window */
	bool have_window;
	struct watched *watched;   /* or NULL */
	struct watch_verdict seen; /* of this reading */
	bool looked;		   /* it was judged by its series' past */
	int64_t silence_us; /* how long it may be unheard; 0: not known */
	bool outage;	    /* it was told that it was, and this ends it */
};

static enum err
flush(struct judge *j, size_t slot)
{
	struct held *h = &j->held[slot];

	if (!h->due)
		return (ERR_OK);
	h->due = false;
	return (
	    finding_raise(j->a, j->series, j->state, &h->finding, &h->reading));
}

/* One that goes on tells its own rule and highest score. */
static void
note_seen(struct finding *f, const struct judge *j)
{
	if (j->looked)
		f->seen = j->seen;
	f->expects = j->looked && unusual_knows(j->watched);
	if (f->condition.type != ANOMALY_UNUSUAL)
		return;
	f->seen.score = j->watched->open.score / 10000.0;
	if (f->seen.rule != j->watched->open.rule)
		f->seen.reason =
		    (struct watch_reason){f->seen.expected, f->seen.band, NAN};
	f->seen.rule = j->watched->open.rule;
}

static void
hold(struct judge *j, size_t slot, const struct finding *f,
    const struct reading *r)
{
	j->held[slot] = (struct held){true, *f, *r};
	note_seen(&j->held[slot].finding, j);
}

static enum err
raise_now(struct judge *j, struct finding *f, const struct reading *r)
{
	note_seen(f, j);
	return (finding_raise(j->a, j->series, j->state, f, r));
}

static enum err
clear_now(struct judge *j, size_t slot, const struct condition *c,
    const struct reading *r)
{
	char buf[128];
	struct text t;
	enum err err;

	if ((err = flush(j, slot)) != ERR_OK)
		return (err);
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_instant(&t, "ts", r->t_us);
	json_double(&t, "value", r->value);
	json_object_end(&t);
	return (finding_clear(j->a, c, r->t_us, buf));
}

static void
find_level(
    struct finding *f, const struct series *s, const struct threshold *th)
{
	finding_init(f, s, ANOMALY_THRESHOLD, th->direction);
	f->condition.severity = th->severity;
	f->limit = th->set;
	finding_fact(f, "clear", th->clear);
	(void)snprintf(f->rule_id, sizeof(f->rule_id), "threshold:%d", th->id);
}

static enum err
judge_level(
    struct judge *j, const struct threshold *th, const struct reading *r)
{
	size_t slot = series_state_level(th->direction, th->severity);
	struct level_state *level = &j->state->levels[slot];
	enum verdict v = threshold_judge(th, level, r->value, r->t_us);
	struct finding f;

	if (v == VERDICT_NORMAL)
		return (ERR_OK);
	find_level(&f, j->series, th);
	f.first_us = level->since_us;
	if (v == VERDICT_CLEAR)
		return (clear_now(j, slot, &f.condition, r));
	if (v == VERDICT_RAISE)
		return (raise_now(j, &f, r));
	hold(j, slot, &f, r);
	return (ERR_OK);
}

/* A condition whose direction was *open and is the finding's now. */
static enum err
turn(struct judge *j, size_t slot, struct finding *f, enum direction *open,
    const struct reading *r)
{
	struct condition old = f->condition;
	enum direction now = f->condition.direction;
	enum err err;

	f->first_us = r->t_us;
	if (now == *open) {
		if (now != DIRECTION_NONE)
			hold(j, slot, f, r);
		return (ERR_OK);
	}
	old.direction = *open;
	if (*open != DIRECTION_NONE &&
	    (err = clear_now(j, slot, &old, r)) != ERR_OK)
		return (err);
	*open = now;
	return (now == DIRECTION_NONE ? ERR_OK : raise_now(j, f, r));
}

static enum err
judge_rate(struct judge *j, const struct reading *r)
{
	struct series_state *st = j->state;
	double limit = j->series->max_rate_per_min, rate;
	struct finding f;

	if (isnan(limit) || st->last_us == INSTANT_NONE)
		return (ERR_OK);
	rate = rate_per_min(st->last_value, st->last_us, r->value, r->t_us);
	finding_init(&f, j->series, ANOMALY_RATE, rate_judge(limit, rate));
	f.limit = limit;
	finding_fact(&f, "rate_per_min", rate);
	return (turn(j, SLOT_RATE, &f, &st->rate, r));
}

static enum err
judge_outlier(struct judge *j, const struct reading *r)
{
	struct series_state *st = j->state;
	struct outlier_stats stats;
	enum direction direction;
	struct finding f;
	double k = j->series->outlier_k;

	if (!(k > 0))
		return (ERR_OK);
	if (!j->have_window)
		outlier_window_init(&j->window, st);
	j->have_window = true;
	direction = outlier_judge(k, &j->window, r->value, &stats);
	outlier_remember(st, &j->window, r->value);
	finding_init(&f, j->series, ANOMALY_OUTLIER, direction);
	if (direction == DIRECTION_LOW)
		k = -k;
	f.limit = stats.median + k * stats.sigma;
	finding_fact(&f, "median", stats.median);
	finding_fact(&f, "sigma", stats.sigma);
	return (turn(j, SLOT_OUTLIER, &f, &st->outlier, r));
}

static enum err
judge_flatline(struct judge *j, const struct reading *r)
{
	struct series_state *st = j->state;
	int64_t span = j->series->flatline_us;
	struct finding f;
	bool was = st->flat;

	if (span <= 0) {
		st->flat_since_us = INSTANT_NONE; /* nobody is counting */
		return (ERR_OK);
	}
	st->flat = flatline_judge(span, st, r->value, r->t_us);
	if (!was && !st->flat)
		return (ERR_OK);
	finding_init(&f, j->series, ANOMALY_FLATLINE, DIRECTION_NONE);
	f.first_us = st->flat_since_us;
	f.limit = r->value;
	finding_fact(&f, "span_s", (double)span / (double)US_PER_SECOND);
	finding_fact(&f, "same_for_s",
	    (double)(r->t_us - f.first_us) / (double)US_PER_SECOND);
	if (!st->flat)
		return (clear_now(j, SLOT_FLATLINE, &f.condition, r));
	if (!was)
		return (raise_now(j, &f, r));
	hold(j, SLOT_FLATLINE, &f, r);
	return (ERR_OK);
}

static void
find_unusual(struct finding *f, const struct judge *j, const struct reading *r)
{
	const struct unusual_open *o = &j->watched->open;
	const struct watch_verdict *v = &j->seen;

	finding_init(f, j->series, ANOMALY_UNUSUAL, o->direction);
	f->condition.severity = o->severity;
	f->first_us = o->since_us;
	f->limit = v->reason.expected +
	    copysign(v->reason.band, watch_off(&v->reason, r->value));
	(void)snprintf(f->rule_id, sizeof(f->rule_id), "unusual:%s",
	    watch_rule_name(o->rule));
}

/* Where anything else is open, be it of people's rules or a leak, that one
 * tells of it. */
static enum err
raise_unusual(struct judge *j, struct finding *f, const struct reading *r)
{
	const struct decisions_port *d = &j->a->ports->decisions;
	bool told;
	enum err err =
	    d->anomaly_told(d->self, j->series->id, r->t_us, &told, j->a->info);

	if (err != ERR_OK)
		return (err);
	if (!told)
		return (raise_now(j, f, r));
	unusual_withdraw(j->watched);
	return (ERR_OK);
}

static enum err
judge_unusual(struct judge *j, const struct reading *r)
{
	enum verdict v = j->looked
	    ? unusual_decide(j->watched, j->series, j->state, r, &j->seen)
	    : VERDICT_NORMAL;
	struct finding f;

	if (v == VERDICT_NORMAL)
		return (ERR_OK);
	find_unusual(&f, j, r);
	if (v == VERDICT_CLEAR)
		return (clear_now(j, SLOT_UNUSUAL, &f.condition, r));
	if (v == VERDICT_RAISE)
		return (raise_unusual(j, &f, r));
	hold(j, SLOT_UNUSUAL, &f, r);
	return (ERR_OK);
}

static enum err
clear_heard(struct judge *j, const struct reading *r, enum anomaly_type type,
    enum severity severity)
{
	struct condition c = {j->series->id, type, DIRECTION_NONE, severity, 0};
	char facts[80];
	struct text t;

	text_init_fixed(&t, facts, sizeof(facts));
	json_object(&t, NULL);
	json_instant(&t, "heard", r->received_us);
	json_object_end(&t);
	return (finding_clear(j->a, &c, j->a->now_us, facts));
}

static enum err
end_silence(struct judge *j, const struct reading *r)
{
	enum err err = ERR_OK;

	if (j->state->silent)
		err = clear_heard(j, r, ANOMALY_SILENCE, SEVERITY_WARNING);
	j->state->silent = false;
	if (err != ERR_OK || j->watched == NULL ||
	    !unusual_heard(j->a->unusual, j->watched))
		return (err);
	j->outage = true;
	return (clear_heard(j, r, ANOMALY_UNUSUAL, j->watched->open.severity));
}

/* An outage that was told of teaches nothing, unless it is so often that it
 * has become usual: then whoever was away within it has listened since, or it
 * had not been told. And none teaches more than what is told at. */
static void
learn_wait(struct judge *j, int64_t from_us, const struct reading *r)
{
	int64_t wait, most = j->silence_us;
	bool outage = j->outage;

	j->outage = false;
	if (from_us == INSTANT_NONE ||
	    (outage ? !unusual_misses_often(j->watched)
		    : from_us < j->a->steady_us))
		return;
	wait = r->received_us - from_us;
	silence_waited(j->state, most > 0 && wait > most ? most : wait);
}

static enum err
hear_late(struct judge *j, const struct reading *r)
{
	int64_t from_us = j->state->heard_us;
	enum err err;

	if (!silence_heard_late(
		j->silence_us, j->state, r->t_us, r->received_us))
		return (ERR_OK);
	err = end_silence(j, r);
	learn_wait(j, from_us, r);
	return (err);
}

static enum err
judge_reading(struct judge *j, const struct reading *r)
{
	const struct series *s = j->series;
	enum err err;
	size_t i;

	j->looked = false;
	if ((err = end_silence(j, r)) != ERR_OK || !isfinite(r->value))
		return (err);
	j->looked = j->watched != NULL &&
	    unusual_look(j->a->unusual, j->watched, r, &j->seen);
	j->a->judged += j->looked;
	for (i = 0; i < s->nthresholds; i++) {
		if ((err = judge_level(j, &s->thresholds[i], r)) != ERR_OK)
			return (err);
	}
	if ((err = judge_rate(j, r)) == ERR_OK &&
	    (err = judge_flatline(j, r)) == ERR_OK &&
	    (err = judge_outlier(j, r)) == ERR_OK)
		err = judge_unusual(j, r);
	return (err);
}

enum err
analyze_readings(struct analysis *a, const struct series *s,
    struct series_state *st, const struct reading *r, size_t n)
{
	struct judge j = {.a = a, .series = s, .state = st};
	enum err err;
	size_t slot;

	if (a->unusual != NULL && unusual_judges(a->unusual, s))
		j.watched = unusual_find(a->unusual, s->id);
	if (s != NULL && s->silence_us > 0)
		j.silence_us = s->silence_us;
	else if (a->unusual != NULL)
		j.silence_us = unusual_silence(a->unusual, s, st);
	for (; n > 0; r++, n--) {
		if (r->t_us <= st->last_us) {
			if (s != NULL && (err = hear_late(&j, r)) != ERR_OK)
				return (err);
			continue;
		}
		if (s != NULL && (err = judge_reading(&j, r)) != ERR_OK)
			return (err);
		learn_wait(&j, st->heard_us, r);
		silence_heard(j.silence_us, st, r->t_us, r->received_us);
		st->last_us = r->t_us;
		st->last_value = r->value;
	}
	for (slot = 0; slot < SLOT_COUNT; slot++) {
		if ((err = flush(&j, slot)) != ERR_OK)
			return (err);
	}
	return (ERR_OK);
}

static bool
has_level(const struct series *s, size_t slot)
{
	size_t i;

	for (i = 0; i < s->nthresholds; i++) {
		if (series_state_level(s->thresholds[i].direction,
			s->thresholds[i].severity) == slot)
			return (true);
	}
	return (false);
}

static enum err
clear_ruleless(struct analysis *a, const struct finding *f)
{
	return (finding_clear(a, &f->condition, a->now_us,
	    "{\"reason\":\"the rule was removed\"}"));
}

static enum err
sweep_level(struct analysis *a, const struct series *s, struct series_state *st,
    size_t slot, bool *ret_changed)
{
	struct level_state *level = &st->levels[slot];
	bool open = threshold_is_open(level);
	struct finding f;

	if (level->phase == LEVEL_NORMAL || has_level(s, slot))
		return (ERR_OK);
	*level = (struct level_state){LEVEL_NORMAL, INSTANT_NONE};
	*ret_changed = true;
	if (!open)
		return (ERR_OK);
	finding_init(&f, s, ANOMALY_THRESHOLD,
	    slot < LEVEL_SLOTS / 2 ? DIRECTION_HIGH : DIRECTION_LOW);
	f.condition.severity = (enum severity)(slot % (LEVEL_SLOTS / 2));
	return (clear_ruleless(a, &f));
}

/* The rules with one condition each: is it open, and is there still a rule. */
static enum err
sweep_others(struct analysis *a, const struct series *s,
    struct series_state *st, bool *ret_changed)
{
	const struct {
		enum anomaly_type type;
		enum direction direction;
		bool stale;
	} rules[] = {
	    {ANOMALY_RATE, st->rate,
		st->rate != DIRECTION_NONE && isnan(s->max_rate_per_min)},
	    {ANOMALY_OUTLIER, st->outlier,
		st->outlier != DIRECTION_NONE && !(s->outlier_k > 0)},
	    {ANOMALY_FLATLINE, DIRECTION_NONE, st->flat && s->flatline_us <= 0},
	    {ANOMALY_SILENCE, DIRECTION_NONE, st->silent && s->silence_us <= 0},
	};
	struct finding f;
	enum err err;
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!rules[i].stale)
			continue;
		finding_init(&f, s, rules[i].type, rules[i].direction);
		if ((err = clear_ruleless(a, &f)) != ERR_OK)
			return (err);
		*ret_changed = true;
	}
	if (isnan(s->max_rate_per_min))
		st->rate = DIRECTION_NONE;
	if (!(s->outlier_k > 0))
		st->outlier = DIRECTION_NONE;
	st->flat = st->flat && s->flatline_us > 0;
	st->silent = st->silent && s->silence_us > 0;
	return (ERR_OK);
}

static enum err
sweep_silence(struct analysis *a, const struct series *s,
    struct series_state *st, bool *ret_changed)
{
	struct finding f;

	if (st->silent ||
	    !silence_judge(s->silence_us, st, a->awake_us, a->now_us))
		return (ERR_OK);
	finding_init(&f, s, ANOMALY_SILENCE, DIRECTION_NONE);
	f.first_us = st->heard_us;
	finding_fact(
	    &f, "silence_s", (double)s->silence_us / (double)US_PER_SECOND);
	finding_fact(&f, "unheard_for_s",
	    (double)(a->now_us - st->heard_us) / (double)US_PER_SECOND);
	st->silent = true;
	*ret_changed = true;
	return (finding_raise(a, s, st, &f, NULL));
}

enum err
analyze_sweep(struct analysis *a, const struct series *s,
    struct series_state *st, bool *ret_changed)
{
	enum err err;
	size_t slot;

	*ret_changed = false;
	for (slot = 0; slot < LEVEL_SLOTS; slot++) {
		err = sweep_level(a, s, st, slot, ret_changed);
		if (err != ERR_OK)
			return (err);
	}
	if ((err = sweep_others(a, s, st, ret_changed)) != ERR_OK)
		return (err);
	return (sweep_silence(a, s, st, ret_changed));
}
