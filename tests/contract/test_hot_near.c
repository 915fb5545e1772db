#include "core/instant.h"
#include "domain/reading.h"
#include "hot_fixture.h"
#include "ingest/last_seen.h"
#include "store/hot_parts.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define T0   INT64_C(1700000000000000)
#define LAST 2500 /* series */

struct answer {
	bool done;
	enum err code;
	double value;
};

static void
on_latest(void *arg, const struct reading *values, const bool *found, size_t n,
    const struct err_info *info)
{
	struct answer *a = arg;

	cr_assert_eq(n, 1);
	a->done = true;
	a->code = info->code;
	a->value = info->code == ERR_OK && found[0] ? values[0].value : NAN;
}

/* NAN: a miss. */
static double
value_of(struct worker *from, int32_t series)
{
	struct answer a = {.code = ERR_OK};

	cr_assert_eq(
	    from->port.latest(from->port.self, &series, 1, on_latest, &a, NULL),
	    ERR_OK, "the hot tier is not trusted");
	cr_assert(poll_loop_until(loop, &a.done, 5000));
	cr_assert_eq(a.code, ERR_OK);
	return (a.value);
}

static void
put(struct worker *to, int32_t series, int64_t t_us, double value)
{
	struct reading r = {series, QUALITY_GOOD, value, t_us, T0 + 7};

	to->port.fill(to->port.self, &r, 1);
}

static void
note(struct worker *to, int32_t series, int64_t t_us, double value)
{
	struct reading r = {series, QUALITY_GOOD, value, t_us, T0 + 7};

	to->port.note(to->port.self, &r, 1);
}

/* NAN: it is to be asked for. */
static double
near_value(struct worker *from, int32_t series)
{
	struct reading r;

	return (
	    from->port.near(from->port.self, &series, 1, &r) ? r.value : NAN);
}

static struct last_seen *
near_open(struct worker *of)
{
	struct last_seen *seen =
	    last_seen_init(calloc(1, last_seen_size(LAST)), LAST);

	hot_seen(of->hot, last_seen_get, seen);
	return (seen);
}

/* As the first of them that is proven in time, by asking for another series. */
static double
near_proven(struct worker *from, int32_t series)
{
	double v = NAN;
	int i;

	for (i = 0; isnan(v) && i < 100; i++) {
		(void)value_of(from, LAST - 1);
		v = near_value(from, series);
	}
	return (v);
}

/* Of the words of those who write. */
static const char *
words(void)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "ps:%s:w",
	    scratch_sql("SELECT epoch FROM hot_epoch"));
	return (buf);
}

/* A newest value in Redis that `of` has a copy of. */
static void
near_put(struct worker *of, struct last_seen *seen, int32_t series, double v)
{
	(void)last_seen_advance(seen, series, T0);
	put(of, series, T0, v);
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(of, series), v);
	cr_assert_eq(near_proven(of, series), v);
}

/* What is told of the words of three instances and when the hash was made. */
static uint64_t
words_of(uint64_t a, uint64_t b, uint64_t own)
{
	uint64_t of[][2] = {{1, own}, {2, b}, {3, a}};
	redisReply field[8] = {0}, *at[8];
	redisReply all = {
	    .type = REDIS_REPLY_ARRAY, .elements = 8, .element = at};
	uint64_t told, made = 77;
	size_t i;

	for (i = 0; i < 8; i++) {
		at[i] = &field[i];
		field[i].type = REDIS_REPLY_STRING;
		field[i].len = i == 6 ? 1 : sizeof(uint64_t);
		field[i].str =
		    i < 6 ? (char *)&of[i / 2][i % 2] : (char *)&made;
	}
	field[6].str = (char[]){'b', 0};
	cr_assert(wire_words(&all, 1, &told));
	return (told);
}

Test(hot_near, words_that_changed_do_not_make_up_for_each_other)
{
	uint64_t told[256];
	size_t i, k;

	for (i = 0; i < 256; i++) {
		told[i] = words_of(1000 + i / 16, 5000 + i % 16, 9 + i);
		for (k = 0; k < i; k++)
			cr_assert_neq(told[i], told[k], "%zu and %zu", k, i);
	}
	cr_assert_eq(words_of(1000, 5000, 8), told[0], "one's own is not told");
}

Test(hot_near, a_copy_is_no_answer_once_something_newer_was_taken)
{
	struct last_seen *seen;
	struct worker other;

	open_all(scratch_redis());
	put(&w, 1, T0, 10);
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(&w, 1), 10);
	seen = near_open(&w);
	cr_assert_eq(value_of(&w, 1), 10);
	cr_assert(isnan(near_value(&w, 1)), "the newest is not known here");
	near_put(&w, seen, 1, 10);
	near_put(&w, seen, 2, 20);
	open_worker(&other, scratch_redis(), shared);
	hot_seen(other.hot, last_seen_get, seen);
	wait_trusted(&w);
	poll_loop_run(loop, 50);
	cr_assert(isnan(near_value(&w, 1)), "a new epoch");
	cr_assert(isnan(value_of(&w, 1)), "of which nothing is held");
	near_put(&w, seen, 1, 10);
	near_put(&w, seen, 2, 20);
	cr_assert(isnan(near_value(&other, 1)));
	/* Committed by the other worker, but not yet, or never, in Redis. */
	(void)last_seen_advance(seen, 1, T0 + 1);
	cr_assert(isnan(near_value(&w, 1)));
	cr_assert_eq(near_proven(&w, 2), 20);
	cr_assert_eq(value_of(&w, 1), 10);
	cr_assert(isnan(near_value(&w, 1)));
	note(&other, 1, T0 + 1, 11);
	poll_loop_run(loop, 50);
	cr_assert(isnan(near_value(&w, 2)), "last proven too long ago");
	cr_assert_eq(value_of(&w, 1), 11);
	cr_assert_eq(near_proven(&w, 1), 11);
	cr_assert_eq(near_proven(&w, 2), 20, "proven with the other");
	hot_instance_ended(w.hot);
	cr_assert(isnan(near_value(&w, 2)));
	close_worker(&other);
	close_all();
	free(seen);
}

Test(hot_near, a_copy_is_no_answer_once_another_instance_wrote)
{
	struct hot_shared *elsewhere = shared_new();
	struct last_seen *seen;
	struct worker other;

	open_all(scratch_redis());
	open_worker(&other, scratch_redis(), elsewhere);
	wait_trusted(&other);
	wait_trusted(&w);
	cr_assert(isnan(value_of(&w, 1)), "the newer epoch is taken on");
	seen = near_open(&w);
	near_put(&w, seen, 1, 10);
	near_put(&w, seen, 2, 20);
	put(&other, 1, T0 + 1, 11);
	poll_loop_run(loop, 50);
	cr_assert(isnan(value_of(&w, 99)));
	cr_assert(isnan(near_value(&w, 2)), "which of them nobody knows");
	cr_assert_eq(value_of(&w, 1), 11);
	cr_assert(isnan(near_value(&w, 1)), "not what this instance has seen");
	cr_assert_eq(value_of(&w, 2), 20);
	cr_assert_eq(near_proven(&w, 2), 20);
	/* What the other may have said is lost. */
	scratch_redis_command(scratch_redis(), "DEL %s", words());
	cr_assert_eq(value_of(&w, 2), 20);
	cr_assert(isnan(near_value(&w, 2)));
	near_put(&w, seen, 3, 30);
	cr_assert(isnan(near_value(&w, 2)));
	scratch_redis_command(scratch_redis(), "SET %s x", words());
	cr_assert_eq(value_of(&w, 3), 30);
	cr_assert(isnan(near_value(&w, 3)));
	near_put(&w, seen, 4, 40);
	close_worker(&other);
	close_all();
	free(elsewhere);
	free(seen);
}

/*
 * What one worker committed and holds back, as it may while nobody reads, is
 * what the other one tells: it waits for it, and if the worker that has it
 * does nothing any more it has missed.
 */
Test(hot_near, what_another_worker_holds_back)
{
	struct last_seen *seen;
	struct worker other;
	int32_t i, round, waited = 0;
	double v;

	open_all(scratch_redis());
	seen = near_open(&w);
	open_worker(&other, scratch_redis(), shared);
	hot_seen(other.hot, last_seen_get, seen);
	wait_trusted(&w);
	for (i = 1; i <= 20; i++)
		near_put(&w, seen, i, 10);
	for (round = 1; round <= 20; round++) {
		/* So many that the next ones are held back. */
		for (i = 1; i <= 20; i++) {
			(void)last_seen_advance(seen, i, T0 + 2 * round - 1);
			note(&other, i, T0 + 2 * round - 1, round);
		}
		poll_loop_run(loop, 3);
		(void)last_seen_advance(seen, 1, T0 + 2 * round);
		note(&other, 1, T0 + 2 * round, 1000 + round);
		v = value_of(&w, 1);
		cr_assert(isnan(v) || v == 1000 + round, "%g is old", v);
		waited += !isnan(v);
		v = value_of(&w, 2);
		cr_assert(isnan(v) || v == round, "%g is old", v);
	}
	cr_assert_gt(waited, 0, "PostgreSQL is asked for all");
	/* One that ended between a commit and its write. */
	(void)last_seen_advance(seen, 2, T0 + 100);
	cr_assert_eq(value_of(&w, 2), 20, "taken, but nobody committed it");
	atomic_fetch_add(&shared->newest[7].noted, 1);
	cr_assert(isnan(value_of(&w, 2)));
	cr_assert_eq(value_of(&w, 3), 20, "nothing newer was taken");
	close_worker(&other);
	close_all();
	free(seen);
}
