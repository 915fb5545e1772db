/*
 * Which readings are in segments already: one question per series and UTC
 * day, so that a day sent again costs one index range, not one per reading.
 */
#include "core/instant.h"
#include "domain/reading.h"
#include "store/warm_segments.h"

#include <stdlib.h>
#include <string.h>

/* Groups per statement; the answer is read row by row. */
#define GROUPS 1000

/* Keys [first, past) of `order`: one series, one day, rising in time. */
struct group {
	size_t first, past;
};

struct asking {
	const struct reading *keys;
	bool *found;
	size_t *order;
	struct group *groups;
	size_t ngroups;
};

static int
by_key(const void *a, const void *b, void *keys)
{
	const struct reading *x =
	    (const struct reading *)keys + *(const size_t *)a;
	const struct reading *y =
	    (const struct reading *)keys + *(const size_t *)b;

	if (x->series != y->series)
		return (x->series < y->series ? -1 : 1);
	return ((x->t_us > y->t_us) - (x->t_us < y->t_us));
}

static bool
same_day(const struct reading *a, const struct reading *b)
{
	return (a->series == b->series &&
	    instant_floor(a->t_us, US_PER_DAY) ==
		instant_floor(b->t_us, US_PER_DAY));
}

static enum err
group_keys(struct asking *q, size_t n, struct err_info *info)
{
	const struct reading *k = q->keys;
	bool sorted = true;
	size_t i;

	q->order = malloc(n * sizeof(*q->order));
	q->groups = malloc(n * sizeof(*q->groups));
	if (q->order == NULL || q->groups == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "%zu keys", n));
	for (i = 0; i < n; i++) {
		q->order[i] = i;
		if (i > 0 &&
		    by_key(&q->order[i - 1], &q->order[i],
			(void *)(uintptr_t)k) > 0)
			sorted = false;
	}
	if (!sorted)
		qsort_r(q->order, n, sizeof(*q->order), by_key,
		    (void *)(uintptr_t)k);
	for (i = 0; i < n; i++) {
		if (i == 0 || !same_day(&k[q->order[i - 1]], &k[q->order[i]]))
			q->groups[q->ngroups++] = (struct group){i, i};
		q->groups[q->ngroups - 1].past = i + 1;
	}
	return (ERR_OK);
}

/* Marks the keys of a group that are among a segment's times: both rise. */
static enum err
match(struct warm *w, struct asking *q, const struct group *g,
    const PGresult *r, struct err_info *info)
{
	size_t k = g->first, i = 0, n;
	const struct reading *s;
	int64_t t;

	n = warm_decode(w, PQgetvalue(r, 0, 1), (size_t)PQgetlength(r, 0, 1),
	    q->keys[q->order[k]].series, 0, info);
	if (n == 0)
		return (ERR_DATABASE);
	for (s = w->decoded; k < g->past && i < n;) {
		t = q->keys[q->order[k]].t_us;
		if (s[i].t_us < t) {
			i++;
			continue;
		}
		if (s[i].t_us == t)
			q->found[q->order[k]] = true;
		k++;
	}
	return (ERR_OK);
}

static void
put_group(struct warm *w, const struct asking *q, const struct group *g)
{
	const struct reading *head = &q->keys[q->order[g->first]];
	const struct reading *tail = &q->keys[q->order[g->past - 1]];

	wire_put_i32(&w->wires[0], head->series);
	wire_put_i16(&w->wires[1], warm_class(w, head->series));
	wire_put_time(&w->wires[2], warm_month(head->t_us));
	wire_put_time(&w->wires[3], head->t_us);
	wire_put_time(&w->wires[4], tail->t_us);
}

static enum err
ask(struct warm *w, const struct asking *q, size_t first, size_t n,
    struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_INT2, OID_TIMESTAMPTZ,
	    OID_TIMESTAMPTZ, OID_TIMESTAMPTZ};
	struct warm_args a = {0};
	size_t i;

	for (i = 0; i < 5; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], oids[i], n);
	}
	for (i = first; i < first + n; i++)
		put_group(w, q, &q->groups[i]);
	for (i = 0; i < 5; i++) {
		if (!wire_ok(&w->wires[i]))
			return (err_set(info, ERR_NO_MEMORY, NULL, "keys"));
		warm_wired(&a, &w->wires[i]);
	}
	return (warm_send(w, ST_cycle_known, &a, info));
}

/* Nobody adds readings between the question and the merge's end. */
static enum err
prepare(struct warm *w, const struct asking *q, struct err_info *info)
{
	int32_t *ids = malloc(q->ngroups * sizeof(*ids));
	enum err e = warm_segments_lock(w, info);
	size_t i;

	if (ids == NULL)
		e = err_set(info, ERR_NO_MEMORY, NULL, "series");
	for (i = 0; e == ERR_OK && i < q->ngroups; i++)
		ids[i] = q->keys[q->order[q->groups[i].first]].series;
	if (e == ERR_OK)
		e = warm_classes_need(w, ids, q->ngroups, info);
	free(ids);
	return (e);
}

static enum err
ask_chunk(struct warm *w, struct asking *q, size_t first, size_t n,
    struct err_info *info)
{
	enum err e = ask(w, q, first, n, info), m = ERR_OK;
	int64_t ord;

	while (e == ERR_OK) {
		AUTO_RESULT r = NULL;

		e = warm_next(w, ST_cycle_known, &r, info);
		if (e != ERR_OK || r == NULL)
			break;
		ord = warm_get_i64(r, 0, 0);
		if (m == ERR_OK && ord >= 1 && (size_t)ord <= n)
			m = match(
			    w, q, &q->groups[first + (size_t)ord - 1], r, info);
	}
	return (e == ERR_OK ? m : e);
}

enum err
warm_known(void *self, const struct reading *keys, size_t n, bool *ret,
    struct err_info *info)
{
	struct asking q = {.keys = keys, .found = ret};
	size_t i, count;
	enum err e;

	memset(ret, 0, n * sizeof(*ret));
	if (n == 0)
		return (ERR_OK);
	e = group_keys(&q, n, info);
	if (e == ERR_OK)
		e = prepare(self, &q, info);
	for (i = 0; e == ERR_OK && i < q.ngroups; i += count) {
		count = q.ngroups - i < GROUPS ? q.ngroups - i : GROUPS;
		e = ask_chunk(self, &q, i, count, info);
	}
	free(q.order);
	free(q.groups);
	return (e);
}
