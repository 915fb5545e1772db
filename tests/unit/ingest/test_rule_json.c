/* Rules from JSON, and where they are wrong. */
#include "core/arena.h"
#include "ingest/rule_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define TEST "{\"series\":\"A/flow\",\"value\":{\"above\":1}}"
#define HEAD "\"severity\":\"warning\",\"message\":\"m\""

static struct arena arena;

static void
start(void)
{
	arena_init(&arena, 1 << 20);
}

static void
stop(void)
{
	arena_done(&arena);
}

TestSuite(rule_json, .init = start, .fini = stop);

static enum err
parse(const char *when, struct rule *ret, struct err_info *info)
{
	char body[16384];

	(void)snprintf(body, sizeof(body), "{\"when\":%s," HEAD "}", when);
	*info = (struct err_info){0};
	return (rule_json_read(&arena, body, strlen(body), ret, info));
}

Test(rule_json, nodes_stand_before_their_parts)
{
	struct rule r;
	struct err_info info;

	cr_assert_eq(
	    parse("{\"or\":[{\"for\":{\"seconds\":1.5,\"of\":" TEST
		  "}},{\"metric\":\"level\",\"where\":{\"zone\":\"Z\"},"
		  "\"match\":\"all\",\"age_s\":{\"at_most\":60}},"
		  "{\"metric\":\"ph\",\"quality\":\"suspect\"}]}",
		&r, &info),
	    ERR_OK, "%s", info.detail);
	cr_assert_eq(r.n, 5);
	cr_assert_eq(r.nodes[0].op, RULE_OR);
	cr_assert_eq(r.nodes[0].parent, -1);
	cr_assert_eq(r.nodes[1].op, RULE_FOR);
	cr_assert_eq(r.nodes[1].span_us, 1500000);
	cr_assert_eq(r.nodes[2].parent, 1);
	cr_assert_str_eq(r.nodes[2].node, "A");
	cr_assert_str_eq(r.nodes[2].metric, "flow");
	cr_assert_eq(r.nodes[3].parent, 0);
	cr_assert(r.nodes[3].all);
	cr_assert_str_eq(r.nodes[3].zone, "Z");
	cr_assert_eq(r.nodes[3].what, RULE_AGE);
	cr_assert_eq(r.nodes[3].compare, RULE_AT_MOST);
	cr_assert_eq(r.nodes[4].what, RULE_QUALITY);
	cr_assert(r.nodes[4].limit > 0);
	cr_assert_null(r.nodes[4].zone);
	cr_assert_eq(r.severity, SEVERITY_WARNING);
	cr_assert_eq(r.type, ANOMALY_RULE);
	cr_assert(rule_tells_age(&r));
}

static const struct {
	const char *when, *pointer;
} wrong[] = {
    {"1", "/when"},
    {"{}", "/when"},
    {"[]", "/when"},
    {"{\"xor\":[]}", "/when/xor"},
    {"{\"and\":{}}", "/when/and"},
    {"{\"and\":[]}", "/when/and"},
    {"{\"and\":[" TEST ",3]}", "/when/and/1"},
    {"{\"and\":[" TEST "],\"or\":[" TEST "]}", "/when/or"},
    {"{\"not\":[" TEST "]}", "/when/not"},
    {"{\"for\":" TEST "}", "/when/for/series"},
    {"{\"for\":{\"of\":" TEST "}}", "/when/for/seconds"},
    {"{\"for\":{\"seconds\":0,\"of\":" TEST "}}", "/when/for/seconds"},
    {"{\"for\":{\"seconds\":604801,\"of\":" TEST "}}", "/when/for/seconds"},
    {"{\"for\":{\"seconds\":\"1\",\"of\":" TEST "}}", "/when/for/seconds"},
    {"{\"for\":{\"seconds\":1}}", "/when/for/of"},
    {"{\"within\":{\"seconds\":1,\"of\":[" TEST "]}}", "/when/within/of"},
    {"{\"sequence\":{\"seconds\":1,\"of\":[" TEST ",{\"not\":{\"and\":[" TEST
     ",{\"series\":\"A\",\"value\":{\"above\":1}}]}}]}}",
	"/when/sequence/of/1/not/and/1/series"},
    {"{\"series\":\"A/\",\"value\":{\"above\":1}}", "/when/series"},
    {"{\"series\":\"/x\",\"value\":{\"above\":1}}", "/when/series"},
    {"{\"series\":\"A/b/c\",\"value\":{\"above\":1}}", "/when/series"},
    {"{\"series\":\"A/b\",\"metric\":\"x\",\"value\":{\"above\":1}}",
	"/when/metric"},
    {"{\"series\":\"A/b\"}", "/when"},
    {"{\"series\":\"A/b\",\"quality\":\"bad\"}", "/when/quality"},
    {"{\"series\":\"A/b\",\"value\":{}}", "/when/value"},
    {"{\"series\":\"A/b\",\"value\":5}", "/when/value"},
    {"{\"series\":\"A/b\",\"value\":{\"above\":1,\"below\":2}}", "/when/value"},
    {"{\"series\":\"A/b\",\"value\":{\"over\":1}}", "/when/value/over"},
    {"{\"series\":\"A/b\",\"value\":{\"above\":true}}", "/when/value/above"},
    {"{\"series\":\"A/b\",\"age_s\":{\"above\":-1}}", "/when/age_s/above"},
    {"{\"series\":\"A/b\",\"value\":{\"above\":1},\"age_s\":{\"above\":1}}",
	"/when"},
    {"{\"value\":{\"above\":1}}", "/when/metric"},
    {"{\"metric\":\"x\",\"where\":{},\"value\":{\"above\":1}}", "/when/where"},
    {"{\"metric\":\"x\",\"where\":{\"zone\":\"a\",\"node\":\"b\"},"
     "\"value\":{\"above\":1}}",
	"/when/where"},
    {"{\"metric\":\"x\",\"where\":{\"zone\":\"\"},\"value\":{\"above\":1}}",
	"/when/where/zone"},
    {"{\"metric\":\"x\",\"match\":\"one\",\"value\":{\"above\":1}}",
	"/when/match"},
    {"{\"a/b~c\":1}", "/when/a~1b~0c"},
};

Test(rule_json, errors_name_their_place)
{
	struct err_info info;
	struct rule r;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_eq(parse(wrong[i].when, &r, &info), ERR_INVALID, "%s",
		    wrong[i].when);
		cr_expect_str_eq(info.pointer, wrong[i].pointer,
		    "%s: %s, not %s", wrong[i].when, info.pointer,
		    wrong[i].pointer);
	}
}

static enum err
whole(const char *body, struct err_info *info)
{
	struct rule r;

	*info = (struct err_info){0};
	return (rule_json_read(&arena, body, strlen(body), &r, info));
}

/* PostgreSQL writes 1e19 so. */
Test(rule_json, a_number_is_as_large_as_a_double)
{
	struct rule r;
	struct err_info info;

	cr_assert_eq(parse("{\"series\":\"A/flow\",\"value\":{\"above\":"
			   "10000000000000000000}}",
			 &r, &info),
	    ERR_OK, "%s", info.detail);
	cr_assert_eq(r.nodes[0].limit, 1e19);
}

Test(rule_json, the_head)
{
	struct err_info info;

	cr_expect_eq(
	    whole("{\"when\":" TEST ",\"message\":\"m\"}", &info), ERR_INVALID);
	cr_expect_str_eq(info.pointer, "/severity");
	(void)whole("{\"when\":" TEST "," HEAD ",\"x\":1}", &info);
	cr_expect_str_eq(info.pointer, "/x");
	(void)whole("{\"when\":" TEST "," HEAD ",\"type\":\"silence\"}", &info);
	cr_expect_str_eq(info.pointer, "/type");
	(void)whole("{\"when\":" TEST "," HEAD ",\"about\":\"A\"}", &info);
	cr_expect_str_eq(info.pointer, "/about");
	(void)whole("{\"when\":" TEST "," HEAD ",\"clear_after_s\":0}", &info);
	cr_expect_str_eq(info.pointer, "/clear_after_s");
	(void)whole("{" HEAD "}", &info);
	cr_expect_str_eq(info.pointer, "/when");
	cr_expect_eq(whole("{\"when\":" TEST "," HEAD, &info), ERR_BAD_JSON);
	cr_expect_eq(whole("{" HEAD "," HEAD ",\"when\":" TEST "}", &info),
	    ERR_BAD_JSON);
}

static void
nest(char *to, size_t size, int n)
{
	size_t len = 0;
	int i;

	for (i = 1; i < n; i++)
		len += (size_t)snprintf(to + len, size - len, "{\"not\":");
	len += (size_t)snprintf(to + len, size - len, TEST);
	for (i = 1; i < n; i++)
		len += (size_t)snprintf(to + len, size - len, "}");
}

Test(rule_json, bounds)
{
	char when[8192];
	struct err_info info;
	struct rule r;
	size_t len = 0;
	int i;

	nest(when, sizeof(when), RULE_DEPTH);
	cr_expect_eq(parse(when, &r, &info), ERR_OK);
	nest(when, sizeof(when), RULE_DEPTH + 1);
	cr_expect_eq(parse(when, &r, &info), ERR_INVALID);
	cr_expect(strstr(info.detail, "deep"));
	len = (size_t)snprintf(when, sizeof(when), "{\"and\":[");
	for (i = 0; i < RULE_NODES - 1; i++)
		len += (size_t)snprintf(when + len, sizeof(when) - len,
		    "%s" TEST, i > 0 ? "," : "");
	(void)snprintf(when + len, sizeof(when) - len, "]}");
	cr_expect_eq(parse(when, &r, &info), ERR_OK);
	(void)snprintf(when + len, sizeof(when) - len, "," TEST "]}");
	cr_expect_eq(parse(when, &r, &info), ERR_INVALID);
	cr_expect_str_eq(info.pointer, "/when/and/63");
}
