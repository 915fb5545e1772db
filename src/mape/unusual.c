#include "mape/unusual.h"

#include "model/silence.h"
#include "model/threshold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDE	     2	  /* bands: what lies beyond is no calm reading */
#define MISSED_OFTEN 3	  /* each within a fortnight of the one before */
#define MISSED	     5000 /* ten-thousandths: a score as of what is certain */

static enum err
no_memory(struct err_info *info)
{
	return (err_set(
	    info, ERR_NO_MEMORY, NULL, "no room for how series usually go"));
}

void
unusual_done(struct unusual *u)
{
	size_t i;

	for (i = 0; i < u->n; i++)
		free(u->w[i]);
	free(u->w);
	free(u->moved);
	u->w = u->moved = NULL;
	u->n = u->nmoved = 0;
	u->swept = 0;
	agenda_done(&u->unheard);
	u->listed = false;
}

void
unusual_share(struct unusual *u, const struct knowledge *k)
{
	size_t i, n = 0;

	for (i = 0; i < k->nseries; i++)
		n += unusual_judges(u, &k->series[i]);
	u->share = fmin(u->a_week / (double)(n > 0 ? n : 1), 1);
	u->swept = 0;
	u->listed = false;
}

bool
unusual_judges(const struct unusual *u, const struct series *s)
{
	return (u->a_week > 0 && s != NULL && s->kind == SERIES_INSTANT &&
	    !s->unwatched);
}

/* --- kept and found again -------------------------------------------------- */

static size_t
lower_bound(const struct unusual *u, int32_t series)
{
	size_t lo = 0, hi = u->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (u->w[mid]->series < series)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

struct watched *
unusual_find(const struct unusual *u, int32_t series)
{
	size_t at = lower_bound(u, series);

	return (at < u->n && u->w[at]->series == series ? u->w[at] : NULL);
}

static size_t
tail_length(const struct watched *w)
{
	return ((size_t)(w->state.seen - w->kept));
}

static void
take_in(struct unusual_state *s, const struct unusual_reading *r, double a_week,
    struct watch_verdict *v)
{
	if (s->seen == 0)
		s->first_us = r->t_us;
	watch_judge(&s->watch, r->value, r->t_us, a_week, v);
	s->seen++;
}

_Static_assert(WATCH_RULES <= 16, "a rule has four bits in what is stored");

static void
open_read(struct unusual_open *o, const struct watch_row *row)
{
	*o = (struct unusual_open){
	    .is = (row->open & 1) != 0,
	    .direction = (enum direction)(row->open >> 1 & 3),
	    .severity = (enum severity)(row->open >> 3 & 3),
	    .rule = (enum watch_rule)(row->open >> 5 & 15),
	    .score = row->open >> 9,
	    .calm = row->calm,
	    .since_us = row->since_us,
	};
}

static int32_t
open_code(const struct unusual_open *o)
{
	return ((int32_t)o->is | (int32_t)o->direction << 1 |
	    (int32_t)o->severity << 3 | (int32_t)o->rule << 5 | o->score << 9);
}

static bool
fits(const struct watch_row *row)
{
	size_t each = sizeof(struct unusual_reading);

	return (row->version == UNUSUAL_VERSION &&
	    (row->len == 0 || row->len == sizeof(struct unusual_state)) &&
	    row->tail_len % each == 0 && row->tail_len <= UNUSUAL_TAIL * each);
}

/* False if it has to begin anew: the bytes are another version's. */
static bool
state_read(struct watched *w, const struct watch_row *row)
{
	struct watch_verdict v;
	size_t i, n = row->tail_len / sizeof(w->tail[0]);

	if (!fits(row))
		return (false);
	if (row->len > 0)
		memcpy(&w->state, row->state, row->len);
	w->kept = w->state.seen;
	memcpy(w->tail, row->tail, row->tail_len);
	for (i = 0; i < n; i++)
		take_in(&w->state, &w->tail[i], 1, &v);
	w->anew = false;
	return (true);
}

static struct watched *
watched_new(const struct series *s)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return (NULL);
	w->series = s->id;
	w->anew = true;
	watch_init(&w->state.watch, s->unit);
	return (w);
}

/* Merges `n` of them, rising and none of them present; takes them. */
static bool
insert(struct unusual *u, struct watched *const *new, size_t n)
{
	size_t i = u->n, j = n, out = u->n + n;
	struct watched **w = realloc(u->w, out * sizeof(struct watched *));
	struct watched **moved;

	if (w == NULL)
		return (false);
	u->w = w;
	moved = realloc(u->moved, out * sizeof(struct watched *));
	if (moved == NULL)
		return (false);
	u->moved = moved;
	u->n += n;
	while (j > 0) {
		out--;
		if (i > 0 && w[i - 1]->series > new[j - 1]->series)
			w[out] = w[--i];
		else
			w[out] = new[--j];
	}
	return (true);
}

static enum err
add(struct unusual *u, struct arena *a, const struct series *const *s, size_t n,
    struct err_info *info)
{
	struct watched **new = arena_alloc(a, n * sizeof(struct watched *));
	size_t i;

	if (new == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++)
		if ((new[i] = watched_new(s[i])) == NULL)
			break;
	if (i == n && insert(u, new, n))
		return (ERR_OK);
	while (i-- > 0)
		free(new[i]);
	return (no_memory(info));
}

enum err
unusual_need(struct unusual *u, const struct knowledge_port *k, struct arena *a,
    const struct series *const *s, size_t n, struct err_info *info)
{
	const struct series **missing = arena_alloc(a, n * sizeof(*missing));
	int32_t *ids = arena_alloc(a, n * sizeof(*ids));
	struct watch_row *rows;
	struct watched *w;
	size_t i, nrows, nmissing = 0;
	enum err err;

	if (missing == NULL || ids == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		if (unusual_find(u, s[i]->id) != NULL)
			continue;
		ids[nmissing] = s[i]->id;
		missing[nmissing++] = s[i];
	}
	if (nmissing == 0)
		return (ERR_OK);
	if ((err = k->watches_load(
		 k->self, a, ids, nmissing, &rows, &nrows, info)) != ERR_OK ||
	    (err = add(u, a, missing, nmissing, info)) != ERR_OK)
		return (err);
	for (i = 0; i < nrows; i++) {
		w = unusual_find(u, rows[i].series);
		open_read(&w->open, &rows[i]);
		u->void_states += !state_read(w, &rows[i]);
	}
	return (ERR_OK);
}

/*
 * Snapshots come every UNUSUAL_TAIL readings, at different ones for different
 * series, so that a cycle writes no more of them than its share.
 */
static bool
due(const struct watched *w)
{
	int64_t phase = w->series % UNUSUAL_TAIL;

	return ((w->state.seen + phase) / UNUSUAL_TAIL !=
	    (w->kept + phase) / UNUSUAL_TAIL);
}

static void
row_of(struct watch_row *row, const struct watched *w)
{
	bool whole = due(w);

	*row = (struct watch_row){
	    .series = w->series,
	    .version = UNUSUAL_VERSION,
	    .upto_us = w->state.watch.last_us,
	    .open = open_code(&w->open),
	    .calm = w->open.calm,
	    .since_us = w->open.since_us,
	};
	if (whole || w->anew) {
		row->state = (const unsigned char *)&w->state;
		row->len = whole ? sizeof(w->state) : 0;
	}
	if (!whole) {
		row->tail = (const unsigned char *)w->tail;
		row->tail_len = tail_length(w) * sizeof(w->tail[0]);
	}
}

static void
saved(struct watched *w)
{
	if (due(w))
		w->kept = w->state.seen;
	w->anew = w->changed = false;
}

enum err
unusual_save(struct unusual *u, const struct knowledge_port *k, struct arena *a,
    struct err_info *info)
{
	struct watch_row *rows;
	size_t i, n = u->nmoved;
	enum err err;

	if (n == 0)
		return (ERR_OK);
	if ((rows = arena_alloc(a, n * sizeof(*rows))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++)
		row_of(&rows[i], u->moved[i]);
	if ((err = k->watches_save(k->self, rows, n, info)) != ERR_OK)
		return (err);
	for (i = 0; i < n; i++)
		saved(u->moved[i]);
	u->nmoved = 0;
	return (ERR_OK);
}

enum err
unusual_left(const struct knowledge_port *k, struct arena *a,
    struct unusual_left *l, struct err_info *info)
{
	struct watch_row *rows;
	size_t i, n;
	enum err err =
	    k->watches_load(k->self, a, l->ids, l->nids, &rows, &n, info);

	if (err != ERR_OK)
		return (err);
	l->n = 0;
	if ((l->of = arena_calloc(a, n, sizeof(*l->of))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		if (rows[i].len + rows[i].tail_len == 0 &&
		    (rows[i].open & 1) == 0)
			continue;
		l->of[l->n].series = rows[i].series;
		open_read(&l->of[l->n++].open, &rows[i]);
	}
	return (ERR_OK);
}

static void
drop(struct unusual *u, int32_t series)
{
	size_t at = lower_bound(u, series);

	if (at == u->n || u->w[at]->series != series)
		return;
	free(u->w[at]);
	u->n--;
	memmove(u->w + at, u->w + at + 1, (u->n - at) * sizeof(*u->w));
}

/* They begin anew: what comes meanwhile nobody takes in. */
enum err
unusual_close(struct unusual *u, const struct knowledge_port *k,
    struct arena *a, const struct unusual_left *l, struct err_info *info)
{
	struct watch_row *rows = arena_calloc(a, l->n, sizeof(*rows));
	size_t i;

	if (rows == NULL)
		return (no_memory(info));
	for (i = 0; i < l->n; i++) {
		rows[i] = (struct watch_row){.series = l->of[i].series,
		    .version = UNUSUAL_VERSION,
		    .state = (const unsigned char *)""};
		drop(u, l->of[i].series);
	}
	return (k->watches_save(k->self, rows, l->n, info));
}

/* --- judged ----------------------------------------------------------------- */

static void
changed(struct unusual *u, struct watched *w)
{
	if (!w->changed)
		u->moved[u->nmoved++] = w;
	w->changed = true;
}

bool
unusual_look(struct unusual *u, struct watched *w, const struct reading *r,
    struct watch_verdict *ret)
{
	struct unusual_reading x = {r->t_us, r->value};
	size_t at = tail_length(w);

	if (r->quality != QUALITY_GOOD || !isfinite(r->value))
		return (false);
	if (at < UNUSUAL_TAIL)
		w->tail[at] = x;
	take_in(&w->state, &x, u->share, ret);
	changed(u, w);
	return (true);
}

static bool
is_told(const struct series_state *st)
{
	size_t i;

	for (i = 0; i < LEVEL_SLOTS; i++)
		if (threshold_is_open(&st->levels[i]))
			return (true);
	return (st->rate != DIRECTION_NONE || st->outlier != DIRECTION_NONE ||
	    st->flat || st->silent);
}

bool
unusual_knows(const struct watched *w)
{
	const struct unusual_state *s = &w->state;

	return (s->watch.last_us - s->first_us >= UNUSUAL_YOUNG_US);
}

/* Whether what the verdict says is for this to tell. */
static bool
opens(const struct watched *w, const struct series *s,
    const struct series_state *st, const struct watch_verdict *v)
{
	if (!v->alarm || v->rule == WATCH_SILENCE || !unusual_knows(w))
		return (false);
	if ((v->rule == WATCH_FREEZE && s->flatline_us > 0) ||
	    (v->rule == WATCH_CADENCE && s->cadence_us == 0))
		return (false);
	return (!is_told(st));
}

int64_t
unusual_silence(const struct unusual *u, const struct series *s,
    const struct series_state *st)
{
	if (!unusual_judges(u, s) || s->silence_us > 0)
		return (0);
	return (silence_usual(st, u->share, UNUSUAL_YOUNG_US));
}

bool
unusual_may_miss(const struct watched *w, const struct series_state *st)
{
	return (!(w->open.is && w->open.rule == WATCH_SILENCE) &&
	    unusual_knows(w) && !is_told(st));
}

void
unusual_miss(struct unusual *u, struct watched *w, int64_t since_us)
{
	const struct unusual_open *o = &w->open;
	bool again = o->rule == WATCH_SILENCE &&
	    since_us - o->since_us < UNUSUAL_YOUNG_US;
	int32_t times = !again	     ? 1
	    : o->calm < MISSED_OFTEN ? o->calm + 1
				     : MISSED_OFTEN;

	w->open = (struct unusual_open){.is = true,
	    .severity = SEVERITY_INFO,
	    .rule = WATCH_SILENCE,
	    .calm = times,
	    .score = MISSED,
	    .since_us = since_us};
	changed(u, w);
}

bool
unusual_misses_often(const struct watched *w)
{
	return (w->open.rule == WATCH_SILENCE && w->open.calm >= MISSED_OFTEN);
}

bool
unusual_heard(struct unusual *u, struct watched *w)
{
	if (!w->open.is || w->open.rule != WATCH_SILENCE)
		return (false);
	w->open.is = false;
	changed(u, w);
	return (true);
}

void
unusual_withdraw(struct watched *w)
{
	w->open.is = false;
}

static bool
is_calm(const struct watched *w, const struct reading *r,
    const struct watch_verdict *v)
{
	if (v->alarm || fabs(r->value - v->expected) > WIDE * v->band)
		return (false);
	return (w->open.rule != WATCH_FREEZE || w->state.watch.run <= 1);
}

enum verdict
unusual_decide(struct watched *w, const struct series *s,
    const struct series_state *st, const struct reading *r,
    const struct watch_verdict *v)
{
	struct unusual_open *o = &w->open;
	const double off = watch_off(&v->reason, r->value);
	int32_t score = (int32_t)(v->score * 10000);

	if (o->is && !is_calm(w, r, v)) {
		o->calm = 0;
		o->score = score > o->score ? score : o->score;
		return (VERDICT_HOLD);
	}
	if (o->is) {
		o->is = ++o->calm < UNUSUAL_CALM;
		return (o->is ? VERDICT_NORMAL : VERDICT_CLEAR);
	}
	if (!opens(w, s, st, v))
		return (VERDICT_NORMAL);
	*o = (struct unusual_open){.is = true,
	    .severity =
		v->score >= UNUSUAL_WARNS ? SEVERITY_WARNING : SEVERITY_INFO,
	    .rule = v->rule,
	    .score = score,
	    .since_us = v->since_us};
	if (v->rule != WATCH_FREEZE && v->rule != WATCH_CADENCE)
		o->direction = off > 0 ? DIRECTION_HIGH
		    : off < 0	       ? DIRECTION_LOW
				       : DIRECTION_NONE;
	return (VERDICT_RAISE);
}
