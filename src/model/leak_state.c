/* What a judge remembers as bytes, the same on every machine: a version, then
 * little-endian words of 8 bytes in the order of walk(). */
#include "model/leak.h"

#include <string.h>

#define VERSION 2
#define WORD	8

/* Writes or reads one word after the other. */
struct cursor {
	unsigned char *to;
	const unsigned char *from; /* NULL: writes */
};

static void
word(struct cursor *c, uint64_t *w)
{
	int i;

	if (c->from == NULL) {
		for (i = 0; i < WORD; i++)
			*c->to++ = (unsigned char)(*w >> (8 * i));
		return;
	}
	*w = 0;
	for (i = 0; i < WORD; i++)
		*w |= (uint64_t)*c->from++ << (8 * i);
}

static void
doubles(struct cursor *c, double *d, size_t n)
{
	uint64_t bits;
	size_t i;

	for (i = 0; i < n; i++) {
		memcpy(&bits, &d[i], sizeof(bits));
		word(c, &bits);
		memcpy(&d[i], &bits, sizeof(bits));
	}
}

static int64_t
whole(struct cursor *c, int64_t v)
{
	uint64_t bits = (uint64_t)v;

	word(c, &bits);
	return ((int64_t)bits);
}

static void
walk(struct cursor *c, struct leak *l)
{
	double *const single[] = {&l->offset, &l->centre, &l->sigma, &l->peak,
	    &l->today, &l->yesterday, &l->event, &l->fallen, &l->standing,
	    &l->told_size, &l->told_d, &l->night_sum, &l->night_raw,
	    &l->before};
	size_t i;

	doubles(c, l->pattern, LEAK_WEEK);
	doubles(c, l->weight, LEAK_WEEK);
	doubles(c, l->u, LEAK_MEMORY);
	doubles(c, l->x, LEAK_MEMORY);
	doubles(c, l->noise, sizeof(l->noise) / sizeof(l->noise[0]));
	doubles(c, l->nights, LEAK_NIGHTS);
	doubles(c, l->raw, LEAK_NIGHTS);
	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		doubles(c, single[i], 1);
	l->night_n = (int)whole(c, l->night_n);
	l->growing = (int)whole(c, l->growing);
	l->begun = whole(c, l->begun);
	l->seen = whole(c, l->seen);
	l->settle = whole(c, l->settle);
	l->onset = whole(c, l->onset);
	l->told = whole(c, l->told);
	l->fell = whole(c, l->fell);
	l->judged = (size_t)whole(c, (int64_t)l->judged);
	l->started = whole(c, l->started) != 0;
}

void
leak_pack(const struct leak *l, unsigned char ret[LEAK_BYTES])
{
	struct leak copy = *l;
	struct cursor c = {ret + 1, NULL};

	ret[0] = VERSION;
	walk(&c, &copy);
}

bool
leak_unpack(struct leak *l, const unsigned char *p, size_t len)
{
	struct cursor c = {NULL, NULL};

	if (len != LEAK_BYTES || p[0] != VERSION)
		return (false);
	c.from = p + 1;
	leak_init(l);
	walk(&c, l);
	return (true);
}
