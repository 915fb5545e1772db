/* The decoder and the batch on any body; jansson is the second opinion. */
#include <jansson.h> /* first: see core/text.h */

#include "core/instant.h"
#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct registry *reg;
static struct last_seen *seen;

static void
make(void)
{
	static const char *const metrics[] = {"flow", "m"};
	int i;

	reg = registry_new();
	seen = last_seen_init(calloc(1, last_seen_size(2)), 2);
	last_seen_trust(seen);
	registry_put_node(reg, &(struct node_row){"A", "Z", false, 1});
	for (i = 0; i < 2; i++)
		registry_put_series(reg,
		    &(struct series_row){.id = i + 1,
			.node = "A",
			.metric = metrics[i],
			.unit = "m3/h",
			.canonical = "m3/h",
			.low = -1e6,
			.high = 1e6});
}

/* True unless the text is no JSON; what jansson refuses for limits of its own
 * (numbers that overflow, a NUL in a member's name) is JSON. */
static bool
is_json(const char *s, size_t len)
{
	json_error_t e;
	json_t *j = json_loadb(s, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	enum json_error_code code = json_error_code(&e);

	if (j != NULL) {
		json_decref(j);
		return (true);
	}
	return (code == json_error_numeric_overflow ||
	    code == json_error_null_byte_in_key);
}

static void
read_reply(const struct batch *b)
{
	struct text t;
	json_t *j;

	text_init(&t, 1 << 22);
	batch_write(b, &t);
	j = json_loadb(
	    t.s, t.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!text_ok(&t) || j == NULL)
		abort();
	json_decref(j);
	text_done(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct batch_input in = {.body = (const char *)data,
	    .len = len,
	    .max = 50,
	    .limits = {.now_us = INT64_MAX / 2,
		.future_us = US_PER_HOUR,
		.oldest_us = INT64_MIN + 1}};
	struct err_info info = {0};
	struct arena arena;
	struct batch b;
	bool more = true;
	enum err e;

	if (reg == NULL)
		make();
	in.registry = reg;
	arena_init(&arena, 1 << 20);
	e = batch_open(&b, &in, &arena, &info);
	while (e == ERR_OK && more)
		e = batch_decode(&b, 100, &more, &info);
	if (e != info.code)
		abort();
	if ((e == ERR_OK || e == ERR_INVALID) && !is_json(in.body, len))
		abort();
	if (e == ERR_OK) {
		batch_split(&b, seen);
		if (b.nlookup > 0)
			batch_stored(&b, 0, 1);
		if (batch_settle(&b, &info) != ERR_OK)
			abort();
		read_reply(&b);
	}
	arena_done(&arena);
	return (0);
}
