#include "model/controls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS	8
#define WORD	CONTROL_NAME
#define SLACK	1.25
#define OF_SELF 0.02
#define ONCE	2.0

/* The words of one line before its comment; those too long are cut. */
static int
split(const char *s, const char *end, char words[WORDS][WORD])
{
	int n = 0;
	size_t len;

	while (n < WORDS) {
		while (s < end && strchr(" \t\r", *s) != NULL)
			s++;
		if (s == end || *s == ';')
			break;
		for (len = 0; s < end && strchr(" \t\r;", *s) == NULL; s++)
			if (len < WORD - 1)
				words[n][len++] = *s;
		words[n++][len] = '\0';
	}
	return (n);
}

static bool
number(const char *s, double *ret)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end != '\0' || !isfinite(v))
		return (false);
	*ret = v;
	return (true);
}

/* LINK l state IF NODE n BELOW|ABOVE v */
static bool
parse(char words[WORDS][WORD], struct control *ret)
{
	double speed = 0;

	memset(ret, 0, sizeof(*ret));
	if (strcasecmp(words[3], "IF") != 0 || !number(words[7], &ret->level))
		return (false);
	ret->above = strcasecmp(words[6], "ABOVE") == 0;
	if (!ret->above && strcasecmp(words[6], "BELOW") != 0)
		return (false);
	ret->open = strcasecmp(words[2], "OPEN") == 0 ||
	    (number(words[2], &speed) && speed > 0);
	memcpy(ret->link, words[1], WORD);
	memcpy(ret->node, words[5], WORD);
	return (true);
}

size_t
controls_parse(const char *inp, size_t len, struct control *ret, size_t most)
{
	const char *end = inp + len, *next;
	char words[WORDS][WORD];
	bool inside = false;
	size_t n = 0;
	int count;

	for (; inp < end && n < most; inp = next + (next < end)) {
		if ((next = memchr(inp, '\n', (size_t)(end - inp))) == NULL)
			next = end;
		if ((count = split(inp, next, words)) == 0)
			continue;
		if (words[0][0] == '[')
			inside = strcasecmp(words[0], "[CONTROLS]") == 0;
		else if (inside && count == WORDS && parse(words, &ret[n]))
			n++;
	}
	return (n);
}

double
control_excess(const struct control *c, double status, double level)
{
	double beyond = c->above ? level - c->level : c->level - level;

	if (isnan(status) || isnan(level) || (status > 0) == c->open)
		return (0);
	return (fmax(beyond, 0));
}

/* An excess counts once, with its greatest, when it is over or at the end. */
void
control_learn(struct control *c, double excess)
{
	size_t i = CONTROL_SEEN - 1;

	if (excess > 0) {
		c->now = fmax(c->now, excess);
		return;
	}
	if (c->now > c->seen[i]) {
		for (; i > 0 && c->now > c->seen[i - 1]; i--)
			c->seen[i] = c->seen[i - 1];
		c->seen[i] = c->now;
	}
	c->now = 0;
}

double
control_ratio(const struct control *c, double excess)
{
	double usual = fmin(c->seen[0], ONCE * c->seen[CONTROL_SEEN - 1]),
	       limit = SLACK * usual + OF_SELF * fabs(c->level);

	return (excess > 0 && limit > 0 ? excess / limit : 0);
}
