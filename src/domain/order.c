#include "domain/order.h"

#include <stdbool.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS	   (1u << DIGIT_BITS)

static unsigned
digit(const struct reading *r, int shift)
{
	return ((uint32_t)r->series >> shift & (DIGITS - 1));
}

/* One stable counting pass; false if all share the digit (nothing moved). */
static bool
radix_pass(const struct reading *from, struct reading *to, size_t n, int shift)
{
	size_t at[DIGITS] = {0}, i, sum = 0, count;

	for (i = 0; i < n; i++)
		at[digit(&from[i], shift)]++;
	if (at[digit(&from[0], shift)] == n)
		return (false);
	for (i = 0; i < DIGITS; i++) {
		count = at[i];
		at[i] = sum;
		sum += count;
	}
	for (i = 0; i < n; i++)
		to[at[digit(&from[i], shift)]++] = from[i];
	return (true);
}

/* Stable by series, least significant digit first; returns where it is. */
static struct reading *
sort_by_series(struct reading *a, struct reading *b, size_t n)
{
	struct reading *swap;
	int shift;

	for (shift = 0; shift < 32; shift += DIGIT_BITS) {
		if (radix_pass(a, b, n, shift)) {
			swap = a;
			a = b;
			b = swap;
		}
	}
	return (a);
}

/* End of the run that does not fall, from `at`. */
static size_t
run_end(const struct reading *r, size_t at, size_t n)
{
	for (at++; at < n && r[at - 1].t_us <= r[at].t_us; at++)
		;
	return (at);
}

/* Merges a[lo, mid) and a[mid, hi), stable; scratch holds the left half. */
static void
merge_runs(struct reading *a, struct reading *scratch, size_t lo, size_t mid,
    size_t hi)
{
	size_t i = 0, n = mid - lo, j = mid, out = lo;

	memcpy(scratch, &a[lo], n * sizeof(*a));
	while (i < n && j < hi)
		a[out++] = a[j].t_us < scratch[i].t_us ? a[j++] : scratch[i++];
	memcpy(&a[out], &scratch[i], (n - i) * sizeof(*a));
}

/* Natural merge sort: one look at readings that came in order. */
static void
sort_by_time(struct reading *a, struct reading *scratch, size_t n)
{
	size_t lo, mid, hi;

	while (run_end(a, 0, n) < n) {
		for (lo = 0; lo < n; lo = hi) {
			mid = run_end(a, lo, n);
			hi = mid == n ? n : run_end(a, mid, n);
			if (mid < hi)
				merge_runs(a, scratch, lo, mid, hi);
		}
	}
}

size_t
order_series_end(const struct reading *r, size_t at, size_t n)
{
	int32_t series = r[at].series;

	while (at < n && r[at].series == series)
		at++;
	return (at);
}

struct reading *
order_readings(struct reading *a, struct reading *b, size_t n)
{
	struct reading *r, *other;
	size_t at, end;

	if (n == 0)
		return (a);
	r = sort_by_series(a, b, n);
	other = r == a ? b : a;
	for (at = 0; at < n; at = end) {
		end = order_series_end(r, at, n);
		sort_by_time(&r[at], other, end - at);
	}
	return (r);
}
