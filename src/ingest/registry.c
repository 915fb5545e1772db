#include "core/quantity.h"
#include "ingest/registry_parts.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX ((size_t)1 << 30)
#define PAGE_BITS  12 /* series numbers per page of the index by number */
#define PAGE_SIZE  (1u << PAGE_BITS)

struct registry *
registry_new(void)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return (NULL);
	arena_init(&r->arena, MEMORY_MAX);
	r->last = &r->first;
	return (r);
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	arena_done(&r->arena);
	name_map_done(&r->nodes);
	name_map_done(&r->series);
	name_map_done(&r->keys);
	name_map_done(&r->words);
	free(r->pages);
	free(r);
}

struct word *
registry_intern(struct registry *r, const char *s, size_t len)
{
	struct word *w = name_map_get(&r->words, s, len, NULL, 0);
	char *copy;

	if (w != NULL)
		return (w);
	w = arena_calloc(&r->arena, 1, sizeof(*w));
	copy = arena_strndup(&r->arena, s, len);
	if (w == NULL || copy == NULL)
		return (NULL);
	w->name = (struct registry_name){.s = copy, .len = (uint16_t)len};
	return (name_map_add(&r->words, &w->name) ? w : NULL);
}

void *
registry_add(struct registry *r, struct name_map *m, size_t size, const char *a,
    const char *b)
{
	size_t alen = strlen(a), blen = strlen(b);
	struct registry_name *n =
	    arena_calloc(&r->arena, 1, size + alen + blen + 1);
	char *s;

	if (n == NULL)
		return (NULL);
	s = (char *)n + size;
	memcpy(s, a, alen);
	memcpy(s + alen, b, blen + 1);
	*n = (struct registry_name){
	    .s = s, .len = (uint16_t)alen, .len2 = (uint16_t)blen};
	return (name_map_add(m, n) ? n : NULL);
}

void
registry_applied(struct registry *r, enum registry_table table, int64_t change)
{
	if (change > r->change[table])
		r->change[table] = change;
}

bool
registry_is_text(const char *s, size_t min, size_t max)
{
	size_t len = s != NULL ? strnlen(s, max + 1) : 0;

	return (len >= min && len <= max);
}

static void
set_zone(struct node_entry *n, struct word *zone)
{
	if (n->zone == zone->name.s)
		return;
	if (n->zone != NULL) {
		*n->prev_of_zone = n->next_of_zone;
		if (n->next_of_zone != NULL)
			n->next_of_zone->prev_of_zone = n->prev_of_zone;
	}
	n->zone = zone->name.s;
	n->next_of_zone = zone->nodes;
	n->prev_of_zone = &zone->nodes;
	if (zone->nodes != NULL)
		zone->nodes->prev_of_zone = &n->next_of_zone;
	zone->nodes = n;
}

enum err
registry_put_node(struct registry *r, const struct node_row *row)
{
	const char *zone = row->zone != NULL ? row->zone : "";
	struct node_entry *n;
	struct word *w;

	if (!registry_is_text(row->code, 1, REGISTRY_CODE_MAX) ||
	    !registry_is_text(zone, 0, REGISTRY_CODE_MAX))
		return (ERR_INVALID);
	if ((w = registry_intern(r, zone, strlen(zone))) == NULL)
		return (ERR_NO_MEMORY);
	n = name_map_get(&r->nodes, row->code, strlen(row->code), NULL, 0);
	if (n == NULL) {
		n = registry_add(r, &r->nodes, sizeof(*n), row->code, "");
		if (n == NULL)
			return (ERR_NO_MEMORY);
		n->series_end = &n->series;
		*r->last = n;
		r->last = &n->next;
	} else if (row->change < n->change)
		return (ERR_OK);
	set_zone(n, w);
	n->retired = row->retired;
	n->change = row->change;
	registry_applied(r, REGISTRY_NODES, row->change);
	return (ERR_OK);
}

/* The place of a series number, NULL if memory is out. */
static struct series_entry **
index_place(struct registry *r, int32_t id)
{
	size_t page = (size_t)id >> PAGE_BITS, want = r->npages * 2;
	struct series_entry ***p;

	if (page >= r->npages) {
		want = want > page ? want : page + 1;
		if ((p = realloc(r->pages, want * sizeof(*p))) == NULL)
			return (NULL);
		memset(p + r->npages, 0, (want - r->npages) * sizeof(*p));
		r->pages = p;
		r->npages = want;
	}
	if (r->pages[page] == NULL)
		r->pages[page] =
		    arena_calloc(&r->arena, PAGE_SIZE, sizeof(**p));
	if (r->pages[page] == NULL)
		return (NULL);
	return (&r->pages[page][(unsigned)id & (PAGE_SIZE - 1)]);
}

static enum err
add_series(
    struct registry *r, const struct series_row *row, struct series_entry **ret)
{
	struct series_entry *s, **place;
	struct node_entry *n;

	if (r->series.used >= REGISTRY_SERIES_MAX)
		return (ERR_TOO_LARGE);
	n = name_map_get(&r->nodes, row->node, strlen(row->node), NULL, 0);
	if (n == NULL)
		return (ERR_NOT_FOUND);
	if ((place = index_place(r, row->id)) == NULL)
		return (ERR_NO_MEMORY);
	if (*place != NULL)
		return (ERR_INVALID);
	s = registry_add(r, &r->series, sizeof(*s), row->node, row->metric);
	if (s == NULL)
		return (ERR_NO_MEMORY);
	s->id = row->id;
	s->node = n;
	s->metric = s->name.s + s->name.len;
	*n->series_end = *place = s;
	n->series_end = &s->next_of_node;
	*ret = s;
	return (ERR_OK);
}

static bool
is_usable(const struct series_row *row, const struct unit *u)
{
	return (row->id > 0 &&
	    registry_is_text(row->node, 1, REGISTRY_CODE_MAX) &&
	    registry_is_text(row->metric, 1, REGISTRY_CODE_MAX) && u != NULL &&
	    registry_is_text(row->canonical, 1, REGISTRY_TEXT_MAX) &&
	    unit_converts(u, row->canonical));
}

enum err
registry_put_series(struct registry *r, const struct series_row *row)
{
	const struct unit *u =
	    row->unit != NULL ? unit_find(row->unit, strlen(row->unit)) : NULL;
	struct series_entry *s;
	enum err e;

	if (!is_usable(row, u))
		return (ERR_INVALID);
	s = name_map_get(&r->series, row->node, strlen(row->node), row->metric,
	    strlen(row->metric));
	if (s != NULL && s->id != row->id)
		return (ERR_INVALID);
	if (s != NULL && row->change < s->change)
		return (ERR_OK);
	if (s == NULL && (e = add_series(r, row, &s)) != ERR_OK)
		return (e);
	/* The unit table is constant, so its words can be borrowed. */
	s->unit = u->code;
	s->canonical = u->canonical;
	s->factor = u->factor;
	s->offset = u->offset;
	s->low = row->low;
	s->high = row->high;
	s->kind = row->kind;
	s->retired = row->retired;
	s->change = row->change;
	registry_applied(r, REGISTRY_SERIES, row->change);
	return (ERR_OK);
}

int64_t
registry_change(const struct registry *r, enum registry_table table)
{
	return (r->change[table]);
}

const struct node_entry *
registry_node(const struct registry *r, const char *code, size_t len)
{
	return (name_map_get(&r->nodes, code, len, NULL, 0));
}

const struct series_entry *
registry_series(const struct registry *r, const char *node, size_t node_len,
    const char *metric, size_t metric_len)
{
	return (name_map_get(&r->series, node, node_len, metric, metric_len));
}

const struct series_entry *
registry_by_id(const struct registry *r, int32_t id)
{
	size_t page = (size_t)id >> PAGE_BITS;

	if (id <= 0 || page >= r->npages || r->pages[page] == NULL)
		return (NULL);
	return (r->pages[page][(unsigned)id & (PAGE_SIZE - 1)]);
}

size_t
registry_series_count(const struct registry *r)
{
	return (r->series.used);
}

void
registry_walk(const struct registry *r, struct registry_walk *w,
    const char *zone, const char *metric)
{
	const struct word *z;

	*w = (struct registry_walk){.metric = metric, .by_zone = zone != NULL};
	if (zone == NULL)
		w->node = r->first;
	else if ((z = name_map_get(&r->words, zone, strlen(zone), NULL, 0)) !=
	    NULL)
		w->node = z->nodes;
	w->series = w->node != NULL ? w->node->series : NULL;
}

const struct series_entry *
registry_walk_next(struct registry_walk *w)
{
	const struct series_entry *s;

	while (w->node != NULL) {
		while ((s = w->series) != NULL) {
			w->series = s->next_of_node;
			if (!series_retired(s) &&
			    (w->metric == NULL ||
				strcmp(s->metric, w->metric) == 0))
				return (s);
		}
		w->node = w->by_zone ? w->node->next_of_zone : w->node->next;
		w->series = w->node != NULL ? w->node->series : NULL;
	}
	return (NULL);
}
