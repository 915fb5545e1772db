/* The runner on a real PostgreSQL, its work on threads of the test. */
#include "app/cycle.h"
#include "support/poll_loop.h"
#include "warm_fixture.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_MS 50

struct job {
	void (*work)(void *), (*done)(void *);
	void *arg;
};

static struct loop *loop;
static struct cycle *cycle;
static int wake[2];
static struct job job;
static atomic_int running, most_running;
static int runs, busy; /* how often the port still says ERR_BUSY */

static void *
thread(void *arg)
{
	int n = atomic_fetch_add(&running, 1) + 1;

	(void)arg;
	if (n > atomic_load(&most_running))
		atomic_store(&most_running, n);
	job.work(job.arg);
	atomic_fetch_sub(&running, 1);
	cr_assert_eq(write(wake[1], "x", 1), 1);
	return (NULL);
}

static enum err
run(void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	pthread_t t;

	(void)self;
	if (busy > 0) {
		busy--;
		return (ERR_BUSY);
	}
	runs++;
	job = (struct job){work, done, arg};
	cr_assert_eq(pthread_create(&t, NULL, thread, NULL), 0);
	pthread_detach(t);
	return (ERR_OK);
}

static void
on_wake(void *arg, unsigned events)
{
	char c;

	(void)arg;
	(void)events;
	cr_assert_eq(read(wake[0], &c, 1), 1);
	job.done(job.arg);
}

static void
open_cycle(void)
{
	struct cycle_config config = {
	    .offload = {NULL, run},
	    .database_url = fixture_serving(),
	    .period_ms = PERIOD_MS,
	    .gateway_timeout_ms = 200,
	    .gateway_nets = "",
	};

	fixture_open();
	warm_free(fx.warm);
	fx.warm = NULL;
	cr_assert_eq(pipe(wake), 0);
	loop = config.loop = poll_loop_new();
	cr_assert_not_null(
	    loop->ops->watch(loop, wake[0], LOOP_READ, on_wake, NULL));
	cycle = cycle_new(&config);
	cr_assert_not_null(cycle);
}

static void
close_cycle(void)
{
	if (cycle != NULL) {
		cr_assert(cycle_stop(cycle, 2000));
		while (!cycle_idle(cycle))
			poll_loop_turn(loop, 10);
		cycle_free(cycle);
		poll_loop_free(loop);
	}
	fixture_close();
}

TestSuite(cycle, .init = open_cycle, .fini = close_cycle, .timeout = 60);

static bool
drained(unsigned ms)
{
	unsigned waited;

	for (waited = 0; waited < ms; waited += 20) {
		poll_loop_run(loop, 20);
		if (sql_int("SELECT count(*) FROM ingest_log") == 0)
			return (true);
	}
	return (false);
}

Test(cycle, drains_the_log_again_and_again)
{
	int i;

	cycle_start(cycle);
	for (i = 0; i < 3; i++) {
		log_row(fx.series[0], NOON + i * US_PER_HOUR, 10, 5);
		cr_assert(drained(5000));
	}
	cr_assert_eq(sql_int("SELECT count(*) FROM readings WHERE merged"), 30);
	/* The last cycle empties the log before it reports. */
	cr_assert_geq(sql_int("SELECT cycle FROM loop_status"), 2);
	cr_assert_eq(atomic_load(&most_running), 1);
	cr_assert_eq(sql_int("SELECT count(*) FROM pg_stat_activity WHERE "
			     "application_name ~ '^penstock loop "
			     "[0-9a-f]{8}-[0-9]+$'"),
	    1);
}

Test(cycle, goes_on_after_a_lost_connection)
{
	cycle_start(cycle);
	log_row(fx.series[0], NOON, 10, 5);
	cr_assert(drained(5000));
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
	    "application_name LIKE 'penstock loop%%'");
	log_row(fx.series[0], NOON + US_PER_HOUR, 10, 5);
	cr_assert(drained(5000));
	cr_assert_eq(sql_int("SELECT count(*) FROM readings WHERE merged"), 20);
}

Test(cycle, waits_for_a_free_thread)
{
	busy = 3;
	log_row(fx.series[0], NOON, 10, 5);
	cycle_start(cycle);
	cr_assert(drained(5000));
	cr_assert_eq(busy, 0);
}

Test(cycle, a_stop_rolls_back_a_cycle_that_hangs)
{
	PGconn *other = PQconnectdb(getenv("PENSTOCK_TEST_DATABASE"));
	struct timespec a, b;
	int i;

	PQclear(PQexec(other, "BEGIN; LOCK TABLE series_latest"));
	log_row(fx.series[0], NOON, 10, 5);
	cycle_start(cycle);
	for (i = 0; i < 500 &&
	     sql_int("SELECT count(*) FROM pg_stat_activity WHERE "
		     "wait_event_type = 'Lock' AND application_name LIKE "
		     "'penstock loop%%'") == 0;
	     i++)
		poll_loop_run(loop, 10);
	clock_gettime(CLOCK_MONOTONIC, &a);
	cr_assert(cycle_stop(cycle, 300));
	clock_gettime(CLOCK_MONOTONIC, &b);
	cr_assert_lt(b.tv_sec - a.tv_sec, 3);
	PQclear(PQexec(other, "ROLLBACK"));
	PQfinish(other);
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log"), 1);
	cr_assert_eq(sql_int("SELECT count(*) FROM segments"), 0);
	i = runs;
	poll_loop_run(loop, 3 * PERIOD_MS);
	cr_assert_eq(runs, i);
}
