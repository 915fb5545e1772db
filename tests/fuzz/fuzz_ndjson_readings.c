/* Any bytes as ndjson: each line comes to what it comes to as a body of its
 * own, which is JSON, or to a fault of its own. */
#include "ingest/json_readings.h"
#include "ingest/ndjson_readings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
same(struct span a, struct span b)
{
	return (a.len == b.len && (a.s == NULL) == (b.s == NULL) &&
	    (a.len == 0 || memcmp(a.s, b.s, a.len) == 0));
}

static void
check(const struct ndjson_readings *d, const struct item *r)
{
	struct json_readings one;
	struct err_info info;
	struct item alone = {0};
	bool more;
	enum err e;

	json_readings_init(&one, d->scan.start,
	    (size_t)(d->scan.end - d->scan.start), 1, &info);
	e = json_readings_next(&one, &alone, &more);
	if (one.list)
		return;
	if ((e == ERR_BAD_JSON) != (r->fault == ITEM_FAULT_SYNTAX) ||
	    (e == ERR_INVALID) != (r->fault == ITEM_FAULT_NOT_OBJECT))
		abort();
	if (e == ERR_OK &&
	    (alone.fault != r->fault || !same(alone.node, r->node) ||
		!same(alone.metric, r->metric) || !same(alone.ts, r->ts) ||
		!same(alone.unit, r->unit) || !same(alone.member, r->member) ||
		memcmp(&alone.value, &r->value, sizeof(r->value)) != 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ndjson_readings d;
	struct err_info info;
	struct item r;
	size_t n = 0;
	bool more;

	ndjson_readings_init(&d, (const char *)data, len, 200, &info);
	while (ndjson_readings_next(&d, &r, &more) == ERR_OK && more) {
		if (r.index != n++)
			abort();
		check(&d, &r);
	}
	if (info.code == ERR_OK && d.p != d.end)
		abort();
	return (0);
}
