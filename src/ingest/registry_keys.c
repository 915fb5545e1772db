#include "core/instant.h"
#include "ingest/registry_parts.h"

#include <stdlib.h>
#include <string.h>

/* Of a list of codes with commas; NULL: none. */
static size_t
count(const char *list)
{
	size_t n = list != NULL && list[0] != '\0';

	for (; n > 0 && (list = strchr(list, ',')) != NULL; list++)
		n++;
	return (n);
}

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (void *const *)a;
	uintptr_t y = (uintptr_t) * (void *const *)b;

	return ((x > y) - (x < y));
}

/* The next code of a list, as one of `ret`'s: a node or a zone. */
static enum err
find_node(struct registry *r, const char *s, size_t len, const void **ret)
{
	*ret = name_map_get(&r->nodes, s, len, NULL, 0);
	return (*ret != NULL ? ERR_OK : ERR_NOT_FOUND);
}

static enum err
find_zone(struct registry *r, const char *s, size_t len, const void **ret)
{
	struct word *w = registry_intern(r, s, len);

	*ret = w != NULL ? w->name.s : NULL;
	return (w != NULL ? ERR_OK : ERR_NO_MEMORY);
}

typedef enum err
find_fn(struct registry *, const char *, size_t, const void **);

static enum err
fill(struct registry *r, const char *list, find_fn *find, const void **ret,
    size_t n)
{
	enum err e;
	size_t i, len;

	for (i = 0; i < n; i++, list += len + 1) {
		len = strcspn(list, ",");
		if ((e = find(r, list, len, &ret[i])) != ERR_OK)
			return (e);
	}
	if (n > 0)
		qsort(ret, n, sizeof(*ret), by_address);
	return (ERR_OK);
}

/* NULL in *ret: everywhere. */
static enum err
make_scope(
    struct registry *r, const struct key_row *row, const struct key_scope **ret)
{
	size_t nnodes = count(row->nodes), nzones = count(row->zones);
	struct key_scope *s;
	const void **all;
	enum err e;

	*ret = NULL;
	if (row->nodes == NULL && row->zones == NULL)
		return (ERR_OK);
	s = arena_calloc(&r->arena, 1, sizeof(*s));
	all = arena_calloc(&r->arena, nnodes + nzones + 1, sizeof(*all));
	if (s == NULL || all == NULL)
		return (ERR_NO_MEMORY);
	if ((e = fill(r, row->nodes, find_node, all, nnodes)) != ERR_OK ||
	    (e = fill(r, row->zones, find_zone, all + nnodes, nzones)) !=
		ERR_OK)
		return (e);
	*s = (struct key_scope){all, all + nnodes, nnodes, nzones};
	*ret = s;
	return (ERR_OK);
}

static void
set_label(struct key_entry *k, struct word *w)
{
	if (k->label == w->name.s)
		return;
	if (k->label != NULL) {
		*k->prev_of_label = k->next_of_label;
		if (k->next_of_label != NULL)
			k->next_of_label->prev_of_label = k->prev_of_label;
	}
	k->label = w->name.s;
	k->next_of_label = w->keys;
	k->prev_of_label = &w->keys;
	if (w->keys != NULL)
		w->keys->prev_of_label = &k->next_of_label;
	w->keys = k;
}

enum err
registry_put_key(struct registry *r, const struct key_row *row)
{
	const char *label = row->label != NULL ? row->label : "";
	const char *replaces = row->replaces != NULL ? row->replaces : "";
	const struct key_scope *scope;
	struct key_entry *k;
	struct word *w, *old;
	enum err e;

	if (!registry_is_text(row->id, 1, REGISTRY_CODE_MAX) ||
	    row->sha256 == NULL ||
	    !registry_is_text(label, 0, REGISTRY_TEXT_MAX) ||
	    !registry_is_text(replaces, 0, REGISTRY_CODE_MAX))
		return (ERR_INVALID);
	if ((w = registry_intern(r, label, strlen(label))) == NULL ||
	    (old = registry_intern(r, replaces, strlen(replaces))) == NULL)
		return (ERR_NO_MEMORY);
	k = name_map_get(&r->keys, row->id, strlen(row->id), NULL, 0);
	if (k != NULL && row->change < k->change)
		return (ERR_OK);
	if ((e = make_scope(r, row, &scope)) != ERR_OK)
		return (e);
	if (k == NULL &&
	    (k = registry_add(r, &r->keys, sizeof(*k), row->id, "")) == NULL)
		return (ERR_NO_MEMORY);
	set_label(k, w);
	k->replaces = old->name.s;
	memcpy(k->sha256, row->sha256, sizeof(k->sha256));
	k->revoked = row->revoked;
	k->scope = scope;
	k->expires_us = row->expires_us;
	k->change = row->change;
	registry_applied(r, REGISTRY_KEYS, row->change);
	return (ERR_OK);
}

const struct key_entry *
registry_key(const struct registry *r, const char *id, size_t len)
{
	return (name_map_get(&r->keys, id, len, NULL, 0));
}

/* Its successor has the same label, unless that was changed since. */
static bool
is_replaced(
    const struct key_entry *k, const struct key_entry *all, int64_t now_us)
{
	for (; all != NULL; all = all->next_of_label) {
		if (key_live(all, now_us) &&
		    strcmp(all->replaces, k->name.s) == 0)
			return (true);
	}
	return (false);
}

enum err
registry_key_named(const struct registry *r, const char *name, int64_t now_us,
    const struct key_entry **ret)
{
	const struct key_entry *k, *found = NULL;
	const struct word *w;
	size_t len = strlen(name);

	if ((k = registry_key(r, name, len)) != NULL) {
		*ret = k;
		return (ERR_OK);
	}
	w = name_map_get(&r->words, name, len, NULL, 0);
	for (k = w != NULL ? w->keys : NULL; k != NULL; k = k->next_of_label) {
		if (!key_live(k, now_us) || is_replaced(k, w->keys, now_us))
			continue;
		if (found != NULL)
			return (ERR_CONFLICT);
		found = k;
	}
	*ret = found;
	return (ERR_OK);
}

static bool
is_among(const void *p, const void **all, size_t n)
{
	return (n > 0 && bsearch(&p, all, n, sizeof(*all), by_address) != NULL);
}

bool
registry_key_admits(const struct key_scope *s, const struct node_entry *n)
{
	return (is_among(n, s->nodes, s->nnodes) ||
	    is_among(n->zone, s->zones, s->nzones));
}

bool
registry_key_used(
    struct registry *r, const struct key_entry *entry, int64_t now_us)
{
	struct key_entry *k;

	if (entry->noted_us != 0 && now_us - entry->noted_us < US_PER_MINUTE &&
	    now_us >= entry->noted_us)
		return (false);
	k = name_map_get(&r->keys, entry->name.s, entry->name.len, NULL, 0);
	if (k != NULL)
		k->noted_us = now_us;
	return (k != NULL);
}
