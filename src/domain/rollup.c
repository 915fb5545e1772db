#include "domain/rollup.h"

#include "core/instant.h"

#include <math.h>
#include <stdlib.h>

const int32_t rollup_widths_s[ROLLUP_WIDTHS] = {300, 3600, 86400};

size_t
rollup_count(const struct reading *r, size_t n, size_t *ret_days)
{
	size_t i, w, buckets = 0, of_width = 0;
	int64_t width_us, end;

	for (w = 0; w < ROLLUP_WIDTHS; w++) {
		width_us = rollup_widths_s[w] * US_PER_SECOND;
		for (i = 0, end = INSTANT_NONE, of_width = 0; i < n; i++) {
			if (r[i].t_us < end)
				continue;
			end = instant_floor(r[i].t_us, width_us) + width_us;
			of_width++;
		}
		buckets += of_width;
	}
	*ret_days = of_width;
	return (buckets);
}

static void
rollup_add(struct rollup *u, const struct reading *r)
{
	u->count++;
	u->last_us = r->t_us;
	u->last = r->value;
	if (r->quality != QUALITY_GOOD)
		return;
	u->good++;
	u->sum += r->value;
	u->sumsq += r->value * r->value;
	u->min = fmin(u->min, r->value);
	u->max = fmax(u->max, r->value);
}

struct rollup *
rollup_width(
    struct rollup *out, const struct reading *r, size_t n, int32_t width_s)
{
	int64_t width_us = width_s * US_PER_SECOND, end = INSTANT_NONE;
	size_t i;

	for (i = 0; i < n; i++) {
		if (r[i].t_us >= end) {
			*out++ = (struct rollup){.series = r[i].series,
			    .width_s = width_s,
			    .bucket_us = instant_floor(r[i].t_us, width_us),
			    .min = INFINITY,
			    .max = -INFINITY,
			    .first_us = r[i].t_us,
			    .first = r[i].value};
			end = out[-1].bucket_us + width_us;
		}
		rollup_add(&out[-1], &r[i]);
	}
	return (out);
}

struct rollup *
rollup_readings(struct rollup *to, const struct reading *r, size_t n)
{
	size_t w;

	for (w = 0; w < ROLLUP_WIDTHS; w++)
		to = rollup_width(to, r, n, rollup_widths_s[w]);
	return (to);
}

struct rollup
rollup_widen(const struct rollup *u, int32_t width_s)
{
	struct rollup wide = *u;

	wide.width_s = width_s;
	wide.bucket_us = instant_floor(u->bucket_us, width_s * US_PER_SECOND);
	return (wide);
}

static int
by_bucket(const void *va, const void *vb)
{
	const struct rollup *a = va, *b = vb;

	if (a->series != b->series)
		return (a->series < b->series ? -1 : 1);
	if (a->width_s != b->width_s)
		return (a->width_s < b->width_s ? -1 : 1);
	return ((a->bucket_us > b->bucket_us) - (a->bucket_us < b->bucket_us));
}

static void
join(struct rollup *to, const struct rollup *u)
{
	to->count += u->count;
	to->good += u->good;
	to->sum += u->sum;
	to->sumsq += u->sumsq;
	to->min = fmin(to->min, u->min);
	to->max = fmax(to->max, u->max);
	if (u->first_us < to->first_us) {
		to->first_us = u->first_us;
		to->first = u->first;
	}
	if (u->last_us > to->last_us) {
		to->last_us = u->last_us;
		to->last = u->last;
	}
}

size_t
rollup_join(struct rollup *u, size_t n)
{
	size_t i, k = 0;

	for (i = 1; i < n && by_bucket(&u[i - 1], &u[i]) < 0; i++)
		;
	if (i >= n)
		return (n);
	qsort(u, n, sizeof(*u), by_bucket);
	for (i = 1; i < n; i++) {
		if (by_bucket(&u[k], &u[i]) == 0)
			join(&u[k], &u[i]);
		else
			u[++k] = u[i];
	}
	return (k + 1);
}
