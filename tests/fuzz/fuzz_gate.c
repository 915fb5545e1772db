/* A request as it comes, cut anywhere: within its bytes, the same verdict for
 * every cut, and nothing behind the gate that it should have held up. */
#include "edge/chunk.h"
#include "edge/gate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct verdict {
	enum err code;
	size_t end, body, used;
	uint64_t sum; /* of the body */
	bool done;
};

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check_text(const char *s, const char *buf, size_t end)
{
	require(s >= buf && s < buf + end);
	for (; *s != '\0'; s++)
		require(((unsigned char)*s >= ' ' || *s == '\t') && *s != 0x7f);
}

static void
check_head(const struct gate_head *h, const char *buf, size_t end)
{
	const char *path = h->target.path;

	require(*path == '/' ||
	    (strcmp(path, "*") == 0 && h->method == METHOD_OPTIONS));
	require(strstr(path, "/../") == NULL && strpbrk(path, " ?#\\") == NULL);
	require(strpbrk(h->target.query, " #") == NULL);
	require(!h->chunked || (!h->has_length && !h->old));
	require(h->content_length <= BODY_MAX);
	for (unsigned i = 0; i < h->nheaders; i++) {
		check_text(h->headers[i].name, buf, end);
		check_text(h->headers[i].value, buf, end);
	}
}

static void
take_chunks(struct verdict *v, const char *in, size_t len, size_t step)
{
	struct chunk c;
	size_t used, data;

	chunk_init(&c, BODY_MAX);
	while (v->used < len && !chunk_done(&c)) {
		size_t n = len - v->used < step ? len - v->used : step;
		char *piece = malloc(n);

		memcpy(piece, in + v->used, n);
		v->code = chunk_take(&c, piece, n, &used, &data, NULL);
		if (v->code == ERR_OK) {
			require(used > 0 && used <= n && data <= used);
			for (size_t i = used - data; i < used; i++)
				v->sum = v->sum * 31 + (unsigned char)piece[i];
			v->body += data;
			v->used += used;
		}
		free(piece);
		if (v->code != ERR_OK)
			return;
	}
	require(v->body <= BODY_MAX);
	v->done = chunk_done(&c);
}

static struct verdict
judge(const uint8_t *data, size_t len, size_t step)
{
	static const struct gate_limits limits = {1024, 256, BODY_MAX, 16};
	struct verdict v = {.code = ERR_OK};
	struct gate_head h;
	size_t at = 0;
	char *buf = malloc(len);

	memcpy(buf, data, len);
	for (size_t n = 0; n < len && v.code == ERR_OK && v.end == 0;) {
		n = n + step < len ? n + step : len;
		v.code = gate_scan(&at, buf, n, &limits, &v.end, NULL);
	}
	if (v.code == ERR_OK && v.end > 0 &&
	    (v.code = gate_parse(buf, v.end, &limits, &h, NULL)) == ERR_OK) {
		check_head(&h, buf, v.end);
		if (h.chunked)
			take_chunks(&v, buf + v.end, len - v.end, step);
	}
	free(buf);
	return (v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct verdict whole, cut;

	if (len < 2)
		return (0);
	whole = judge(data + 1, len - 1, len);
	cut = judge(data + 1, len - 1, 1 + data[0] % 40);
	require(whole.code == cut.code && whole.end == cut.end);
	require(whole.code != ERR_OK ||
	    (whole.done == cut.done && whole.used == cut.used &&
		whole.body == cut.body && whole.sum == cut.sum));
	return (0);
}
