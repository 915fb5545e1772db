/* Readings as one JSON answer: all of it is read first, so that what fails
 * is a problem and not a cut answer; a long one is then written in pieces. */
#include "api/history.h"

#include "api/api.h"
#include "api/range_walk.h"
#include "ingest/registry.h"

#include <stdio.h>
#include <string.h>

#define PASSED_OVER 8192 /* readings at once, if most may not be shown */

struct block {
	struct block *next;
	size_t n;
	struct reading readings[];
};

struct page_series {
	struct block *first, **end;
	size_t n;
	unsigned tiers;
	bool more; /* than the limit */
};

struct page {
	struct history *h;
	struct range_walk walk;
	struct page_series *series;
	size_t n; /* readings in all */
	/* How far it is read, then how far it is written. */
	size_t at, i;
	const struct block *block;
	bool begun, open;
};

static void
write_item(struct text *t, const struct reading *v)
{
	json_object(t, NULL);
	json_instant(t, "ts", v->t_us);
	json_double(t, "value", v->value);
	json_string(t, "quality", quality_name(v->quality));
	json_instant(t, "received_at", v->received_us);
	json_object_end(t);
}

static void
write_head(struct text *t, const struct page *p)
{
	json_object(t, NULL);
	history_write_series(t, p->h->series[p->at]);
	json_array(t, "items");
}

/* The newest one shown; only after the head. */
static int64_t
last_shown(const struct page_series *s)
{
	const struct block *b = s->first;

	while (b->next != NULL)
		b = b->next;
	return (b->readings[b->n - 1].t_us);
}

static void
write_tail(struct text *t, const struct page_series *s)
{
	char next[24];

	json_array_end(t);
	if (s->more) {
		(void)snprintf(
		    next, sizeof(next), "%lld", (long long)last_shown(s));
		json_string(t, "next", next);
	} else
		json_null(t, "next");
	json_string(t, "source", range_tiers_name(s->tiers));
	if (s->tiers & TIER_HOT)
		json_bool(t, "complete", true);
	json_object_end(t);
}

/* False: the piece is full, there is more. */
static bool
write_series(struct page *p, struct text *t, size_t full)
{
	const struct page_series *s = &p->series[p->at];

	if (!p->open) {
		write_head(t, p);
		p->open = true;
		p->block = s->first;
		p->i = 0;
	}
	for (; p->block != NULL; p->block = p->block->next, p->i = 0)
		for (; p->i < p->block->n; p->i++) {
			if (t->len >= full)
				return (false);
			write_item(t, &p->block->readings[p->i]);
		}
	write_tail(t, s);
	p->open = false;
	return (true);
}

static bool
write_page(void *job, struct text *t, size_t full)
{
	struct page *p = job;
	bool many = p->h->many;

	if (!p->begun && many) {
		json_object(t, NULL);
		json_array(t, "series");
	}
	p->begun = true;
	for (; p->at < p->h->n; p->at++)
		if (t->len >= full || !write_series(p, t, full))
			return (false);
	if (many) {
		json_array_end(t);
		json_object_end(t);
	}
	return (true);
}

static void
answer(struct page *p)
{
	p->at = 0;
	history_answer(p->h, p->n, write_page);
}

static bool
keep(struct page *p, const struct reading *readings, size_t n)
{
	struct page_series *s = &p->series[p->at];
	struct history *h = p->h;
	struct block *b;
	size_t i, known = 0, room = h->limit - s->n;

	for (i = 0; i < n; i++)
		known += readings[i].received_us <= h->known_us;
	s->more = known > room;
	if (s->more)
		known = room;
	if (known == 0)
		return (true);
	b = arena_alloc(&h->r->arena, sizeof(*b) + known * sizeof(*readings));
	if (b == NULL)
		return (false);
	b->n = 0;
	b->next = NULL;
	for (i = 0; b->n < known; i++)
		if (readings[i].received_us <= h->known_us)
			b->readings[b->n++] = readings[i];
	*s->end = b;
	s->end = &b->next;
	s->n += known;
	p->n += known;
	return (true);
}

static void on_part(
    struct request *, const struct reading *, size_t, const struct err_info *);

static void
read_next(struct page *p)
{
	struct history *h = p->h;
	struct page_series *s = &p->series[p->at];

	if (p->at == h->n) {
		answer(p);
		return;
	}
	if (s->end == NULL) {
		s->end = &s->first;
		p->walk = (struct range_walk){.r = h->r,
		    .series = h->series[p->at]->id,
		    .at_us = h->from_us,
		    .to_us = h->to_us,
		    .cb = on_part};
	}
	p->walk.max = h->limit + 1 - s->n;
	/* Nobody can tell how many of them were known. */
	if (h->known_us != INT64_MAX && p->walk.max < PASSED_OVER)
		p->walk.max = PASSED_OVER;
	range_walk_next(&p->walk);
}

static void
on_part(struct request *r, const struct reading *readings, size_t n,
    const struct err_info *info)
{
	struct history *h = r->state;
	struct page *p = h->job;
	struct page_series *s = &p->series[p->at];

	if (info->code != ERR_OK) {
		reply_problem(r, info);
		return;
	}
	s->tiers = p->walk.tiers;
	if (!keep(p, readings, n)) {
		reply_error(r, ERR_NO_MEMORY, NULL, "the page is too large");
		return;
	}
	if (s->more || range_walk_done(&p->walk))
		p->at++;
	read_next(p);
}

void
history_page(struct history *h)
{
	struct page *p = arena_calloc(&h->r->arena, 1, sizeof(*p));

	if (p != NULL)
		p->series =
		    arena_calloc(&h->r->arena, h->n + 1, sizeof(*p->series));
	if (p == NULL || p->series == NULL) {
		reply_error(h->r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	h->job = p;
	p->h = h;
	if (h->from_us < h->to_us)
		read_next(p);
	else /* the cursor was the last there can be */
		answer(p);
}
