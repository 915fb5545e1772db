#include "mape/knowledge.h"

#include <string.h>

const struct series *
knowledge_series(const struct knowledge *k, int32_t id)
{
	size_t lo = 0, hi = k->nseries, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (k->series[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == k->nseries || k->series[lo].id != id)
		return (NULL);
	return (&k->series[lo]);
}

const struct series *
knowledge_series_at(
    const struct knowledge *k, int32_t node_id, const char *metric)
{
	size_t i;

	for (i = 0; i < k->nseries; i++) {
		if (k->series[i].node_id == node_id &&
		    strcmp(k->series[i].metric, metric) == 0)
			return (&k->series[i]);
	}
	return (NULL);
}

const struct series *
knowledge_series_in(
    const struct knowledge *k, const char *zone, const char *metric)
{
	const struct series *s, *found = NULL;
	size_t i;

	for (i = 0; i < k->nseries && zone[0] != '\0'; i++) {
		s = &k->series[i];
		if (strcmp(s->zone, zone) != 0 ||
		    strcmp(s->metric, metric) != 0)
			continue;
		if (strcmp(s->node_type, "dma") == 0)
			return (s);
		if (found == NULL)
			found = s;
	}
	return (found);
}
