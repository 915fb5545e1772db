/* Buckets in shared memory: what they let through, regain and forget, with a
 * clock that jumps and two processes at once. */
#include "auth/buckets.h"
#include "auth/limits.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define S	 INT64_C(1000000)
#define NOW	 (INT64_C(5) * 86400 * S)
#define DAY	 (INT64_C(86400) * S)
#define SETS	 (BUCKETS_MAX / BUCKETS_WAYS)
#define TAG(n)	 ((uint64_t)(n) << 48)
#define CHILDREN 2

static const struct rate ten = {S / 10, 10}; /* ten, regained in a second */

static struct buckets *
make(void)
{
	static const unsigned char seed[BUCKETS_SEED] = "0123456789abcdef";
	void *m = mmap(NULL, buckets_size(), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(m, MAP_FAILED);
	return (buckets_init(m, seed));
}

static int
draw_all(struct buckets *b, uint64_t key, int64_t now)
{
	struct drawn d;
	int n = 0;

	while (n < 1000 && buckets_draw(b, key, &ten, now, &d))
		n++;
	return (n);
}

Test(buckets, burst_then_one_each_span)
{
	struct buckets *b = make();
	struct drawn d;

	for (int64_t left = 9; left >= 0; left--) {
		cr_assert(buckets_draw(b, TAG(7), &ten, NOW, &d));
		cr_expect_eq(d.left, left);
		cr_expect_eq(d.wait_us, left > 0 ? 0 : S / 10);
	}
	cr_expect_not(buckets_draw(b, TAG(7), &ten, NOW, &d));
	cr_expect_eq(d.left, 0);
	cr_expect_eq(d.wait_us, S / 10);
	cr_expect_not(buckets_draw(b, TAG(7), &ten, NOW + S / 10 - 1, &d));
	cr_expect_eq(d.wait_us, 1);
	cr_expect(buckets_draw(b, TAG(7), &ten, NOW + S / 10, &d));
	cr_expect_eq(draw_all(b, TAG(7), NOW + S / 2), 4);
	cr_expect_eq(draw_all(b, TAG(7), NOW + 100 * S), 10);
}

Test(buckets, others_are_untouched)
{
	struct buckets *b = make();

	cr_expect_eq(draw_all(b, TAG(1) | 5, NOW), 10);
	cr_expect_eq(draw_all(b, TAG(2) | 5, NOW), 10);
	cr_expect_eq(draw_all(b, TAG(1) | 6, NOW), 10);
	cr_expect_eq(draw_all(b, TAG(1) | 5, NOW), 0);
}

Test(buckets, a_step_of_the_clock_holds_nobody_up)
{
	static const int64_t steps[] = {-NOW, -DAY, -60 * S, -S, -1,
	    INT64_C(40) * DAY, INT64_C(1600) * DAY, INT64_C(3000) * DAY,
	    INT64_C(40000) * DAY};
	struct buckets *b;
	struct drawn d;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		b = make();
		cr_assert_eq(draw_all(b, TAG(3), NOW), 10);
		if (!buckets_draw(b, TAG(3), &ten, NOW + steps[i], &d))
			cr_expect_leq(d.wait_us, S / 10, "%zu", i);
		cr_expect(
		    buckets_draw(b, TAG(3), &ten, NOW + steps[i] + 10 * S, &d),
		    "%zu", i);
		(void)munmap(b, buckets_size());
	}
}

/* Two workers do not tell the same time: who is behind gets no more by it. */
Test(buckets, a_worker_that_is_behind_finds_it_empty)
{
	struct buckets *b = make();

	cr_assert_eq(draw_all(b, TAG(3), NOW), 10);
	cr_expect_eq(draw_all(b, TAG(3), NOW - S / 20), 0);
	cr_expect_eq(draw_all(b, TAG(3), NOW - 9 * S), 0);
}

/* 2^48 us after a start: what was drawn before it is still known. */
Test(buckets, time_goes_over_its_end)
{
	const int64_t end = INT64_C(1) << 48;
	struct buckets *b = make();

	cr_expect_eq(draw_all(b, TAG(3), end - S / 20), 10);
	cr_expect_eq(draw_all(b, TAG(3), end - 1), 0);
	cr_expect_eq(draw_all(b, TAG(3), end + S / 20), 1);
	cr_expect_eq(draw_all(b, TAG(3), end + 10 * S), 10);
}

/* As many strangers as anybody likes: the busy one is not forgotten. */
Test(buckets, a_crowd_does_not_free_a_busy_one)
{
	struct buckets *b = make();
	struct drawn d;

	cr_assert_eq(draw_all(b, TAG(1), NOW), 10);
	for (uint64_t i = 2; i < 40000; i++)
		cr_assert(buckets_draw(b, TAG(i), &ten, NOW, &d));
	cr_expect_eq(draw_all(b, TAG(1), NOW), 0);
	/* And nobody's place is kept for ever. */
	for (uint64_t i = 2; i < 2 + BUCKETS_WAYS; i++)
		cr_assert_eq(draw_all(b, TAG(i), NOW + 2 * S), 10);
	for (uint64_t i = 2; i < 2 + BUCKETS_WAYS; i++)
		cr_expect_eq(draw_all(b, TAG(i), NOW + 2 * S), 0);
}

/* Places that a clock far ahead left are given away again. */
Test(buckets, a_step_back_leaves_no_place_taken)
{
	struct buckets *b = make();

	for (uint64_t i = 1; i <= BUCKETS_WAYS; i++)
		cr_assert_eq(draw_all(b, TAG(i), NOW + 400 * DAY), 10);
	for (uint64_t i = 101; i <= 100 + BUCKETS_WAYS; i++)
		cr_assert_eq(draw_all(b, TAG(i), NOW), 10);
	for (uint64_t i = 101; i <= 100 + BUCKETS_WAYS; i++)
		cr_expect_eq(draw_all(b, TAG(i), NOW), 0);
}

Test(buckets, two_processes_share_what_is_there)
{
	const struct rate many = {1000, 20000};
	struct buckets *b = make();
	_Atomic int *taken = mmap(NULL, sizeof(*taken), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct drawn d;
	int status;

	for (int c = 0; c < CHILDREN; c++)
		if (fork() == 0) {
			for (int i = 0; i < 20000; i++)
				*taken +=
				    buckets_draw(b, TAG(9), &many, NOW, &d);
			_exit(0);
		}
	for (int c = 0; c < CHILDREN; c++) {
		(void)wait(&status);
		cr_assert_eq(status, 0);
	}
	cr_expect_eq(*taken, 20000, "%d", *taken);
}

Test(buckets, one_by_itself)
{
	int64_t full = 0;

	for (int i = 0; i < 10; i++)
		cr_assert(bucket_draw(&full, &ten, NOW));
	cr_expect_not(bucket_draw(&full, &ten, NOW));
	cr_expect(bucket_draw(&full, &ten, NOW + S / 10));
	cr_expect(bucket_draw(&full, &ten, NOW - DAY));
}

Test(buckets, keys_depend_on_the_seed)
{
	static const unsigned char other[BUCKETS_SEED] = "0123456789abcdeF";
	struct buckets *a = make(), *b = calloc(1, buckets_size());

	buckets_init(b, other);
	cr_expect_neq(buckets_key(a, "x", 1), buckets_key(b, "x", 1));
	cr_expect_neq(buckets_key(a, "x", 1), buckets_key(a, "y", 1));
	free(b);
}

Test(limits, settings_are_requests_by_seconds)
{
	static const char *const bad[] = {"", "x", "10", "10/", "/10", "10/0",
	    "-1/10", "10/60s", "1000001/1", "1/86401", " 10/60", "10 / 60",
	    "0/", "0/60", "99999999999999999999/1", "1/1/1"};
	struct limit l = {.name = "read"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_neq(
		    limits_parse(bad[i], &l, NULL), ERR_OK, "%s", bad[i]);
	cr_assert_eq(limits_parse("600/60", &l, NULL), ERR_OK);
	cr_expect_str_eq(l.name, "read");
	cr_expect_eq(l.rate.every_us, 100000);
	cr_expect_eq(l.rate.burst, 600);
	cr_assert_eq(limits_parse("0", &l, NULL), ERR_OK);
	cr_expect_eq(l.quota, 0);
}

Test(limits, each_has_buckets_of_its_own)
{
	struct limits ls = {.buckets = make()};
	struct limit *read = &ls.of[LIMIT_READ][LIMIT_PRINCIPAL];
	struct limit *change = &ls.of[LIMIT_CHANGE][LIMIT_PRINCIPAL];
	struct drawn d;

	cr_assert_eq(limits_parse("1/60", read, NULL), ERR_OK);
	cr_assert_eq(limits_parse("1/60", change, NULL), ERR_OK);
	cr_expect(limits_draw(&ls, read, "ann", 3, NOW, &d));
	cr_expect_not(limits_draw(&ls, read, "ann", 3, NOW, &d));
	cr_expect_eq(d.wait_us, 60 * S);
	cr_expect(limits_draw(&ls, read, "bob", 3, NOW, &d));
	cr_expect(limits_draw(&ls, change, "ann", 3, NOW, &d));
	read->quota = 0;
	cr_expect(limits_draw(&ls, read, "ann", 3, NOW, &d));
}
