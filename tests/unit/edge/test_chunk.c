/* The chunked coding as a function: what comes out must not depend on where
 * the bytes are cut, and every limit is exact. */
#include "edge/chunk.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 20 /* bytes of a body */

struct verdict {
	enum err code;
	bool done;
	size_t used, len;
	char body[256];
};

/* Feeds `in` in pieces of `step` bytes, each in a block of its own. */
static struct verdict
judge(const char *in, size_t len, size_t step)
{
	struct verdict v = {.code = ERR_OK};
	struct err_info info = {.code = ERR_OK};
	struct chunk c;

	chunk_init(&c, MAX);
	while (v.used < len && v.code == ERR_OK && !chunk_done(&c)) {
		size_t n = len - v.used < step ? len - v.used : step, data;
		char *piece = malloc(n);

		memcpy(piece, in + v.used, n);
		for (size_t at = 0, used; at < n && !chunk_done(&c);
		     at += used) {
			v.code = chunk_take(
			    &c, piece + at, n - at, &used, &data, &info);
			if (v.code != ERR_OK)
				break;
			cr_assert(used > 0 && used <= n - at && data <= used);
			cr_assert(v.len + data <= MAX);
			memcpy(v.body + v.len, piece + at + used - data, data);
			v.len += data;
			v.used += used;
		}
		free(piece);
	}
	v.done = chunk_done(&c);
	return (v);
}

static struct verdict
judge_all_cuts(const char *in, size_t len)
{
	struct verdict whole = judge(in, len, len);

	for (size_t step = 1; step < 9 && step < len; step++) {
		struct verdict cut = judge(in, len, step);

		cr_assert_eq(cut.code, whole.code, "%.*s", (int)len, in);
		cr_assert_eq(cut.done, whole.done);
		if (whole.code == ERR_OK)
			cr_assert_eq(cut.used, whole.used);
		cr_assert(cut.code != ERR_OK || cut.len == whole.len);
		cr_assert_eq(memcmp(cut.body, whole.body, cut.len), 0);
	}
	return (whole);
}

#define X20 "xxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *in;
	enum err code;
	const char *body; /* NULL: more is needed */
	size_t left;	  /* bytes behind it */
} rows[] = {
    {"0\r\n\r\n", ERR_OK, "", 0},
    {"5\r\nhello\r\n0\r\n\r\n", ERR_OK, "hello", 0},
    {"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\nGET /", ERR_OK, "abcde", 5},
    {"00000000000000aA\r\n", ERR_TOO_LARGE, NULL, 0},
    {"14\r\n" X20 "\r\n0\r\n\r\n", ERR_OK, X20, 0},
    {"15\r\n", ERR_TOO_LARGE, NULL, 0},
    {"13\r\nxxxxxxxxxxxxxxxxxxx\r\n2\r\n", ERR_TOO_LARGE, NULL, 0},
    {"000000000000000a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", ERR_OK,
	"\r\n\r\n\r\n\r\n\r\n", 0},
    {"0000000000000000a\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"ffffffffffffffff\r\n", ERR_TOO_LARGE, NULL, 0},
    {"2;a=b;c=\"d e\"\r\nab\r\n0;x\r\n\r\n", ERR_OK, "ab", 0},
    {"2 \t;a\r\nab\r\n0\r\n\r\n", ERR_OK, "ab", 0},
    {"2 \r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2 3\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2;a\nb\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2;a\rb\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2;\x01\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2\nab\n0\n\n", ERR_BAD_REQUEST, NULL, 0},
    {"2\rab", ERR_BAD_REQUEST, NULL, 0},
    {" 2\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0x2\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"-2\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"+2\r\nab\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"g\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"\r\n", ERR_BAD_REQUEST, NULL, 0},
    {";a\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2\r\nabc\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2\r\nab0\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"2\r\nab\n0\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\nA: b\r\nC:\r\n\r\n", ERR_OK, "", 0},
    {"0\r\nA: b\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\nA: b\rc\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\n A: b\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\nA b\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\n: b\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\nA\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\nGET / HTTP/1.1\r\n\r\n", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\n\rX", ERR_BAD_REQUEST, NULL, 0},
    {"0\r\n\n", ERR_BAD_REQUEST, NULL, 0},
    {"2\r\nab\r\n0\r\n", ERR_OK, NULL, 0},
    {"2\r\na", ERR_OK, NULL, 0},
};

Test(chunk, what_each_comes_to)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].in);
		struct verdict v = judge_all_cuts(rows[i].in, len);

		cr_expect_eq(
		    v.code, rows[i].code, "%s: %d", rows[i].in, (int)v.code);
		cr_expect_eq(v.done, rows[i].body != NULL, "%s", rows[i].in);
		if (!v.done)
			continue;
		cr_expect_eq(v.len, strlen(rows[i].body));
		cr_expect_eq(memcmp(v.body, rows[i].body, v.len), 0);
		cr_expect_eq(v.used, len - rows[i].left);
	}
}

/* One byte more than each limit allows. */
Test(chunk, limits_are_exact)
{
	char in[CHUNK_EXTENSIONS_MAX + CHUNK_TRAILERS_MAX];
	struct verdict v;
	int n;

	for (int extra = 0; extra < 2; extra++) {
		n = snprintf(in, sizeof(in), "1;%0*d\r\nx\r\n0\r\n\r\n",
		    CHUNK_EXTENSIONS_MAX - 1 + extra, 0);
		v = judge(in, (size_t)n, 1000);
		cr_expect_eq(v.code, extra ? ERR_TOO_LARGE : ERR_OK);
		n = snprintf(in, sizeof(in), "0\r\nA:%0*d\r\n\r\n",
		    CHUNK_TRAILERS_MAX - 6 + extra, 0);
		v = judge(in, (size_t)n, 1000);
		cr_expect_eq(v.code, extra ? ERR_HEADERS : ERR_OK);
	}
}

Test(chunk, a_zero_in_data_is_data_and_elsewhere_an_error)
{
	static const char good[] = "1\r\n\0\r\n0\r\n\r\n", bad[] = "1\0\r\nx";

	cr_expect(judge_all_cuts(good, sizeof(good) - 1).done);
	cr_expect_eq(
	    judge_all_cuts(bad, sizeof(bad) - 1).code, ERR_BAD_REQUEST);
}
