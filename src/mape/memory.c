#include "mape/memory.h"

#include <stdlib.h>
#include <string.h>

void
memory_done(struct memory *m)
{
	free(m->states);
	free(m->changed);
	*m = (struct memory){0};
}

static size_t
lower_bound(const struct memory *m, int32_t series)
{
	size_t lo = 0, hi = m->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (m->states[mid].series < series)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

struct series_state *
memory_find(const struct memory *m, int32_t series)
{
	size_t at = lower_bound(m, series);

	if (at == m->n || m->states[at].series != series)
		return (NULL);
	return (&m->states[at]);
}

void
memory_change(struct memory *m, const struct series_state *s)
{
	m->changed[s - m->states] = true;
}

static enum err
no_memory(struct err_info *info)
{
	return (err_set(
	    info, ERR_NO_MEMORY, NULL, "no room for the detectors' states"));
}

/* Merges `n` states, rising and none of them present, into the array. */
static enum err
insert(struct memory *m, const struct series_state *new, size_t n,
    struct err_info *info)
{
	size_t total = m->n + n, i = m->n, j = n, out = total;
	struct series_state *states;
	bool *changed;

	if ((states = realloc(m->states, total * sizeof(*states))) == NULL)
		return (no_memory(info));
	m->states = states;
	if ((changed = realloc(m->changed, total * sizeof(*changed))) == NULL)
		return (no_memory(info));
	m->changed = changed;
	while (j > 0) {
		out--;
		if (i > 0 && states[i - 1].series > new[j - 1].series) {
			states[out] = states[--i];
			changed[out] = changed[i];
		} else {
			states[out] = new[--j];
			changed[out] = false;
		}
	}
	m->n = total;
	return (ERR_OK);
}

enum err
memory_need(struct memory *m, const struct knowledge_port *k, struct arena *a,
    const int32_t *ids, size_t n, struct err_info *info)
{
	struct series_state *loaded;
	int32_t *missing;
	size_t i, nmissing = 0;
	enum err err;

	if ((missing = arena_alloc(a, n * sizeof(*missing))) == NULL)
		return (no_memory(info));
	for (i = 0; i < n; i++) {
		if (memory_find(m, ids[i]) == NULL)
			missing[nmissing++] = ids[i];
	}
	if (nmissing == 0)
		return (ERR_OK);
	if ((loaded = arena_alloc(a, nmissing * sizeof(*loaded))) == NULL)
		return (no_memory(info));
	if ((err = k->states_load(k->self, missing, nmissing, loaded, info)) !=
	    ERR_OK)
		return (err);
	return (insert(m, loaded, nmissing, info));
}

enum err
memory_save(struct memory *m, const struct knowledge_port *k, struct arena *a,
    struct err_info *info)
{
	struct series_state *out;
	size_t i, n = 0;
	enum err err;

	for (i = 0; i < m->n; i++)
		n += m->changed[i];
	if (n == 0)
		return (ERR_OK);
	if ((out = arena_alloc(a, n * sizeof(*out))) == NULL)
		return (no_memory(info));
	for (i = 0, n = 0; i < m->n; i++) {
		if (m->changed[i])
			out[n++] = m->states[i];
	}
	if ((err = k->states_save(k->self, out, n, info)) == ERR_OK)
		memset(m->changed, 0, m->n * sizeof(*m->changed));
	return (err);
}
