#include "auth/revoked.h"

#include "auth/digest.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 64 /* places; a power of two */

struct entry {
	int64_t key; /* 0: free */
	int64_t until_us, before_us;
};

struct revoked {
	struct entry *places; /* linear probing */
	uint32_t size, used;
	int64_t change, heard_us;
	bool loaded;
};

struct revoked *
revoked_new(void)
{
	struct revoked *r = calloc(1, sizeof(*r));

	if (r == NULL ||
	    (r->places = calloc(FIRST, sizeof(*r->places))) == NULL) {
		free(r);
		return (NULL);
	}
	r->size = FIRST;
	return (r);
}

void
revoked_free(struct revoked *r)
{
	if (r == NULL)
		return;
	free(r->places);
	free(r);
}

int64_t
revoked_mark(const char *kind, const char *text)
{
	unsigned char sha[DIGEST_LEN];
	uint64_t mark = 0;

	digest((struct digest_part[]){{kind, strlen(kind)}, {":", 1},
		   {text, strlen(text)}},
	    3, sha);
	for (size_t i = 0; i < sizeof(mark); i++)
		mark = mark << 8 | sha[i];
	return ((int64_t)(mark | UINT64_C(1) << 63));
}

/* Where it is, or where it would go. Sessions are numbered in turn, so the
 * number spreads as well as any hash of it. */
static struct entry *
place_of(struct entry *places, uint32_t size, int64_t key)
{
	uint32_t i = (uint32_t)key & (size - 1);

	while (places[i].key != 0 && places[i].key != key)
		i = (i + 1) & (size - 1);
	return (&places[i]);
}

/* Moves what is still needed to a table that leaves three quarters free. */
static enum err
make_room(struct revoked *r, int64_t now_us)
{
	uint32_t live = 0, size = FIRST;
	struct entry *places;

	for (uint32_t i = 0; i < r->size; i++)
		live += r->places[i].until_us > now_us;
	while (size / 4 < live + 1)
		size *= 2;
	if (size > REVOKED_MAX)
		return (ERR_TOO_LARGE);
	if ((places = calloc(size, sizeof(*places))) == NULL)
		return (ERR_NO_MEMORY);
	for (uint32_t i = 0; i < r->size; i++)
		if (r->places[i].until_us > now_us)
			*place_of(places, size, r->places[i].key) =
			    r->places[i];
	free(r->places);
	r->places = places;
	r->size = size;
	r->used = live;
	return (ERR_OK);
}

enum err
revoked_put(struct revoked *r, const struct revoked_row *row, int64_t now_us)
{
	struct entry *e;
	enum err err;

	if (row->key == 0)
		return (ERR_INVALID);
	if (r->used + 1 > r->size / 2 && (err = make_room(r, now_us)) != ERR_OK)
		return (err);
	e = place_of(r->places, r->size, row->key);
	r->used += e->key == 0;
	*e = (struct entry){row->key, row->until_us, row->before_us};
	if (row->change > r->change)
		r->change = row->change;
	return (ERR_OK);
}

bool
revoked_has(const struct revoked *r, const struct revoked_keys *k)
{
	const struct entry *e;

	for (size_t i = 0; i < 2; i++) {
		if (k->keys[i] == 0)
			continue;
		e = place_of(r->places, r->size, k->keys[i]);
		if (e->key != 0 &&
		    (e->before_us == 0 || k->issued_us < e->before_us))
			return (true);
	}
	return (false);
}

int64_t
revoked_change(const struct revoked *r)
{
	return (r->change);
}

void
revoked_loaded(struct revoked *r, int64_t monotonic_us)
{
	r->loaded = true;
	r->heard_us = monotonic_us;
}

bool
revoked_known(const struct revoked *r)
{
	return (r->loaded);
}

void
revoked_heard(struct revoked *r, int64_t monotonic_us)
{
	r->heard_us = monotonic_us;
}

bool
revoked_fresh(const struct revoked *r, int64_t monotonic_us)
{
	return (r->loaded &&
	    monotonic_us - r->heard_us < REVOKED_FRESH_S * INT64_C(1000000));
}
