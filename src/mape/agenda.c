#include "mape/agenda.h"

#include <stdlib.h>

void
agenda_done(struct agenda *a)
{
	free(a->items);
	*a = (struct agenda){0};
}

bool
agenda_clear(struct agenda *a, size_t room)
{
	struct agenda_item *items;

	if (room > a->room) {
		items = realloc(a->items, room * sizeof(*items));
		if (items == NULL)
			return (false);
		a->items = items;
		a->room = room;
	}
	a->n = 0;
	return (true);
}

void
agenda_put(struct agenda *a, int32_t series, int64_t at_us)
{
	size_t i = a->n++;

	for (; i > 0 && a->items[(i - 1) / 2].at_us > at_us; i = (i - 1) / 2)
		a->items[i] = a->items[(i - 1) / 2];
	a->items[i] = (struct agenda_item){at_us, series};
}

/* The last one goes where the first was, and down. */
static void
sift(struct agenda *a)
{
	struct agenda_item last = a->items[--a->n];
	size_t i = 0, next;

	while ((next = 2 * i + 1) < a->n) {
		if (next + 1 < a->n &&
		    a->items[next + 1].at_us < a->items[next].at_us)
			next++;
		if (a->items[next].at_us >= last.at_us)
			break;
		a->items[i] = a->items[next];
		i = next;
	}
	a->items[i] = last;
}

bool
agenda_take(struct agenda *a, int64_t now_us, int32_t *ret_series)
{
	if (a->n == 0 || a->items[0].at_us > now_us)
		return (false);
	*ret_series = a->items[0].series;
	sift(a);
	return (true);
}
