#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

/* To say why an item is rejected takes as long as to decode so many bytes. */
#define OUTCOME_BYTES 64

enum { DROPPED = -1 }; /* series of a reading that is set aside */

static const char *
keep(struct batch *b, const char *detail)
{
	const char *copy = arena_strdup(b->arena, detail);

	b->failed |= copy == NULL;
	return (copy);
}

static void
add_outcome(
    struct batch *b, uint32_t index, enum reject reason, const char *detail)
{
	size_t cap = b->outcomes_cap * 2 + 16;
	struct batch_outcome *more;

	if (b->noutcomes == b->outcomes_cap) {
		more = arena_alloc(b->arena, cap * sizeof(*more));
		if (more == NULL) {
			b->failed = true;
			return;
		}
		if (b->noutcomes > 0)
			memcpy(more, b->outcomes, b->noutcomes * sizeof(*more));
		b->outcomes = more;
		b->outcomes_cap = cap;
	}
	b->outcomes[b->noutcomes++] =
	    (struct batch_outcome){index, reason, detail};
	b->duplicates += reason == REJECT_NONE;
	b->rejected += reason != REJECT_NONE;
	b->unknown += reason == REJECT_UNKNOWN_SERIES;
}

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL,
	    "the request needs more memory than it may take"));
}

static bool
reserve(struct batch *b, const struct batch_input *in)
{
	size_t cap = in->len / decoder_item_bytes(in->form) + 1;

	b->cap = cap < in->max ? cap : in->max;
	b->readings = arena_alloc(b->arena, b->cap * sizeof(*b->readings));
	b->index = arena_alloc(b->arena, b->cap * sizeof(*b->index));
	b->lookup = arena_alloc(b->arena, b->cap * sizeof(*b->lookup));
	b->decoder = arena_alloc(b->arena, sizeof(*b->decoder));
	return (b->readings != NULL && b->index != NULL && b->lookup != NULL &&
	    b->decoder != NULL);
}

enum err
batch_open(struct batch *b, const struct batch_input *in, struct arena *arena,
    struct err_info *info)
{
	*b = (struct batch){.arena = arena,
	    .normaliser = {.registry = in->registry, .limits = in->limits}};
	if (!reserve(b, in))
		return (no_memory(info));
	decoder_init(
	    b->decoder, in->form, in->body, in->len, in->max, &b->info);
	return (ERR_OK);
}

enum err
batch_decode(
    struct batch *b, size_t bytes, bool *ret_more, struct err_info *info)
{
	char detail[NORMALISE_DETAIL];
	const char *from = decoder_at(b->decoder);
	size_t told = b->noutcomes;
	struct item item;
	enum reject why;
	bool more;

	do {
		if (decoder_next(b->decoder, &item, &more) != ERR_OK) {
			if (info != NULL && info->code == ERR_OK)
				*info = b->info;
			return (b->info.code);
		}
		if (!more)
			break;
		why = normalise(
		    &b->normaliser, &item, &b->readings[b->n], detail);
		if (why != REJECT_NONE)
			add_outcome(
			    b, (uint32_t)item.index, why, keep(b, detail));
		else
			b->index[b->n++] = (uint32_t)item.index;
		if (b->failed)
			return (no_memory(info));
	} while ((size_t)(decoder_at(b->decoder) - from) +
		(b->noutcomes - told) * OUTCOME_BYTES <
	    bytes);
	b->single = decoder_single(b->decoder);
	b->empty = decoder_empty(b->decoder);
	*ret_more = more;
	return (ERR_OK);
}

/* The reading at i was stored, or stands earlier in the body, as `first`. */
static void
set_aside(struct batch *b, size_t i, double first, const char *where)
{
	struct reading *r = &b->readings[i];
	char *detail = NULL;
	bool same = r->value == first;

	if (!same) {
		detail = arena_printf(b->arena,
		    "%s has the value %.9g at this time; the first stays",
		    where, first);
		b->failed |= detail == NULL;
	}
	add_outcome(
	    b, b->index[i], same ? REJECT_NONE : REJECT_CONFLICT, detail);
	r->series = DROPPED;
}

static void
compact(struct batch *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		if (b->readings[i].series != DROPPED) {
			b->readings[n] = b->readings[i];
			b->index[n++] = b->index[i];
		}
	b->n = n;
}

static size_t
key_hash(const struct reading *r)
{
	uint64_t h = ((uint64_t)r->t_us ^ (uint64_t)r->series << 40) *
	    UINT64_C(0x9e3779b97f4a7c15);

	return ((size_t)(h ^ h >> 29));
}

/*
 * Sets aside every reading whose series and time an earlier one has; the
 * table holds positions + 1.
 */
static bool
drop_repeated(struct batch *b)
{
	size_t size = 16, i, at;
	const struct reading *r, *s;
	uint32_t *table;

	while (size < b->n * 2)
		size *= 2;
	if ((table = arena_calloc(b->arena, size, sizeof(*table))) == NULL)
		return (false);
	for (i = 0; i < b->n; i++) {
		r = &b->readings[i];
		for (at = key_hash(r) & (size - 1); table[at] != 0;
		     at = (at + 1) & (size - 1)) {
			s = &b->readings[table[at] - 1];
			if (s->series == r->series && s->t_us == r->t_us)
				break;
		}
		if (table[at] == 0)
			table[at] = (uint32_t)i + 1;
		else
			set_aside(b, i, s->value, "an earlier item");
	}
	return (true);
}

void
batch_split(struct batch *b, struct last_seen *ls)
{
	const struct reading *r = b->readings;
	size_t i;

	for (i = 0; i < b->n; i++)
		if (!last_seen_advance(ls, r[i].series, r[i].t_us))
			b->lookup[b->nlookup++] = (uint32_t)i;
}

void
batch_stored(struct batch *b, size_t i, double value)
{
	if (i < b->nlookup && b->readings[b->lookup[i]].series != DROPPED)
		set_aside(b, b->lookup[i], value, "the series");
}

static int
by_index(const void *a, const void *b)
{
	const struct batch_outcome *x = a, *y = b;

	return ((x->index > y->index) - (x->index < y->index));
}

enum err
batch_settle(struct batch *b, struct err_info *info)
{
	compact(b);
	/* All newest when they came: then no two have the same time. */
	if (b->nlookup > 0 && !drop_repeated(b))
		return (no_memory(info));
	compact(b);
	b->nlookup = 0;
	if (b->failed)
		return (no_memory(info));
	if (b->noutcomes > 1)
		qsort(
		    b->outcomes, b->noutcomes, sizeof(*b->outcomes), by_index);
	return (ERR_OK);
}

void
batch_write(const struct batch *b, struct text *t)
{
	const struct batch_outcome *o = b->outcomes;
	size_t i;

	json_object(t, NULL);
	json_int(t, "accepted", (int64_t)b->n);
	json_int(t, "duplicates", (int64_t)b->duplicates);
	json_int(t, "rejected", (int64_t)b->rejected);
	if (b->empty > 0)
		json_int(t, "empty", (int64_t)b->empty);
	json_array(t, "items");
	for (i = 0; i < b->noutcomes; i++, o++) {
		json_object(t, NULL);
		json_int(t, "index", o->index);
		if (o->reason == REJECT_NONE)
			json_string(t, "status", "duplicate");
		else {
			json_string(t, "status", "rejected");
			json_string(t, "reason", reject_word(o->reason));
			json_string(t, "detail", o->detail);
		}
		json_object_end(t);
	}
	json_array_end(t);
	json_object_end(t);
}
