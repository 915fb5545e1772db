#include "api/events_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t
number(const struct rows *rows, int row, int column, int64_t otherwise)
{
	int len;
	const char *s = rows->get(rows, row, column, &len);

	return (s == NULL ? otherwise : strtoll(s, NULL, 10));
}

int64_t
events_pruned(const struct rows *rows)
{
	return (rows->n > 0 ? number(rows, 0, 0, 0) : 0);
}

/* False: the row of NULLs, or no memory. */
bool
events_read(const struct rows *rows, int row, struct event *ret)
{
	const char *kind, *type, *body;
	int len, n;

	ret->id = number(rows, row, 1, 0);
	if (ret->id == 0)
		return (false);
	kind = rows->get(rows, row, 2, &len);
	ret->kind = events_kind(kind, (size_t)len);
	type = rows->get(rows, row, 3, &len);
	(void)snprintf(ret->type, sizeof(ret->type), "%s", type);
	ret->zone = (int32_t)number(rows, row, 4, EVENTS_NOWHERE);
	body = rows->get(rows, row, 5, &len);
	n = asprintf(&ret->frame, "id: %lld\nevent: %s\ndata: %s\n\n",
	    (long long)ret->id, ret->type, body);
	ret->len = n < 0 ? 0 : (size_t)n;
	return (n >= 0);
}

static void
drop_first(struct events *e)
{
	struct event *old = events_at(e, e->first++);

	e->base = old->id;
	e->bytes -= old->len;
	free(old->frame);
}

static void
keep(struct events *e, const struct event *new)
{
	while (e->first < e->next &&
	    (e->next - e->first == EVENTS_KEPT ||
		e->bytes + new->len > EVENTS_BYTES))
		drop_first(e);
	*events_at(e, e->next++) = *new;
	e->bytes += new->len;
	e->tail = new->id;
}

void
events_open(struct events *e, int64_t newest)
{
	e->base = e->tail = newest;
	e->open = true;
}

void
events_close(struct events *e)
{
	while (e->first < e->next)
		drop_first(e);
	e->open = false;
}

uint64_t
events_place(const struct events *e, int64_t id)
{
	uint64_t low = e->first, high = e->next, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (e->ring[middle % EVENTS_KEPT].id <= id)
			low = middle + 1;
		else
			high = middle;
	}
	return (low);
}

/* What follows is gone: everybody is led past it from the database. */
static void
lead_past(struct events *e, int64_t pruned)
{
	struct listener *l;

	while (e->first < e->next)
		drop_first(e);
	e->base = e->tail = pruned;
	TAILQ_FOREACH(l, &e->listeners, list)
	l->behind = true;
}

static void
on_rows(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct events *e = arg;
	struct event new;
	int n = 0;

	(void)info;
	e->asking = false;
	if (rows == NULL || !e->open)
		return; /* the tick asks again */
	if (events_pruned(rows) > e->tail)
		lead_past(e, events_pruned(rows));
	while (n < rows->n && events_read(rows, n, &new)) {
		n++;
		/* Another question may have been answered in between. */
		if (new.id > e->tail)
			keep(e, &new);
		else
			free(new.frame);
	}
	if (n == EVENTS_PAGE_ROWS || e->again)
		events_ask(e);
	events_serve(e);
}

void
events_ask(struct events *e)
{
	struct param params[] = {{NULL, -1, false}, {EVENTS_PAGE, -1, false}};
	struct err_info info = {.code = ERR_OK};
	char tail[24];

	e->again = e->asking;
	if (!e->open || e->asking)
		return;
	(void)snprintf(tail, sizeof(tail), "%lld", (long long)e->tail);
	params[0].data = tail;
	e->asking = e->api->query.run(e->api->query.self,
			&(struct query){.statement = ST_events_after,
			    .lane = LANE_FAST,
			    .params = params,
			    .nparams = 2},
			on_rows, e, &info) == ERR_OK;
}
