/* Packed readings: whatever comes out of any bytes goes in again and comes
 * out the same. */
#include "domain/packed.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
again(const struct reading *r, size_t n)
{
	struct reading *back = calloc(n, sizeof(*back));
	void *data = malloc(packed_bound(n));
	size_t len, i;

	if (back == NULL || data == NULL)
		abort();
	len = packed_encode(r, n, data);
	if (len > packed_bound(n) || packed_decode(data, len, 1, back))
		abort();
	for (i = 0; i < n; i++)
		if (back[i].t_us != r[i].t_us ||
		    back[i].received_us != r[i].received_us ||
		    back[i].quality != r[i].quality ||
		    memcmp(&back[i].value, &r[i].value, 8) != 0)
			abort();
	free(back);
	free(data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n = packed_count(data, len);
	struct reading *r;

	if (n == 0)
		return (0);
	if ((r = calloc(n, sizeof(*r))) == NULL)
		abort();
	if (packed_decode(data, len, 1, r) == ERR_OK)
		again(r, n);
	free(r);
	return (0);
}
