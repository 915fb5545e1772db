#include "domain/packed_scale.h"

#include "core/quantity.h"

#define SAMPLES 16
/* Among fewer values none is passed over as a misfit. */
#define FEW_LEAST 8

static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* The fewest digits that give v, -1 if none do. What fits with k digits fits
 * with more, so that one look at the most tells whether any do. */
static int
digits_of(struct packed_scale s, double v)
{
	int64_t d;

	s.k = PACKED_DIGITS;
	while (s.k > 0 && fabs(v / s.factor) * tens[s.k] > PACKED_D_MOST)
		s.k--;
	s.ten = tens[s.k];
	if (!packed_scale_fits(&s, v, &d))
		return (-1);
	for (s.k = 0;; s.k++) {
		s.ten = tens[s.k];
		if (packed_scale_fits(&s, v, &d))
			return (s.k);
	}
}

/* Tries some of the readings; false if too many of them do not fit. */
static bool
sample(struct packed_scale *s, const struct reading *r, size_t n, size_t misses)
{
	size_t tries = n < SAMPLES ? n : SAMPLES, i;
	int k;

	s->k = -1;
	for (i = 0; i < tries; i++) {
		k = digits_of(*s, r[i * n / tries].value);
		if (k < 0 && misses-- == 0)
			return (false);
		s->k = k > s->k ? k : s->k;
	}
	if (s->k < 0)
		return (false);
	s->ten = tens[s->k];
	return (true);
}

/* Values as numbers; what does not fit repeats the number before. How many
 * do not fit, or more than `most`. */
static size_t
scale_all(const struct packed_scale *s, const struct reading *r, size_t n,
    int64_t *x, size_t most)
{
	size_t i, odd = 0;
	int64_t d;

	for (i = 0; i < n; i++) {
		if (packed_scale_fits(s, r[i].value, &d)) {
			x[i] = d;
			continue;
		}
		x[i] = i == 0 ? 0 : x[i - 1];
		if (++odd > most)
			break;
	}
	return (odd);
}

size_t
packed_scale_find(
    struct packed_scale *ret, const struct reading *r, size_t n, int64_t *x)
{
	const struct unit *u;
	struct packed_scale s;
	size_t i, most, odd;
	int few;

	for (few = 0; few < (n < FEW_LEAST ? 1 : 2); few++) {
		most = few ? n / 4 : 0;
		for (i = 0; (u = unit_at(i)) != NULL; i++) {
			s = (struct packed_scale){u->factor, u->offset, 1, 0};
			if (i > 0 && s.factor == 1 && s.offset == 0)
				continue;
			if (!sample(&s, r, n, few ? SAMPLES / 4 : 0))
				continue;
			odd = scale_all(&s, r, n, x, most);
			if (odd > most)
				continue;
			*ret = s;
			return (odd);
		}
	}
	return (SIZE_MAX);
}

uint8_t *
packed_scale_put(uint8_t *p, const struct packed_scale *s, bool odd)
{
	uint8_t head = s == NULL ? PACKED_BITS : (uint8_t)s->k;

	if (s == NULL) {
		*p++ = head;
		return (p);
	}
	if (s->offset != 0)
		head |= PACKED_SCALED | PACKED_SHIFTED;
	else if (s->factor != 1)
		head |= PACKED_SCALED;
	*p++ = odd ? head | PACKED_ODD : head;
	if ((head & PACKED_SCALED) != 0)
		p = packed_word_put(p, (uint64_t)packed_bits(s->factor));
	if ((head & PACKED_SHIFTED) != 0)
		p = packed_word_put(p, (uint64_t)packed_bits(s->offset));
	return (p);
}

uint8_t
packed_scale_get(struct packed_scale *ret, struct packed_in *in)
{
	uint8_t head = packed_byte_get(in);

	*ret = (struct packed_scale){
	    1, 0, tens[head & PACKED_DIGITS], head & PACKED_DIGITS};
	if ((head & PACKED_SCALED) != 0)
		ret->factor = packed_double((int64_t)packed_word_get(in));
	if ((head & PACKED_SHIFTED) != 0)
		ret->offset = packed_double((int64_t)packed_word_get(in));
	return (head);
}

uint8_t *
packed_odd_put(uint8_t *p, const struct packed_scale *s,
    const struct reading *r, size_t n, size_t odd)
{
	size_t i, last = (size_t)-1;
	int64_t d;

	p = packed_varint_put(p, odd);
	for (i = 0; i < n; i++) {
		if (packed_scale_fits(s, r[i].value, &d))
			continue;
		p = packed_varint_put(p, i - last);
		p = packed_word_put(p, (uint64_t)packed_bits(r[i].value));
		last = i;
	}
	return (p);
}

bool
packed_odd_get(struct packed_in *in, size_t n, uint64_t *at, double *ret)
{
	uint64_t step = packed_varint_get(in);

	in->bad |= step == 0 || step > n || (*at += step) >= n;
	if (!in->bad)
		*ret = packed_double((int64_t)packed_word_get(in));
	return (!in->bad);
}
