/* Rules from any JSON: what is read is within its bounds and in its order, and
 * what is remembered of it comes back as it was. */
#include "core/arena.h"
#include "core/instant.h"
#include "domain/rule_state.h"
#include "ingest/rule_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_node(const struct rule *r, size_t i)
{
	const struct rule_node *n = &r->nodes[i];

	if (n->parent >= (int)i || (n->parent < 0) != (i == 0))
		abort();
	if (i > 0 && r->nodes[n->parent].op == RULE_TEST)
		abort();
	if (n->op == RULE_TEST &&
	    (n->metric == NULL || strlen(n->metric) > RULE_MESSAGE ||
		!isfinite(n->limit)))
		abort();
	if ((n->op == RULE_FOR || n->op == RULE_WITHIN ||
		n->op == RULE_SEQUENCE) &&
	    (n->span_us < 0 || n->span_us > RULE_SPAN_MAX_US))
		abort();
}

/* The input's bytes as what is remembered of a rule. */
static void
check_state(const uint8_t *data, size_t len)
{
	unsigned char once[RULE_STATE_BYTES], again[RULE_STATE_BYTES];
	struct rule_seen a[2] = {{.series = 1}, {.series = 5}};
	struct rule_seen b[2] = {{.series = 1}, {.series = 5}};
	struct rule_state s, t;
	struct condition open;
	size_t n;

	rule_state_init(&s, a, 2);
	rule_state_init(&t, b, 2);
	if (!rule_state_decode(&s, 3, data, len))
		return;
	n = rule_state_encode(&s, 3, once);
	if (n == 0 || !rule_state_decode(&t, 3, once, n) ||
	    rule_state_encode(&t, 3, again) != n ||
	    memcmp(once, again, n) != 0 ||
	    rule_state_open(once, n, &open) != s.open)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err_info info = {0};
	struct arena arena;
	struct rule r;
	size_t i;
	enum err err;

	arena_init(&arena, 1 << 20);
	err = rule_json_read(&arena, (const char *)data, len, &r, &info);
	if ((err != ERR_OK) != (info.code != ERR_OK))
		abort();
	if (err == ERR_OK && (r.n < 1 || r.n > RULE_NODES || !r.message))
		abort();
	for (i = 0; err == ERR_OK && i < r.n; i++)
		check_node(&r, i);
	if (err == ERR_INVALID && info.pointer[0] != '\0' &&
	    info.pointer[0] != '/')
		abort();
	arena_done(&arena);
	check_state(data, len);
	return (0);
}
