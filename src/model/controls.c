#include "model/controls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS	8
#define WORD	CONTROL_NAME
#define FOOT_M	0.3048
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

/* Open, closed or a speed or setting, of which 0 is closed. */
static bool
state(const char *word, bool *ret)
{
	double setting = 0;
	bool open = strcasecmp(word, "OPEN") == 0;

	if (!open && strcasecmp(word, "CLOSED") != 0 && !number(word, &setting))
		return (false);
	*ret = open || setting > 0;
	return (true);
}

static bool
compares(const char *word, bool *ret_above)
{
	bool above = strcasecmp(word, "ABOVE") == 0 || word[0] == '>';

	if (!above && strcasecmp(word, "BELOW") != 0 && word[0] != '<')
		return (false);
	*ret_above = above;
	return (true);
}

/* LINK l state IF NODE n BELOW|ABOVE v */
static bool
parse_control(char words[WORDS][WORD], struct control *ret)
{
	struct control c = {.level = 0};

	if (strcasecmp(words[3], "IF") != 0 || !number(words[7], &c.level) ||
	    !compares(words[6], &c.above) || !state(words[2], &c.open))
		return (false);
	memcpy(c.link, words[1], WORD);
	memcpy(c.node, words[5], WORD);
	*ret = c;
	return (true);
}

enum section { OTHER, CONTROLS, RULES, OPTIONS };
enum clause { NOTHING, IF_ONE, THEN };

/* What is being read. */
struct reader {
	struct control *ret;
	size_t n;
	enum section section;
	/* of a rule */
	enum clause clause;
	struct control premise;
	bool metric; /* units */
};

/* IF TANK t LEVEL ABOVE v */
static void
take_premise(struct reader *r, char words[WORDS][WORD], int count)
{
	struct control c = {.level = 0};

	r->clause = NOTHING;
	if (count != 6 || strcasecmp(words[1], "TANK") != 0 ||
	    strcasecmp(words[3], "LEVEL") != 0 ||
	    !compares(words[4], &c.above) || !number(words[5], &c.level))
		return;
	memcpy(c.node, words[2], WORD);
	r->premise = c;
	r->clause = IF_ONE;
}

/* THEN PUMP p STATUS IS CLOSED */
static void
take_action(struct reader *r, char words[WORDS][WORD], int count)
{
	struct control c = r->premise;

	if (count != 6 || strcasecmp(words[4], "IS") != 0 ||
	    !state(words[5], &c.open))
		return;
	memcpy(c.link, words[2], WORD);
	r->ret[r->n++] = c;
}

/* A rule of one premise says what a control says; one of several holds at
 * times, and what it is silent about is nothing to hold against a link. */
static void
take_clause(struct reader *r, char words[WORDS][WORD], int count)
{
	const char *word = words[0];
	bool and = strcasecmp(word, "AND") == 0;

	if (strcasecmp(word, "IF") == 0)
		take_premise(r, words, count);
	else if (r->clause == IF_ONE && strcasecmp(word, "THEN") == 0) {
		r->clause = THEN;
		take_action(r, words, count);
	} else if (r->clause == THEN && and)
		take_action(r, words, count);
	else
		r->clause = NOTHING;
}

static bool
is_metric(const char *units)
{
	static const char *const us[] = {"CFS", "GPM", "MGD", "IMGD", "AFD"};
	size_t i;

	for (i = 0; i < sizeof(us) / sizeof(us[0]); i++)
		if (strcasecmp(units, us[i]) == 0)
			return (false);
	return (true);
}

static void
take_line(struct reader *r, char words[WORDS][WORD], int count)
{
	static const char *const names[] = {[CONTROLS] = "[CONTROLS]",
	    [RULES] = "[RULES]",
	    [OPTIONS] = "[OPTIONS]"};
	enum section i;

	if (words[0][0] == '[') {
		r->section = OTHER;
		r->clause = NOTHING;
		for (i = CONTROLS; i <= OPTIONS; i++)
			if (strcasecmp(words[0], names[i]) == 0)
				r->section = i;
	} else if (r->section == CONTROLS && count == WORDS) {
		r->n += parse_control(words, &r->ret[r->n]);
	} else if (r->section == RULES)
		take_clause(r, words, count);
	else if (r->section == OPTIONS && count > 1 &&
	    strcasecmp(words[0], "UNITS") == 0)
		r->metric = is_metric(words[1]);
}

size_t
controls_parse(const char *inp, size_t len, struct control *ret, size_t most)
{
	struct reader r = {.ret = ret};
	const char *end = inp + len, *next;
	char words[WORDS][WORD];
	int count;
	size_t i;

	/* Units may come after what is in them. */
	for (; inp < end; inp = next + (next < end)) {
		if ((next = memchr(inp, '\n', (size_t)(end - inp))) == NULL)
			next = end;
		count = split(inp, next, words);
		if (count > 0 &&
		    (r.n < most || words[0][0] == '[' || r.section == OPTIONS))
			take_line(&r, words, count);
	}
	for (i = 0; i < r.n && !r.metric; i++)
		ret[i].level *= FOOT_M;
	return (r.n);
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
