#include "store/lookup.h"

#include "core/instant.h"
#include "domain/packed.h"
#include "store/warm_wire.h"

#include <stdlib.h>
#include <string.h>

/* Keys of one series within one month, none more than a day behind the one
 * before: [first, past) of `order`. */
struct group {
	size_t first, past;
};

struct lookup {
	struct query_port *pg;
	known_cb *cb;
	void *arg;
	const struct reading *keys;
	size_t n;
	/* By key: what segments hold, and what the log does. */
	bool *found, *logged;
	double *value, *logged_value;
	uint32_t *order;  /* keys by series and time */
	size_t settled;	  /* of `order`: segments were looked through */
	unsigned waiting; /* for answers */
	struct group groups[LOOKUP_GROUPS];
	size_t ngroups; /* in the present question */
	struct reading *decoded;
	size_t room;
	struct err_info info;
};

static void
lookup_free(struct lookup *l)
{
	free(l->found);
	free(l->logged);
	free(l->value);
	free(l->logged_value);
	free(l->order);
	free(l->decoded);
	free(l);
}

static int
by_key(const void *a, const void *b, void *keys)
{
	const struct reading *x =
	    (const struct reading *)keys + *(const uint32_t *)a;
	const struct reading *y =
	    (const struct reading *)keys + *(const uint32_t *)b;

	if (x->series != y->series)
		return (x->series < y->series ? -1 : 1);
	return ((x->t_us > y->t_us) - (x->t_us < y->t_us));
}

static void
sort_keys(struct lookup *l)
{
	void *keys = (void *)(uintptr_t)l->keys;
	bool sorted = true;
	size_t i;

	for (i = 0; i < l->n; i++) {
		l->order[i] = (uint32_t)i;
		sorted = sorted &&
		    (i == 0 ||
			by_key(&l->order[i - 1], &l->order[i], keys) <= 0);
	}
	if (!sorted)
		qsort_r(l->order, l->n, sizeof(*l->order), by_key, keys);
}

static const struct reading *
key(const struct lookup *l, size_t i)
{
	return (&l->keys[l->order[i]]);
}

static bool
is_next_of(const struct reading *a, const struct reading *b)
{
	return (a->series == b->series && b->t_us - a->t_us <= US_PER_DAY &&
	    instant_month(a->t_us, 0) == instant_month(b->t_us, 0));
}

/* The next groups of keys that are not settled. */
static void
make_groups(struct lookup *l)
{
	size_t i;

	l->ngroups = 0;
	for (i = l->settled; i < l->n; i++) {
		if (i == l->settled || !is_next_of(key(l, i - 1), key(l, i))) {
			if (l->ngroups == LOOKUP_GROUPS)
				return;
			l->groups[l->ngroups++].first = i;
		}
		l->groups[l->ngroups - 1].past = i + 1;
	}
}

static struct param
param_of(const struct wire *w)
{
	return ((struct param){w->p, (int)w->len, true});
}

/* Sends and lets go of the arrays. */
static enum err
ask(struct lookup *l, enum statement st, struct wire *w, int n, query_cb *cb,
    struct err_info *info)
{
	struct param params[4];
	struct query q = {.statement = st,
	    .lane = LANE_LOOKUP,
	    .params = params,
	    .nparams = n,
	    .binary_result = true};
	enum err e = ERR_OK;
	int i;

	for (i = 0; i < n; i++) {
		params[i] = param_of(&w[i]);
		if (!wire_ok(&w[i]))
			e = err_set(info, ERR_NO_MEMORY, NULL, "keys");
	}
	if (e == ERR_OK)
		e = l->pg->run(l->pg->self, &q, cb, l, info);
	if (e == ERR_OK)
		l->waiting++;
	for (i = 0; i < n; i++)
		wire_done(&w[i]);
	return (e);
}

static void on_packed(void *, const struct rows *, const struct err_info *);

static enum err
ask_packed(struct lookup *l, struct err_info *info)
{
	struct wire w[4] = {{0}};
	size_t i;

	make_groups(l);
	wire_array(&w[0], OID_INT4, l->ngroups);
	wire_array(&w[1], OID_TIMESTAMPTZ, l->ngroups);
	wire_array(&w[2], OID_TIMESTAMPTZ, l->ngroups);
	wire_i64(&w[3], LOOKUP_READINGS);
	for (i = 0; i < l->ngroups; i++) {
		const struct group *g = &l->groups[i];

		wire_put_i32(&w[0], key(l, g->first)->series);
		wire_put_time(&w[1], key(l, g->first)->t_us);
		wire_put_time(&w[2], key(l, g->past - 1)->t_us);
	}
	return (ask(l, ST_lookup_packed, w, 4, on_packed, info));
}

/* What both have found, once neither is awaited. */
static void
go_on(struct lookup *l)
{
	size_t i;

	if (l->waiting > 0)
		return;
	if (l->info.code == ERR_OK && l->settled < l->n &&
	    ask_packed(l, &l->info) == ERR_OK)
		return;
	for (i = 0; i < l->n; i++)
		if (!l->found[i] && l->logged[i]) {
			l->found[i] = true;
			l->value[i] = l->logged_value[i];
		}
	l->cb(l->arg, l->found, l->value, l->n, &l->info);
	lookup_free(l);
}

/* A cell of that width, NULL for any other. */
static const char *
cell(const struct rows *rows, int row, int column, int width)
{
	int len;
	const char *p = rows->get(rows, row, column, &len);

	return (p != NULL && len == width ? p : NULL);
}

/* ord of a row, from 1 to max; 0 if it is none. */
static size_t
ord_of(const struct rows *rows, int row, size_t max)
{
	const char *p = cell(rows, row, 0, 4);
	int32_t ord = p != NULL ? wire_get_i32(p) : 0;

	return (ord > 0 && (size_t)ord <= max ? (size_t)ord : 0);
}

static enum err
take_log(struct lookup *l, const struct rows *rows, struct err_info *info)
{
	const char *value;
	size_t ord;
	int row;

	for (row = 0; row < rows->n; row++) {
		ord = ord_of(rows, row, l->n);
		value = cell(rows, row, 1, 8);
		if (ord == 0 || value == NULL)
			return (err_set(info, ERR_INTERNAL, NULL,
			    "a reading of the log cannot be read"));
		l->logged[ord - 1] = true;
		l->logged_value[ord - 1] = wire_get_f64(value);
	}
	return (ERR_OK);
}

static void
on_log(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct lookup *l = arg;

	l->waiting--;
	if (rows == NULL)
		(void)err_set(&l->info, info->code, NULL, "%s", info->detail);
	else
		(void)take_log(l, rows, &l->info);
	go_on(l);
}

static bool
make_room(struct lookup *l, size_t n)
{
	struct reading *more;

	if (n <= l->room)
		return (true);
	if ((more = malloc(n * sizeof(*more))) == NULL)
		return (false);
	free(l->decoded);
	l->decoded = more;
	l->room = n;
	return (true);
}

/* Both rise in time. */
static void
match(struct lookup *l, const struct group *g, size_t n)
{
	const struct reading *r = l->decoded, *end = r + n;
	size_t k = g->first;
	uint32_t at;

	while (k < g->past && r < end) {
		at = l->order[k];
		if (r->t_us < l->keys[at].t_us) {
			r++;
			continue;
		}
		if (r->t_us == l->keys[at].t_us) {
			l->found[at] = true;
			l->value[at] = r->value;
		}
		k++;
	}
}

static enum err
take_segment(struct lookup *l, const struct rows *rows, int row,
    const struct group *g, struct err_info *info)
{
	int32_t series = key(l, g->first)->series;
	int len;
	const char *p = rows->get(rows, row, 2, &len);
	size_t n = p != NULL ? packed_count(p, (size_t)len) : 0;

	if (n > 0 && !make_room(l, n))
		return (err_set(info, ERR_NO_MEMORY, NULL, "readings"));
	if (n == 0 ||
	    packed_decode(p, (size_t)len, series, l->decoded) != ERR_OK)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "stored readings of series %d cannot be read",
		    (int)series));
	match(l, g, n);
	return (ERR_OK);
}

/* The last row began at t0 in group g, of whose rows some were left out: keys
 * up to t0 are settled, and the very first one is whatever t0. */
static void
settle(struct lookup *l, const struct group *g, int64_t t0_us)
{
	size_t k = g->first;

	if (g == l->groups && key(l, k)->t_us > t0_us)
		t0_us = key(l, k)->t_us;
	while (k < g->past && key(l, k)->t_us <= t0_us)
		k++;
	l->settled = k;
}

static enum err
take_packed(struct lookup *l, const struct rows *rows, struct err_info *info)
{
	const struct group *g = NULL;
	const char *t0, *of_group = NULL, *total = NULL;
	int64_t t0_us = 0, taken = 0;
	enum err e;
	size_t ord;
	int row;

	for (row = 0; row < rows->n; row++) {
		ord = ord_of(rows, row, l->ngroups);
		t0 = cell(rows, row, 1, 8);
		of_group = cell(rows, row, 3, 8);
		total = cell(rows, row, 4, 8);
		if (ord == 0 || t0 == NULL || of_group == NULL ||
		    total == NULL || !wire_get_time(t0, &t0_us))
			return (err_set(info, ERR_INTERNAL, NULL,
			    "a row of segments cannot be read"));
		taken = g == &l->groups[ord - 1] ? taken + 1 : 1;
		g = &l->groups[ord - 1];
		if ((e = take_segment(l, rows, row, g, info)) != ERR_OK)
			return (e);
	}
	if (g == NULL || wire_get_i64(total) == rows->n)
		l->settled = l->groups[l->ngroups - 1].past;
	else if (wire_get_i64(of_group) == taken)
		l->settled = g->past;
	else
		settle(l, g, t0_us);
	return (ERR_OK);
}

static void
on_packed(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct lookup *l = arg;

	l->waiting--;
	if (rows == NULL)
		(void)err_set(&l->info, info->code, NULL, "%s", info->detail);
	else
		(void)take_packed(l, rows, &l->info);
	go_on(l);
}

static enum err
ask_log(struct lookup *l, struct err_info *info)
{
	struct wire w[2] = {{0}};
	size_t i;

	wire_array(&w[0], OID_INT4, l->n);
	wire_array(&w[1], OID_TIMESTAMPTZ, l->n);
	for (i = 0; i < l->n; i++) {
		wire_put_i32(&w[0], l->keys[i].series);
		wire_put_time(&w[1], l->keys[i].t_us);
	}
	return (ask(l, ST_lookup_log, w, 2, on_log, info));
}

static struct lookup *
lookup_new(const struct reading *keys, size_t n)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return (NULL);
	l->keys = keys;
	l->n = n;
	l->found = calloc(n, sizeof(*l->found));
	l->logged = calloc(n, sizeof(*l->logged));
	l->value = calloc(n, sizeof(*l->value));
	l->logged_value = calloc(n, sizeof(*l->logged_value));
	l->order = calloc(n, sizeof(*l->order));
	if (l->found != NULL && l->logged != NULL && l->value != NULL &&
	    l->logged_value != NULL && l->order != NULL)
		return (l);
	lookup_free(l);
	return (NULL);
}

static enum err
known(void *self, const struct reading *keys, size_t n, known_cb *cb, void *arg,
    struct err_info *info)
{
	struct lookup *l = n > 0 ? lookup_new(keys, n) : NULL;
	enum err e;

	if (l == NULL)
		return (err_set(info, n > 0 ? ERR_NO_MEMORY : ERR_INTERNAL,
		    NULL, "%zu readings to look up", n));
	l->pg = self;
	l->cb = cb;
	l->arg = arg;
	sort_keys(l);
	if ((e = ask_log(l, info)) != ERR_OK) {
		lookup_free(l);
		return (e);
	}
	(void)ask_packed(l, &l->info);
	return (ERR_OK);
}

struct lookup_port
lookup_warm(struct query_port *pg)
{
	return ((struct lookup_port){.self = pg, .known = known});
}
