/* Packed roll-ups: whatever comes out of any bytes goes in again and comes out
 * the same. */
#include "domain/packed_rollup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
again(const struct rollup *u, size_t n)
{
	struct rollup back[PACKED_ROLLUP_MAX];
	void *data = malloc(packed_rollup_bound(n));
	size_t len;

	if (data == NULL)
		abort();
	len = packed_rollup_encode(u, n, data);
	if (len > packed_rollup_bound(n) ||
	    packed_rollup_decode(data, len, 1, 300, back) ||
	    memcmp(back, u, n * sizeof(*u)) != 0)
		abort();
	free(data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rollup u[PACKED_ROLLUP_MAX];

	(void)packed_rollup_sums(data, len, u);
	if (packed_rollup_decode(data, len, 1, 300, u) == ERR_OK)
		again(u, packed_rollup_count(data, len));
	return (0);
}
