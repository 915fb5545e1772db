/* Any bytes as an hour of the hot tier: decoded within their bounds and in
 * order; written again, packed or as records, they are the same. */
#include "domain/hour.h"

#include "core/instant.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct hour_key key = {.series = 7, .hour = 486000};

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
same(const void *bytes, size_t len, const struct reading *r, size_t n)
{
	size_t most = hour_count(bytes, len), m;
	struct reading *room = calloc(2 * most + 1, sizeof(*room)), *back;

	require(most == n &&
	    hour_decode(bytes, len, key, room, &back, &m) == ERR_OK && m == n);
	for (size_t i = 0; i < n; i++)
		require(back[i].t_us == r[i].t_us &&
		    back[i].received_us == r[i].received_us &&
		    back[i].quality == r[i].quality &&
		    back[i].series == r[i].series &&
		    memcmp(&back[i].value, &r[i].value, 8) == 0);
	free(room);
}

static void
again(const struct reading *r, size_t n)
{
	unsigned char *packed = malloc(hour_bound(n));
	unsigned char *plain = calloc(1, HOUR_HEAD + n * HOUR_RECORD);
	size_t len = hour_encode(r, n, packed);

	require(len <= hour_bound(n));
	same(packed, len, r, n);
	for (size_t i = 0; i < n; i++)
		hour_record(&r[i], plain + HOUR_HEAD + i * HOUR_RECORD);
	same(plain, HOUR_HEAD + n * HOUR_RECORD, r, n);
	free(plain);
	free(packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n = hour_count(data, len), most = n;
	struct reading *room, *r;
	bool whole = true;

	require(n <= len * PACKED_MAX);
	if ((room = calloc(2 * n + 1, sizeof(*room))) == NULL)
		abort();
	if (hour_decode(data, len, key, room, &r, &n) == ERR_OK) {
		require(n <= most);
		for (size_t i = 0; i < n; i++) {
			require(i == 0 || r[i - 1].t_us < r[i].t_us);
			require(hour_of(r[i].t_us) == key.hour);
			/* A record's receive time has 48 bits of ms. */
			whole &= r[i].received_us % 1000 == 0 &&
			    llabs(r[i].received_us) < INT64_C(1) << 56;
		}
		if (n > 0 && n <= HOUR_MAX && whole)
			again(r, n);
	}
	free(room);
	return (0);
}
