#include "store/hot_gather.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 256u

void
gather_done(struct gather *g)
{
	free(g->records);
	free(g->groups);
	free(g->map);
	memset(g, 0, sizeof(*g));
}

bool
gather_empty(const struct gather *g)
{
	return (g->ngroups == 0 && !g->hole);
}

/* Where the group is noted, or where to note it. */
static uint32_t *
place_of(const struct gather *g, int32_t series, int32_t hour)
{
	size_t mask = g->groups_size * 2 - 1;
	uint64_t key = (uint64_t)(uint32_t)series << 32 | (uint32_t)hour;
	size_t i = (key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
	const struct gather_group *at;

	while (g->map[i] != 0) {
		at = &g->groups[g->map[i] - 1];
		if (at->series == series && at->hour == hour)
			break;
		i = (i + 1) & mask;
	}
	return (&g->map[i]);
}

/* The last one first: so those that stand before it on its way still do. */
void
gather_clear(struct gather *g)
{
	struct gather_group *at;

	if (g->ngroups > g->groups_size / 4)
		memset(g->map, 0, g->groups_size * 2 * sizeof(g->map[0]));
	else
		while (g->ngroups > 0) {
			at = &g->groups[--g->ngroups];
			*place_of(g, at->series, at->hour) = 0;
		}
	g->n = g->ngroups = 0;
	g->hole = false;
}

void
gather_hole(struct gather *g)
{
	gather_clear(g);
	g->hole = true;
}

static bool
grow_groups(struct gather *g)
{
	size_t i, size = g->groups_size == 0 ? FIRST : g->groups_size * 2;
	struct gather_group *groups;
	uint32_t *map;

	if (size > GATHER_GROUPS ||
	    (map = calloc(size * 2, sizeof(*map))) == NULL)
		return (false);
	groups = reallocarray(g->groups, size, sizeof(*groups));
	if (groups == NULL) {
		free(map);
		return (false);
	}
	free(g->map);
	g->map = map;
	g->groups = groups;
	g->groups_size = size;
	for (i = 0; i < g->ngroups; i++)
		*place_of(g, groups[i].series, groups[i].hour) =
		    (uint32_t)i + 1;
	return (true);
}

static bool
grow_records(struct gather *g)
{
	size_t size = g->size == 0 ? FIRST : g->size * 2;
	struct gather_record *records;

	if (size > GATHER_READINGS)
		return (false);
	records = reallocarray(g->records, size, sizeof(*records));
	if (records == NULL)
		return (false);
	g->records = records;
	g->size = size;
	return (true);
}

/* NULL: no room. */
static struct gather_group *
group_of(struct gather *g, int32_t series, int32_t hour)
{
	struct gather_group *ret;
	uint32_t *place;

	if (g->ngroups == g->groups_size && !grow_groups(g))
		return (NULL);
	place = place_of(g, series, hour);
	if (*place != 0)
		return (&g->groups[*place - 1]);
	ret = &g->groups[g->ngroups++];
	*place = (uint32_t)g->ngroups;
	*ret = (struct gather_group){
	    .series = series, .hour = hour, .floor = INT32_MIN};
	return (ret);
}

static bool
put(struct gather *g, const struct reading *r, int32_t oldest)
{
	int32_t hour = hour_of(r->t_us);
	struct gather_group *at =
	    group_of(g, r->series, hour < oldest ? GATHER_FLOOR : hour);

	if (at == NULL)
		return (false);
	if (hour < oldest) {
		if (at->floor < hour)
			at->floor = hour;
		return (true);
	}
	if (g->n == g->size && !grow_records(g))
		return (false);
	g->records[g->n].next = 0;
	hour_record(r, g->records[g->n].bytes);
	if (at->n++ == 0)
		at->first = (uint32_t)g->n;
	else
		g->records[at->last].next = (uint32_t)g->n;
	at->last = (uint32_t)g->n++;
	return (true);
}

void
gather_readings(
    struct gather *g, const struct reading *r, size_t n, int32_t oldest)
{
	size_t i;

	for (i = 0; i < n && !g->hole; i++)
		if (!put(g, &r[i], oldest))
			gather_hole(g);
}

void
gather_forget(struct gather *g, int32_t series)
{
	if (!g->hole && group_of(g, series, GATHER_FORGET) == NULL)
		gather_hole(g);
}

size_t
gather_copy(
    const struct gather *g, uint32_t *at, size_t most, unsigned char *ret)
{
	const struct gather_record *r;
	size_t n;

	for (n = 0; n < most; n++) {
		r = &g->records[*at];
		memcpy(ret + n * HOUR_RECORD, r->bytes, HOUR_RECORD);
		*at = r->next;
	}
	return (n);
}
