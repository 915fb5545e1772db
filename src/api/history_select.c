/* Which series a request means: series=, node= with metric=, or zone=. */
#include "api/history.h"

#include "api/api.h"
#include "ingest/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum found { FOUND, UNKNOWN, REFUSED };

/* The word of a list at *s, which moves on; false at its end. */
static bool
next_word(const char **s, const char **ret, size_t *ret_len)
{
	if (*s == NULL)
		return (false);
	*ret = *s;
	*ret_len = strcspn(*s, ",");
	*s = (*s)[*ret_len] == ',' ? *s + *ret_len + 1 : NULL;
	return (true);
}

static enum found
refuse(struct history *h, enum err e, const char *why)
{
	reply_error(h->r, e, NULL, "%s", why);
	return (REFUSED);
}

static enum found
add(struct history *h, const struct series_entry *s)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->series[i] == s)
			return (
			    refuse(h, ERR_INVALID, "a series is named twice"));
	if (h->n == HISTORY_SERIES_MAX) {
		reply_error(h->r, ERR_INVALID, NULL, "more than %d series",
		    HISTORY_SERIES_MAX);
		return (REFUSED);
	}
	h->series[h->n++] = s;
	return (FOUND);
}

static enum found
unknown(struct history *h, const char *name, size_t len)
{
	if (!h->refreshed)
		return (UNKNOWN);
	reply_error(h->r, ERR_NOT_FOUND, NULL, "there is no series %.*s",
	    (int)len, name);
	return (REFUSED);
}

static enum found
by_names(struct history *h, const char *list)
{
	const struct registry *reg = h->r->api->registry;
	const struct series_entry *s;
	const char *word, *slash;
	enum found found = FOUND;
	size_t len, at;

	while (found == FOUND && next_word(&list, &word, &len)) {
		slash = memchr(word, '/', len);
		if (slash == NULL)
			return (refuse(h, ERR_INVALID,
			    "series is a list of NODE/metric, with commas"));
		at = (size_t)(slash - word);
		s = registry_series(reg, word, at, slash + 1, len - at - 1);
		found = s != NULL ? add(h, s) : unknown(h, word, len);
	}
	return (found);
}

static enum found
by_metrics(struct history *h, const char *node, const char *list)
{
	const struct registry *reg = h->r->api->registry;
	const struct series_entry *s;
	enum found found = FOUND;
	const char *word;
	char name[200];
	size_t len;

	while (found == FOUND && next_word(&list, &word, &len)) {
		s = registry_series(reg, node, strlen(node), word, len);
		if (s != NULL) {
			found = add(h, s);
			continue;
		}
		(void)snprintf(
		    name, sizeof(name), "%s/%.*s", node, (int)len, word);
		found = unknown(h, name, strlen(name));
	}
	return (found);
}

static enum found
by_node(struct history *h, const char *code)
{
	const struct node_entry *node =
	    registry_node(h->r->api->registry, code, strlen(code));
	const struct series_entry *s;
	enum found found = FOUND;

	if (node == NULL && !h->refreshed)
		return (UNKNOWN);
	if (node == NULL) {
		reply_error(
		    h->r, ERR_NOT_FOUND, NULL, "there is no node %s", code);
		return (REFUSED);
	}
	for (s = node->series; s != NULL && found == FOUND; s = s->next_of_node)
		if (!series_retired(s))
			found = add(h, s);
	return (found);
}

static bool
in_list(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *s = list; (s = strstr(s, word)) != NULL; s++)
		if ((s == list || s[-1] == ',') &&
		    (s[len] == ',' || s[len] == '\0'))
			return (true);
	return (false);
}

/* Of all metrics where `list` is NULL. A zone is walked once, however long
 * the list. */
static enum found
by_zone(struct history *h, const char *zone, const char *list)
{
	const struct series_entry *s;
	enum found found = FOUND;
	struct registry_walk walk;

	registry_walk(h->r->api->registry, &walk, zone, NULL);
	while (found == FOUND && (s = registry_walk_next(&walk)) != NULL)
		if (list == NULL || in_list(list, s->metric))
			found = add(h, s);
	return (found);
}

static int
by_name(const void *a, const void *b)
{
	const struct series_entry *const *x = a, *const *y = b;
	int c = strcmp((*x)->node->name.s, (*y)->node->name.s);

	return (c != 0 ? c : strcmp((*x)->metric, (*y)->metric));
}

/* Those that nobody put in an order. */
static enum found
sorted(struct history *h, enum found found)
{
	if (found == FOUND)
		qsort(h->series, h->n, sizeof(*h->series), by_name);
	return (found);
}

static enum found
look(struct history *h)
{
	const char *series = request_query(h->r, "series");
	const char *node = request_query(h->r, "node");
	const char *zone = request_query(h->r, "zone");
	const char *metric = request_query(h->r, "metric");

	h->n = 0;
	h->many = node == NULL || metric == NULL || strchr(metric, ',') != NULL;
	if ((series != NULL) + (node != NULL) + (zone != NULL) != 1 ||
	    (series != NULL && metric != NULL))
		return (refuse(h, ERR_INVALID,
		    "give one of node, series and zone; metric goes with node "
		    "and zone"));
	if (series != NULL)
		return (by_names(h, series));
	if (zone != NULL)
		return (sorted(h, by_zone(h, zone, metric)));
	if (metric == NULL)
		return (sorted(h, by_node(h, node)));
	return (by_metrics(h, node, metric));
}

/* A name that is not known here may be a second old. */
static void
look_again(struct request *r)
{
	struct history *h = r->state;

	h->refreshed = true;
	if (look(h) == FOUND)
		h->next(r);
}

void
history_begin(struct request *r, void (*next)(struct request *))
{
	struct history *h = arena_calloc(&r->arena, 1, sizeof(*h));
	enum found found = REFUSED;

	if (h != NULL)
		h->series = arena_alloc(
		    &r->arena, HISTORY_SERIES_MAX * sizeof(*h->series));
	if (h == NULL || h->series == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	h->r = r;
	h->next = next;
	r->state = h;
	if ((found = look(h)) == FOUND)
		next(r);
	else if (found == UNKNOWN)
		request_refresh(r, look_again);
}
