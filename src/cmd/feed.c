/*
 * penstock-feed: posts a CSV file through the API, in batches, over one
 * connection. Numbers are passed on digit for digit; an empty cell is no
 * reading. Feeding a file again changes nothing: all are duplicates.
 *
 * Ends with 0 if everything was stored, 1 if something was not, 2 if it was
 * called wrongly.
 */
#include "cmd/feed_create.h"
#include "cmd/feed_map.h"
#include "cmd/feed_send.h"
#include "cmd/tool.h"
#include "core/instant.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: penstock-feed FILE --key-file FILE [options]\n"
    "Long form: the first line names node,metric,ts,value and perhaps unit.\n"
    "  --map FILE           wide form: CSV of column,node,metric,unit\n"
    "  --wide TEMPLATE      wide form: every column is the node TEMPLATE\n"
    "                       with {column} replaced; needs --metric\n"
    "  --metric M --unit U  of all columns with --wide\n"
    "  --time-column NAME   wide form: default its first column\n"
    "  --time-format F      strptime(3), UTC; default: RFC 3339 as it is\n"
    "  --delimiter C        default ,\n"
    "  --decimal C          decimal mark, default .\n"
    "  --missing TEXT       a cell that reads so is no reading (beside the\n"
    "                       empty one)\n"
    "  --url URL            default https://127.0.0.1:8443\n"
    "  --ca FILE            certificates to trust\n"
    "  --key-file FILE      device key (or token) in its first line\n"
    "  --batch N            readings per request, default 5000\n"
    "  --patience S         how long to wait for a service that does not\n"
    "                       answer, default 60\n"
    "  --create-nodes TYPE  make missing nodes (of this type) and series;\n"
    "                       needs --token-file\n"
    "  --token-file FILE    bearer token of an engineer\n"
    "  --allow-rejects      end with 0 though readings were rejected\n";

struct options {
	const char *file, *map, *wide, *metric, *unit, *time_column,
	    *time_format, *missing, *url, *ca, *key_file, *create_nodes,
	    *token_file;
	char delimiter, decimal;
	int64_t batch, patience_s;
	bool allow_rejects;
};

struct feed {
	const struct options *o;
	struct csv csv;
	struct feed_map map;
	struct sender *sender;
	struct feed_create create;
	size_t header_cells;
	int time;  /* wide: index of the time's cell */
	int at[5]; /* long: node, metric, ts, value, unit (-1: none) */
	uint64_t rows, cells, empty;
	int64_t started_ms, told_ms;
};

static bool
is_missing(const struct feed *f, const char *cell)
{
	return (cell[0] == '\0' ||
	    (f->o->missing != NULL && strcmp(cell, f->o->missing) == 0));
}

static bool
add_cell(struct feed *f, const struct feed_column *c, const char *ts,
    const char *cell)
{
	char when[INSTANT_TEXT], number[FEED_NUMBER];
	struct sender_item item = {c->node, c->metric, ts, number,
	    c->unit[0] == '\0' ? NULL : c->unit, f->csv.line, c->index + 1};

	if (is_missing(f, cell)) {
		f->empty++;
		return (true);
	}
	f->cells++;
	if (!feed_number(cell, f->o->decimal, number)) {
		sender_reject(
		    f->sender, item.line, item.column, "not_a_number", cell);
		return (true);
	}
	if (f->o->time_format != NULL) {
		if (!feed_time(ts, f->o->time_format, when, sizeof(when))) {
			sender_reject(f->sender, item.line, item.column,
			    "bad_timestamp", ts);
			return (true);
		}
		item.ts = when;
	}
	if (f->create.type != NULL &&
	    !feed_create_series(&f->create, c->node, c->metric, c->unit))
		return (false);
	return (sender_add(f->sender, &item));
}

static bool
wide_row(struct feed *f)
{
	char **cells = f->csv.cells;
	size_t i;

	for (i = 0; i < f->map.n; i++)
		if (!add_cell(f, &f->map.columns[i], cells[f->time],
			cells[f->map.columns[i].index]))
			return (false);
	return (true);
}

static bool
long_row(struct feed *f)
{
	const char *words[5];
	struct feed_column c = {.index = (size_t)f->at[3]};
	size_t i;

	for (i = 0; i < 5; i++)
		words[i] = f->at[i] == -1 ? "" : f->csv.cells[f->at[i]];
	if (strlen(words[0]) >= FEED_WORD || strlen(words[1]) >= FEED_WORD ||
	    strlen(words[4]) >= FEED_WORD) {
		f->cells++;
		sender_reject(f->sender, f->csv.line, c.index + 1, "too_long",
		    "node, metric or unit");
		return (true);
	}
	memcpy(c.node, words[0], strlen(words[0]) + 1);
	memcpy(c.metric, words[1], strlen(words[1]) + 1);
	memcpy(c.unit, words[4], strlen(words[4]) + 1);
	return (add_cell(f, &c, words[2], words[3]));
}

static void
progress(struct feed *f, bool last)
{
	int64_t now = tool_monotonic_ms();
	bool tty = isatty(STDERR_FILENO);
	double s = (double)(now - f->started_ms) / 1000;

	if (!last && now - f->told_ms < (tty ? 500 : 5000))
		return;
	f->told_ms = now;
	fprintf(stderr, "%s%llu rows, %llu readings sent, %.0f/s%s",
	    tty ? "\r" : "", (unsigned long long)f->rows,
	    (unsigned long long)f->sender->sent,
	    s > 0 ? (double)f->sender->sent / s : 0, tty && !last ? "" : "\n");
}

static bool
rows(struct feed *f)
{
	enum csv_result r;

	while ((r = csv_next(&f->csv)) == CSV_OK) {
		if (tool_stopping()) {
			tool_error("stopped before line %zu", f->csv.line);
			return (false);
		}
		if (f->csv.ncells != f->header_cells) {
			tool_error("%s: line %zu: %zu cells instead of %zu",
			    f->csv.path, f->csv.line, f->csv.ncells,
			    f->header_cells);
			return (false);
		}
		f->rows++;
		if (!(f->map.n > 0 ? wide_row(f) : long_row(f)))
			return (false);
		progress(f, false);
	}
	return (r == CSV_END && sender_flush(f->sender));
}

static bool
long_header(struct feed *f)
{
	static const char *const names[] = {
	    "node", "metric", "ts", "value", "unit"};
	size_t i, known = 0;

	for (i = 0; i < 5; i++) {
		f->at[i] = csv_find(&f->csv, names[i]);
		known += f->at[i] != -1;
		if (f->at[i] == -1 && i < 4) {
			tool_error("%s: no column \"%s\" in its first line; "
				   "a wide file needs --map or --wide",
			    f->csv.path, names[i]);
			return (false);
		}
	}
	if (known != f->csv.ncells)
		tool_error("%s: its first line must name node,metric,ts,value "
			   "and perhaps unit, nothing else",
		    f->csv.path);
	return (known == f->csv.ncells);
}

static bool
wide_header(struct feed *f)
{
	const struct options *o = f->o;
	struct feed_column pattern = {0};

	f->time =
	    o->time_column == NULL ? 0 : csv_find(&f->csv, o->time_column);
	if (f->time == -1) {
		tool_error("%s: no column \"%s\" in its first line",
		    f->csv.path, o->time_column);
		return (false);
	}
	if (o->map != NULL)
		return (feed_map_read(&f->map, o->map, &f->csv));
	snprintf(pattern.node, FEED_WORD, "%s", o->wide);
	snprintf(pattern.metric, FEED_WORD, "%s", o->metric);
	snprintf(pattern.unit, FEED_WORD, "%s", o->unit);
	return (feed_map_spread(&f->map, &f->csv, f->time, &pattern));
}

static bool
header(struct feed *f)
{
	enum csv_result r = csv_next(&f->csv);

	if (r == CSV_END)
		tool_error("%s: is empty", f->csv.path);
	if (r != CSV_OK)
		return (false);
	f->header_cells = f->csv.ncells;
	return (f->o->map != NULL || f->o->wide != NULL ? wide_header(f)
							: long_header(f));
}

static void
summary(const struct feed *f)
{
	const struct sender *s = f->sender;
	size_t i;

	printf("rows %llu\ncells %llu\nempty %llu\nsent %llu\naccepted %llu\n"
	       "duplicates %llu\nrejected %llu\nretries %llu\n",
	    (unsigned long long)f->rows, (unsigned long long)f->cells,
	    (unsigned long long)f->empty, (unsigned long long)s->sent,
	    (unsigned long long)s->accepted, (unsigned long long)s->duplicates,
	    (unsigned long long)s->rejected, (unsigned long long)s->retries);
	for (i = 0; i < s->nreasons; i++)
		printf("rejected %s %llu\n", s->reasons[i].word,
		    (unsigned long long)s->reasons[i].count);
	if (f->create.type != NULL)
		printf("nodes made %llu\nseries made %llu\n",
		    (unsigned long long)f->create.nodes,
		    (unsigned long long)f->create.series);
}

static int
work(struct feed *f, struct client *client, const char *key, const char *token)
{
	const struct options *o = f->o;
	bool ok = false;

	f->sender = sender_new(&(struct sender_config){
	    client, key, (size_t)o->batch, o->patience_s * 1000, 20});
	f->create = (struct feed_create){
	    {client, token, o->patience_s * 1000}, o->create_nodes, NULL, 0, 0};
	f->started_ms = f->told_ms = tool_monotonic_ms();
	if (f->sender != NULL && csv_open(&f->csv, o->file, o->delimiter) &&
	    header(f)) {
		ok = rows(f);
		progress(f, true);
		summary(f);
		ok = ok && (f->sender->rejected == 0 || o->allow_rejects);
	}
	csv_close(&f->csv);
	feed_map_free(&f->map);
	feed_create_free(&f->create);
	sender_free(f->sender);
	return (ok ? TOOL_OK : TOOL_FAILED);
}

static int
run(const struct options *o)
{
	char key[CLIENT_SECRET] = "", token[CLIENT_SECRET] = "";
	struct client *client;
	struct feed *f;
	int rc;

	if (!tool_secret(o->key_file, key, sizeof(key)) ||
	    (o->token_file != NULL &&
		!tool_secret(o->token_file, token, sizeof(token))))
		return (TOOL_USAGE);
	client = client_new(&(struct client_config){o->url, o->ca, 0});
	f = calloc(1, sizeof(*f));
	if (client == NULL || f == NULL) {
		client_free(client);
		free(f);
		return (TOOL_FAILED);
	}
	f->o = o;
	tool_catch_signals();
	rc = work(f, client, key, token);
	free(f);
	client_free(client);
	return (rc);
}

/* False: not one character. */
static bool
one_character(const char *option, const char *text, char *ret)
{
	if (strcmp(text, "\\t") == 0)
		text = "\t";
	if (text[0] == '\0' || text[1] != '\0' || strchr("\"\r\n", text[0])) {
		tool_error("%s must be one character", option);
		return (false);
	}
	*ret = text[0];
	return (true);
}

static bool
check(const struct options *o)
{
	const char *why = NULL;

	if (o->file == NULL || o->key_file == NULL)
		why = "FILE and --key-file must be given";
	else if (o->map != NULL && o->wide != NULL)
		why = "--map and --wide exclude each other";
	else if (o->wide != NULL && o->metric == NULL)
		why = "--wide needs --metric";
	else if (o->create_nodes != NULL && o->token_file == NULL)
		why = "--create-nodes needs --token-file";
	else if (o->delimiter == o->decimal)
		why = "--delimiter and --decimal are the same";
	if (why != NULL)
		tool_error("%s; --help says more", why);
	return (why == NULL);
}

/* Options with a text, in the order of the table in main(). */
static bool
set_option(struct options *o, int c)
{
	const char **words[] = {&o->map, &o->wide, &o->metric, &o->unit,
	    &o->time_column, &o->time_format, &o->missing, &o->url, &o->ca,
	    &o->key_file, &o->create_nodes, &o->token_file};

	if (c >= 0 && c < 12) {
		*words[c] = optarg;
		return (true);
	}
	switch (c) {
	case 'd':
		return (one_character("--delimiter", optarg, &o->delimiter));
	case 'p':
		return (one_character("--decimal", optarg, &o->decimal));
	case 'b':
		return (
		    tool_number("--batch", optarg, 1, SENDER_BATCH, &o->batch));
	case 'w':
		return (tool_number(
		    "--patience", optarg, 0, 86400, &o->patience_s));
	case 'a':
		o->allow_rejects = true;
		return (true);
	}
	fputs(usage_text, c == 'h' ? stdout : stderr);
	exit(c == 'h' ? TOOL_OK : TOOL_USAGE);
}

int
main(int argc, char **argv)
{
#define WORD(name, i)                            \
	{                                        \
		name, required_argument, NULL, i \
	}
	static const struct option table[] = {WORD("map", 0), WORD("wide", 1),
	    WORD("metric", 2), WORD("unit", 3), WORD("time-column", 4),
	    WORD("time-format", 5), WORD("missing", 6), WORD("url", 7),
	    WORD("ca", 8), WORD("key-file", 9), WORD("create-nodes", 10),
	    WORD("token-file", 11), WORD("delimiter", 'd'),
	    WORD("decimal", 'p'), WORD("batch", 'b'), WORD("patience", 'w'),
	    {"allow-rejects", no_argument, NULL, 'a'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct options o = {.url = "https://127.0.0.1:8443",
	    .unit = "",
	    .delimiter = ',',
	    .decimal = '.',
	    .batch = SENDER_BATCH,
	    .patience_s = 60};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
		if (!set_option(&o, c))
			return (TOOL_USAGE);
	if (optind + 1 == argc)
		o.file = argv[optind];
	return (check(&o) ? run(&o) : TOOL_USAGE);
}
