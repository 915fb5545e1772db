#include "cmd/mqtt_map.h"

#include "cmd/tool.h"

#include <mosquitto.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 9 /* {1} to {9} */

struct level {
	const char *s;
	size_t len;
};

void
mqtt_map_free(struct mqtt_map *m)
{
	free(m->rows);
	*m = (struct mqtt_map){0};
}

static bool
copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (len >= size)
		return (false);
	memcpy(to, from, len + 1);
	return (true);
}

/* The levels that the filter's '+' stand for, as the topic has them. */
static size_t
list_levels(const char *filter, const char *topic, struct level *ret)
{
	size_t n = 0, len, flen;

	while (*filter != '\0' && *topic != '\0' && n < LEVELS) {
		flen = strcspn(filter, "/");
		len = strcspn(topic, "/");
		if (flen == 1 && *filter == '+')
			ret[n++] = (struct level){topic, len};
		filter += flen + (filter[flen] == '/');
		topic += len + (topic[len] == '/');
	}
	return (n);
}

static bool
fill(char *to, const char *pattern, const struct level *levels, size_t n)
{
	size_t len = 0, i, add;

	for (; *pattern != '\0'; pattern += add == 1 ? 1 : 3) {
		i = (size_t)(pattern[1] - '1');
		add = 1;
		if (pattern[0] == '{' && pattern[1] >= '1' &&
		    pattern[1] <= '9' && pattern[2] == '}') {
			if (i >= n || levels[i].len == 0 ||
			    levels[i].len >= FEED_WORD - len)
				return (false);
			memcpy(to + len, levels[i].s, levels[i].len);
			len += levels[i].len;
			add = 3;
			continue;
		}
		if (len + 2 > FEED_WORD)
			return (false);
		to[len++] = *pattern;
	}
	to[len] = '\0';
	return (true);
}

bool
mqtt_map_find(
    const struct mqtt_map *m, const char *topic, struct mqtt_series *ret)
{
	struct level levels[LEVELS];
	const struct mqtt_row *r;
	bool fits = false;
	size_t n;

	for (r = m->rows; r < m->rows + m->n; r++)
		if (mosquitto_topic_matches_sub(r->filter, topic, &fits) ==
			MOSQ_ERR_SUCCESS &&
		    fits)
			break;
	if (r == m->rows + m->n)
		return (false);
	n = list_levels(r->filter, topic, levels);
	ret->unit = r->unit;
	return (fill(ret->node, r->node, levels, n) &&
	    fill(ret->metric, r->metric, levels, n));
}

static const char *
wrong(const struct mqtt_row *r)
{
	struct level levels[LEVELS];
	char word[FEED_WORD];
	size_t n = list_levels(r->filter, r->filter, levels);

	if (mosquitto_sub_topic_check(r->filter) != MOSQ_ERR_SUCCESS)
		return ("is no topic");
	if (strncmp(r->filter, "$share/", 7) == 0)
		return ("is shared by the setting PENSTOCK_MQTT_GROUP");
	if ((r->node[0] == '\0') != (r->metric[0] == '\0') ||
	    (r->node[0] == '\0' && r->unit[0] != '\0'))
		return ("needs node and metric, or neither nor a unit");
	if (!fill(word, r->node, levels, n) ||
	    !fill(word, r->metric, levels, n))
		return ("has not as many '+' as node and metric name");
	return (NULL);
}

static bool
add_row(struct mqtt_map *m, const struct csv *f, const int at[static 4])
{
	struct mqtt_row *r = &m->rows[m->n];
	const char *unit = at[3] == -1 ? "" : f->cells[at[3]], *why;

	if (m->n == MQTT_FILTERS)
		why = "is beyond the limit";
	else if (!copy(r->filter, sizeof(r->filter), f->cells[at[0]]) ||
	    !copy(r->node, FEED_WORD, f->cells[at[1]]) ||
	    !copy(r->metric, FEED_WORD, f->cells[at[2]]) ||
	    !copy(r->unit, FEED_WORD, unit))
		why = "or what stands beside it is too long";
	else
		why = wrong(r);
	if (why != NULL)
		tool_error("%s: line %zu: \"%.60s\" %s", f->path, f->line,
		    f->cells[at[0]], why);
	else
		m->n++;
	return (why == NULL);
}

static bool
read_rows(struct mqtt_map *m, struct csv *f)
{
	static const char *const names[] = {"topic", "node", "metric", "unit"};
	enum csv_result r;
	size_t i, ncells;
	int at[4];

	if ((r = csv_next(f)) != CSV_OK)
		return (false);
	for (i = 0; i < 4; i++)
		if ((at[i] = csv_find(f, names[i])) == -1 && i < 3) {
			tool_error("%s: no column \"%s\" in its first line",
			    f->path, names[i]);
			return (false);
		}
	ncells = f->ncells;
	while ((r = csv_next(f)) == CSV_OK) {
		if (f->ncells != ncells) {
			tool_error("%s: line %zu: %zu cells instead of %zu",
			    f->path, f->line, f->ncells, ncells);
			return (false);
		}
		if (!add_row(m, f, at))
			return (false);
	}
	return (r == CSV_END);
}

bool
mqtt_map_read(struct mqtt_map *m, const char *path)
{
	struct csv *f = calloc(1, sizeof(*f));
	bool ok;

	m->n = 0;
	m->rows = calloc(MQTT_FILTERS + 1, sizeof(*m->rows));
	if (f == NULL || m->rows == NULL) {
		free(f);
		tool_error("out of memory");
		return (false);
	}
	ok = csv_open(f, path, ',') && read_rows(m, f);
	if (ok && m->n == 0) {
		tool_error("%s: names no topic", path);
		ok = false;
	}
	csv_close(f);
	free(f);
	return (ok);
}
