#include "model/pack.h"

#include <string.h>

static void
bytes(struct pack *p, uint64_t *v, size_t n)
{
	unsigned char b[8];
	size_t i;

	if (p->to != NULL) {
		for (i = 0; i < n; i++)
			b[i] = (unsigned char)(*v >> (8 * i));
		text_add(p->to, (const char *)b, n);
		return;
	}
	if (!pack_room(p, n))
		return;
	*v = 0;
	for (i = 0; i < n; i++)
		*v |= (uint64_t)*p->at++ << (8 * i);
}

void
pack_word(struct pack *p, uint64_t *v)
{
	bytes(p, v, sizeof(*v));
}

void
pack_half(struct pack *p, uint32_t *v)
{
	uint64_t word = *v;

	bytes(p, &word, sizeof(*v));
	*v = (uint32_t)word;
}

void
pack_doubles(struct pack *p, double *v, size_t n)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < n && !p->failed; i++) {
		memcpy(&word, &v[i], sizeof(word));
		pack_word(p, &word);
		memcpy(&v[i], &word, sizeof(word));
	}
}

void
pack_instant(struct pack *p, int64_t *v)
{
	uint64_t word = (uint64_t)*v;

	pack_word(p, &word);
	*v = (int64_t)word;
}

void
pack_bool(struct pack *p, bool *v)
{
	uint64_t word = *v;

	bytes(p, &word, 1);
	*v = word != 0;
}

void
pack_count(struct pack *p, size_t *v, size_t most)
{
	uint64_t word = *v;

	pack_word(p, &word);
	if (word > most)
		p->failed = true;
	else
		*v = (size_t)word;
}

void
pack_name(struct pack *p, char *s, size_t size)
{
	if (p->to != NULL)
		text_add(p->to, s, size);
	else if (pack_room(p, size)) {
		memcpy(s, p->at, size);
		s[size - 1] = '\0';
		p->at += size;
	}
}

bool
pack_room(struct pack *p, size_t n)
{
	if (p->to == NULL && (size_t)(p->end - p->at) < n)
		p->failed = true;
	return (!p->failed);
}

bool
pack_ok(const struct pack *p)
{
	if (p->to != NULL)
		return (text_ok(p->to));
	return (!p->failed && p->at == p->end);
}
