#include "domain/series_state.h"

#include "core/instant.h"

#include <string.h>

#define STATE_VERSION 2 /* 1: without waits */

struct cursor {
	const unsigned char *p, *end;
	bool failed;
};

void
series_state_init(struct series_state *s, int32_t series)
{
	size_t i;

	memset(s, 0, sizeof(*s));
	s->series = series;
	s->last_us = s->heard_us = s->flat_since_us = INSTANT_NONE;
	for (i = 0; i < LEVEL_SLOTS; i++)
		s->levels[i].since_us = INSTANT_NONE;
}

size_t
series_state_level(enum direction direction, enum severity severity)
{
	return ((direction == DIRECTION_HIGH ? 0 : LEVEL_SLOTS / 2) +
	    (size_t)severity);
}

static unsigned char *
put_u64(unsigned char *p, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		*p++ = (unsigned char)(v >> (8 * i));
	return (p);
}

static unsigned char *
put_double(unsigned char *p, double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof(v));
	return (put_u64(p, v));
}

/* Little-endian on every machine. */
size_t
series_state_encode(
    const struct series_state *s, unsigned char buf[static SERIES_STATE_BYTES])
{
	unsigned char *p = buf;
	size_t i, at;

	*p++ = STATE_VERSION;
	*p++ = (unsigned char)(s->live | s->silent << 1 | s->flat << 2);
	*p++ = (unsigned char)s->rate;
	*p++ = (unsigned char)s->outlier;
	p = put_u64(p, (uint64_t)s->last_us);
	p = put_double(p, s->last_value);
	p = put_u64(p, (uint64_t)s->heard_us);
	p = put_u64(p, (uint64_t)s->flat_since_us);
	for (i = 0; i < LEVEL_SLOTS; i++) {
		*p++ = (unsigned char)s->levels[i].phase;
		p = put_u64(p, (uint64_t)s->levels[i].since_us);
	}
	*p++ = s->outlier_n;
	for (i = 0; i < s->outlier_n; i++) { /* oldest first */
		at = (s->outlier_head + OUTLIER_WINDOW - s->outlier_n + i) %
		    OUTLIER_WINDOW;
		p = put_double(p, s->outlier_values[at]);
	}
	p = put_u64(p, (uint64_t)s->longest_us);
	p = put_u64(p, (uint64_t)s->waited_us);
	return ((size_t)(p - buf));
}

static unsigned
get_byte(struct cursor *c, unsigned limit)
{
	if (c->p == c->end || *c->p >= limit) {
		c->failed = true;
		return (0);
	}
	return (*c->p++);
}

static uint64_t
get_u64(struct cursor *c)
{
	uint64_t v = 0;
	int i;

	if (c->end - c->p < 8) {
		c->failed = true;
		return (0);
	}
	for (i = 0; i < 8; i++)
		v |= (uint64_t)*c->p++ << (8 * i);
	return (v);
}

static double
get_double(struct cursor *c)
{
	uint64_t v = get_u64(c);
	double d;

	memcpy(&d, &v, sizeof(d));
	return (d);
}

bool
series_state_decode(struct series_state *ret, int32_t series,
    const unsigned char *bytes, size_t len)
{
	struct cursor c = {bytes, bytes + len, false};
	struct series_state s;
	unsigned flags, version;
	size_t i;

	series_state_init(&s, series);
	version = get_byte(&c, STATE_VERSION + 1);
	if (version == 0)
		return (false);
	flags = get_byte(&c, 8);
	s.live = flags & 1;
	s.silent = flags >> 1 & 1;
	s.flat = flags >> 2 & 1;
	s.rate = get_byte(&c, DIRECTION_LOW + 1);
	s.outlier = get_byte(&c, DIRECTION_LOW + 1);
	s.last_us = (int64_t)get_u64(&c);
	s.last_value = get_double(&c);
	s.heard_us = (int64_t)get_u64(&c);
	s.flat_since_us = (int64_t)get_u64(&c);
	for (i = 0; i < LEVEL_SLOTS; i++) {
		s.levels[i].phase = get_byte(&c, LEVEL_PHASE_COUNT);
		s.levels[i].since_us = (int64_t)get_u64(&c);
	}
	s.outlier_n = (uint8_t)get_byte(&c, OUTLIER_WINDOW + 1);
	s.outlier_head = s.outlier_n % OUTLIER_WINDOW;
	for (i = 0; i < s.outlier_n; i++)
		s.outlier_values[i] = get_double(&c);
	if (version > 1) {
		s.longest_us = (int64_t)get_u64(&c);
		s.waited_us = (int64_t)get_u64(&c);
	}
	if (c.failed || c.p != c.end)
		return (false);
	*ret = s;
	return (true);
}
