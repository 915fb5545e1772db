#include "core/instant.h"
#include "domain/hour.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define H    472222 /* the hour of T0 */
#define T0   (H * US_PER_HOUR)
#define MANY 400

static const struct hour_key key = {7, H};

static struct reading
reading(int64_t offset_us, double value)
{
	return ((struct reading){.series = 7,
	    .quality = -3,
	    .value = value,
	    .t_us = T0 + offset_us,
	    .received_us = T0 + (offset_us / 1000 + 5) * 1000});
}

static size_t
append(unsigned char *bytes, size_t len, const struct reading *r)
{
	if (len == 0) {
		memset(bytes, 0, HOUR_HEAD);
		len = HOUR_HEAD;
	}
	hour_record(r, bytes + len);
	return (len + HOUR_RECORD);
}

static bool
same(const struct reading *a, const struct reading *b)
{
	return (a->series == b->series && a->quality == b->quality &&
	    memcmp(&a->value, &b->value, 8) == 0 && a->t_us == b->t_us &&
	    a->received_us == b->received_us);
}

Test(hour, of)
{
	cr_assert_eq(hour_of(0), 0);
	cr_assert_eq(hour_of(-1), -1);
	cr_assert_eq(hour_of(T0), H);
	cr_assert_eq(hour_of(T0 - 1), H - 1);
	cr_assert_eq(hour_of(T0 + US_PER_HOUR - 1), H);
}

Test(hour, record_is_as_documented)
{
	static const unsigned char want[HOUR_RECORD] = {0, 0, 0, 255, 0xbf,
	    0xf8, 0, 0, 0, 0, 0, 0, 0xff, 0xfd, 0, 0, 0, 0, 0, 2};
	struct reading r = {7, -3, -1.5, T0 + 255, 1001};
	unsigned char got[HOUR_RECORD];

	hour_record(&r, got);
	cr_assert_arr_eq(got, want, sizeof(want), "1.001 ms is 2 ms");
}

/* Half packed, half appended, in any order, some twice. */
Test(hour, comes_out_as_it_went_in)
{
	static unsigned char bytes[HOUR_HEAD + MANY * 100];
	static struct reading in[MANY], room[4 * MANY], *out;
	size_t i, k, len, n, some = MANY / 2;

	cr_assert_geq(sizeof(bytes), hour_bound(some) + 2 * MANY * HOUR_RECORD);
	for (i = 0; i < MANY; i++)
		in[i] = reading((int64_t)(i * 1000003), (double)i / 7);
	in[3].value = -0.0;
	in[4].value = NAN;
	in[MANY - 1].t_us = T0 + US_PER_HOUR - 1;
	len = hour_encode(in, some, bytes);
	cr_assert_eq(hour_count(bytes, len), some);
	for (i = MANY; i-- > some - 5;)
		for (k = 0; k <= i % 2; k++)
			len = append(bytes, len, &in[i]);
	n = hour_count(bytes, len);
	cr_assert_gt(n, MANY);
	cr_assert_eq(hour_decode(bytes, len, key, room, &out, &n), ERR_OK);
	cr_assert_eq(n, MANY);
	for (i = 0; i < n; i++)
		cr_assert(same(&out[i], &in[i]), "reading %zu", i);
}

Test(hour, two_values_at_one_time_are_told)
{
	unsigned char bytes[200];
	struct reading a = reading(1000, 1), room[6], *out;
	size_t len = append(bytes, 0, &a), n;
	int i;

	for (i = 0; i < 2; i++) {
		struct reading b = a;

		if (i == 0)
			b.value = 2;
		else
			b.quality = 0;
		n = append(bytes, len, &b);
		cr_assert_eq(
		    hour_decode(bytes, n, key, room, &out, &n), ERR_CONFLICT);
	}
}

/* Whatever the order in which two workers wrote it. */
Test(hour, taken_twice_is_one_reading_as_it_was_first_received)
{
	unsigned char bytes[200];
	struct reading a = reading(1000, 1), b = a, c = reading(2000, 3);
	struct reading room[6], *out;
	size_t len, n;
	bool twice;
	int i;

	b.received_us += 1000;
	for (i = 0; i < 2; i++) {
		len = append(bytes, 0, i == 0 ? &a : &b);
		len = append(bytes, len, &c);
		len = append(bytes, len, i == 0 ? &b : &a);
		cr_assert_eq(
		    hour_decode_all(bytes, len, key, room, &out, &n), ERR_OK);
		cr_assert_eq(n, 3);
		cr_assert_eq(hour_settle(out, &n, &twice), ERR_OK);
		cr_assert(twice && n == 2 && same(&out[0], &a));
		cr_assert(same(&out[1], &c));
	}
	len = append(bytes, 0, &a);
	len = append(bytes, len, &a);
	cr_assert_eq(hour_decode_all(bytes, len, key, room, &out, &n), ERR_OK);
	cr_assert_eq(hour_settle(out, &n, &twice), ERR_OK);
	cr_assert(!twice && n == 1 && same(&out[0], &a));
}

Test(hour, what_is_none_of_ours)
{
	static unsigned char bytes[HOUR_HEAD + 40 * 100];
	struct reading r[40], room[160], *out;
	size_t len, n = 0, i;

	for (i = 0; i < 40; i++)
		r[i] = reading((int64_t)i * 1000, (double)i);
	len = append(bytes, 0, &r[0]);
	for (i = 0; i < len; i++)
		cr_assert(i == HOUR_HEAD || hour_count(bytes, i) == 0);
	bytes[3] = 1; /* a packed run of one byte */
	cr_assert_eq(hour_count(bytes, len), 0);
	len = append(bytes, 0, &r[0]);
	memset(bytes + HOUR_HEAD, 0xff, 4); /* an offset beyond the hour */
	cr_assert_eq(
	    hour_decode(bytes, len, key, room, &out, &n), ERR_INTERNAL);
	for (i = 0; i < 40; i++)
		r[i].t_us += US_PER_HOUR;
	len = hour_encode(r, 40, bytes);
	cr_assert_eq(hour_decode(bytes, len, key, room, &out, &n), ERR_INTERNAL,
	    "readings of another hour");
}

/* Any bytes at all: no crash, and never more readings than counted. */
Test(hour, garbage)
{
	unsigned char bytes[300];
	struct reading *room, *out;
	size_t i, len, n, most;
	unsigned seed = 12345;
	int turn;

	for (turn = 0; turn < 20000; turn++) {
		len = (size_t)rand_r(&seed) % sizeof(bytes);
		for (i = 0; i < len; i++)
			bytes[i] =
			    (unsigned char)(i < 3 ? 0 : rand_r(&seed) >> 7);
		if (len > 5 && turn % 2)
			bytes[3] = (unsigned char)((len - 4) % 20),
			bytes[4] = 1;
		most = hour_count(bytes, len);
		if (most > 10000)
			continue;
		room = calloc(2 * most + 1, sizeof(*room));
		if (hour_decode(bytes, len, key, room, &out, &n) == ERR_OK)
			cr_assert_leq(n, most);
		free(room);
	}
}
