#include "field/answer.h"

#include <string.h>

#define DEPTH_MOST 16

struct scan {
	const char *p, *end;
	const char *name;
	const char *word; /* the member's text; NULL: it is none */
	size_t len;
	bool named;
};

static bool value(struct scan *, int depth);

static int
peek(const struct scan *s)
{
	return (s->p < s->end ? (unsigned char)*s->p : -1);
}

static void
space(struct scan *s)
{
	while (s->p < s->end && memchr(" \t\r\n", *s->p, 4) != NULL)
		s->p++;
}

static bool
mark(struct scan *s, char c)
{
	space(s);
	if (peek(s) != c)
		return (false);
	s->p++;
	return (true);
}

static bool
escape(struct scan *s)
{
	int i;

	if (peek(s) != 'u')
		return (s->p < s->end && memchr("\"\\/bfnrt", *s->p++, 8));
	s->p++;
	for (i = 0; i < 4; i++, s->p++)
		if (s->p == s->end ||
		    memchr("0123456789abcdefABCDEF", *s->p, 22) == NULL)
			return (false);
	return (true);
}

/* The raw text between the quotes. */
static bool
string(struct scan *s, const char **ret, size_t *ret_len)
{
	const char *from;

	if (!mark(s, '"'))
		return (false);
	for (from = s->p; s->p < s->end && *s->p != '"';) {
		if ((unsigned char)*s->p < 0x20)
			return (false);
		if (*s->p++ == '\\' && !escape(s))
			return (false);
	}
	*ret = from;
	*ret_len = (size_t)(s->p - from);
	return (mark(s, '"'));
}

static bool
is_word(const char *word, const char *p, size_t len)
{
	return (strlen(word) == len && memcmp(word, p, len) == 0);
}

/* The outermost object's member is looked at, inner ones are passed over. */
static bool
member(struct scan *s, int depth)
{
	const char *p;
	size_t len;
	bool ours;

	if (!string(s, &p, &len) || !mark(s, ':'))
		return (false);
	ours = depth == 0 && is_word(s->name, p, len);
	if (ours && s->named)
		return (false);
	s->named = s->named || ours;
	space(s);
	if (!ours || peek(s) != '"')
		return (value(s, depth + 1));
	if (!string(s, &p, &len))
		return (false);
	if (memchr(p, '\\', len) == NULL) {
		s->word = p;
		s->len = len;
	}
	return (true);
}

static bool
object(struct scan *s, int depth)
{
	if (!mark(s, '{'))
		return (false);
	if (mark(s, '}'))
		return (true);
	do {
		if (!member(s, depth))
			return (false);
	} while (mark(s, ','));
	return (mark(s, '}'));
}

static bool
array(struct scan *s, int depth)
{
	if (!mark(s, '['))
		return (false);
	if (mark(s, ']'))
		return (true);
	do {
		if (!value(s, depth + 1))
			return (false);
	} while (mark(s, ','));
	return (mark(s, ']'));
}

static bool
digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (s->p > from);
}

static bool
number(struct scan *s)
{
	if (peek(s) == '-')
		s->p++;
	if (peek(s) == '0')
		s->p++;
	else if (!digits(s))
		return (false);
	if (peek(s) == '.') {
		s->p++;
		if (!digits(s))
			return (false);
	}
	if (peek(s) != 'e' && peek(s) != 'E')
		return (true);
	s->p++;
	if (peek(s) == '+' || peek(s) == '-')
		s->p++;
	return (digits(s));
}

static bool
word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return (false);
	s->p += n;
	return (true);
}

static bool
value(struct scan *s, int depth)
{
	const char *p;
	size_t len;

	if (depth > DEPTH_MOST)
		return (false);
	space(s);
	switch (peek(s)) {
	case '{':
		return (object(s, depth));
	case '[':
		return (array(s, depth));
	case '"':
		return (string(s, &p, &len));
	case 't':
		return (word(s, "true"));
	case 'f':
		return (word(s, "false"));
	case 'n':
		return (word(s, "null"));
	default:
		return (number(s));
	}
}

static bool
find(struct scan *s)
{
	if (!object(s, 0))
		return (false);
	space(s);
	return (s->p == s->end && s->word != NULL);
}

bool
answer_word(
    const char *json, size_t len, const char *name, char *ret, size_t size)
{
	struct scan s = {.p = json, .end = json + len, .name = name};

	ret[0] = '\0';
	if (!find(&s) || s.len >= size)
		return (false);
	memcpy(ret, s.word, s.len);
	ret[s.len] = '\0';
	return (true);
}

bool
answer_says(const char *json, size_t len, const char *name, const char *wanted)
{
	struct scan s = {.p = json, .end = json + len, .name = name};

	return (find(&s) && is_word(wanted, s.word, s.len));
}
