/*
 * The gate as a function: the verdict must not depend on where segments are
 * cut, and nothing may be read or written outside the bytes given. What each
 * rule answers over the wire: tests/http/test_gate.py.
 */
#include "edge/gate.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct gate_limits limits = {512, 64, 1000, 8};

/* What a request comes to; text is the path or the words of the refusal. */
struct verdict {
	enum err code;
	size_t end;
	char text[sizeof(((struct err_info *)0)->detail)];
};

/* Feeds `data` in steps of `step` bytes from a block of just that size. */
static struct verdict
judge(const char *data, size_t len, size_t step)
{
	struct verdict v = {.code = ERR_OK};
	struct err_info info = {.code = ERR_OK};
	size_t scanned = 0;
	struct gate_head head;
	char *buf = malloc(len);

	memcpy(buf, data, len);
	for (size_t n = 0; n < len && v.code == ERR_OK && v.end == 0;) {
		n = n + step < len ? n + step : len;
		v.code = gate_scan(&scanned, buf, n, &limits, &v.end, &info);
	}
	if (v.code == ERR_OK && v.end != 0)
		v.code = gate_parse(buf, v.end, &limits, &head, &info);
	if (v.code != ERR_OK)
		(void)snprintf(v.text, sizeof(v.text), "%s", info.detail);
	else if (v.end != 0)
		(void)snprintf(v.text, sizeof(v.text), "%s", head.target.path);
	free(buf);
	return (v);
}

#define L(text)                        \
	{                              \
		text, sizeof(text) - 1 \
	}
static const struct {
	const char *data;
	size_t len;
} corpus[] = {
    L("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    L("GET /a/b?c=d HTTP/1.1\r\nHost: a:1\r\nX-Request-Id: 7\r\n\r\n"),
    L("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
      "Expect: 100-continue\r\nConnection: x , close\r\n\r\nabc"),
    L("HEAD * HTTP/1.0\r\n\r\n"),
    L("GET / HTTP/1.1\r\nHost: a\r\nX: \t y \t\r\nY:\r\n\r\n"),
    L("GET / HTTP/1.1\r\nHost: a\n\r\n"),
    L("GET / HTTP/1.1\rHost: a\r\n\r\n"),
    L("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    L("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n"),
    L("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    L("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
    L("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
      "content-length: 1\r\n\r\n"),
    L("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer b\r\n"
      "authorization: Bearer c\r\n\r\n"),
    L("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\n"
      "Host: a\r\n\r\n"),
    L("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\nHost: a\r\n"
      "Content-Length: 3\r\n\r\n"),
    L("GET HTTPS://A:443/b?c HTTP/1.1\r\nHost: a\r\n\r\n"),
    L("GET http://[::1]?c HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    L("GET /a/%c3%a9/.b%2f/..c HTTP/1.1\r\nHost: a\r\n\r\n"),
    L("GET /a/%2e%2E HTTP/1.1\r\nHost: a\r\n\r\n"),
    L("GET\r\n\r\n"),
    L("GET / \r\n\r\n"),
    L(" / HTTP/1.1\r\n\r\n"),
    L("GET / HTTP/1.1\r\n:\r\n\r\n"),
};
#undef L
#define CORPUS (sizeof(corpus) / sizeof(*corpus))

static void
check_cuts(const char *data, size_t len)
{
	struct verdict whole = judge(data, len, len);

	for (size_t step = 1; step < 8 && step < len; step++) {
		struct verdict cut = judge(data, len, step);

		cr_assert_eq(cut.code, whole.code, "%.*s", (int)len, data);
		cr_assert_eq(cut.end, whole.end);
		cr_assert_str_eq(cut.text, whole.text);
	}
}

Test(gate, cuts_change_nothing)
{
	for (size_t i = 0; i < CORPUS; i++)
		check_cuts(corpus[i].data, corpus[i].len);
}

/* xorshift64: the same bytes in every run. */
static unsigned
roll(uint64_t *state, unsigned sides)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return ((unsigned)(*state % sides));
}

Test(gate, damaged_requests_stay_in_bounds)
{
	static const char spice[] = "\r\n\0 \t:?/HhCc0129\x7f\x80\xff,-+";
	uint64_t state = 88172645463325252u;
	char buf[256];

	for (int round = 0; round < 30000; round++) {
		size_t i = roll(&state, CORPUS), len = corpus[i].len;

		memcpy(buf, corpus[i].data, len);
		for (unsigned n = roll(&state, 4); n > 0; n--)
			buf[roll(&state, (unsigned)len)] =
			    spice[roll(&state, sizeof(spice))];
		check_cuts(buf, len - roll(&state, 3));
	}
}

Test(gate, the_parts_of_a_request)
{
	char buf[] = "POST /a%20b?c=d?e HTTP/1.1\r\nHost: [::1]:80\r\n"
		     "X-Empty:\r\nX-Spaced: \t a b \t\r\nContent-Length: 0012"
		     "\r\nconnection: Close\r\nX-Request-ID: q.1\r\n\r\n";
	struct err_info info = {.code = ERR_OK};
	size_t scanned = 0;
	struct gate_head h;
	size_t end;

	cr_assert_eq(
	    gate_scan(&scanned, buf, sizeof(buf) - 1, &limits, &end, &info),
	    ERR_OK);
	cr_assert_eq(end, sizeof(buf) - 1);
	cr_assert_eq(gate_parse(buf, end, &limits, &h, &info), ERR_OK);
	cr_assert_eq(h.method, METHOD_POST);
	cr_assert_str_eq(h.target.path, "/a%20b");
	cr_assert_str_eq(h.target.query, "c=d?e");
	cr_assert_eq(h.nheaders, 6);
	cr_assert_str_eq(h.headers[1].value, "");
	cr_assert_str_eq(h.headers[2].value, "a b");
	cr_assert_eq(h.content_length, 12);
	cr_assert(h.close && !h.old && !h.expect_continue);
	cr_assert_str_eq(h.request_id, "q.1");
}

/* One byte more than each limit allows. */
Test(gate, limits_are_exact)
{
	char buf[1200];
	struct verdict v;
	int n;

	for (int extra = 0; extra < 2; extra++) {
		n = snprintf(buf, sizeof(buf),
		    "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 63 + extra, 0);
		v = judge(buf, (size_t)n, (size_t)n);
		cr_expect_eq(v.code, extra ? ERR_URI_TOO_LONG : ERR_OK);
		n = snprintf(buf, sizeof(buf),
		    "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n",
		    512 - 32 + extra, 0);
		v = judge(buf, (size_t)n, (size_t)n);
		cr_expect_eq(v.code, extra ? ERR_HEADERS : ERR_OK);
		n = snprintf(buf, sizeof(buf),
		    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
		    1000 + extra);
		v = judge(buf, (size_t)n, (size_t)n);
		cr_expect_eq(v.code, extra ? ERR_TOO_LARGE : ERR_OK);
		n = snprintf(buf, sizeof(buf),
		    "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:"
		    "\r\nF:\r\nG:\r\n%s\r\n",
		    extra ? "H:\r\n" : "");
		v = judge(buf, (size_t)n, (size_t)n);
		cr_expect_eq(v.code, extra ? ERR_HEADERS : ERR_OK);
	}
}
