#include <jansson.h> /* first: see core/text.h */

#include "ingest/json_readings.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOOD "{\"node\":\"A\",\"metric\":\"m\",\"ts\":\"t\",\"value\":1}"

static struct json_readings d;
static struct err_info info;
static char *body;

/* On memory of just its size, so that a sanitizer sees any read beyond. */
static void
open_bytes(const char *s, size_t len, size_t max)
{
	free(body);
	body = malloc(len > 0 ? len : 1);
	cr_assert_not_null(body);
	memcpy(body, s, len);
	json_readings_init(&d, body, len, max, &info);
}

static bool
next(struct item *r)
{
	bool more = false;

	return (json_readings_next(&d, r, &more) == ERR_OK && more);
}

static enum err
read_all(const char *s, size_t len, size_t *ret_count)
{
	struct item r;

	open_bytes(s, len, 5000);
	for (*ret_count = 0; next(&r);)
		++*ret_count;
	return (info.code);
}

static void
expect_span(struct span s, const char *want)
{
	cr_expect(s.s != NULL && s.len == strlen(want) &&
		memcmp(s.s, want, s.len) == 0,
	    "not \"%s\"", want);
}

Test(json_readings, one_object)
{
	struct item r;

	open_bytes(" {\"unit\":\"L/s\" ,\n\"value\":-2.5e1,\"ts\":\"T\","
		   "\"metric\":\"flow\",\"node\":\"DMA-03\"}\r\n\t",
	    strlen(" {\"unit\":\"L/s\" ,\n\"value\":-2.5e1,\"ts\":\"T\","
		   "\"metric\":\"flow\",\"node\":\"DMA-03\"}\r\n\t"),
	    1);
	cr_assert(next(&r));
	cr_expect(!d.list);
	cr_expect_eq(r.fault, ITEM_FAULT_NONE);
	expect_span(r.node, "DMA-03");
	expect_span(r.metric, "flow");
	expect_span(r.ts, "T");
	expect_span(r.unit, "L/s");
	cr_expect_eq(r.value, -25);
	cr_expect(!next(&r));
	cr_expect_eq(info.code, ERR_OK);
}

Test(json_readings, a_list)
{
	static const char text[] = "{\"readings\": [" GOOD " , " GOOD "]}";
	struct item r;

	open_bytes(text, sizeof(text) - 1, 2);
	cr_assert(next(&r) && d.list);
	cr_expect_null(r.unit.s);
	cr_assert(next(&r));
	cr_expect(!next(&r));
	cr_expect_eq(info.code, ERR_OK);
}

Test(json_readings, counts_what_it_reads)
{
	static const struct {
		const char *s;
		size_t n;
	} vectors[] = {{"{\"readings\":[]}", 0}, {"{\"readings\":[ ] }", 0},
	    {"{\"readings\":[" GOOD "]}", 1}, {"{}", 1},
	    {"{\"re\\u0061dings\":[1,[],{},\"\",null]}", 5}};
	size_t i, n;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		cr_expect_eq(read_all(vectors[i].s, strlen(vectors[i].s), &n),
		    ERR_OK, "%s: %s", vectors[i].s, info.detail);
		cr_expect_eq(n, vectors[i].n, "%s", vectors[i].s);
	}
}

Test(json_readings, names_what_is_wrong_with_an_item)
{
	static const struct {
		const char *s;
		enum item_fault fault;
		const char *member;
	} vectors[] = {
	    {"{}", ITEM_FAULT_MISSING, "node"},
	    {"{\"node\":\"A\",\"ts\":\"t\",\"value\":1}", ITEM_FAULT_MISSING,
		"metric"},
	    {"{\"node\":\"A\",\"metric\":\"m\",\"ts\":\"t\"}",
		ITEM_FAULT_MISSING, "value"},
	    {"{\"node\":7}", ITEM_FAULT_NOT_STRING, "node"},
	    {"{\"unit\":null}", ITEM_FAULT_NOT_STRING, "unit"},
	    {"{\"ts\":1795166824}", ITEM_FAULT_TS_NUMBER, "ts"},
	    {"{\"ts\":[1795166824]}", ITEM_FAULT_NOT_STRING, "ts"},
	    {"{\"value\":\"1\"}", ITEM_FAULT_NOT_NUMBER, "value"},
	    {"{\"value\":null}", ITEM_FAULT_NOT_NUMBER, "value"},
	    {"{\"value\":{\"a\":[{}]}}", ITEM_FAULT_NOT_NUMBER, "value"},
	    {"{\"quality\":{\"deep\":[1,2,{\"er\":true}]},\"x\":1}",
		ITEM_FAULT_UNKNOWN, "quality"},
	    {"{\"n\\u006fde \":1,\"tss\":2,\"\\u0061\":3}", ITEM_FAULT_UNKNOWN,
		"node "},
	    {"{\"Node\":\"A\"}", ITEM_FAULT_UNKNOWN, "Node"},
	    {"{\"\":\"A\"}", ITEM_FAULT_UNKNOWN, ""},
	    {"{\"x\":1,\"readings\":[]}", ITEM_FAULT_UNKNOWN, "x"},
	};
	struct item r;
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		open_bytes(vectors[i].s, strlen(vectors[i].s), 1);
		cr_assert(next(&r), "%s: %s", vectors[i].s, info.detail);
		cr_expect_eq(r.fault, vectors[i].fault, "%s", vectors[i].s);
		expect_span(r.member, vectors[i].member);
	}
}

Test(json_readings, an_item_that_is_no_object)
{
	static const char text[] = "{\"readings\":[[1]," GOOD "]}";
	struct item r;

	open_bytes(text, sizeof(text) - 1, 9);
	cr_assert(next(&r));
	cr_expect_eq(r.fault, ITEM_FAULT_NOT_OBJECT);
	cr_assert(next(&r));
	cr_expect_eq(r.fault, ITEM_FAULT_NONE);
}

/* A member's length is bounded, escaped or not. */
Test(json_readings, long_strings_are_the_items_fault)
{
	struct item r;
	char text[600], code[300];
	size_t n, escaped, len;

	for (n = 254; n <= 257; n++)
		for (escaped = 0; escaped < 2; escaped++) {
			memset(code, 'a', n + escaped);
			code[n + escaped] = '\0';
			if (escaped)
				memcpy(code + 3, "\\n", 2);
			len = (size_t)snprintf(text, sizeof(text),
			    "{\"metric\":\"m\",\"ts\":\"t\",\"value\":1,"
			    "\"node\":\"%s\"}",
			    code);
			open_bytes(text, len, 1);
			cr_assert(next(&r), "%s", info.detail);
			cr_expect_eq(r.fault,
			    n > 255 ? ITEM_FAULT_TOO_LONG : ITEM_FAULT_NONE,
			    "%zu", n);
			if (n <= 255)
				cr_expect_eq(r.node.len, n);
		}
}

Test(json_readings, unescapes)
{
	static const char text[] =
	    "{\"node\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"metric\":"
	    "\"\\u00e9\\u20AC\\uD83D\\uDCA7x\",\"ts\":\"\xc3\xa9\",\"value\":0,"
	    "\"unit\":\"\\u0000\"}";
	struct item r;

	open_bytes(text, sizeof(text) - 1, 1);
	cr_assert(next(&r), "%s", info.detail);
	expect_span(r.node, "\"\\/\b\f\n\r\t");
	expect_span(r.metric, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa7x");
	expect_span(r.ts, "\xc3\xa9");
	cr_expect_eq(r.unit.len, 1);
	cr_expect_eq(r.unit.s[0], '\0');
}

Test(json_readings, malformed_bodies_are_refused_whole)
{
	static const char *const wrong[] = {"", " ", "\xef\xbb\xbf{}", "{",
	    "{\"", "{\"node", "{\"node\"", "{\"node\":", "{\"node\":}",
	    "{\"node\":\"A\"", "{\"node\":\"A\",}", "{\"node\":\"A\";}",
	    "{node:\"A\"}", "{'node':'A'}", "{} {}", "{}x", "{}]", "[1,2",
	    "{\"value\":01}", "{\"value\":+1}", "{\"value\":.5}",
	    "{\"value\":NaN}", "{\"value\":Infinity}", "{\"value\":-Infinity}",
	    "{\"value\":1.}", "{\"value\":0x1}", "{\"value\":1e}",
	    "{\"value\":tru}", "{\"value\":nulL}", "{\"value\":1 2}",
	    "{\"node\":\"\x01\"}", "{\"node\":\"\n\"}", "{\"node\":\"\\x\"}",
	    "{\"node\":\"\\u12g4\"}", "{\"node\":\"\\ud800\"}",
	    "{\"node\":\"\\udc00\"}", "{\"node\":\"\\ud800\\u0041\"}",
	    "{\"node\":\"\\u12\"}", "{\"node\":\"\xff\"}",
	    "{\"node\":\"\xc0\xaf\"}", "{\"node\":\"\xed\xa0\x80\"}",
	    "{\"node\":\"\xc3\"}", "{\"x\":\"\xff\"}", "{\"x\":[\"\\q\"]}",
	    "{\"x\":[1,]}", "{\"x\":{\"a\"}}", "{\"x\":{,}}", "{\"x\":[}",
	    "{\"node\":\"A\",\"node\":\"A\"}",
	    "{\"n\\u006fde\":\"A\",\"node\":\"A\"}",
	    "{\"readings\":[" GOOD "," GOOD, "{\"readings\":[" GOOD "]",
	    "{\"readings\":[" GOOD ",]}", "{\"readings\":[," GOOD "]}",
	    "{\"readings\":[" GOOD GOOD "]}", "{\"readings\":[" GOOD "],}",
	    "{\"readings\":[],\"readings\":[]}", "{\"readings\":[]}{}",
	    "{\"readings\" []}", "{\"readings\":{]}", "\f{}", "{}\v",
	    "{\"readings\":[" GOOD "]}/", "tru", "\"a", "-"};
	size_t i, n;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_eq(read_all(wrong[i], strlen(wrong[i]), &n),
		    ERR_BAD_JSON, "%s", wrong[i]);
		cr_expect(
		    strncmp(info.detail, "line ", 5) == 0, "%s", info.detail);
	}
	cr_expect_eq(read_all("{}\0", 3, &n), ERR_BAD_JSON);
}

Test(json_readings, other_shapes_are_invalid)
{
	static const char *const other[] = {"1", "[]", "[" GOOD "]", "null",
	    "\"x\"", "{\"readings\":{}}", "{\"readings\":null}",
	    "{\"readings\":[],\"x\":1}", "{\"readings\":[],\"\":1}",
	    "{\"readings\":[],\"node\":\"A\"}"};
	size_t i, n;

	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		cr_expect_eq(read_all(other[i], strlen(other[i]), &n),
		    ERR_INVALID, "%s: %s", other[i], info.detail);
	read_all("{\"readings\":[],\"x\":1}", 21, &n);
	cr_expect_str_eq(info.detail, "unknown member \"x\"");
}

Test(json_readings, says_where)
{
	static const char two_lines[] = "{\"node\": \"A\",\n \"ts\" \"t\"}";
	static const char cut[] = "{\"node\"";
	size_t n;

	read_all(two_lines, sizeof(two_lines) - 1, &n);
	cr_expect_str_eq(info.detail, "line 2, column 7: expected ':'");
	read_all(cut, sizeof(cut) - 1, &n);
	cr_expect_str_eq(
	    info.detail, "line 1, column 8: expected ':', but the body ends");
}

Test(json_readings, bounds)
{
	static const char two[] = "{\"readings\":[" GOOD "," GOOD "]}";
	char deep[200];
	struct item r;
	size_t i, n;

	open_bytes(two, sizeof(two) - 1, 1);
	cr_expect(next(&r) && !next(&r));
	cr_expect_eq(info.code, ERR_TOO_LARGE);
	cr_expect_not_null(strstr(info.detail, "more than 1 "));
	for (i = 1; i < 60; i++) {
		n = (size_t)snprintf(deep, sizeof(deep), "{\"x\":");
		memset(deep + n, '[', i);
		memset(deep + n + i, ']', i);
		deep[n + 2 * i] = '}';
		cr_expect_eq(read_all(deep, n + 2 * i + 1, &n),
		    i + 2 <= JSON_DEPTH_MAX ? ERR_OK : ERR_BAD_JSON,
		    "depth %zu", i);
	}
}

/* Every cut of a good body is refused, none is read beyond its end. */
Test(json_readings, every_cut_is_refused)
{
	static const char text[] =
	    "{\"readings\":[{\"node\":\"DMA-0\\u0033\",\"metric\":"
	    "\"fl\xc3\xb6w\","
	    "\"ts\":\"2026-11-20T09:27:04Z\",\"value\":-12.5e-1,\"unit\":\"L/"
	    "s\"}]}";
	size_t len, n;

	for (len = 0; len < sizeof(text) - 1; len++)
		cr_expect_eq(read_all(text, len, &n), ERR_BAD_JSON, "%zu", len);
	cr_expect_eq(read_all(text, len, &n), ERR_OK);
}

/* What jansson refuses we refuse, and the other way round, where the shape
 * is ours: random damage to a good body. */
Test(json_readings, agrees_with_another_parser)
{
	static const char text[] =
	    "{\"readings\":[{\"node\":\"D\\u00e9\",\"metric\":\"f\xc3\xb6\","
	    "\"ts\":\"x\",\"value\":-1.5e-1},{\"a\":[true,null,{}]}]}";
	static const char alphabet[] = "{}[],:\"\\0e.-+tu \n\xc3\x80\x01";
	char copy[sizeof(text)];
	size_t len = sizeof(text) - 1, n;
	json_t *j;
	enum err e;
	int i;

	srandom(6);
	for (i = 0; i < 100000; i++) {
		memcpy(copy, text, len);
		copy[(size_t)random() % len] =
		    alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		e = read_all(copy, len, &n);
		j = json_loadb(
		    copy, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		cr_assert((e == ERR_BAD_JSON) == (j == NULL), "%.*s: %s",
		    (int)len, copy, info.detail);
		json_decref(j);
	}
}
