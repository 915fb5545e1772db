#include "store/twin.h"

#include "core/instant.h"
#include "domain/rollup.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct twin *
twin_new(int64_t now_us, uint64_t seed)
{
	struct twin *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return (NULL);
	t->now_us = now_us;
	t->random = seed != 0 ? seed : 1;
	t->knowledge.version = 1;
	t->watches = twin_table(t, TWIN_SERIES, sizeof(*t->watches));
	t->findings = twin_table(t, TWIN_FINDINGS, sizeof(*t->findings));
	twin_alarms_init(t);
	t->series = twin_table(t, TWIN_SERIES, sizeof(*t->series));
	t->anomalies = twin_table(t, TWIN_ANOMALIES, sizeof(*t->anomalies));
	t->plans = twin_table(t, TWIN_PLANS, sizeof(*t->plans));
	t->commands = twin_table(t, TWIN_COMMANDS, sizeof(*t->commands));
	t->nowhere.rollups =
	    twin_table(t, TWIN_ROLLUPS, sizeof(*t->nowhere.rollups));
	t->nowhere.newest_us = INSTANT_NONE;
	arena_init(&t->texts, (size_t)1 << 30);
	if (t->broken == ERR_OK)
		return (t);
	twin_free(t);
	return (NULL);
}

void
twin_free(struct twin *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->nseries; i++) {
		free(t->series[i].readings);
		free(t->series[i].rollups);
	}
	for (i = 0; i < t->nlog; i++)
		free(t->log[i].readings);
	free(t->nowhere.readings);
	free(t->nowhere.rollups);
	free(t->log);
	free(t->series);
	free(t->anomalies);
	free(t->plans);
	free(t->commands);
	free(t->transitions);
	free(t->findings);
	free(t->watches);
	free(t->undo);
	arena_done(&t->texts);
	free(t);
}

void
twin_violate(struct twin *t, const char *fmt, ...)
{
	va_list ap;

	if (t->violation[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(t->violation, sizeof(t->violation), fmt, ap);
	va_end(ap);
}

/* Counts the call and lets it fail if its number is up. */
enum err
twin_enter(struct twin *t, const char *what, bool writes, struct err_info *info)
{
	if (writes && !t->in_unit)
		twin_violate(t, "%s outside a unit of work", what);
	t->calls++;
	if (t->broken != ERR_OK)
		return (err_set(info, t->broken, NULL, "%s: no room", what));
	if (t->fault != TWIN_FAULT_NONE && t->calls >= t->fail_at &&
	    t->calls <= t->fail_at + t->fail_more)
		return (err_set(info, ERR_DATABASE, NULL, "fault at %s", what));
	return (ERR_OK);
}

static enum err
unit_begin(void *self, struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "begin", false, info);

	if (err != ERR_OK)
		return (err);
	if (t->in_unit)
		twin_violate(t, "begin inside a unit of work");
	t->in_unit = true;
	t->undo_len = 0;
	return (ERR_OK);
}

static enum err
unit_commit(void *self, struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "commit", true, info);

	if (err != ERR_OK && t->fault != TWIN_FAULT_LATE)
		return (err);
	t->in_unit = false;
	t->undo_len = 0;
	t->now_us += t->commit_takes_us;
	return (err);
}

static void
unit_rollback(void *self)
{
	twin_undo_all(self);
}

void
twin_log(struct twin *t, const struct reading *r, size_t n)
{
	struct twin_row *row;

	if (t->nlog == t->log_cap) {
		size_t cap = t->log_cap == 0 ? 1024 : 2 * t->log_cap;

		if ((row = twin_grow(t, t->log, cap * sizeof(*row))) == NULL)
			return;
		t->log = row;
		t->log_cap = cap;
	}
	row = &t->log[t->nlog];
	if ((row->readings = twin_table(t, n + 1, sizeof(*r))) == NULL)
		return;
	t->nlog++;
	memcpy(row->readings, r, n * sizeof(*r));
	row->n = n;
}

struct twin_series *
twin_find_series(struct twin *t, int32_t id)
{
	bool indexed = id >= 0 && id < TWIN_SERIES;
	struct twin_series *s;
	size_t i;

	if (indexed && t->series_at[id] != 0)
		return (&t->series[t->series_at[id] - 1]);
	for (i = 0; !indexed && i < t->nseries; i++) {
		if (t->series[i].id == id)
			return (&t->series[i]);
	}
	if (t->nseries == TWIN_SERIES)
		twin_break(t, ERR_DATABASE);
	s = &t->series[t->nseries];
	if (t->broken == ERR_OK)
		s->rollups = twin_table(t, TWIN_ROLLUPS, sizeof(*s->rollups));
	if (t->broken != ERR_OK)
		return (&t->nowhere);
	t->nseries++;
	if (indexed)
		t->series_at[id] = (uint16_t)t->nseries;
	s->id = id;
	s->newest_us = INSTANT_NONE;
	return (s);
}

static enum err
take(void *self, struct arena *a, size_t max, struct reading **ret,
    size_t *ret_n, bool *ret_more, struct err_info *info)
{
	struct twin *t = self;
	size_t i, n = 0, end;
	enum err err = twin_enter(t, "take", true, info);

	if (err != ERR_OK)
		return (err);
	for (end = t->log_head; end < t->nlog && n < max; end++)
		n += t->log[end].n;
	if ((*ret = twin_list(t, a, n, sizeof(**ret))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "take"));
	for (i = t->log_head, n = 0; i < end; n += t->log[i++].n)
		memcpy(
		    *ret + n, t->log[i].readings, t->log[i].n * sizeof(**ret));
	t->log_taken = end;
	*ret_n = n;
	*ret_more = end < t->nlog;
	return (ERR_OK);
}

static bool
is_stored(const struct twin_series *s, int64_t t_us)
{
	size_t i;

	for (i = 0; i < s->n && t_us <= s->newest_us; i++) {
		if (s->readings[i].t_us == t_us)
			return (true);
	}
	return (false);
}

static enum err
known(void *self, const struct reading *q, size_t n, bool *ret,
    struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "known", false, info);
	size_t i;

	for (i = 0; err == ERR_OK && i < n; i++)
		ret[i] = is_stored(twin_find_series(t, q[i].series), q[i].t_us);
	return (err);
}

/* Rolling back only lowers n: the readings may move. */
static bool
make_room(struct twin *t, struct twin_series *s)
{
	size_t cap = s->cap == 0 ? 1024 : 2 * s->cap;
	struct reading *r;

	if (s->n < s->cap)
		return (true);
	if ((r = twin_grow(t, s->readings, cap * sizeof(*r))) == NULL)
		return (false);
	s->readings = r;
	s->cap = cap;
	return (true);
}

static enum err
store_segment(struct twin *t, const struct segment *g, struct err_info *info)
{
	struct twin_series *s = twin_find_series(t, g->series);
	int64_t day = instant_floor(g->readings[0].t_us, US_PER_DAY);
	const struct reading *r;
	size_t i;

	twin_touch(t, &s->n, sizeof(s->n));
	twin_touch(t, &s->newest_us, sizeof(s->newest_us));
	for (i = 0; i < g->n; i++) {
		r = &g->readings[i];
		if (r->series != g->series ||
		    instant_floor(r->t_us, US_PER_DAY) != day ||
		    (i > 0 && r[-1].t_us >= r->t_us))
			twin_violate(
			    t, "a segment of series %d is not one", g->series);
		if (is_stored(s, r->t_us))
			return (err_set(info, ERR_DATABASE, NULL,
			    "series %d: duplicate key", g->series));
		if (!make_room(t, s))
			return (err_set(info, ERR_NO_MEMORY, NULL, "readings"));
		s->readings[s->n++] = *r;
		if (r->t_us > s->newest_us)
			s->newest_us = r->t_us;
	}
	return (ERR_OK);
}

static bool
same_bucket(const struct rollup *a, const struct rollup *b)
{
	return (a->bucket_us == b->bucket_us && a->width_s == b->width_s);
}

static struct rollup *
find_rollup(struct twin *t, struct twin_series *s, const struct rollup *u)
{
	size_t *hint = &s->newest[u->width_s == 300 ? 0
		: u->width_s == 3600		    ? 1
						    : 2];
	const struct rollup *newest =
	    *hint < s->nrollups ? &s->rollups[*hint] : NULL;
	size_t i = s->nrollups;

	if (newest != NULL && same_bucket(newest, u))
		return (&s->rollups[*hint]);
	if (newest != NULL && newest->width_s == u->width_s &&
	    newest->bucket_us < u->bucket_us)
		i = 0;
	while (i-- > 0) {
		if (same_bucket(&s->rollups[i], u))
			return (&s->rollups[i]);
	}
	if (s->nrollups == TWIN_ROLLUPS) {
		twin_break(t, ERR_DATABASE);
		return (&s->rollups[0]);
	}
	twin_touch(t, &s->nrollups, sizeof(s->nrollups));
	i = s->nrollups++;
	if (newest == NULL || newest->width_s != u->width_s ||
	    newest->bucket_us < u->bucket_us) {
		twin_touch(t, hint, sizeof(*hint));
		*hint = i;
	}
	s->rollups[i] = *u;
	s->rollups[i].count = 0;
	return (&s->rollups[i]);
}

static void
store_rollup(struct twin *t, const struct rollup *u)
{
	struct twin_series *s = twin_find_series(t, u->series);
	struct rollup *old = find_rollup(t, s, u);

	twin_touch(t, old, sizeof(*old));
	if (old->count == 0) {
		*old = *u;
		return;
	}
	old->count += u->count;
	old->good += u->good;
	old->sum += u->sum;
	old->sumsq += u->sumsq;
	old->min = fmin(old->min, u->min);
	old->max = fmax(old->max, u->max);
	if (u->first_us < old->first_us) {
		old->first_us = u->first_us;
		old->first = u->first;
	}
	if (u->last_us > old->last_us) {
		old->last_us = u->last_us;
		old->last = u->last;
	}
}

static enum err
store(void *self, const struct merge *m, struct err_info *info)
{
	struct twin *t = self;
	struct twin_series *s;
	struct rollup wide;
	size_t i;
	enum err err = twin_enter(t, "store", true, info);

	for (i = 0; err == ERR_OK && i < m->nsegments; i++)
		err = store_segment(t, &m->segments[i], info);
	if (err != ERR_OK)
		return (err);
	for (i = 0; i < m->nrollups; i++)
		store_rollup(t, &m->rollups[i]);
	for (i = 0; i < m->nopen * ROLLUP_WIDTHS; i++) {
		wide = rollup_widen(&m->open[i / ROLLUP_WIDTHS],
		    rollup_widths_s[i % ROLLUP_WIDTHS]);
		store_rollup(t, &wide);
	}
	for (i = 0; i < m->nlatest; i++) {
		s = twin_find_series(t, m->latest[i].series);
		if (s->latest.series != 0 &&
		    s->latest.t_us >= m->latest[i].t_us)
			continue;
		twin_touch(t, &s->latest, sizeof(s->latest));
		s->latest = m->latest[i];
	}
	twin_touch(t, &t->log_head, sizeof(t->log_head));
	t->log_head = t->log_taken;
	return (ERR_OK);
}

static enum err
window(void *self, int32_t series, int64_t from_us, int64_t to_us,
    struct window_stats *ret, struct err_info *info)
{
	struct twin *t = self;
	struct twin_series *s = twin_find_series(t, series);
	struct window_stats w = {
	    .min = INFINITY, .max = -INFINITY, .first = NAN, .last = NAN};
	double off;
	enum err err = twin_enter(t, "window", false, info);
	const struct reading *r;

	if (err != ERR_OK)
		return (err);
	for (r = s->readings; r < s->readings + s->n; r++) {
		if (r->t_us < from_us || r->t_us >= to_us)
			continue;
		if (r->quality != QUALITY_GOOD) {
			w.bad++;
			continue;
		}
		if (w.count++ == 0)
			w.first = r->value;
		w.last = r->value;
		off = r->value - w.mean;
		w.mean += off / (double)w.count;
		w.variance += off * (r->value - w.mean);
		w.min = fmin(w.min, r->value);
		w.max = fmax(w.max, r->value);
	}
	w.variance = w.count < 2 ? NAN : w.variance / (double)(w.count - 1);
	if (w.count == 0)
		w.mean = w.min = w.max = NAN;
	*ret = w;
	return (ERR_OK);
}

static enum err
version(void *self, int64_t *ret, struct err_info *info)
{
	struct twin *t = self;

	*ret = t->knowledge.version;
	return (twin_enter(t, "version", false, info));
}

static enum err
load(void *self, struct arena *a, struct knowledge *ret, struct err_info *info)
{
	struct twin *t = self;

	(void)a;
	*ret = t->knowledge;
	return (twin_enter(t, "load", false, info));
}

static enum err
states_load(void *self, const int32_t *ids, size_t n, struct series_state *ret,
    struct err_info *info)
{
	struct twin *t = self;
	const struct twin_series *s;
	enum err err = twin_enter(t, "states_load", false, info);
	size_t i;

	for (i = 0; err == ERR_OK && i < n; i++) {
		if (i > 0 && ids[i - 1] >= ids[i])
			twin_violate(t, "states_load: ids do not rise");
		s = twin_find_series(t, ids[i]);
		if (!series_state_decode(
			&ret[i], ids[i], s->state, s->state_len))
			series_state_init(&ret[i], ids[i]);
	}
	return (err);
}

static enum err
states_save(void *self, const struct series_state *states, size_t n,
    struct err_info *info)
{
	struct twin *t = self;
	struct twin_series *s;
	enum err err = twin_enter(t, "states_save", true, info);
	size_t i;

	for (i = 0; err == ERR_OK && i < n; i++) {
		s = twin_find_series(t, states[i].series);
		twin_touch(t, s->state, sizeof(s->state));
		twin_touch(t, &s->state_len, sizeof(s->state_len));
		s->state_len = series_state_encode(&states[i], s->state);
	}
	return (err);
}

static enum err
paused(void *self, bool *ret, struct err_info *info)
{
	struct twin *t = self;

	*ret = t->paused;
	return (twin_enter(t, "paused", false, info));
}

static enum err
emergency(void *self, bool *ret, struct err_info *info)
{
	struct twin *t = self;

	*ret = t->emergency;
	return (twin_enter(t, "emergency", false, info));
}

static enum err
report(void *self, const char *system_state, const char *figures_json,
    struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "report", false, info);

	if (err != ERR_OK)
		return (err);
	if (figures_json[0] != '{')
		twin_violate(t, "figures are no object");
	(void)snprintf(
	    t->system_state, sizeof(t->system_state), "%s", system_state);
	t->reports++;
	return (ERR_OK);
}

static int64_t
now_us(void *self)
{
	struct twin *t = self;

	return (t->now_us);
}

static void
fill(void *self, void *buf, size_t len)
{
	struct twin *t = self;
	unsigned char *p = buf;

	while (len-- > 0) {
		t->random ^= t->random << 13;
		t->random ^= t->random >> 7;
		t->random ^= t->random << 17;
		*p++ = (unsigned char)(t->random >> 32);
	}
}

static void
notify(void *self, const char *what, int64_t id, const char *detail_json)
{
	struct twin *t = self;

	if (what[0] == '\0' || id <= 0 || detail_json[0] != '{')
		twin_violate(t, "notify %s %lld", what, (long long)id);
	t->notes++;
}

void
twin_ports(struct twin *t, struct ports *ret)
{
	*ret = (struct ports){
	    .clock = {t, now_us},
	    .entropy = {t, fill},
	    .telemetry = {t, take, known, store, window, NULL, NULL, NULL},
	    .knowledge = {.self = t,
		.version = version,
		.load = load,
		.states_load = states_load,
		.states_save = states_save,
		.paused = paused,
		.emergency = emergency,
		.report = report},
	    .decisions = {.self = t,
		.begin = unit_begin,
		.commit = unit_commit,
		.rollback = unit_rollback},
	    .notifier = {t, notify},
	};
	twin_rules(ret);
	twin_watches(ret);
	twin_decisions(t, ret);
}
