#include "mape/leaks.h"

#include "core/text.h"
#include "domain/anomaly.h"
#include "model/leak.h"
#include "model/leak_around.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX    ((size_t)64 << 20)
#define EVIDENCE_MAX 16384
#define HOURS_A_DAY  24
#define AROUND_MOST  128
#define METERS_MOST  20 /* that are told of each by itself */
/* What is left of a leak, of its largest, when it counts as mended. */
#define MENDED 0.35
/* Two onsets nearer than this are one leak's: its shape moves the estimate. */
#define SAME_US (2 * US_PER_DAY)

/* What a meter has to do with it; NAN: not known. */
struct share {
	const struct leak_witness *meter;
	struct leak_part part;
};

struct walk {
	struct leaks *leaks;
	const struct ports *ports;
	const struct leak_port *port;
	const struct leak_area *area;
	int64_t version;
	struct err_info *info;
	struct leak model;
	struct leak_open open;
	struct leak_open was; /* judged anew: what was open, till it is found */
	struct night_flow *nights;
	size_t nnights;
	int64_t last; /* hour of the wall that was judged */
	int64_t last_us;
	bool told;    /* an anomaly is open */
	bool goes_on; /* it is judged from where it was, not anew */
	bool changed; /* the evidence is not what was told */
	struct leak_around around;
	const struct leak_witness *fell; /* NULL: no pressure */
	struct leak_change fall;
	struct share *shares; /* of the area's meters, the largest first */
	size_t nshares;
};

void
leaks_init(struct leaks *l)
{
	*l = (struct leaks){0};
	arena_init(&l->arena, ARENA_MAX);
	arena_init(&l->around, ARENA_MAX);
}

void
leaks_done(struct leaks *l)
{
	arena_done(&l->arena);
	arena_done(&l->around);
}

static struct condition
condition(const struct walk *w)
{
	return ((struct condition){
	    w->area->lead, ANOMALY_LEAK, DIRECTION_HIGH, SEVERITY_WARNING, 0});
}

static void
weigh(struct walk *w, const struct leak_look *look, size_t onset)
{
	struct leak_change pressures[AROUND_MOST] = {0};
	struct leak_change neighbours[AROUND_MOST] = {0};
	const struct leak_witness *names[AROUND_MOST];
	size_t i, np = 0, nn = 0;

	for (i = 0; i < look->nlist; i++) {
		const struct leak_witness *x = &look->list[i];

		if (x->kind == LEAK_PRESSURE && np < AROUND_MOST) {
			names[np] = x;
			pressures[np++] = leak_change(x->x, look->n, onset);
		} else if (x->kind == LEAK_NEIGHBOUR && nn < AROUND_MOST)
			neighbours[nn++] = leak_change(x->x, look->n, onset);
	}
	w->around = leak_weigh(
	    w->open.size, w->open.confidence, pressures, np, neighbours, nn);
	if (w->around.lowest >= np)
		return;
	w->fell = names[w->around.lowest];
	w->fall = pressures[w->around.lowest];
}

static int
by_share(const void *x, const void *y)
{
	const struct share *a = x, *b = y;

	if (a->part.share > b->part.share || a->part.share < b->part.share)
		return (a->part.share > b->part.share ? -1 : 1);
	return ((a->meter > b->meter) - (a->meter < b->meter));
}

static bool
share_out(struct walk *w, const struct leak_look *look, size_t onset)
{
	struct arena *arena = &w->leaks->around;
	const size_t most = look->nlist + 1;
	const double **x = arena_alloc(arena, most * sizeof(*x));
	struct leak_part *parts = arena_alloc(arena, most * sizeof(*parts));
	struct leak_hours hours = {.n = look->n,
	    .onset = onset,
	    .wall = w->open.growth ? look->wall : NULL};
	size_t i;

	w->shares = arena_calloc(arena, most, sizeof(*w->shares));
	if (x == NULL || parts == NULL || w->shares == NULL)
		return (false);
	for (i = 0; i < look->nlist; i++)
		if (look->list[i].kind == LEAK_METER) {
			w->shares[w->nshares].meter = &look->list[i];
			x[w->nshares++] = look->list[i].x;
		}
	hours.x = x;
	hours.meters = w->nshares;
	if (!leak_parts(&hours, parts))
		for (i = 0; i < w->nshares; i++)
			parts[i] = (struct leak_part){
			    NAN, NAN, w->nshares == 1 ? 1 : NAN};
	for (i = 0; i < w->nshares; i++)
		w->shares[i].part = parts[i];
	qsort(w->shares, w->nshares, sizeof(*w->shares), by_share);
	return (true);
}

/* What growth brings has no hour that others could tell of. */
static enum err
look_around(struct walk *w)
{
	const struct leak_open *o = &w->open;
	const int64_t onset = instant_floor(o->since_us, US_PER_HOUR);
	const int64_t before =
	    o->growth ? LEAK_GROWTH_BEFORE : LEAK_AROUND_BEFORE;
	const int64_t after = o->growth ? LEAK_GROWTH_AFTER : LEAK_AROUND_AFTER;
	struct leak_look look = {.from_us = onset - before * US_PER_HOUR,
	    .alone = w->area->zone == NULL || o->growth};
	int64_t hours = (w->last_us - onset) / US_PER_HOUR;
	enum err err;

	w->around = (struct leak_around){LEAK_PLAIN, o->confidence, SIZE_MAX};
	w->fell = NULL;
	w->nshares = 0;
	hours = hours < 0 ? 0 : hours > after ? after : hours;
	look.n = (size_t)(hours + before);
	err = w->port->witnesses(
	    w->port->self, &w->leaks->around, w->area, &look, w->info);
	if (err != ERR_OK)
		return (err);
	if (!look.alone && hours > 0)
		weigh(w, &look, (size_t)before);
	return (share_out(w, &look, (size_t)before)
		? ERR_OK
		: err_set(w->info, ERR_NO_MEMORY, NULL, "too many meters"));
}

static void
known(struct text *t, const char *key, double v)
{
	if (!isnan(v))
		json_double(t, key, v);
}

static void
write_shares(struct text *t, const struct walk *w)
{
	double rest = 0;
	size_t i;

	json_array(t, "contributions");
	for (i = 0; i < w->nshares; i++) {
		const struct share *s = &w->shares[i];

		if (i >= METERS_MOST) {
			rest += s->part.share;
			continue;
		}
		json_object(t, NULL);
		json_string(t, "node", s->meter->name);
		json_string(t, "metric", s->meter->metric);
		known(t, "share", s->part.share);
		known(t, "before", s->part.before);
		known(t, "after", s->part.after);
		json_object_end(t);
	}
	json_array_end(t);
	if (w->nshares > METERS_MOST)
		known(t, "share_of_others", rest);
}

/* What the area's meters let expect, and what they told. */
static void
write_expected(struct text *t, const struct walk *w)
{
	double before = 0, after = 0;
	size_t i;

	for (i = 0; i < w->nshares; i++) {
		before += w->shares[i].part.before;
		after += w->shares[i].part.after;
	}
	if (w->nshares > 0) {
		known(t, "expected", before);
		known(t, "value", after);
	}
	known(t, "band", w->open.band);
	write_shares(t, w);
}

static const char *
evidence(const struct walk *w, const char *rule)
{
	const struct leak_open *o = &w->open;
	char buf[EVIDENCE_MAX];
	struct text t;

	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "rule", rule);
	json_string(&t, "kind", o->growth ? "growth" : "step");
	json_string(&t, "unit", "m3/h");
	json_instant(&t, "since", o->since_us);
	json_double(&t, "size", o->size);
	json_double(&t, "night_flow", o->night);
	json_double(&t, "usual_night_flow", o->usual);
	json_double(&t, "volume_m3", o->volume);
	json_double(&t, "confidence", w->around.confidence);
	write_expected(&t, w);
	if (w->fell != NULL) {
		json_string(&t, "pressure_node", w->fell->name);
		json_double(&t, "pressure_change", w->fall.change);
	}
	if (leak_looks_name(w->around.looks) != NULL)
		json_string(&t, "looks_like", leak_looks_name(w->around.looks));
	if (w->area->zone != NULL)
		json_string(&t, "zone", w->area->zone);
	json_raw(&t, "meters", w->area->meters, strlen(w->area->meters));
	json_object_end(&t);
	return (
	    text_ok(&t) ? arena_strndup(&w->leaks->arena, buf, t.len) : NULL);
}

static enum err
tell(struct walk *w)
{
	const struct decisions_port *d = &w->ports->decisions;
	const struct notifier_port *notifier = &w->ports->notifier;
	const char *rule = w->open.growth ? "leak:growth" : "leak:step";
	struct anomaly an = {
	    .condition = condition(w),
	    .rule_id = rule,
	    .first_us = w->open.since_us,
	    .last_us = w->last_us,
	    .value = w->open.night,
	    .limit = w->open.usual,
	    .knowledge_version = w->version,
	};
	int64_t id;
	bool new;
	enum err err;

	if ((err = look_around(w)) != ERR_OK)
		return (err);
	an.evidence = evidence(w, rule);
	w->fell = NULL;
	w->nshares = 0;
	arena_reset(&w->leaks->around);
	if (an.evidence == NULL)
		return (err_set(w->info, ERR_NO_MEMORY, NULL,
		    "no room for a leak's evidence"));
	err = d->anomaly_raise(d->self, &an, &id, &new, w->info);
	if (err != ERR_OK || !new)
		return (err);
	w->leaks->raised++;
	notifier->notify(notifier->self, "anomaly_opened", id, an.evidence);
	return (ERR_OK);
}

/* What began and ended among hours that came at once is told all the same, but
 * in history, of which all is judged. */
static enum err
tell_ended(struct walk *w)
{
	enum err err;

	if (w->told || !w->goes_on)
		return (ERR_OK);
	w->open.size = w->open.largest;
	err = tell(w);
	w->told = err == ERR_OK;
	return (err);
}

/* What is told and mended is cleared, what is mended before it was told, never
 * was. */
static enum err
mend(struct walk *w, int64_t at_us)
{
	const struct decisions_port *d = &w->ports->decisions;
	const struct fsm_row *row =
	    fsm_find(&anomaly_fsm, ANOMALY_OPEN, ANOMALY_CLEAR);
	const struct condition c = condition(w);
	char facts[128];
	struct text t;
	enum err err = tell_ended(w);

	if (err != ERR_OK)
		return (err);
	text_init_fixed(&t, facts, sizeof(facts));
	json_object(&t, NULL);
	json_instant(&t, "ts", at_us);
	json_double(&t, "volume_m3", w->open.volume);
	json_object_end(&t);
	w->open = (struct leak_open){.since_us = INSTANT_NONE};
	w->changed = false;
	if (!w->told)
		return (ERR_OK);
	w->told = false;
	w->leaks->cleared++;
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

static bool
near(int64_t a_us, int64_t b_us)
{
	return (a_us - b_us < SAME_US && b_us - a_us < SAME_US);
}

/* Judged again, it is found again: not news. */
static bool
is_known(const struct walk *w, int64_t since_us)
{
	size_t i;

	for (i = 0; i < w->area->nended; i++)
		if (near(w->area->ended[i], since_us))
			return (true);
	return (w->open.since_us != INSTANT_NONE &&
	    near(w->open.since_us, since_us));
}

static void
grow(struct walk *w, const struct leak_alarm *a)
{
	int64_t since = w->port->instant(w->port->self, a->onset);
	struct leak_open *o = &w->open;

	if (is_known(w, since))
		return;
	if (w->was.since_us != INSTANT_NONE) {
		if (!near(w->was.since_us, since))
			return;
		since = w->was.since_us;
		w->was.since_us = INSTANT_NONE;
	}
	if (o->since_us == INSTANT_NONE)
		*o = (struct leak_open){.since_us = since,
		    .growth = a->kind == LEAK_GROWTH,
		    .night = a->night,
		    .usual = a->usual,
		    .band = a->limit};
	o->size += a->size;
	o->fresh = a->kind == LEAK_STEP ? a->size : 0;
	o->largest = fmax(o->largest, o->size);
	o->volume += a->volume;
	o->confidence = fmax(o->confidence, a->confidence);
	w->changed = true;
}

/* Its true size is known a day later; that of a repair is below 0. */
static enum err
settle(struct walk *w, const struct leak_alarm *a, int64_t at_us)
{
	struct leak_open *o = &w->open;
	const double more = a->size - o->fresh;
	const bool own = o->fresh > 0;

	if (o->since_us == INSTANT_NONE || (a->size > 0 && !own) ||
	    w->port->instant(w->port->self, a->onset) <
		o->since_us - US_PER_DAY)
		return (ERR_OK);
	o->fresh = 0;
	o->size += more;
	o->volume =
	    fmax(0, o->volume + more * (double)(w->model.seen - a->onset));
	w->changed = true;
	if (o->size <= MENDED * o->largest)
		return (mend(w, at_us));
	if (own)
		o->largest = o->size;
	return (ERR_OK);
}

static void
keep_night(struct walk *w, int64_t hour)
{
	const int64_t morning = leak_morning(hour);
	struct night_flow *n = &w->nights[w->nnights];

	if (w->last >= morning ||
	    !leak_night(&w->model, hour, &n->least, &n->mean))
		return;
	n->day = (int32_t)(morning / HOURS_A_DAY);
	w->nnights++;
	if (w->open.since_us == INSTANT_NONE)
		return;
	w->open.night = n->mean;
	w->changed = true;
}

static enum err
hour(struct walk *w, size_t i)
{
	const int64_t wall = w->area->wall[i];
	const int64_t end_us =
	    w->area->from_us + ((int64_t)i + 1) * US_PER_HOUR;
	struct leak_alarm a;

	/* The hour that comes twice as clocks go back counts once. */
	if (isnan(w->area->inflow[i]) ||
	    (w->model.started && wall <= w->model.seen))
		return (ERR_OK);
	if (w->open.since_us != INSTANT_NONE && w->model.started &&
	    end_us > w->open.since_us)
		w->open.volume += w->open.size * (double)(wall - w->last);
	w->last_us = end_us;
	if (leak_hour(&w->model, wall, w->area->inflow[i], &a)) {
		if (a.kind != LEAK_SETTLED)
			grow(w, &a);
		else if (settle(w, &a, end_us) != ERR_OK)
			return (w->info->code);
	}
	keep_night(w, wall);
	w->last = wall;
	return (ERR_OK);
}

static bool
begin(struct walk *w)
{
	const struct leak_area *a = w->area;
	const size_t days = a->n / (HOURS_A_DAY - 1) + 2;

	w->open = a->open;
	w->told = a->open.since_us != INSTANT_NONE;
	w->changed = false;
	w->nnights = 0;
	w->nights = arena_alloc(&w->leaks->arena, days * sizeof(*w->nights));
	w->was.since_us = INSTANT_NONE;
	w->goes_on = true;
	if (!leak_unpack(&w->model, a->state, a->state_len)) {
		leak_init(&w->model);
		w->was = a->open;
		w->open = (struct leak_open){.since_us = INSTANT_NONE};
		w->goes_on = false;
	} else if (a->dismissed)
		leak_dismiss(&w->model);
	w->last = w->model.started ? w->model.seen : INT64_MIN;
	w->last_us = a->from_us;
	return (w->nights != NULL);
}

/* What was open began before the hours that are left, or is found no more: it
 * lasts until it is mended. */
static void
carry_on(struct walk *w)
{
	if (w->was.since_us == INSTANT_NONE)
		return;
	w->open = w->was;
	w->open.volume = w->open.size *
	    fmax(0, (double)((w->last_us - w->open.since_us) / US_PER_HOUR));
	w->changed = true;
}

static enum err
area(struct walk *w)
{
	unsigned char *state = arena_alloc(&w->leaks->arena, LEAK_BYTES);
	enum err err = ERR_OK;
	size_t i;

	if (state == NULL || !begin(w))
		return (err_set(
		    w->info, ERR_NO_MEMORY, NULL, "too many areas at once"));
	for (i = 0; err == ERR_OK && i < w->area->n; i++)
		err = hour(w, i);
	carry_on(w);
	if (err == ERR_OK && w->changed && w->open.since_us != INSTANT_NONE)
		err = tell(w);
	if (err != ERR_OK)
		return (err);
	leak_pack(&w->model, state);
	return (w->port->save(w->port->self, w->area,
	    &(struct leak_result){
		.state = state,
		.state_len = LEAK_BYTES,
		.open = w->open,
		.nights = w->nights,
		.nnights = w->nnights,
	    },
	    w->info));
}

static enum err
areas(struct walk *w)
{
	const struct clock_port *clock = &w->ports->clock;
	const int64_t now = clock->now_us(clock->self);
	struct leak_area *list;
	size_t i, n;
	enum err err;

	err = w->port->take(w->port->self, &w->leaks->arena,
	    instant_floor(now - LEAKS_LAG_US, US_PER_HOUR),
	    instant_floor(now - LEAKS_BACK_US, US_PER_HOUR), &list, &n,
	    w->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		w->area = &list[i];
		err = area(w);
		w->leaks->areas++;
	}
	return (err);
}

enum err
leaks_judge(struct leaks *l, const struct ports *ports,
    const struct leak_port *port, int64_t knowledge_version,
    struct err_info *info)
{
	const struct decisions_port *d = &ports->decisions;
	struct walk w = {.leaks = l,
	    .ports = ports,
	    .port = port,
	    .version = knowledge_version,
	    .info = info};
	enum err err;

	l->raised = l->cleared = l->areas = 0;
	if ((err = d->begin(d->self, info)) == ERR_OK)
		err = areas(&w);
	if (err == ERR_OK)
		err = d->commit(d->self, info);
	if (err != ERR_OK)
		d->rollback(d->self);
	arena_reset(&l->arena);
	arena_reset(&l->around);
	return (err);
}
