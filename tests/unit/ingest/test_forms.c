/* CSV and ndjson on their own, and all three forms against one another. */
#include "core/instant.h"
#include "ingest/batch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct decoder d;
static struct err_info info;
static char *body;

/* On memory of just its size, so that a sanitizer sees any read beyond. */
static void
open_as(enum body_form form, const char *s, size_t max)
{
	size_t len = strlen(s);

	free(body);
	body = malloc(len > 0 ? len : 1);
	cr_assert_not_null(body);
	memcpy(body, s, len);
	decoder_init(&d, form, body, len, max, &info);
}

static bool
next(struct item *r)
{
	bool more = false;

	return (decoder_next(&d, r, &more) == ERR_OK && more);
}

static void
expect_span(struct span s, const char *want)
{
	cr_expect(s.s != NULL && s.len == strlen(want) &&
		memcmp(s.s, want, s.len) == 0,
	    "\"%.*s\", not \"%s\"", (int)s.len, s.s, want);
}

#define H "node,metric,ts,value\n"

Test(csv, any_order_quotes_and_line_ends)
{
	struct item r;

	open_as(FORM_CSV,
	    "\xef\xbb\xbf\"value\",unit,ts,\"node\",metric\r\n"
	    "1.5,\"L/s\",2026-11-20T09:27:04Z,\"DMA-03\",flow\r\n"
	    "\r\n"
	    "-2e1,,T,\"a \"\"b\"\", c\",\"m\"",
	    9);
	cr_assert(next(&r), "%s", info.detail);
	cr_expect_eq(r.fault, ITEM_FAULT_NONE);
	cr_expect_eq(r.value, 1.5);
	expect_span(r.unit, "L/s");
	expect_span(r.ts, "2026-11-20T09:27:04Z");
	expect_span(r.node, "DMA-03");
	expect_span(r.metric, "flow");
	cr_assert(next(&r));
	cr_expect_eq(r.fault, ITEM_FAULT_NONE);
	cr_expect_eq(r.index, 1);
	cr_expect_eq(r.value, -20);
	cr_expect_null(r.unit.s);
	expect_span(r.node, "a \"b\", c");
	expect_span(r.metric, "m");
	cr_expect(!next(&r));
	cr_expect_eq(info.code, ERR_OK);
}

Test(csv, a_broken_row_spoils_itself_alone)
{
	static const struct {
		const char *row;
		enum item_fault fault;
		const char *member;
	} rows[] = {
	    {"A,m,T", ITEM_FAULT_SYNTAX,
		"the row has fewer fields than the header"},
	    {"A,m,T,1,2", ITEM_FAULT_SYNTAX,
		"the row has more fields than the header"},
	    {"\"A,m,T,1", ITEM_FAULT_SYNTAX, "a quote stands where none may"},
	    {"A\"B,m,T,1", ITEM_FAULT_SYNTAX, "a quote stands where none may"},
	    {"\"A\"B,m,T,1", ITEM_FAULT_SYNTAX,
		"a quote stands where none may"},
	    {"A,m,T,\"1\"x", ITEM_FAULT_SYNTAX,
		"a quote stands where none may"},
	    {"A,m,T,\"1\"\r\r", ITEM_FAULT_SYNTAX,
		"a quote stands where none may"},
	    {",m,T,1", ITEM_FAULT_MISSING, "node"},
	    {"A,,T,1", ITEM_FAULT_MISSING, "metric"},
	    {"A,m,,1", ITEM_FAULT_MISSING, "ts"},
	    {"A,m,T,n/a", ITEM_FAULT_NOT_NUMBER, "value"},
	    {"A,m,T, 1", ITEM_FAULT_NOT_NUMBER, "value"},
	    {"A,m,T,1;5", ITEM_FAULT_NOT_NUMBER, "value"},
	    {"A,m,T,NaN", ITEM_FAULT_NOT_NUMBER, "value"},
	};
	char text[300];
	struct item r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(
		    text, sizeof(text), H "%s\nA,m,T,7\n", rows[i].row);
		open_as(FORM_CSV, text, 9);
		cr_assert(next(&r));
		cr_expect_eq(r.fault, rows[i].fault, "%s", rows[i].row);
		expect_span(r.member, rows[i].member);
		cr_assert(next(&r), "%s", rows[i].row);
		cr_expect_eq(r.fault, ITEM_FAULT_NONE, "%s", rows[i].row);
		cr_expect_eq(r.value, 7);
		cr_expect_eq(r.index, 1);
		cr_expect(!next(&r));
	}
}

Test(csv, a_row_without_value_is_no_reading)
{
	struct item r;

	open_as(FORM_CSV, H "A,m,T,\nA,m,T,\"\"\n,,,\nA,m,T,3\nA,m,T,", 9);
	cr_assert(next(&r));
	cr_expect_eq(r.index, 3);
	cr_expect(!next(&r));
	cr_expect_eq(decoder_empty(&d), 4);
}

Test(csv, headers_that_cannot_be_used)
{
	static const char *const headers[] = {"", "\n", "node,metric,ts\n",
	    "node;metric;ts;value\n", "node,metric,ts,value,node\n",
	    "node,metric,ts,value,quality\n", "Node,metric,ts,value\n",
	    "node,metric,ts,value,\n", "\"node,metric,ts,value\n",
	    "A,m,2026-11-20T09:27:04Z,1\n"};
	struct item r;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		open_as(FORM_CSV, headers[i], 9);
		cr_expect(!next(&r));
		cr_expect_eq(info.code, ERR_INVALID, "%s", headers[i]);
		cr_expect(strlen(info.detail) > 10);
	}
}

Test(csv, rows_of_a_header_read_before)
{
	struct csv_columns columns;
	struct csv_readings rows;
	struct item r;
	bool more;

	open_as(FORM_CSV, "value,ts,metric,node\n", 1);
	cr_assert_eq(info.code, ERR_OK);
	columns = d.csv.columns;
	csv_readings_init_rows(&rows, &columns, "5,T,m,A", 7, 1, &info);
	cr_assert_eq(csv_readings_next(&rows, &r, &more), ERR_OK);
	cr_assert(more);
	cr_expect_eq(r.value, 5);
	expect_span(r.node, "A");
}

/* A text of any length, and one that is as long as may be. */
Test(csv, long_fields)
{
	static const size_t lens[] = {ITEM_TEXT_MAX, ITEM_TEXT_MAX + 1, 70000};
	char *text = malloc(80000);
	struct item r;
	int quoted;

	cr_assert_not_null(text);
	for (size_t i = 0; i < 3; i++)
		for (quoted = 0; quoted < 3; quoted++) {
			size_t n = (size_t)snprintf(text, 100, "%s",
			    quoted == 0	      ? H
				: quoted == 1 ? H "\""
					      : H "\"\"\"");
			size_t len = lens[i] - (quoted == 2);

			memset(text + n, 'x', len);
			(void)snprintf(text + n + len, 1000,
			    "%s,m,T,1\nA,m,T,2\n", quoted ? "\"" : "");
			open_as(FORM_CSV, text, 9);
			cr_assert(next(&r));
			cr_expect_eq(r.fault,
			    i == 0		   ? ITEM_FAULT_NONE
				: i == 2 && quoted ? ITEM_FAULT_SYNTAX
						   : ITEM_FAULT_TOO_LONG,
			    "%zu %d: %d", lens[i], quoted, r.fault);
			if (i == 0)
				cr_expect_eq(r.node.len, ITEM_TEXT_MAX);
			cr_assert(next(&r));
			cr_expect_eq(r.value, 2);
		}
	free(text);
}

#define GOOD "{\"node\":\"A\",\"metric\":\"m\",\"ts\":\"T\",\"value\":7}"

Test(ndjson, a_broken_line_spoils_itself_alone)
{
	static const struct {
		const char *line;
		enum item_fault fault;
		const char *member;
	} rows[] = {
	    {"{\"node\":}", ITEM_FAULT_SYNTAX, "column 9: expected a value"},
	    {"{\"node\":\"A\"", ITEM_FAULT_SYNTAX,
		"column 13: expected ',' or '}', but the line ends"},
	    {GOOD GOOD, ITEM_FAULT_SYNTAX,
		"column 45: there is more behind the object"},
	    {"{\"node\":\"A\",\"node\":\"B\"}", ITEM_FAULT_SYNTAX,
		"column 20: a member stands here a second time"},
	    {"[" GOOD "]", ITEM_FAULT_NOT_OBJECT, ""},
	    {"7", ITEM_FAULT_NOT_OBJECT, ""},
	    {"{}", ITEM_FAULT_MISSING, "node"},
	    {"{\"readings\":[]}", ITEM_FAULT_UNKNOWN, "readings"},
	    {"{\"ts\":5}", ITEM_FAULT_TS_NUMBER, "ts"},
	};
	char text[300];
	struct item r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(
		    text, sizeof(text), "%s\r\n \r\n\n" GOOD, rows[i].line);
		open_as(FORM_NDJSON, text, 9);
		cr_assert(next(&r));
		cr_expect_eq(r.fault, rows[i].fault, "%s", rows[i].line);
		expect_span(r.member, rows[i].member);
		cr_assert(next(&r), "%s", rows[i].line);
		cr_expect_eq(r.fault, ITEM_FAULT_NONE, "%s", rows[i].line);
		cr_expect_eq(r.value, 7);
		cr_expect_eq(r.index, 1);
		cr_expect(!next(&r));
		cr_expect_eq(info.code, ERR_OK);
	}
}

Test(forms, bounds)
{
	static const struct {
		enum body_form form;
		const char *head, *unit;
		size_t times;
	} rows[] = {
	    {FORM_CSV, H, "A,m,T,1\n", 4},
	    {FORM_CSV, H, "A,m,T,\n", 4},
	    {FORM_CSV, H, "\r\n", 5},
	    {FORM_NDJSON, "", GOOD "\n", 4},
	    {FORM_NDJSON, "", " \n", 5},
	    {FORM_JSON, "{\"readings\":[{\"x\":[", "[[]],", 30000},
	    {FORM_JSON, "{\"x\":\"", "\\n", 90000},
	    {FORM_JSON, "{\"readings\":[],\"x\":\"", "\\n", 90000},
	};
	struct text t;
	struct item r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_init(&t, 1 << 20);
		text_puts(&t, rows[i].head);
		for (size_t k = 0; k < rows[i].times; k++)
			text_puts(&t, rows[i].unit);
		open_as(rows[i].form, t.s, 3);
		while (next(&r))
			;
		cr_expect_eq(
		    info.code, ERR_TOO_LARGE, "%zu: %s", i, info.detail);
		text_done(&t);
	}
	text_init(&t, 1 << 20);
	for (size_t k = 0; k < 70000; k++)
		text_puts(&t, " ");
	text_puts(&t, GOOD "\n" GOOD);
	open_as(FORM_NDJSON, t.s, 3);
	cr_assert(next(&r));
	cr_expect_eq(r.fault, ITEM_FAULT_SYNTAX);
	cr_assert(next(&r));
	cr_expect_eq(r.fault, ITEM_FAULT_NONE);
	text_done(&t);
}

/*
 * The same readings in every form, and JSON written both the way that is
 * scanned in one go and with white space or escapes that are not, must come
 * to the same outcomes and the same stored readings, bit for bit.
 */
#define NOW (INT64_C(1795200000) * US_PER_SECOND)

static const char *const nodes[] = {"A", "DMA-03", "B,\\\"q\\\"", "nowhere"};
static const char *const nodes_csv[] = {
    "A", "\"DMA-03\"", "\"B,\"\"q\"\"\"", "nowhere"};
static const char *const metrics[] = {"flow", "level", "taste"};
static const char *const values[] = {"1", "-0.5", "12.345678901234567", "1e2",
    "0.1", "99999999999999999999", "1e999", "251.5", "4.9e-324", "-0"};
static const char *const units[] = {NULL, "L/s", "m", "bar"};
static const char *const times[] = {"2026-11-20T09:00:0%dZ",
    "2026-11-20 10:00:00.%d5+01:00", "2026-02-30T00:00:0%dZ",
    "2031-01-01T00:00:0%dZ", "1969-01-01T00:00:0%dZ", "yesterday %d"};

struct written {
	struct text text[4];
};

static void
write_reading(struct written *w, size_t i)
{
	int n = rand() % 4, m = rand() % 3, v = rand() % 10, u = rand() % 4;
	char ts[60], unit[40] = "", member[60] = "";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(
	    ts, sizeof(ts), times[rand() % 8 < 5 ? 0 : rand() % 6], rand() % 8);
#pragma GCC diagnostic pop
	if (units[u] != NULL) {
		(void)snprintf(unit, sizeof(unit), "%s", units[u]);
		(void)snprintf(
		    member, sizeof(member), ",\"unit\":\"%s\"", units[u]);
	}
	text_printf(&w->text[0],
	    "%s{\"node\":\"%s\",\"metric\":\"%s\",\"ts\":\"%s\",\"value\":%s%"
	    "s}",
	    i ? "," : "", nodes[n], metrics[m], ts, values[v], member);
	text_printf(&w->text[1],
	    "%s{ \"ts\" : \"%s\" ,\t\"value\":  %s , \"n\\u006fde\":\"%s\", "
	    "\"metric\"\n: \"%s\"%s }\r\n",
	    i ? "," : "", ts, values[v], nodes[n], metrics[m], member);
	text_printf(&w->text[2],
	    "{\"metric\": \"%s\", \"node\": \"%s\"%s%s, \"value\": %s, "
	    "\"ts\": \"%s\"}\n",
	    metrics[m], nodes[n], member[0] ? ", " : "",
	    member[0] ? member + 1 : "", values[v], ts);
	text_printf(&w->text[3], "%s,%s,%s,\"%s\",%s\n", values[v], unit,
	    nodes_csv[n], ts, metrics[m]);
}

static struct registry *
make_registry(void)
{
	static const char *const codes[] = {"A", "DMA-03", "B,\"q\""};
	struct registry *reg = registry_new();

	cr_assert_not_null(reg);
	for (int i = 0; i < 6; i++) {
		registry_put_node(
		    reg, &(struct node_row){codes[i / 2], "Z", false, 1});
		cr_assert_eq(registry_put_series(reg,
				 &(struct series_row){.id = i + 1,
				     .node = codes[i / 2],
				     .metric = metrics[i % 2],
				     .unit = i % 2 ? "m" : "L/s",
				     .canonical = i % 2 ? "m" : "m3/h",
				     .low = -1000,
				     .high = 1000,
				     .retired = i == 5}),
		    ERR_OK);
	}
	return (reg);
}

static void
judge(struct batch *b, struct text *reply, enum body_form form,
    const struct text *t, const struct registry *reg, struct arena *arena)
{
	struct batch_input in = {.form = form,
	    .body = t->s,
	    .len = t->len,
	    .registry = reg,
	    .limits = {.now_us = NOW, .future_us = US_PER_MINUTE},
	    .max = 1000};
	struct last_seen *seen =
	    last_seen_init(calloc(1, last_seen_size(10)), 10);
	bool more = true;

	err_clear(&info);
	last_seen_trust(seen);
	cr_assert_eq(batch_open(b, &in, arena, &info), ERR_OK);
	while (more)
		cr_assert_eq(
		    batch_decode(b, 1 + (size_t)rand() % 3000, &more, &info),
		    ERR_OK, "%s", info.detail);
	batch_split(b, seen);
	cr_assert_eq(batch_settle(b, &info), ERR_OK);
	batch_write(b, reply);
	free(seen);
}

static void
expect_same(const struct batch *a, const struct batch *b)
{
	cr_assert_eq(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct reading *x = &a->readings[i], *y = &b->readings[i];

		cr_assert(x->series == y->series && x->t_us == y->t_us &&
		    x->quality == y->quality &&
		    memcmp(&x->value, &y->value, sizeof(x->value)) == 0);
	}
}

Test(forms, all_say_the_same)
{
	static const enum body_form forms[] = {
	    FORM_JSON, FORM_JSON, FORM_NDJSON, FORM_CSV};
	struct registry *reg = make_registry();

	srand(20261120);
	for (int round = 0; round < 200; round++) {
		struct text reply[4];
		struct written w;
		struct batch b[4];
		struct arena arena;
		size_t n = (size_t)rand() % 60;

		arena_init(&arena, 1 << 22);
		for (int f = 0; f < 4; f++) {
			text_init(&w.text[f], 1 << 20);
			text_init(&reply[f], 1 << 20);
		}
		text_puts(&w.text[0], "{\"readings\":[");
		text_puts(&w.text[1], " {\"readings\" : [ ");
		text_puts(&w.text[3], "value,unit,node,ts,metric\n");
		for (size_t i = 0; i < n; i++)
			write_reading(&w, i);
		text_puts(&w.text[0], "]}");
		text_puts(&w.text[1], " ] }\n");
		for (int f = 0; f < 4; f++) {
			judge(&b[f], &reply[f], forms[f], &w.text[f], reg,
			    &arena);
			cr_assert_str_eq(
			    reply[f].s, reply[0].s, "%d: %s", f, w.text[f].s);
			expect_same(&b[f], &b[0]);
		}
		for (int f = 0; f < 4; f++) {
			text_done(&w.text[f]);
			text_done(&reply[f]);
		}
		arena_done(&arena);
	}
	registry_free(reg);
}
