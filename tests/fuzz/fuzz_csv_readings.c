/* Any bytes as CSV: what is taken from a row, written again as CSV, is taken
 * again; and no reading differs from what splitting by hand finds. */
#include "core/text.h"
#include "ingest/csv_readings.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
put_field(struct text *t, struct span s)
{
	size_t i;

	text_puts(t, "\"");
	for (i = 0; i < s.len; i++) {
		if (s.s[i] == '"')
			text_puts(t, "\"");
		text_add(t, &s.s[i], 1);
	}
	text_puts(t, "\"");
}

static bool
same(struct span a, struct span b)
{
	return (a.len == b.len && (a.s == NULL) == (b.s == NULL) &&
	    (a.len == 0 || memcmp(a.s, b.s, a.len) == 0));
}

static void
again(const struct item *r)
{
	struct csv_readings d;
	struct err_info info;
	struct item back;
	struct text t;
	bool more;

	text_init(&t, 1 << 16);
	text_puts(&t, "unit,value,ts,metric,node\r\n");
	put_field(&t, r->unit);
	text_printf(&t, ",%.17g,", r->value);
	put_field(&t, r->ts);
	text_puts(&t, ",");
	put_field(&t, r->metric);
	text_puts(&t, ",");
	put_field(&t, r->node);
	csv_readings_init(&d, t.s, t.len, 1, &info);
	if (csv_readings_next(&d, &back, &more) != ERR_OK || !more)
		abort();
	if (r->value - r->value == 0 && /* "inf" is no number */
	    (back.fault != ITEM_FAULT_NONE || back.value != r->value))
		abort();
	if (!same(back.node, r->node) || !same(back.metric, r->metric) ||
	    !same(back.ts, r->ts) || !same(back.unit, r->unit))
		abort();
	text_done(&t);
}

static void
check(const struct item *r)
{
	if (r->fault >= ITEM_FAULT_COUNT)
		abort();
	if (r->fault != ITEM_FAULT_NONE) {
		if (r->member.s == NULL || r->member.len == 0)
			abort();
		return;
	}
	if (r->node.len == 0 || r->node.len > ITEM_TEXT_MAX ||
	    r->metric.len == 0 || r->metric.len > ITEM_TEXT_MAX ||
	    r->ts.len == 0 || r->ts.len > ITEM_TEXT_MAX ||
	    r->unit.len > ITEM_TEXT_MAX)
		abort();
	again(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *head = "node,metric,ts,value,unit\n";
	size_t most = 1, n = 0, i;
	struct csv_readings d;
	struct err_info info;
	struct text t;
	struct item r;
	bool more;

	text_init(&t, 1 << 20);
	if (len > 0 && data[0] % 2 == 0) /* half of them get to the rows */
		text_puts(&t, head);
	text_add(&t, (const char *)data, len);
	for (i = 0; i < t.len; i++)
		most += t.s[i] == '\n';
	csv_readings_init(&d, t.s, t.len, 200, &info);
	while (csv_readings_next(&d, &r, &more) == ERR_OK && more) {
		if (r.index < n)
			abort();
		n = r.index + 1;
		check(&r);
	}
	if (d.rows > 200 || d.rows + d.blank >= most + 1 ||
	    (info.code == ERR_OK && d.p != d.end))
		abort();
	text_done(&t);
	return (0);
}
