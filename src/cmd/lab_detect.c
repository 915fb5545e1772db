#include "cmd/lab.h"
#include "cmd/lab_detect.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "model/watch.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- each reading by itself ---------------------------------------------- */

static bool
room(struct watch **watches, int *n, int wanted)
{
	struct watch *w;
	int i;

	if (wanted <= *n)
		return (true);
	i = wanted > 2 * *n ? wanted : 2 * *n;
	if ((w = realloc(*watches, (size_t)i * sizeof(*w))) == NULL) {
		tool_error("out of memory");
		return (false);
	}
	*watches = w;
	for (; *n < i; (*n)++)
		watch_init(&w[*n]);
	return (true);
}

static void
write_verdict(FILE *f, const struct lab_series *s, int64_t t_us,
    const struct watch_verdict *v)
{
	char when[INSTANT_TEXT];

	instant_format(t_us, when);
	lab_csv_cell(f, s->node);
	putc(',', f);
	lab_csv_cell(f, s->metric);
	fprintf(f, ",%s,%.6f,%d,%s\n", when, v->score, v->alarm,
	    watch_rule_name(v->rule));
}

static bool
each(const struct detect_settings *set, struct lab_csv *in, FILE *out)
{
	struct watch *watches = NULL;
	struct watch_verdict v;
	struct lab_row row;
	enum csv_result r = CSV_BAD;
	int n = 0;

	fputs("node,metric,ts,score,alarm,rule\n", out);
	while ((r = lab_csv_next(in, &row)) == CSV_OK) {
		if (isnan(row.value))
			continue;
		if (!room(&watches, &n, row.series + 1)) {
			r = CSV_BAD;
			break;
		}
		watch_judge(&watches[row.series], row.value, row.t_us, &v);
		if (row.t_us >= set->train_until_us)
			write_verdict(
			    out, &in->series[row.series], row.t_us, &v);
	}
	free(watches);
	return (r == CSV_END);
}

/* --- the command --------------------------------------------------------- */

static int
usage(void)
{
	fprintf(stderr,
	    "usage: penstock-lab detect --input FILE --output FILE "
	    "[--train-until TS]\n"
	    "       [--joint [--network FILE.inp]]\n"
	    "FILE: node,metric,unit,ts,value with a header; - is stdin\n");
	return (TOOL_USAGE);
}

static bool
parse(int argc, char **argv, struct detect_settings *set)
{
	static const struct option options[] = {
	    {"joint", no_argument, NULL, 'j'},
	    {"network", required_argument, NULL, 'n'},
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
		else if (c == 'n')
			set->network = optarg;
		else if (c == 'j')
			set->joint = true;
		else if (c != 't' ||
		    !instant_parse(
			optarg, strlen(optarg), &set->train_until_us))
			return (false);
	}
	return (optind == argc && set->input != NULL && set->output != NULL);
}

int
lab_detect(int argc, char **argv)
{
	struct detect_settings set;
	struct lab_csv in;
	FILE *out;
	bool ok;

	if (!parse(argc, argv, &set))
		return (usage());
	if (!lab_csv_open(&in, set.input))
		return (TOOL_FAILED);
	if ((out = fopen(set.output, "we")) == NULL) {
		tool_error("%s: %s", set.output, strerror(errno));
		lab_csv_close(&in);
		return (TOOL_FAILED);
	}
	ok = set.joint ? lab_joint(&set, &in, out) : each(&set, &in, out);
	if (ferror(out) != 0 || fclose(out) != 0) {
		tool_error("%s: cannot be written", set.output);
		ok = false;
	}
	lab_csv_close(&in);
	return (ok ? TOOL_OK : TOOL_FAILED);
}
