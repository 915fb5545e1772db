#include "cmd/lab_detect.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "core/text.h"
#include "model/controls.h"
#include "model/joint.h"
#include "model/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LEARN_STEPS   400 /* where nobody says until when; then twice that … */
#define LEARN_MOST    65536 /* steps, 128 MiB of them */
#define INP_MOST      (64 * 1024 * 1024)
#define CONTROLS_MOST 1024
#define TOLD_MOST     3
#define WHY_MOST      65536
#define REPLAYED      2.0 /* an exact replay, in thresholds */
#define TELLING	      0.5 /* thresholds: from here on a series adds to it */

struct rule {
	struct control control;
	int status, level; /* series, -1: not known */
	double ratio;
};

struct system {
	const struct detect_settings *set;
	struct lab_csv *in;
	FILE *out;
	struct explain *explain;
	/* one step */
	double now[JOINT_SIGNALS_MOST];
	struct joint_part parts[JOINT_SIGNALS_MOST];
	uint32_t ago[JOINT_SIGNALS_MOST];
	struct replay *replays;
	struct rule *rules;
	size_t nrules;
	int64_t t_us, since_us;
	struct text why;
	/* what is learnt from: rows of JOINT_SIGNALS_MOST as they come */
	double *rows;
	size_t nrows, room, refit;
	struct joint *joint;
	size_t width; /* signals the joint model knows */
	size_t alone; /* the one that is wrong by itself; width: none */
};

/* --- names --------------------------------------------------------------- */

/* A series is the network element `id`'s if its node is called so, perhaps
 * with its kind before: T1 and L_T1, PU1 and S_PU1. */
static bool
names(const struct lab_series *s, const char *id, char kind, const char *metric)
{
	if (strcasecmp(s->node, id) == 0)
		return (strcasecmp(s->metric, metric) == 0);
	return ((s->node[0] | 0x20) == kind && s->node[1] == '_' &&
	    strcasecmp(s->node + 2, id) == 0);
}

static void
bind(struct system *y, int series)
{
	const struct lab_series *s = &y->in->series[series];
	size_t i;

	for (i = 0; i < y->nrules; i++) {
		struct rule *r = &y->rules[i];

		if (names(s, r->control.link, 's', "status"))
			r->status = series;
		if (names(s, r->control.node, 'l', "level"))
			r->level = series;
	}
}

static bool
read_network(struct system *y)
{
	struct control *all;
	char *text;
	size_t len, i;

	if (y->set->network == NULL)
		return (true);
	if ((text = tool_slurp(y->set->network, INP_MOST, &len)) == NULL)
		return (false);
	all = calloc(CONTROLS_MOST, sizeof(*all));
	y->rules = calloc(CONTROLS_MOST, sizeof(*y->rules));
	if (all != NULL && y->rules != NULL)
		y->nrules = controls_parse(text, len, all, CONTROLS_MOST);
	for (i = 0; i < y->nrules; i++)
		y->rules[i] =
		    (struct rule){.control = all[i], .status = -1, .level = -1};
	if (all == NULL || y->rules == NULL)
		tool_error("out of memory");
	free(text);
	free(all);
	return (y->rules != NULL);
}

/* --- learning ------------------------------------------------------------ */

static bool
remember(struct system *y)
{
	size_t row = JOINT_SIGNALS_MOST * sizeof(*y->rows);
	double *rows;

	if (y->nrows == y->room) {
		y->room = y->room == 0 ? 512 : 2 * y->room;
		if ((rows = realloc(y->rows, y->room * row)) == NULL) {
			tool_error("out of memory");
			return (false);
		}
		y->rows = rows;
	}
	memcpy(y->rows + y->nrows++ * JOINT_SIGNALS_MOST, y->now, row);
	return (true);
}

/* Too few signals or steps: no joint model, what else there is goes on. */
static bool
fit(struct system *y)
{
	size_t n = (size_t)y->in->n, i;
	double *x;
	enum err e;

	if (n < 2 || y->nrows < JOINT_STEPS_LEAST) {
		tool_error("%zu series in %zu steps to learn from are too few "
			   "for a joint model: rules and replays alone are "
			   "judged",
		    n, y->nrows);
		return (true);
	}
	if ((x = malloc(y->nrows * n * sizeof(*x))) == NULL) {
		tool_error("out of memory");
		return (false);
	}
	for (i = 0; i < y->nrows; i++)
		memcpy(x + i * n, y->rows + i * JOINT_SIGNALS_MOST,
		    n * sizeof(*x));
	joint_free(y->joint);
	y->joint = NULL;
	e = joint_fit(x, y->nrows, n, &y->joint);
	free(x);
	if (e != ERR_OK) {
		tool_error(
		    "the joint model cannot be fitted: %s", err_title(e));
		return (false);
	}
	y->width = n;
	return (true);
}

/* Whether this step is still one to learn from; fits when learning ends, and
 * without an end given again whenever twice as much is known. */
static bool
learning(struct system *y, bool *ret)
{
	bool given = y->set->train_until_us != INSTANT_NONE;

	*ret =
	    given ? y->t_us < y->set->train_until_us : y->nrows < LEARN_STEPS;
	if (*ret || y->nrows < y->refit)
		return (true);
	y->refit = given ? SIZE_MAX : 2 * y->nrows;
	return (fit(y));
}

/* --- judging ------------------------------------------------------------- */

static double
judge_rules(struct system *y, bool learn)
{
	double most = 0, excess;
	size_t i;

	for (i = 0; i < y->nrules; i++) {
		struct rule *r = &y->rules[i];

		r->ratio = 0;
		if (r->status < 0 || r->level < 0)
			continue;
		excess = control_excess(
		    &r->control, y->now[r->status], y->now[r->level]);
		if (learn)
			control_learn(&r->control, excess);
		else
			r->ratio = control_ratio(&r->control, excess);
		most = fmax(most, r->ratio);
	}
	return (most);
}

static double
judge_replays(struct system *y, bool learn)
{
	double most = 0;
	int i;

	for (i = 0; i < y->in->n; i++) {
		y->ago[i] = isnan(y->now[i])
		    ? 0
		    : replay_judge(&y->replays[i], y->now[i], learn);
		if (y->ago[i] > 0)
			most = REPLAYED;
	}
	return (most);
}

/* --- telling ------------------------------------------------------------- */

/* Each finding's beginning. */
static void
tell_series(struct system *y, int series)
{
	const struct lab_series *s = &y->in->series[series];

	text_printf(&y->why, " %s/%s", s->node, s->metric);
}

/* The largest ratio not told yet, from half a threshold on; -1: none. */
static int
next_part(const struct system *y, const bool *told)
{
	int best = -1, j;

	for (j = 0; j < (int)y->width; j++)
		if (!told[j] && y->parts[j].ratio > TELLING &&
		    (best < 0 || y->parts[j].ratio > y->parts[best].ratio))
			best = j;
	return (best);
}

static void
tell_parts(struct system *y)
{
	bool told[JOINT_SIGNALS_MOST] = {false};
	const struct joint_part *p;
	int i, j;

	for (i = 0; i < TOLD_MOST && (j = next_part(y, told)) >= 0; i++) {
		p = &y->parts[j];
		told[j] = true;
		tell_series(y, j);
		text_printf(&y->why, " %.4g not %.4g+-%.2g (%.2f);", y->now[j],
		    p->expected, p->band, p->ratio);
	}
}

static void
tell_why(struct system *y)
{
	char since[INSTANT_TEXT];
	size_t k;
	int i;

	instant_format(y->since_us, since);
	text_reset(&y->why);
	text_printf(&y->why, "since %s:", since);
	for (i = 0; i < y->in->n; i++)
		if (y->ago[i] > 0) {
			tell_series(y, i);
			text_printf(&y->why, " replays what was %u steps ago;",
			    y->ago[i]);
		}
	for (k = 0; k < y->nrules; k++) {
		const struct control *c = &y->rules[k].control;

		if (y->rules[k].ratio > 1)
			text_printf(&y->why, " %s is %s while %s is %s %.4g;",
			    c->link, c->open ? "closed" : "open", c->node,
			    c->above ? "above" : "below", c->level);
	}
	tell_parts(y);
	lab_csv_cell(y->out, y->why.s);
}

/* Whoever repeats what was or works against the rules of the place does so on
 * purpose. An instrument that fails is wrong by itself; what the water does,
 * several signals tell of. One signal that the others know little of could be
 * either. */
static const char *
looks_like(const struct system *y)
{
	size_t i, telling = 0;

	for (i = 0; i < (size_t)y->in->n; i++)
		if (y->ago[i] > 0)
			return ("suspected manipulation");
	for (i = 0; i < y->nrules; i++)
		if (y->rules[i].ratio > 1)
			return ("suspected manipulation");
	for (i = 0; i < y->width; i++)
		telling += y->parts[i].ratio > TELLING;
	if (y->alone < y->width)
		return ("sensor fault");
	return (telling > 1 ? "process event" : "");
}

/* What the series adds, in thresholds; expected and band if any. */
static double
weight(const struct system *y, int series, struct explain_row *row)
{
	const struct joint_part *p = &y->parts[series];
	size_t k;

	row->expected = row->band = NAN;
	for (k = 0; k < y->nrules; k++)
		if (y->rules[k].ratio > 1 && y->rules[k].status == series) {
			row->rule = "control";
			row->expected = y->rules[k].control.open;
			row->band = 0;
			return (y->rules[k].ratio);
		}
	if (y->ago[series] > 0) {
		row->rule = "replay";
		return (REPLAYED);
	}
	row->rule = "joint";
	row->expected = p->expected;
	row->band = p->band;
	if (y->alone < y->width)
		return (series == (int)y->alone ? 1 : 0);
	return (series < (int)y->width && p->ratio > TELLING ? p->ratio : 0);
}

static void
explain(struct system *y)
{
	struct explain_row row = {.t_us = y->t_us, .since_us = y->since_us};
	double all = 0, w;
	int i;

	y->alone = y->joint != NULL ? joint_alone(y->joint) : y->width;
	row.looks_like = looks_like(y);
	for (i = 0; i < y->in->n; i++)
		all += weight(y, i, &row);
	for (i = 0; i < y->in->n; i++) {
		if ((w = weight(y, i, &row)) <= 0)
			continue;
		row.series = &y->in->series[i];
		row.value = y->now[i];
		row.share = w / all;
		explain_tell(y->explain, &row);
	}
}

static void
tell(struct system *y, double ratio)
{
	char when[INSTANT_TEXT];

	instant_format(y->t_us, when);
	fprintf(y->out, "%s,%.6f,%d,", when, ratio / (ratio + 1), ratio > 1);
	if (ratio > 1) {
		if (y->since_us == INSTANT_NONE)
			y->since_us = y->t_us;
		tell_why(y);
		explain(y);
	} else
		y->since_us = INSTANT_NONE;
	putc('\n', y->out);
}

static bool
step(struct system *y)
{
	double ratio, rules;
	bool learn;
	int i;

	if (!learning(y, &learn))
		return (false);
	ratio = judge_replays(y, learn);
	rules = judge_rules(y, learn);
	memset(y->parts, 0, sizeof(y->parts));
	if (!learn && y->joint != NULL)
		ratio = fmax(ratio, joint_judge(y->joint, y->now, y->parts));
	ratio = fmax(ratio, rules);
	if ((learn || y->set->train_until_us == INSTANT_NONE) && ratio <= 1 &&
	    y->nrows < LEARN_MOST && !remember(y))
		return (false);
	tell(y, ratio);
	for (i = 0; i < JOINT_SIGNALS_MOST; i++)
		y->now[i] = NAN;
	return (true);
}

/* --- the file ------------------------------------------------------------ */

static bool
take(struct system *y, const struct lab_row *row, int *known)
{
	if (row->series >= JOINT_SIGNALS_MOST) {
		tool_error("more than %d series: judge zone by zone",
		    JOINT_SIGNALS_MOST);
		return (false);
	}
	while (*known < y->in->n) {
		replay_init(&y->replays[*known]);
		bind(y, (*known)++);
	}
	if (y->t_us != INSTANT_NONE && row->t_us < y->t_us) {
		tool_error(
		    "line %zu: earlier than the row before", y->in->csv.line);
		return (false);
	}
	if (y->t_us != INSTANT_NONE && row->t_us > y->t_us && !step(y))
		return (false);
	y->t_us = row->t_us;
	y->now[row->series] = row->value;
	return (true);
}

static bool
walk(struct system *y)
{
	struct lab_row row;
	enum csv_result r;
	int known = 0, i;

	for (i = 0; i < JOINT_SIGNALS_MOST; i++)
		y->now[i] = NAN;
	fputs("ts,score,alarm,series\n", y->out);
	while ((r = lab_csv_next(y->in, &row)) == CSV_OK)
		if (!take(y, &row, &known))
			return (false);
	if (r != CSV_END || (y->t_us != INSTANT_NONE && !step(y)))
		return (false);
	if (y->refit == 0)
		tool_error(
		    "the file ends before learning does: nothing is judged");
	return (true);
}

bool
lab_joint(const struct detect_settings *set, struct lab_csv *in, FILE *out,
    struct explain *why)
{
	struct system *y = calloc(1, sizeof(*y));
	bool ok = false;

	if (y == NULL ||
	    (y->replays = calloc(JOINT_SIGNALS_MOST, sizeof(*y->replays))) ==
		NULL)
		tool_error("out of memory");
	else {
		y->set = set;
		y->in = in;
		y->out = out;
		y->explain = why;
		y->t_us = y->since_us = INSTANT_NONE;
		text_init(&y->why, WHY_MOST);
		ok = read_network(y) && walk(y);
		text_done(&y->why);
		joint_free(y->joint);
		free(y->replays);
		free(y->rules);
		free(y->rows);
	}
	free(y);
	return (ok);
}
