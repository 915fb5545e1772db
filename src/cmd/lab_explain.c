#include "cmd/lab_explain.h"

#include "cmd/tool.h"
#include "core/instant.h"

#include <errno.h>
#include <math.h>
#include <string.h>

bool
explain_open(struct explain *x, const char *path)
{
	x->path = path;
	x->f = NULL;
	if (path == NULL)
		return (true);
	if ((x->f = fopen(path, "we")) == NULL) {
		tool_error("%s: %s", path, strerror(errno));
		return (false);
	}
	fputs("node,metric,ts,rule,since,value,expected,low,high,share,"
	      "looks_like\n",
	    x->f);
	return (true);
}

static void
number(FILE *f, double v)
{
	putc(',', f);
	if (!isnan(v))
		fprintf(f, "%.6g", v);
}

void
explain_tell(struct explain *x, const struct explain_row *r)
{
	char when[INSTANT_TEXT], since[INSTANT_TEXT];

	if (x->f == NULL)
		return;
	instant_format(r->t_us, when);
	instant_format(r->since_us, since);
	lab_csv_cell(x->f, r->series->node);
	putc(',', x->f);
	lab_csv_cell(x->f, r->series->metric);
	fprintf(x->f, ",%s,%s,%s", when, r->rule, since);
	number(x->f, r->value);
	number(x->f, r->expected);
	number(x->f, r->expected - r->band);
	number(x->f, r->expected + r->band);
	fprintf(x->f, ",%.3f,%s\n", r->share, r->looks_like);
}

bool
explain_close(struct explain *x)
{
	bool failed;

	if (x->f == NULL)
		return (true);
	failed = ferror(x->f) != 0;
	if (fclose(x->f) != 0 || failed) {
		tool_error("%s: cannot be written", x->path);
		return (false);
	}
	return (true);
}
