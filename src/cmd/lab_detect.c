#include "cmd/lab.h"
#include "cmd/lab_detect.h"
#include "cmd/lab_series.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "model/watch.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- each reading by itself ---------------------------------------------- */

#define CHUNK 4096

/* Readings are read, judged and written by the chunk, so that the time of
 * judging alone can be told. */
struct bench {
	const struct detect_settings *set;
	struct lab_csv *in;
	FILE *out;
	struct explain *why;
	struct watch *watches;
	int n, room;
	struct {
		int64_t from_us, ahead_us;
	} clock; /* people's, of the quarter of an hour looked up last */
	struct lab_row rows[CHUNK];
	int64_t ahead_us[CHUNK];
	struct watch_verdict verdicts[CHUNK];
	int64_t judged, spent_ns;
};

static bool
new_series(struct bench *b)
{
	struct watch *w;

	if (b->n == b->room) {
		b->room = b->room == 0 ? 16 : 2 * b->room;
		w = realloc(b->watches, (size_t)b->room * sizeof(*w));
		if (w == NULL) {
			tool_error("out of memory");
			return (false);
		}
		b->watches = w;
	}
	watch_init(&b->watches[b->n], b->in->series[b->n].unit);
	b->n++;
	return (true);
}

/* No zone's clock is changed but at a quarter of an hour of UTC. */
static int64_t
ahead(struct bench *b, int64_t t_us)
{
	int64_t from_us = instant_floor(t_us, 15 * US_PER_MINUTE);

	if (b->set->zone == NULL)
		return (0);
	if (from_us != b->clock.from_us) {
		b->clock.from_us = from_us;
		b->clock.ahead_us = lab_wall(from_us) - from_us;
	}
	return (b->clock.ahead_us);
}

static enum csv_result
read_chunk(struct bench *b, int *ret_n)
{
	enum csv_result r = CSV_OK;
	struct lab_row row;

	for (*ret_n = 0; *ret_n < CHUNK;) {
		if ((r = lab_csv_next(b->in, &row)) != CSV_OK)
			break;
		while (b->n < b->in->n)
			if (!new_series(b))
				return (CSV_BAD);
		if (isnan(row.value))
			continue;
		b->ahead_us[*ret_n] = ahead(b, row.t_us);
		b->rows[(*ret_n)++] = row;
	}
	return (r);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * INT64_C(1000000000) + t.tv_nsec);
}

static void
judge_chunk(struct bench *b, int n)
{
	double a_week = b->set->a_week > 0 ? b->set->a_week : 1;
	int64_t from = now_ns();
	struct watch *w;
	int i;

	for (i = 0; i < n; i++) {
		w = &b->watches[b->rows[i].series];
		w->ahead_us = b->ahead_us[i];
		watch_judge(w, b->rows[i].value, b->rows[i].t_us, a_week,
		    &b->verdicts[i]);
	}
	b->spent_ns += now_ns() - from;
	b->judged += n;
}

/* While it learns it says nothing. */
static void
hush(struct bench *b, int n)
{
	int i;

	for (i = 0; i < n && b->set->train_until_us != INSTANT_NONE; i++)
		if (b->rows[i].t_us < b->set->train_until_us)
			b->verdicts[i] = (struct watch_verdict){0};
}

static void
explain(
    struct bench *b, const struct lab_row *row, const struct watch_verdict *v)
{
	const struct watch_reason *why = &v->reason;
	bool of_time = v->rule == WATCH_SILENCE || v->rule == WATCH_CADENCE;

	explain_tell(b->why,
	    &(struct explain_row){.series = &b->in->series[row->series],
		.rule = watch_rule_name(v->rule),
		.looks_like = watch_looks_like(v->rule),
		.t_us = row->t_us,
		.since_us = v->since_us,
		.value = why->expected + watch_off(why, row->value),
		.expected = of_time ? NAN : why->expected,
		.band = why->band,
		.share = 1});
}

static void
write_chunk(struct bench *b, int n)
{
	const struct watch_verdict *v = b->verdicts;
	const struct lab_series *s;
	char when[INSTANT_TEXT];
	int i;

	for (i = 0; i < n; i++, v++) {
		s = &b->in->series[b->rows[i].series];
		instant_format(b->rows[i].t_us, when);
		lab_csv_cell(b->out, s->node);
		putc(',', b->out);
		lab_csv_cell(b->out, s->metric);
		fprintf(b->out, ",%s,%.6f,%d,%s\n", when, v->score, v->alarm,
		    watch_rule_name(v->rule));
		if (v->alarm)
			explain(b, &b->rows[i], v);
	}
}

static bool
each(const struct detect_settings *set, struct lab_csv *in, FILE *out,
    struct explain *why)
{
	struct bench *b = calloc(1, sizeof(*b));
	enum csv_result r;
	int n;

	if (b == NULL) {
		tool_error("out of memory");
		return (false);
	}
	b->set = set;
	b->clock.from_us = INSTANT_NONE;
	b->in = in;
	b->out = out;
	b->why = why;
	fputs("node,metric,ts,score,alarm,rule\n", out);
	do {
		r = read_chunk(b, &n);
		judge_chunk(b, n);
		hush(b, n);
		write_chunk(b, n);
	} while (r == CSV_OK);
	if (set->time && r == CSV_END)
		printf("%lld readings of %d series judged in %.3f s: "
		       "%.0f a second; %zu bytes a series\n",
		    (long long)b->judged, b->n, (double)b->spent_ns / 1e9,
		    (double)b->judged * 1e9 / (double)(b->spent_ns + 1),
		    sizeof(*b->watches));
	free(b->watches);
	free(b);
	return (r == CSV_END);
}

/* --- the command --------------------------------------------------------- */

static int
usage(void)
{
	fprintf(stderr,
	    "usage: penstock-lab detect --input FILE --output FILE "
	    "[--train-until TS]\n"
	    "       [--explain FILE] "
	    "[--alarms-a-week N] "
	    "[--zone NAME] [--time] | "
	    "[--joint [--network FILE.inp]]\n"
	    "until TS it learns, and says nothing; without --joint each "
	    "reading is judged\n"
	    "by itself, and what the network's controls say does not count\n"
	    "FILE: node,metric,unit,ts,value with a header; - is stdin\n");
	return (TOOL_USAGE);
}

static bool
alarms_a_week(const char *text, double *ret)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end != '\0' || !(n >= 0.001 && n <= 10000)) {
		tool_error("--alarms-a-week: 0.001 to 10000, not \"%s\"", text);
		return (false);
	}
	*ret = n;
	return (true);
}

static bool
parse(int argc, char **argv, struct detect_settings *set)
{
	static const struct option options[] = {
	    {"time", no_argument, NULL, 'c'},
	    {"alarms-a-week", required_argument, NULL, 'a'},
	    {"explain", required_argument, NULL, 'e'},
	    {"joint", no_argument, NULL, 'j'},
	    {"network", required_argument, NULL, 'n'},
	    {"zone", required_argument, NULL, 'z'},
	    {"input", required_argument, NULL, 'i'},
	    {"output", required_argument, NULL, 'o'},
	    {"train-until", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
	int c;

	memset(set, 0, sizeof(*set));
	set->train_until_us = INSTANT_NONE;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'i')
			set->input = optarg;
		else if (c == 'o')
			set->output = optarg;
		else if (c == 'e')
			set->explain = optarg;
		else if (c == 'n')
			set->network = optarg;
		else if (c == 'j')
			set->joint = true;
		else if (c == 'c')
			set->time = true;
		else if (c == 'z')
			set->zone = optarg;
		else if (c == 'a') {
			if (!alarms_a_week(optarg, &set->a_week))
				return (false);
		} else if (c != 't' ||
		    !lab_csv_time(optarg, &set->train_until_us))
			return (false);
	}
	return (optind == argc && set->input != NULL && set->output != NULL);
}

static bool
judge(const struct detect_settings *set, struct lab_csv *in)
{
	struct explain why;
	FILE *out;
	bool ok;

	if ((out = fopen(set->output, "we")) == NULL) {
		tool_error("%s: %s", set->output, strerror(errno));
		return (false);
	}
	if (set->network != NULL && !set->joint)
		tool_log("%s: its controls are judged with --joint only",
		    set->network);
	ok = explain_open(&why, set->explain);
	if (ok)
		ok = set->joint ? lab_joint(set, in, out, &why)
				: each(set, in, out, &why);
	ok = explain_close(&why) && ok;
	if (ferror(out) != 0 || fclose(out) != 0) {
		tool_error("%s: cannot be written", set->output);
		ok = false;
	}
	return (ok);
}

int
lab_detect(int argc, char **argv)
{
	struct detect_settings set;
	struct lab_csv in;
	bool ok;

	if (!parse(argc, argv, &set) ||
	    (set.zone != NULL && !lab_zone(set.zone)))
		return (usage());
	if (!lab_csv_open(&in, set.input))
		return (TOOL_FAILED);
	ok = judge(&set, &in);
	lab_csv_close(&in);
	return (ok ? TOOL_OK : TOOL_FAILED);
}
