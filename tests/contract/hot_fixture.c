#include "hot_fixture.h"

#include "core/instant.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct loop *loop;
struct pg *pg;
struct query_port query;
struct worker w;
struct hot_shared *shared;

void
open_worker(struct worker *to, const char *socket, struct hot_shared *s)
{
	struct redis_config cf = {.address = socket};
	struct err_info info = {.code = ERR_OK};

	to->redis = redis_new(loop, &cf, &info);
	cr_assert_not_null(to->redis, "%s", info.detail);
	to->hot = hot_new(loop, to->redis, &query, s, (unsigned)(to != &w));
	to->port = hot_port(to->hot);
}

void
close_worker(struct worker *of)
{
	hot_free(of->hot);
	redis_free(of->redis);
}

bool
trusted(struct worker *of)
{
	return (of->port.stale_since_us(of->port.self) == INSTANT_NONE);
}

void
wait_trusted(struct worker *of)
{
	int i;

	for (i = 0; i < 400 && !trusted(of); i++)
		poll_loop_turn(loop, 20);
	cr_assert(i < 400, "the hot tier is not trusted again");
}

struct hot_shared *
shared_new(void)
{
	struct hot_shared *s = calloc(1, hot_shared_size());

	hot_shared_init(s);
	return (s);
}

struct job {
	void (*work)(void *), (*done)(void *);
	void *arg;
};

static void
on_job(void *arg)
{
	struct job j = *(struct job *)arg;

	free(arg);
	j.work(j.arg);
	j.done(j.arg);
}

enum err
run_here(void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	struct job *j = malloc(sizeof(*j));

	(void)self;
	*j = (struct job){work, done, arg};
	loop->ops->after(loop, 0, on_job, j);
	return (ERR_OK);
}

static void
on_notify(void *arg, const char *payload)
{
	(void)arg;
	if (payload == NULL)
		hot_notified(w.hot);
	else if (strncmp(payload, "hot_apart ", 10) == 0)
		hot_apart(w.hot, payload + 10);
}

void
open_all(const char *socket)
{
	struct pg_config cf = {
	    .conninfo = scratch_database(), .name = "penstock test_hot"};

	signal(SIGPIPE, SIG_IGN);
	loop = poll_loop_new();
	pg = pg_new(loop, &cf, NULL);
	pg_on_notify(pg, on_notify, NULL);
	query = pg_port(pg);
	shared = shared_new();
	open_worker(&w, socket, shared);
	cr_assert_not(trusted(&w), "before the epoch was raised");
	wait_trusted(&w);
}

void
close_all(void)
{
	close_worker(&w);
	pg_free(pg);
	poll_loop_free(loop);
	free(shared);
}
