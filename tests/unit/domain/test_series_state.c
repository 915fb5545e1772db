#include "domain/series_state.h"

#include "core/instant.h"

#include <criterion/criterion.h>
#include <string.h>

static struct series_state
sample(int window)
{
	struct series_state s;
	int i;

	series_state_init(&s, 7);
	s.last_us = 1234567890123456;
	s.last_value = -0.1;
	s.heard_us = 1234567890999999;
	s.live = s.flat = true;
	s.rate = DIRECTION_LOW;
	s.outlier = DIRECTION_HIGH;
	s.flat_since_us = 42;
	s.longest_us = 86400000000;
	s.waited_us = 1209600000001;
	s.levels[5] = (struct level_state){LEVEL_FALLING, 99};
	for (i = 0; i < window; i++) {
		s.outlier_values[s.outlier_head] = i * 1.5;
		s.outlier_head =
		    (uint8_t)((s.outlier_head + 1) % OUTLIER_WINDOW);
		if (s.outlier_n < OUTLIER_WINDOW)
			s.outlier_n++;
	}
	return (s);
}

/* The ring may turn: only its content, oldest first, is kept. */
static double
nth(const struct series_state *s, int i)
{
	return (s->outlier_values[(s->outlier_head + OUTLIER_WINDOW -
				      s->outlier_n + i) %
	    OUTLIER_WINDOW]);
}

Test(series_state, round_trip)
{
	unsigned char buf[SERIES_STATE_BYTES];
	struct series_state s, r;
	int window, i;
	size_t len;

	for (window = 0; window < 3 * OUTLIER_WINDOW; window++) {
		s = sample(window);
		len = series_state_encode(&s, buf);
		cr_assert_leq(len, sizeof(buf));
		cr_assert(series_state_decode(&r, 7, buf, len));
		cr_assert_eq(r.series, 7);
		cr_assert_eq(r.last_us, s.last_us);
		cr_assert_eq(r.last_value, s.last_value);
		cr_assert_eq(r.heard_us, s.heard_us);
		cr_assert(r.live && r.flat && !r.silent);
		cr_assert_eq(r.rate, DIRECTION_LOW);
		cr_assert_eq(r.outlier, DIRECTION_HIGH);
		cr_assert_eq(r.flat_since_us, 42);
		cr_assert_eq(r.longest_us, 86400000000);
		cr_assert_eq(r.waited_us, 1209600000001);
		cr_assert_eq(r.levels[5].phase, LEVEL_FALLING);
		cr_assert_eq(r.levels[5].since_us, 99);
		cr_assert_eq(r.levels[0].since_us, INSTANT_NONE);
		cr_assert_eq(r.outlier_n, s.outlier_n);
		for (i = 0; i < r.outlier_n; i++)
			cr_assert_eq(nth(&r, i), nth(&s, i));
	}
}

/* What was stored before waits were. */
Test(series_state, a_state_without_waits_is_read)
{
	unsigned char buf[SERIES_STATE_BYTES];
	struct series_state s = sample(3), r;
	size_t len = series_state_encode(&s, buf);

	buf[0] = 1;
	cr_assert_not(series_state_decode(&r, 7, buf, len));
	cr_assert(series_state_decode(&r, 7, buf, len - 16));
	cr_assert_eq(r.last_us, s.last_us);
	cr_assert_eq(r.outlier_n, 3);
	cr_assert_eq(r.waited_us, 0);
	buf[0] = 0;
	cr_assert_not(series_state_decode(&r, 7, buf, len - 16));
}

Test(series_state, cut_or_foreign_bytes_are_refused)
{
	unsigned char buf[SERIES_STATE_BYTES] = {0};
	struct series_state s = sample(OUTLIER_WINDOW), r;
	size_t len = series_state_encode(&s, buf), i;

	for (i = 0; i < len; i++)
		cr_assert_not(series_state_decode(&r, 7, buf, i));
	cr_assert_not(series_state_decode(&r, 7, buf, len + 1));
	buf[0]++;
	cr_assert_not(series_state_decode(&r, 7, buf, len), "version");
	buf[0]--;
	buf[2] = 9;
	cr_assert_not(series_state_decode(&r, 7, buf, len), "direction");
}

Test(series_state, every_level_has_its_own_slot)
{
	bool used[LEVEL_SLOTS] = {false};
	enum direction d;
	int severity;
	size_t slot;

	for (d = DIRECTION_HIGH; d <= DIRECTION_LOW; d++) {
		for (severity = 0; severity < 3; severity++) {
			slot = series_state_level(d, (enum severity)severity);
			cr_assert_lt(slot, LEVEL_SLOTS);
			cr_assert_not(used[slot]);
			used[slot] = true;
		}
	}
}
