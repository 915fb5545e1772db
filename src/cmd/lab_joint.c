#include "cmd/lab_detect.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "core/text.h"
#include "model/system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEARN_STEPS 400 /* where nobody says until when; then twice that … */
#define LEARN_MOST  65536 /* steps, 128 MiB of them */
#define WEEK_US	    (7 * 86400e6)
#define INP_MOST    (64 * 1024 * 1024)
#define TOLD_MOST   3
#define WHY_MOST    65536
#define TELLING	    0.5 /* thresholds: from here on a series adds to it */

struct bench {
	const struct detect_settings *set;
	struct lab_csv *in;
	FILE *out;
	struct explain *explain;
	struct system *system;
	/* one step */
	double now[SYSTEM_SIGNALS_MOST];
	struct system_part parts[SYSTEM_PARTS_MOST];
	size_t nparts;
	int64_t t_us;
	struct text why;
	/* what is learnt from: rows of SYSTEM_SIGNALS_MOST as they come */
	double *rows;
	size_t nrows, room, refit;
	int64_t from_us; /* the first step */
	size_t nsteps;
};

/* --- the network --------------------------------------------------------- */

static bool
parse_network(const struct bench *y, struct control *ret, size_t *ret_n)
{
	char *text;
	size_t len;

	*ret_n = 0;
	if (y->set->network == NULL)
		return (true);
	if ((text = tool_slurp(y->set->network, INP_MOST, &len)) == NULL)
		return (false);
	*ret_n = controls_parse(text, len, ret, SYSTEM_CONTROLS_MOST);
	free(text);
	return (true);
}

static bool
begin(struct bench *y)
{
	struct control *all = calloc(SYSTEM_CONTROLS_MOST, sizeof(*all));
	size_t n;
	bool ok;

	if (all == NULL) {
		tool_error("out of memory");
		return (false);
	}
	ok = parse_network(y, all, &n);
	if (ok && system_new(NULL, 0, all, n, &y->system) != ERR_OK) {
		tool_error("out of memory");
		ok = false;
	}
	free(all);
	return (ok);
}

/* --- learning ------------------------------------------------------------ */

static bool
remember(struct bench *y)
{
	size_t row = SYSTEM_SIGNALS_MOST * sizeof(*y->rows);
	double *rows;

	if (y->nrows == y->room) {
		y->room = y->room == 0 ? 512 : 2 * y->room;
		if ((rows = realloc(y->rows, y->room * row)) == NULL) {
			tool_error("out of memory");
			return (false);
		}
		y->rows = rows;
	}
	memcpy(y->rows + y->nrows++ * SYSTEM_SIGNALS_MOST, y->now, row);
	return (true);
}

/* What may come in a step, the steps being as they were so far. */
static void
aim(struct bench *y)
{
	double us = (double)(y->t_us - y->from_us) / (double)y->nsteps;

	system_target(y->system, y->set->a_week * us / WEEK_US);
}

/* Too few signals or steps: no joint model, what else there is goes on. */
static bool
fit(struct bench *y)
{
	size_t n = (size_t)y->in->n, i;
	double *x;
	enum err e;

	if ((x = malloc((y->nrows * n + 1) * sizeof(*x))) == NULL) {
		tool_error("out of memory");
		return (false);
	}
	for (i = 0; i < y->nrows; i++)
		memcpy(x + i * n, y->rows + i * SYSTEM_SIGNALS_MOST,
		    n * sizeof(*x));
	e = system_fit(y->system, x, y->nrows);
	free(x);
	aim(y);
	if (e == ERR_INVALID)
		tool_error("%zu series in %zu steps to learn from are too few "
			   "for a joint model: rules and replays alone are "
			   "judged",
		    n, y->nrows);
	else if (e != ERR_OK)
		tool_error(
		    "the joint model cannot be fitted: %s", err_title(e));
	return (e == ERR_OK || e == ERR_INVALID);
}

/* Whether this step is still one to learn from; fits when learning ends, and
 * without an end given again whenever twice as much is known. */
static bool
learning(struct bench *y, bool *ret)
{
	bool given = y->set->train_until_us != INSTANT_NONE;

	*ret =
	    given ? y->t_us < y->set->train_until_us : y->nrows < LEARN_STEPS;
	if (*ret || y->nrows < y->refit)
		return (true);
	y->refit = given ? SIZE_MAX : 2 * y->nrows;
	return (fit(y));
}

/* --- telling ------------------------------------------------------------- */

static void
tell_control(struct bench *y, const struct control *c)
{
	text_printf(&y->why, " %s is %s while %s is %s %.4g;", c->link,
	    c->open ? "closed" : "open", c->node, c->above ? "above" : "below",
	    c->level);
}

static void
tell_part(struct bench *y, const struct system_part *p)
{
	const struct lab_series *s = &y->in->series[p->signal];

	if (p->rule == SYSTEM_CONTROL) {
		tell_control(y, p->control);
		return;
	}
	text_printf(&y->why, " %s/%s", s->node, s->metric);
	if (p->rule == SYSTEM_REPLAY)
		text_printf(&y->why, " replays what was %u steps ago;", p->ago);
	else if (p->rule == SYSTEM_BALANCE)
		text_printf(&y->why, " %s what %.3g of flow would (%.2f);",
		    p->missing > 0 ? "rises by" : "falls by", fabs(p->missing),
		    p->ratio);
	else
		text_printf(&y->why, " %.4g not %.4g+-%.2g (%.2f);", p->value,
		    p->expected, p->band, p->ratio);
}

static void
tell_why(struct bench *y)
{
	char since[INSTANT_TEXT];
	size_t i;
	int told = 0;

	instant_format(system_since(y->system), since);
	text_reset(&y->why);
	text_printf(&y->why, "since %s:", since);
	for (i = 0; i < y->nparts; i++) {
		const struct system_part *p = &y->parts[i];

		if (p->rule == SYSTEM_CONTROL || p->rule == SYSTEM_REPLAY ||
		    p->rule == SYSTEM_BALANCE ||
		    (p->ratio > TELLING && told++ < TOLD_MOST))
			tell_part(y, p);
	}
	lab_csv_cell(y->out, y->why.s);
}

static int
by_signal(const void *a, const void *b)
{
	const struct system_part *p = a, *q = b;

	return ((p->signal > q->signal) - (p->signal < q->signal));
}

static void
explain(struct bench *y)
{
	struct explain_row row = {.t_us = y->t_us,
	    .since_us = system_since(y->system),
	    .looks_like = system_look_name(system_looks_like(y->system))};
	size_t i;

	qsort(y->parts, y->nparts, sizeof(y->parts[0]), by_signal);
	for (i = 0; i < y->nparts; i++) {
		const struct system_part *p = &y->parts[i];

		if (!(p->share > 0))
			continue;
		row.series = &y->in->series[p->signal];
		row.rule = system_rule_name(p->rule);
		row.value = p->value;
		row.expected = p->expected;
		row.band = p->band;
		row.share = p->share;
		explain_tell(y->explain, &row);
	}
}

static void
tell(struct bench *y, double ratio)
{
	char when[INSTANT_TEXT];

	instant_format(y->t_us, when);
	fprintf(y->out, "%s,%.6f,%d,", when, system_score(ratio), ratio > 1);
	if (ratio > 1) {
		y->nparts =
		    system_parts(y->system, y->parts, SYSTEM_PARTS_MOST);
		tell_why(y);
		explain(y);
	}
	putc('\n', y->out);
}

static bool
step(struct bench *y)
{
	double ratio = 0;
	bool learn;
	int i;

	y->nsteps++;
	if (!learning(y, &learn))
		return (false);
	if (!learn)
		ratio = system_judge(y->system, y->t_us, y->now);
	if ((learn || y->set->train_until_us == INSTANT_NONE) && ratio <= 1 &&
	    y->nrows < LEARN_MOST && !remember(y))
		return (false);
	tell(y, ratio);
	for (i = 0; i < SYSTEM_SIGNALS_MOST; i++)
		y->now[i] = NAN;
	return (true);
}

/* --- the file ------------------------------------------------------------ */

static bool
add(struct bench *y)
{
	const struct lab_series *s = &y->in->series[system_signals(y->system)];
	enum err e = system_add(y->system,
	    &(struct system_signal){.node = s->node, .metric = s->metric});

	if (e == ERR_INVALID)
		tool_error("more than %d series: judge zone by zone",
		    SYSTEM_SIGNALS_MOST);
	else if (e != ERR_OK)
		tool_error("out of memory");
	return (e == ERR_OK);
}

static bool
take(struct bench *y, const struct lab_row *row)
{
	while (system_signals(y->system) < (size_t)y->in->n)
		if (!add(y))
			return (false);
	if (y->t_us != INSTANT_NONE && row->t_us < y->t_us) {
		tool_error(
		    "line %zu: earlier than the row before", y->in->csv.line);
		return (false);
	}
	if (y->t_us == INSTANT_NONE)
		y->from_us = row->t_us;
	else if (row->t_us > y->t_us && !step(y))
		return (false);
	y->t_us = row->t_us;
	y->now[row->series] = row->value;
	return (true);
}

static bool
walk(struct bench *y)
{
	struct lab_row row;
	enum csv_result r;
	int i;

	for (i = 0; i < SYSTEM_SIGNALS_MOST; i++)
		y->now[i] = NAN;
	fputs("ts,score,alarm,series\n", y->out);
	while ((r = lab_csv_next(y->in, &row)) == CSV_OK)
		if (!take(y, &row))
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
	struct bench *y = calloc(1, sizeof(*y));
	bool ok;

	if (y == NULL) {
		tool_error("out of memory");
		return (false);
	}
	y->set = set;
	y->in = in;
	y->out = out;
	y->explain = why;
	y->t_us = INSTANT_NONE;
	text_init(&y->why, WHY_MOST);
	ok = begin(y) && walk(y);
	text_done(&y->why);
	system_free(y->system);
	free(y->rows);
	free(y);
	return (ok);
}
