#include "ingest/last_seen.h"
#include "core/instant.h"

#include <assert.h>
#include <stdatomic.h>

/* Times are kept as order-preserving unsigned numbers of which 0 is "none",
 * so that zeroed memory has seen nothing and 1970-01-01 is a time. */
#define SHIFT (UINT64_C(1) << 63)

struct last_seen {
	size_t max;
	_Atomic bool trusted;
	_Atomic uint64_t seen[]; /* [series] */
};

static_assert(INSTANT_NONE == INT64_MIN, "INSTANT_NONE shifts to 0");

size_t
last_seen_size(size_t max_series)
{
	return (sizeof(struct last_seen) +
	    (max_series + 1) * sizeof(_Atomic uint64_t));
}

struct last_seen *
last_seen_init(void *memory, size_t max_series)
{
	struct last_seen *ls = memory;

	ls->max = max_series;
	return (ls);
}

bool
last_seen_advance(struct last_seen *ls, int32_t series, int64_t t_us)
{
	uint64_t new = (uint64_t)t_us ^ SHIFT, old;

	if (series <= 0 || (size_t)series > ls->max)
		return (false);
	old = atomic_load_explicit(&ls->seen[series], memory_order_relaxed);
	do {
		if (new <= old)
			return (false);
	} while (!atomic_compare_exchange_weak(&ls->seen[series], &old, new));
	return (last_seen_trusted(ls));
}

void
last_seen_trust(struct last_seen *ls)
{
	atomic_store_explicit(&ls->trusted, true, memory_order_release);
}

bool
last_seen_trusted(const struct last_seen *ls)
{
	return (atomic_load_explicit(&ls->trusted, memory_order_acquire));
}

int64_t
last_seen_get(const struct last_seen *ls, int32_t series)
{
	if (series <= 0 || (size_t)series > ls->max)
		return (INSTANT_NONE);
	return ((int64_t)(atomic_load_explicit(
			      &ls->seen[series], memory_order_relaxed) ^
	    SHIFT));
}
