/* Any bytes as a gzip body, and as the plain text of one: in pieces of any
 * size the outcome is that of one piece, and no more comes out than may. */
#include "api/gzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX 200000

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum err
inflate_by(
    const char *s, size_t len, size_t in, size_t out, char *to, size_t *ret_len)
{
	struct gunzip *g = gunzip_new(MAX);
	struct err_info info = {0};
	size_t at, got, piece;
	enum err e = ERR_OK;

	*ret_len = 0;
	for (at = 0; at < len && e == ERR_OK; at += piece) {
		piece = len - at < in ? len - at : in;
		gunzip_feed(g, s + at, piece);
		do {
			e = gunzip_read(g, to + *ret_len, out, &got, &info);
			*ret_len += e == ERR_OK ? got : 0;
		} while (e == ERR_OK && got == out);
	}
	if (e == ERR_OK)
		e = gunzip_end(g, &info);
	if (e != info.code || *ret_len > MAX)
		abort();
	gunzip_free(g);
	return (e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char one[MAX + 4096], pieces[MAX + 4096], coded[20000];
	struct gzip *g = gzip_new();
	size_t n, m, c;
	enum err e;

	if (len < 2)
		goto done;
	e = inflate_by((const char *)data + 2, len - 2, len, 4000, one, &n);
	if (inflate_by((const char *)data + 2, len - 2, 1 + data[0],
		1 + data[1], pieces, &m) != e ||
	    (e == ERR_OK && (n != m || memcmp(one, pieces, n) != 0)))
		abort();
	gzip_feed(g, data, len);
	gzip_read(g, true, coded, sizeof(coded), &c);
	if (c == sizeof(coded) ||
	    inflate_by(coded, c, 1 + data[0], 1 + data[1], one, &n) != ERR_OK ||
	    n != len || memcmp(one, data, n) != 0)
		abort();
done:
	gzip_free(g);
	return (0);
}
