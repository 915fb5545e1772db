#include "core/instant.h"
#include "ingest/last_seen.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERIES 10

static struct last_seen *
make(void)
{
	void *m = mmap(NULL, last_seen_size(SERIES), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(m, MAP_FAILED);
	return (last_seen_init(m, SERIES));
}

Test(last_seen, nothing_is_surely_new_before_it_is_trusted)
{
	struct last_seen *ls = make();

	cr_expect(!last_seen_advance(ls, 1, 100));
	cr_expect_eq(last_seen_get(ls, 1), 100);
	last_seen_trust(ls);
	cr_expect(!last_seen_advance(ls, 1, 100));
	cr_expect(!last_seen_advance(ls, 1, 99));
	cr_expect(last_seen_advance(ls, 1, 101));
}

Test(last_seen, zero_and_before_are_times)
{
	struct last_seen *ls = make();

	last_seen_trust(ls);
	cr_expect_eq(last_seen_get(ls, 2), INSTANT_NONE);
	cr_expect(last_seen_advance(ls, 2, INT64_MIN + 1));
	cr_expect(last_seen_advance(ls, 2, -1));
	cr_expect(last_seen_advance(ls, 2, 0));
	cr_expect(!last_seen_advance(ls, 2, 0));
	cr_expect(!last_seen_advance(ls, 2, -1));
	cr_expect(last_seen_advance(ls, 2, INT64_MAX));
	cr_expect_eq(last_seen_get(ls, 2), INT64_MAX);
	cr_expect_eq(last_seen_get(ls, 3), INSTANT_NONE);
}

Test(last_seen, numbers_out_of_bounds_are_looked_up)
{
	struct last_seen *ls = make();

	last_seen_trust(ls);
	cr_expect(last_seen_advance(ls, SERIES, 1));
	cr_expect(!last_seen_advance(ls, SERIES + 1, 1));
	cr_expect(!last_seen_advance(ls, 0, 1));
	cr_expect(!last_seen_advance(ls, -5, 1));
	cr_expect(!last_seen_advance(ls, INT32_MAX, 1));
	cr_expect_eq(last_seen_get(ls, -5), INSTANT_NONE);
}

/* Several processes, one of them killed on the way: each time is called new
 * at most once, and the newest is what stays. */
Test(last_seen, many_workers_agree)
{
	enum { WORKERS = 4, TIMES = 200000 };
	unsigned char *new = mmap(NULL, WORKERS * TIMES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct last_seen *ls = make();
	pid_t child[WORKERS];
	int w, t, times, total = 0;

	cr_assert_neq(new, MAP_FAILED);
	last_seen_trust(ls);
	for (w = 0; w < WORKERS; w++) {
		if ((child[w] = fork()) > 0)
			continue;
		for (t = 0; t < TIMES; t++)
			new[w * TIMES + t] =
			    last_seen_advance(ls, 1, t * (int64_t)7);
		_exit(0);
	}
	kill(child[0], SIGKILL);
	for (w = 0; w < WORKERS; w++)
		waitpid(child[w], NULL, 0);
	for (t = 0; t < TIMES; t++) {
		for (w = times = 0; w < WORKERS; w++)
			times += new[w * TIMES + t];
		cr_assert(times <= 1, "time %d was new %d times", t, times);
		total += times;
	}
	cr_expect(total > 0);
	cr_expect_eq(last_seen_get(ls, 1), (TIMES - 1) * INT64_C(7));
}
