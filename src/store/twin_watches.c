/* How series usually go, in memory. */
#include "store/twin.h"

#include <string.h>

static enum err
full(struct err_info *info)
{
	return (err_set(info, ERR_DATABASE, NULL, "no room for a watch"));
}

static bool
wanted(const struct watch_row *row, const int32_t *ids, size_t n)
{
	size_t i;

	if (ids == NULL)
		return ((row->open & 1) != 0);
	for (i = 0; i < n; i++)
		if (ids[i] == row->series)
			return (true);
	return (false);
}

static enum err
watches_load(void *self, struct arena *a, const int32_t *ids, size_t n,
    struct watch_row **ret, size_t *ret_n, struct err_info *info)
{
	struct twin *t = self;
	struct watch_row *rows = twin_list(t, a, TWIN_SERIES, sizeof(*rows));
	size_t i, out = 0;
	enum err err = twin_enter(t, "watches_load", false, info);

	if (err != ERR_OK)
		return (err);
	if (rows == NULL)
		return (full(info));
	for (i = 0; i < TWIN_SERIES; i++) {
		const struct twin_watch *w = &t->watches[i];

		if (w->row.series == 0 || !wanted(&w->row, ids, n))
			continue;
		rows[out] = w->row;
		rows[out].state = w->state;
		rows[out++].tail = w->tail;
	}
	*ret = rows;
	*ret_n = out;
	return (ERR_OK);
}

struct twin_watch *
twin_find_watch(struct twin *t, int32_t series)
{
	const struct twin_series *s = twin_find_series(t, series);

	return (s == &t->nowhere ? NULL : &t->watches[s - t->series]);
}

static enum err
put(struct twin *t, const struct watch_row *r, struct err_info *info)
{
	struct twin_watch *w = twin_find_watch(t, r->series);
	struct watch_row old;

	if (w == NULL || r->len > TWIN_STATE || r->tail_len > TWIN_TAIL)
		return (full(info));
	old = w->row;
	if (r->state == NULL && old.series == 0)
		twin_violate(t, "series %d has a tail alone", r->series);
	twin_touch(t, w, sizeof(*w));
	w->row = *r;
	if (r->state == NULL) {
		w->row.version = old.version;
		w->row.len = old.len;
		w->row.upto_us = old.upto_us;
	} else if (r->len > 0)
		memcpy(w->state, r->state, r->len);
	if (r->tail_len > 0)
		memcpy(w->tail, r->tail, r->tail_len);
	return (ERR_OK);
}

static enum err
watches_save(
    void *self, const struct watch_row *r, size_t n, struct err_info *info)
{
	struct twin *t = self;
	enum err err = twin_enter(t, "watches_save", true, info);

	for (; err == ERR_OK && n > 0; n--, r++)
		err = put(t, r, info);
	return (err);
}

void
twin_watches(struct ports *p)
{
	p->knowledge.watches_load = watches_load;
	p->knowledge.watches_save = watches_save;
}
