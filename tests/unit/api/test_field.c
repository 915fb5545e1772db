#include <jansson.h>

#include "api/field.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct field items[] = {
    {"step", FIELD_INTEGER, true, 1, 20, NULL, NULL, NULL},
    {"argument", FIELD_OBJECT, false, 0, 0, NULL, NULL, NULL},
    {.name = NULL},
};
static const struct field table[] = {
    {"code", FIELD_STRING, true, 1, 4, NULL, NULL, NULL},
    {"note", FIELD_STRING, false, 0, 0, NULL, NULL, NULL},
    {"type", FIELD_STRING, false, 0, 0, "tank|dma", NULL, NULL},
    {"lat", FIELD_NUMBER, false, -90, 90, NULL, NULL, NULL},
    {"free", FIELD_NUMBER, false, 0, 0, NULL, NULL, NULL},
    {"count", FIELD_INTEGER, false, 0, 0, NULL, NULL, NULL},
    {"on", FIELD_BOOLEAN, false, 0, 0, NULL, NULL, NULL},
    {"at", FIELD_INSTANT, false, 0, 0, NULL, NULL, NULL},
    {"actions", FIELD_ARRAY, false, 1, 2, NULL, items, NULL},
    {.name = NULL},
};

static struct err_info
check(const char *json)
{
	struct err_info info = {.code = ERR_OK};
	json_t *body = json_loads(json, 0, NULL);
	enum err err;

	cr_assert_not_null(body, "%s", json);
	err = field_check(table, body, &info);
	cr_expect_eq(err, info.code, "%s", json);
	json_decref(body);
	return (info);
}

Test(field, takes_what_fits)
{
	static const char *const good[] = {
	    "{\"code\":\"a\"}",
	    "{\"code\":\"\u00e4\u00f6\u00fc\u00df\"}",
	    "{\"code\":\"a\",\"type\":\"dma\",\"note\":\"\"}",
	    "{\"code\":\"a\",\"note\":null,\"on\":null,\"actions\":null}",
	    "{\"code\":\"a\",\"lat\":-90,\"free\":1e300,\"count\":-5}",
	    "{\"code\":\"a\",\"lat\":89.5,\"on\":false}",
	    "{\"code\":\"a\",\"at\":\"2026-11-20T09:27:04+01:00\"}",
	    "{\"code\":\"a\",\"actions\":[{\"step\":1},{\"step\":20}]}",
	    "{\"code\":\"a\",\"actions\":[{\"step\":1,\"argument\":{}}]}",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect_eq(check(good[i]).code, ERR_OK, "%s", good[i]);
}

Test(field, refuses_by_name_and_pointer)
{
	static const struct {
		const char *json, *pointer, *words;
	} bad[] = {
	    {"[]", "", "an object"},
	    {"{}", "/code", "code is required"},
	    {"{\"code\":null}", "/code", "code is required"},
	    {"{\"code\":\"\"}", "/code", "1 to 4 characters"},
	    {"{\"code\":\"abcde\"}", "/code", "1 to 4 characters"},
	    {"{\"code\":7}", "/code", "must be a string"},
	    {"{\"code\":\"a\",\"x/y~z\":1}", "/x~1y~0z", "\"x/y~z\""},
	    {"{\"code\":\"a\",\"type\":\"tan\"}", "/type", "one of tank|dma"},
	    {"{\"code\":\"a\",\"type\":\"tank|dma\"}", "/type", "one of"},
	    {"{\"code\":\"a\",\"type\":\"\"}", "/type", "one of"},
	    {"{\"code\":\"a\",\"lat\":90.01}", "/lat", "from -90 to 90"},
	    {"{\"code\":\"a\",\"lat\":\"1\"}", "/lat", "a number"},
	    {"{\"code\":\"a\",\"lat\":true}", "/lat", "a number"},
	    {"{\"code\":\"a\",\"count\":1.0}", "/count", "an integer"},
	    {"{\"code\":\"a\",\"count\":9223372036854775807}", "/count",
		"must be from"},
	    {"{\"code\":\"a\",\"on\":1}", "/on", "true or false"},
	    {"{\"code\":\"a\",\"at\":\"2026-11-20\"}", "/at", "a time"},
	    {"{\"code\":\"a\",\"at\":\"2026-11-20T09:27:04\"}", "/at",
		"a time"},
	    {"{\"code\":\"a\",\"at\":5}", "/at", "a time"},
	    {"{\"code\":\"a\",\"actions\":{}}", "/actions", "an array"},
	    {"{\"code\":\"a\",\"actions\":[]}", "/actions", "1 to 2 items"},
	    {"{\"code\":\"a\",\"actions\":[{\"step\":1},{\"step\":1},"
	     "{\"step\":1}]}",
		"/actions", "1 to 2 items"},
	    {"{\"code\":\"a\",\"actions\":[{\"step\":1},{\"step\":0}]}",
		"/actions/1/step", "from 1 to 20"},
	    {"{\"code\":\"a\",\"actions\":[{}]}", "/actions/0/step",
		"required"},
	    {"{\"code\":\"a\",\"actions\":[1]}", "/actions/0", "an object"},
	    {"{\"code\":\"a\",\"actions\":[{\"step\":1,\"argument\":[]}]}",
		"/actions/0/argument", "an object"},
	    {"{\"code\":\"a\",\"actions\":[{\"step\":1,\"q\":1}]}",
		"/actions/0/q", "\"q\""},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err_info info = check(bad[i].json);

		cr_expect_eq(info.code, ERR_INVALID, "%s", bad[i].json);
		cr_expect_str_eq(
		    info.pointer, bad[i].pointer, "%s", bad[i].json);
		cr_expect_not_null(strstr(info.detail, bad[i].words), "%s: %s",
		    bad[i].json, info.detail);
	}
}

Test(field, a_long_unknown_name_stays_within_bounds)
{
	char json[5000] = "{\"code\":\"a\",\"", name[4001];
	struct err_info info;

	memset(name, '~', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(
	    json + strlen(json), sizeof(json) - strlen(json), "%s\":1}", name);
	info = check(json);
	cr_expect_eq(info.code, ERR_INVALID);
	cr_expect_lt(strlen(info.pointer), sizeof(info.pointer));
	cr_expect_eq(strncmp(info.pointer, "/~0~0", 5), 0);
}

Test(field, checks_query_text)
{
	static const struct {
		const char *name, *value;
		enum err want;
	} cases[] = {
	    {"code", "a", ERR_OK},
	    {"code", "", ERR_INVALID},
	    {"type", "tank", ERR_OK},
	    {"type", "x", ERR_INVALID},
	    {"lat", "-12.5e0", ERR_OK},
	    {"lat", "91", ERR_INVALID},
	    {"lat", "", ERR_INVALID},
	    {"lat", "nan", ERR_INVALID},
	    {"lat", "0x10", ERR_INVALID},
	    {"lat", " 1", ERR_INVALID},
	    {"free", "1e999", ERR_INVALID},
	    {"count", "12", ERR_OK},
	    {"count", "-", ERR_INVALID},
	    {"count", "1e2", ERR_INVALID},
	    {"count", "9007199254740994", ERR_INVALID},
	    {"on", "true", ERR_OK},
	    {"on", "1", ERR_INVALID},
	    {"at", "2026-11-20T09:27:04Z", ERR_OK},
	    {"at", "yesterday", ERR_INVALID},
	    {"actions", "[]", ERR_INVALID},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_info info = {.code = ERR_OK};
		const struct field *f = field_find(table, cases[i].name);

		cr_assert_not_null(f);
		cr_expect_eq(field_check_text(f, cases[i].value, &info),
		    cases[i].want, "%s=%s", cases[i].name, cases[i].value);
		cr_expect(cases[i].want == ERR_OK ||
		    strstr(info.detail, cases[i].name) != NULL);
	}
	cr_expect_null(field_find(table, "none"));
	cr_expect_null(field_find(NULL, "code"));
}
