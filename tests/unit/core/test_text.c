#include <jansson.h> /* first: see core/text.h */

#include "core/instant.h"
#include "core/text.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
write_all_kinds(struct text *t)
{
	json_object(t, NULL);
	json_string(t, "a\"", "x\ty\\");
	json_string(t, "none", NULL);
	json_int(t, "least", INT64_MIN);
	json_int(t, "zero", 0);
	json_bool(t, "b", true);
	json_array(t, "list");
	json_object(t, NULL);
	json_object_end(t);
	json_array(t, NULL);
	json_array_end(t);
	json_double(t, NULL, 0.1);
	json_null(t, NULL);
	json_array_end(t);
	json_instant(t, "t", 1500000);
	json_instant(t, "never", INSTANT_NONE);
	json_raw(t, "raw", "[1]", 3);
	json_object_end(t);
}

#define ALL_KINDS                                                          \
	"{\"a\\\"\":\"x\\ty\\\\\",\"none\":null,"                          \
	"\"least\":-9223372036854775808,\"zero\":0,\"b\":true,"            \
	"\"list\":[{},[],0.1,null],\"t\":\"1970-01-01T00:00:01.500000Z\"," \
	"\"never\":null,\"raw\":[1]}"

Test(text, places_commas)
{
	struct text t;
	char *s;
	size_t len;

	text_init(&t, 1000);
	write_all_kinds(&t);
	cr_expect(text_ok(&t));
	s = text_take(&t, &len);
	cr_assert_not_null(s);
	cr_expect_str_eq(s, ALL_KINDS);
	cr_expect_eq(len, strlen(ALL_KINDS));
	free(s);
	cr_expect_eq(t.len, 0);
	text_done(&t);
}

/* At any size it either all fits or says that it did not. */
Test(text, never_writes_beyond_its_bound)
{
	size_t size, whole = strlen(ALL_KINDS);
	struct text t;
	char *buf;

	for (size = 0; size <= whole + 2; size++) {
		buf = malloc(size > 0 ? size : 1);
		cr_assert_not_null(buf);
		text_init_fixed(&t, buf, size);
		write_all_kinds(&t);
		cr_expect_eq(text_ok(&t), size > whole, "size %zu", size);
		cr_expect_eq(strlen(t.s), t.len);
		text_done(&t);
		free(buf);
		text_init(&t, size);
		write_all_kinds(&t);
		cr_expect_eq(text_ok(&t), size >= whole, "cap %zu", size);
		text_done(&t);
	}
}

Test(text, reset_makes_it_usable_again)
{
	struct text t;

	text_init(&t, 4);
	text_puts(&t, "abcde");
	cr_expect(!text_ok(&t));
	cr_expect_null(text_take(&t, NULL));
	text_reset(&t);
	text_printf(&t, "%d", 1234);
	cr_expect(text_ok(&t));
	cr_expect_str_eq(t.s, "1234");
	text_done(&t);
}

Test(text, escapes_and_repairs_strings)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} vectors[] = {
	    {"", 0, "\"\""},
	    {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\""},
	    {"\b\f\n\r\t\"\\/", 8, "\"\\b\\f\\n\\r\\t\\\"\\\\/\""},
	    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa7", 9,
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa7\""},
	    /* truncated, overlong, surrogate, beyond Unicode */
	    {"\xc3", 1, "\"\xef\xbf\xbd\""},
	    {"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xf4\x90\x80\x80", 4,
		"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"a\xff"
	     "b",
		3,
		"\"a\xef\xbf\xbd"
		"b\""},
	};
	struct text t;
	size_t i;

	text_init(&t, 1000);
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		text_reset(&t);
		json_stringn(&t, NULL, vectors[i].in, vectors[i].len);
		cr_expect_str_eq(t.s, vectors[i].out, "vector %zu", i);
	}
	text_done(&t);
}

/* Any bytes at all come out as what another JSON reader takes. */
Test(text, any_bytes_become_valid_json)
{
	unsigned char in[64];
	struct text t;
	json_t *j;
	size_t n, k;
	int i;

	srandom(2);
	text_init(&t, 10000);
	for (i = 0; i < 20000; i++) {
		n = (size_t)random() % sizeof(in);
		for (k = 0; k < n; k++)
			in[k] = (unsigned char)(random() >> 3 &
			    (i % 2 ? 0xff : 0xbf));
		text_reset(&t);
		json_array(&t, NULL);
		json_stringn(&t, NULL, (char *)in, n);
		json_array_end(&t);
		j = json_loadb(t.s, t.len, JSON_ALLOW_NUL, NULL);
		cr_assert_not_null(j, "%s", t.s);
		json_decref(j);
	}
	text_done(&t);
}

static void
expect_double(double v, const char *want)
{
	char buf[64];
	struct text t;

	text_init_fixed(&t, buf, sizeof(buf));
	json_double(&t, NULL, v);
	cr_expect_str_eq(buf, want);
}

Test(text, writes_doubles_short)
{
	expect_double(0, "0");
	expect_double(-0.0, "-0");
	expect_double(1, "1");
	expect_double(-12.5, "-12.5");
	expect_double(0.1, "0.1");
	expect_double(0.1 + 0.2, "0.30000000000000004");
	expect_double(3.6 * 1.7, "6.12");
	expect_double(0.001, "0.001");
	expect_double(1e-5, "1e-05");
	expect_double(999999999999999, "999999999999999");
	expect_double(1e300, "1e+300");
	expect_double(5e-324, "5e-324");
	expect_double(NAN, "null");
	expect_double(INFINITY, "null");
	expect_double(-INFINITY, "null");
}

static double
random_double(int i)
{
	union {
		uint64_t u;
		double d;
	} r = {.u = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^
		(uint64_t)random()};

	if (i % 3 == 0)
		return (r.d);
	if (i % 3 == 1)
		return ((double)(random() % 2000000 - 1000000) / 1000);
	return ((double)random() / (double)(random() % 100000 + 1));
}

Test(text, doubles_survive_the_round_trip)
{
	char buf[64];
	struct text t;
	double v;
	int i;

	srandom(3);
	for (i = 0; i < 300000; i++) {
		v = random_double(i);
		if (!isfinite(v))
			continue;
		text_init_fixed(&t, buf, sizeof(buf));
		json_double(&t, NULL, v);
		cr_assert(text_ok(&t) && strtod(buf, NULL) == v, "%a gave %s",
		    v, buf);
	}
}

Test(text, knows_utf8)
{
	cr_expect_eq(text_utf8("", 0), 0);
	cr_expect_eq(text_utf8("a", 1), 1);
	cr_expect_eq(text_utf8("\xc3\xa9", 2), 2);
	cr_expect_eq(text_utf8("\xc3\xa9", 1), 0);
	cr_expect_eq(text_utf8("\xe2\x82\xac", 3), 3);
	cr_expect_eq(text_utf8("\xe0\x80\x80", 3), 0);
	cr_expect_eq(text_utf8("\xed\x9f\xbf", 3), 3);
	cr_expect_eq(text_utf8("\xed\xbf\xbf", 3), 0);
	cr_expect_eq(text_utf8("\xf0\x90\x80\x80", 4), 4);
	cr_expect_eq(text_utf8("\xf0\x8f\xbf\xbf", 4), 0);
	cr_expect_eq(text_utf8("\xf4\x8f\xbf\xbf", 4), 4);
	cr_expect_eq(text_utf8("\xf5\x80\x80\x80", 4), 0);
	cr_expect_eq(text_utf8("\x80", 1), 0);
}
