#include "domain/rule_state.h"

#include "core/instant.h"

#include <math.h>
#include <string.h>

#define STATE_VERSION 2 /* 1: without false_us */

/* One walk reads and writes, so that the two cannot differ. */
struct codec {
	unsigned char *to;	   /* NULL: reads */
	const unsigned char *from; /* NULL: writes */
	size_t left;
	bool failed;
};

/* Little-endian on every machine. */
static void
word(struct codec *c, int64_t *v)
{
	uint64_t bits = 0;
	int i;

	if (c->failed || c->left < 8) {
		c->failed = true;
		return;
	}
	c->left -= 8;
	for (i = 0; i < 8; i++) {
		if (c->to != NULL)
			*c->to++ = (unsigned char)((uint64_t)*v >> (8 * i));
		else
			bits |= (uint64_t)*c->from++ << (8 * i);
	}
	if (c->to == NULL)
		*v = (int64_t)bits;
}

static void
real(struct codec *c, double *d)
{
	int64_t bits;

	memcpy(&bits, d, sizeof(bits));
	word(c, &bits);
	memcpy(d, &bits, sizeof(bits));
}

/* A word that is read must be below `limit`. */
static int64_t
small(struct codec *c, int64_t v, int64_t limit)
{
	word(c, &v);
	if (v < 0 || v >= limit)
		c->failed = true;
	return (c->failed ? 0 : v);
}

static void
head(struct codec *c, struct rule_state *s)
{
	struct condition *o = &s->condition;
	int64_t version = small(c, STATE_VERSION, STATE_VERSION + 1);

	if (version == 0)
		c->failed = true;
	word(c, &s->clock_us);
	word(c, &s->since_us);
	if (version > 1)
		word(c, &s->false_us);
	else
		s->false_us = INSTANT_NONE;
	s->open = small(c, s->open, 2) == 1;
	o->series = (int32_t)small(c, o->series, INT32_MAX);
	o->type = (enum anomaly_type)small(c, o->type, ANOMALY_TYPE_COUNT);
	o->direction =
	    (enum direction)small(c, o->direction, DIRECTION_LOW + 1);
	o->severity =
	    (enum severity)small(c, o->severity, SEVERITY_CRITICAL + 1);
	o->rule = (int32_t)small(c, o->rule, INT32_MAX);
}

static void
marks(struct codec *c, struct rule_mark *m, size_t n)
{
	for (; n > 0; n--, m++) {
		word(c, &m->since_us);
		word(c, &m->at_us);
		word(c, &m->from_us);
	}
}

static void
seen_one(struct codec *c, struct rule_seen *s)
{
	s->series = (int32_t)small(c, s->series, INT32_MAX);
	s->quality = (int)small(c, s->quality, INT16_MAX);
	word(c, &s->t_us);
	word(c, &s->before_us);
	real(c, &s->value);
	real(c, &s->before);
}

void
rule_state_init(struct rule_state *s, struct rule_seen *seen, size_t n)
{
	size_t i;

	*s = (struct rule_state){.clock_us = INSTANT_NONE,
	    .since_us = INSTANT_NONE,
	    .false_us = INSTANT_NONE,
	    .seen = seen,
	    .nseen = n};
	for (i = 0; i < RULE_NODES; i++)
		s->marks[i] = (struct rule_mark){
		    INSTANT_NONE, INSTANT_NONE, INSTANT_NONE};
	for (i = 0; i < n; i++)
		seen[i] = (struct rule_seen){.series = seen[i].series,
		    .t_us = INSTANT_NONE,
		    .before_us = INSTANT_NONE,
		    .value = NAN,
		    .before = NAN};
}

struct rule_seen *
rule_state_find(const struct rule_state *s, int32_t series)
{
	size_t lo = 0, hi = s->nseen, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->seen[mid].series < series)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == s->nseen || s->seen[lo].series != series)
		return (NULL);
	return (&s->seen[lo]);
}

size_t
rule_state_encode(const struct rule_state *s, size_t nmarks,
    unsigned char buf[static RULE_STATE_BYTES])
{
	struct codec c = {.to = buf, .left = RULE_STATE_BYTES};
	struct rule_state copy = *s;
	size_t i;

	head(&c, &copy);
	marks(&c, copy.marks, nmarks);
	for (i = 0; i < s->nseen; i++)
		seen_one(&c, &s->seen[i]);
	return (c.failed ? 0 : RULE_STATE_BYTES - c.left);
}

bool
rule_state_decode(struct rule_state *ret, size_t nmarks,
    const unsigned char *bytes, size_t len)
{
	struct codec c = {.from = bytes, .left = len};
	struct rule_state s = *ret;
	struct rule_seen one, *mine;

	head(&c, &s);
	marks(&c, s.marks, nmarks);
	while (!c.failed && c.left > 0) {
		one = (struct rule_seen){0};
		seen_one(&c, &one);
		if (!c.failed &&
		    (mine = rule_state_find(&s, one.series)) != NULL)
			*mine = one;
	}
	if (c.failed) {
		rule_state_init(ret, ret->seen, ret->nseen);
		return (false);
	}
	*ret = s;
	return (true);
}

bool
rule_state_open(const unsigned char *bytes, size_t len, struct condition *ret)
{
	struct codec c = {.from = bytes, .left = len};
	struct rule_state s = {0};

	head(&c, &s);
	if (c.failed || !s.open)
		return (false);
	*ret = s.condition;
	return (true);
}
