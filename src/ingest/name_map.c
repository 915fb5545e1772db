#include "ingest/name_map.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE ((size_t)64)

/* Folds a 128-bit product, as in Wang Yi's wyhash (public domain). */
static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return ((uint64_t)p ^ (uint64_t)(p >> 64));
}

static uint64_t
absorb(uint64_t h, const char *s, size_t len)
{
	uint64_t w;

	h ^= len;
	for (; len >= 8; s += 8, len -= 8) {
		memcpy(&w, s, 8);
		h = mix(h ^ w, UINT64_C(0xa0761d6478bd642f));
	}
	for (w = 0; len > 0; len--)
		w = w << 8 | (unsigned char)s[len - 1];
	return (mix(h ^ w, UINT64_C(0xe7037ed1a0b428db)));
}

uint64_t
name_hash(const char *a, size_t alen, const char *b, size_t blen)
{
	uint64_t h = absorb(UINT64_C(0x8ebc6af09c88c6e3), a, alen);

	return (blen > 0 ? absorb(h, b, blen) : h);
}

void *
name_map_get(const struct name_map *m, const char *a, size_t alen,
    const char *b, size_t blen)
{
	const struct name_slot *s;
	uint64_t h;
	size_t i;

	if (m->used == 0)
		return (NULL);
	h = name_hash(a, alen, b, blen);
	for (i = h & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
		s = &m->slots[i];
		if (s->item == NULL)
			return (NULL);
		if (s->hash == h && s->item->len == alen &&
		    s->item->len2 == blen && memcmp(s->item->s, a, alen) == 0 &&
		    (blen == 0 || memcmp(s->item->s + alen, b, blen) == 0))
			return (s->item);
	}
}

static void
place(struct name_slot *slots, size_t size, struct name_slot new)
{
	size_t i = new.hash &(size - 1);

	while (slots[i].item != NULL)
		i = (i + 1) & (size - 1);
	slots[i] = new;
}

static bool
grow(struct name_map *m)
{
	size_t i, size = m->size == 0 ? FIRST_SIZE : m->size * 2;
	struct name_slot *slots = calloc(size, sizeof(*slots));

	if (slots == NULL)
		return (false);
	for (i = 0; i < m->size; i++)
		if (m->slots[i].item != NULL)
			place(slots, size, m->slots[i]);
	free(m->slots);
	m->slots = slots;
	m->size = size;
	return (true);
}

bool
name_map_add(struct name_map *m, struct registry_name *item)
{
	struct name_slot new = {.item = item};

	if ((m->used + 1) * 3 > m->size * 2 && !grow(m))
		return (false);
	new.hash =
	    name_hash(item->s, item->len, item->s + item->len, item->len2);
	place(m->slots, m->size, new);
	m->used++;
	return (true);
}

void
name_map_done(struct name_map *m)
{
	free(m->slots);
	*m = (struct name_map){0};
}
