#include "core/instant.h"
#include "domain/reading.h"
#include "hot_fixture.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0   INT64_C(1700000000000000)
#define LAST 2500 /* series of the largest question: three MGETs */

struct answer {
	bool done;
	int calls;
	enum err code;
	bool found[LAST];
	struct reading values[LAST];
};

static void
on_latest(void *arg, const struct reading *values, const bool *found, size_t n,
    const struct err_info *info)
{
	struct answer *a = arg;

	a->done = true;
	a->calls++;
	a->code = info->code;
	if (info->code != ERR_OK)
		return;
	memcpy(a->found, found, n * sizeof(*found));
	memcpy(a->values, values, n * sizeof(*values));
}

static struct answer
latest(struct worker *from, const int32_t *series, size_t n)
{
	static struct answer a;

	memset(&a, 0, sizeof(a));
	a.code =
	    from->port.latest(from->port.self, series, n, on_latest, &a, NULL);
	if (a.code == ERR_OK)
		cr_assert(poll_loop_until(loop, &a.done, 5000));
	return (a);
}

/* NAN: a miss. */
static double
value_of(struct worker *from, int32_t series)
{
	struct answer a = latest(from, &series, 1);

	cr_assert_eq(a.code, ERR_OK, "the hot tier is not trusted");
	return (a.found[0] ? a.values[0].value : NAN);
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

/* Of all series below 4,096. */
static const char *
key(void)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "ps:%s:l:0",
	    scratch_sql("SELECT epoch FROM hot_epoch"));
	return (buf);
}

Test(hot, newer_wins_whatever_comes_last)
{
	struct answer a;

	open_all(scratch_redis());
	cr_assert(isnan(value_of(&w, 1)));
	put(&w, 1, T0, 10);
	cr_assert_eq(value_of(&w, 1), 10);
	put(&w, 1, T0 - 1, 9);
	cr_assert_eq(value_of(&w, 1), 10);
	put(&w, 1, T0, 11); /* the first at a time stays */
	cr_assert_eq(value_of(&w, 1), 10);
	put(&w, 1, T0 + 1, 12);
	cr_assert_eq(value_of(&w, 1), 12);
	put(&w, 2, -5, 1); /* before 1970: the order is not that of bytes */
	put(&w, 2, 5, 2);
	put(&w, 2, -6, 3);
	cr_assert_eq(value_of(&w, 2), 2, "what waits to be written is seen");
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(&w, 2), 2);
	put(&w, 3, INT64_C(9007199254740993), 1); /* 2^53 + 1 */
	poll_loop_run(loop, 50);
	put(&w, 3, INT64_C(9007199254740992), 2);
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(&w, 3), 1);
	a = latest(&w, (int32_t[]){3, 99, 1}, 3);
	cr_assert(a.found[0] && !a.found[1] && a.found[2]);
	cr_assert_eq(a.values[2].t_us, T0 + 1);
	cr_assert_eq(a.values[2].series, 1);
	cr_assert_eq(a.values[2].received_us, T0 + 7);
	close_all();
}

Test(hot, what_came_late_is_not_called_the_newest)
{
	int i, wait_ms;

	open_all(scratch_redis());
	for (i = 0; i < 2; i++) {
		/* Once in this worker's hands, once in Redis. */
		wait_ms = i * 50;
		note(&w, 20 + i, T0, 10);
		poll_loop_run(loop, wait_ms);
		cr_assert(isnan(value_of(&w, 20 + i)), "newer may be stored");
		note(&w, 20 + i, T0 + 2, 12);
		note(&w, 20 + i, T0 + 1, 11);
		poll_loop_run(loop, wait_ms);
		cr_assert(isnan(value_of(&w, 20 + i)));
		put(&w, 20 + i, T0 + i, 10); /* read before the other came */
		poll_loop_run(loop, wait_ms);
		cr_assert_eq(value_of(&w, 20 + i), 12);
		note(&w, 20 + i, T0 + 3, 13);
		note(&w, 20 + i, T0 - 3, 7);
		poll_loop_run(loop, wait_ms);
		cr_assert_eq(value_of(&w, 20 + i), 13);
	}
	close_all();
}

Test(hot, record_is_as_documented)
{
	struct reading r = {5, -2, -1.5, T0, T0 + 1};
	int64_t ttl;
	int i;

	open_all(scratch_redis());
	w.port.fill(w.port.self, &r, 1);
	value_of(&w, 5);
	cr_assert_str_eq(
	    scratch_redis_command(scratch_redis(), "EVAL %s 1 %s",
		"local s, r = redis.call('HGET', KEYS[1], '5'), '' "
		"for i = 1, #s do r = r .. string.format('%02x', "
		"s:byte(i)) end "
		"return r",
		key()),
	    "00060a24181e4000"
	    "bff8000000000000"
	    "fffffffe"
	    "00060a24181e4001");
	scratch_redis_command(scratch_redis(), "EVAL %s 2 %s ttl",
	    "return redis.call('SET', KEYS[2], redis.call('TTL', KEYS[1]))",
	    key());
	ttl = strtoll(
	    scratch_redis_command(scratch_redis(), "GET ttl"), NULL, 10);
	cr_assert(ttl > 172700 && ttl <= 172800, "ttl %d", (int)ttl);
	for (i = 0; i < 2; i++)
		poll_loop_turn(loop, 1);
	close_all();
}

Test(hot, large_questions_and_many_small_ones)
{
	static int32_t series[LAST];
	static struct reading r[LAST];
	static struct answer many[300];
	struct answer *a = malloc(sizeof(*a));
	int i;

	open_all(scratch_redis());
	for (i = 0; i < LAST; i++) {
		series[i] = 1000 + i;
		r[i] = (struct reading){series[i], 0, i, T0, T0};
	}
	w.port.fill(w.port.self, r, LAST);
	poll_loop_run(loop, 100);
	*a = latest(&w, series, LAST);
	for (i = 0; i < LAST; i++)
		cr_assert(a->found[i] && a->values[i].value == i &&
		    a->values[i].series == series[i]);
	for (i = 0; i < 300; i++)
		w.port.latest(
		    w.port.self, &series[i * 3], 2, on_latest, &many[i], NULL);
	cr_assert(poll_loop_until(loop, &many[299].done, 3000));
	for (i = 0; i < 300; i++) {
		cr_assert_eq(many[i].calls, 1);
		cr_assert(many[i].values[0].value == i * 3);
		cr_assert(many[i].values[1].value == i * 3 + 1);
	}
	free(a);
	close_all();
}

Test(hot, neighbours_that_ask_for_the_same)
{
	static int32_t series[LAST];
	static struct reading r[LAST];
	static struct answer many[40];
	/* Where each question begins and how many series it has: some are
	 * alike, some go over the end of an MGET, alike or not. */
	static const struct {
		int from, n;
	} asks[] = {{0, 1}, {0, 1}, {0, 1}, {0, 2}, {0, 2}, {1, 2}, {0, 1},
	    {5, 700}, {5, 700}, {5, 700}, {6, 700}, {6, 700}, {6, 699},
	    {0, LAST}, {0, LAST}, {7, 3}, {7, 3}};
	size_t i, nasks = sizeof(asks) / sizeof(*asks);
	int j;

	open_all(scratch_redis());
	for (j = 0; j < LAST; j++) {
		series[j] = 1000 + j;
		r[j] = (struct reading){series[j], 0, j, T0, T0};
	}
	w.port.fill(w.port.self, r, LAST);
	poll_loop_run(loop, 100);
	for (i = 0; i < 2 * nasks; i++)
		w.port.latest(w.port.self, series + asks[i % nasks].from,
		    (size_t)asks[i % nasks].n, on_latest, &many[i], NULL);
	cr_assert(poll_loop_until(loop, &many[2 * nasks - 1].done, 3000));
	for (i = 0; i < 2 * nasks; i++) {
		cr_assert_eq(many[i].calls, 1);
		for (j = 0; j < asks[i % nasks].n; j++)
			cr_assert(many[i].found[j] &&
			    many[i].values[j].value ==
				asks[i % nasks].from + j);
	}
	close_all();
}

Test(hot, wrong_type_or_length_is_a_miss_and_is_written_over)
{
	open_all(scratch_redis());
	scratch_redis_command(scratch_redis(), "DEL %s", key());
	scratch_redis_command(scratch_redis(), "LPUSH %s x", key());
	cr_assert(isnan(value_of(&w, 6)));
	cr_assert(trusted(&w));
	put(&w, 6, T0, 60);
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(&w, 6), 60);
	scratch_redis_command(scratch_redis(), "HSET %s 7 short", key());
	cr_assert(isnan(value_of(&w, 7)));
	put(&w, 7, T0, 70);
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(&w, 7), 70);
	cr_assert_eq(value_of(&w, 6), 60);
	close_all();
}

Test(hot, other_instance_raises_the_epoch)
{
	struct worker other;
	struct hot_shared *s = shared_new();

	open_all(scratch_redis());
	put(&w, 8, T0, 1);
	cr_assert_eq(value_of(&w, 8), 1);
	open_worker(&other, scratch_redis(), s);
	wait_trusted(&other);
	cr_assert(isnan(value_of(&other, 8)), "a key of an older epoch");
	put(&w, 8, T0 + 1, 2); /* still in the old epoch: refused, again */
	poll_loop_run(loop, 100);
	cr_assert(isnan(value_of(&other, 8)), "the newest of an older epoch");
	put(&other, 8, T0, 1);
	poll_loop_run(loop, 100);
	cr_assert_eq(value_of(&other, 8), 2);
	cr_assert_eq(value_of(&w, 8), 2);
	close_worker(&other);
	close_all();
	free(s);
}

Test(hot, reader_misses_in_an_older_epoch)
{
	struct worker other;
	struct hot_shared *s = shared_new();

	open_all(scratch_redis());
	put(&w, 9, T0, 1);
	cr_assert_eq(value_of(&w, 9), 1);
	open_worker(&other, scratch_redis(), s);
	wait_trusted(&other);
	cr_assert(isnan(value_of(&w, 9)));
	cr_assert(trusted(&w));
	close_worker(&other);
	close_all();
	free(s);
}

/* What it commits, those that can must not answer without. */
Test(hot, other_instance_cannot_reach_redis)
{
	struct worker other;
	struct hot_shared *s = shared_new();
	int i, turn;

	open_all(scratch_redis());
	put(&w, 8, T0, 1);
	cr_assert_eq(value_of(&w, 8), 1);
	open_worker(&other, "/nowhere/redis.sock", s);
	for (turn = 0; turn < 2; turn++) {
		note(&other, 8, T0 + 1 + turn, 2);
		for (i = 0; i < 100 && trusted(&w); i++)
			poll_loop_turn(loop, 20);
		cr_assert_not(trusted(&w), "word %d did not come", turn);
		cr_assert(hot_is_apart(w.hot));
		cr_assert_not(hot_is_apart(other.hot), "its own word");
		wait_trusted(&w);
		cr_assert_not(hot_is_apart(w.hot));
		cr_assert(isnan(value_of(&w, 8)), "PostgreSQL knows");
		put(&w, 8, T0 + 1 + turn, 2);
		poll_loop_run(loop, 50);
	}
	close_worker(&other);
	close_all();
	free(s);
}

/* It may have committed; nobody but PostgreSQL knows the newest. */
Test(hot, unknown_outcome_of_a_commit)
{
	int i;

	open_all(scratch_redis());
	put(&w, 8, T0, 1);
	cr_assert_eq(value_of(&w, 8), 1);
	w.port.doubt(w.port.self);
	cr_assert_eq(value_of(&w, 8), 1, "while PostgreSQL may be away");
	for (i = 0; i < 400 && !isnan(value_of(&w, 8)); i++)
		poll_loop_turn(loop, 20);
	cr_assert_lt(i, 400, "still the old epoch");
	close_all();
}

Test(hot, loss_of_one_worker_counts_for_all)
{
	struct worker second;
	int i;

	open_all(scratch_redis());
	open_worker(&second, scratch_redis(), shared);
	cr_assert_not(trusted(&w), "a new worker's predecessor may have lost");
	cr_assert_eq(latest(&w, (int32_t[]){1}, 1).code, ERR_CACHE);
	wait_trusted(&w);
	put(&w, 10, T0, 5);
	poll_loop_run(loop, 50);
	cr_assert_eq(value_of(&second, 10), 5);
	scratch_redis_command(scratch_redis(), "CLIENT KILL TYPE normal");
	for (i = 0; i < 50 && trusted(&second); i++)
		poll_loop_turn(loop, 10);
	cr_assert_not(trusted(&w));
	put(&w, 10, T0 + 1, 6); /* while away: lost */
	wait_trusted(&second);
	cr_assert(isnan(value_of(&second, 10)));
	close_worker(&second);
	close_all();
}

Test(hot, redis_that_forgot_behind_an_open_connection)
{
	open_all(scratch_redis());
	put(&w, 11, T0, 1);
	cr_assert_eq(value_of(&w, 11), 1);
	scratch_redis_command(scratch_redis(), "SET ps:epoch 1");
	cr_assert_eq(latest(&w, (int32_t[]){11}, 1).code, ERR_CACHE);
	cr_assert_not(trusted(&w));
	wait_trusted(&w);
	cr_assert(isnan(value_of(&w, 11)));
	close_all();
}

Test(hot, database_restored_from_an_older_day)
{
	open_all(scratch_redis());
	put(&w, 12, T0, 1);
	cr_assert_eq(value_of(&w, 12), 1);
	close_all();
	scratch_sql("UPDATE hot_epoch SET epoch = 1");
	open_all(scratch_redis());
	cr_assert(isnan(value_of(&w, 12)));
	close_all();
}

Test(hot, killed_and_restarted_with_old_data)
{
	char dir[] = "/tmp/penstock-hot-XXXXXX", socket[64], dump[64];
	pid_t pid;
	int i;

	scratch_database();
	cr_assert_not_null(mkdtemp(dir));
	snprintf(socket, sizeof(socket), "%s/redis.sock", dir);
	snprintf(dump, sizeof(dump), "%s/dump.rdb", dir);
	pid = scratch_redis_start(dir);
	open_all(socket);
	put(&w, 13, T0, 1);
	cr_assert_eq(value_of(&w, 13), 1);
	scratch_redis_command(socket, "SAVE");
	put(&w, 13, T0 + 1, 2);
	cr_assert_eq(value_of(&w, 13), 2);
	scratch_redis_kill(pid);
	for (i = 0; i < 100 && trusted(&w); i++)
		poll_loop_turn(loop, 10);
	cr_assert_not(trusted(&w));
	cr_assert_eq(latest(&w, (int32_t[]){13}, 1).code, ERR_CACHE);
	put(&w, 13, T0 + 2, 3); /* lost */
	pid = scratch_redis_start(dir);
	cr_assert_str_neq(scratch_redis_command(socket, "GET ps:epoch"), "",
	    "the old data is back");
	wait_trusted(&w);
	cr_assert(isnan(value_of(&w, 13)), "old data was believed");
	put(&w, 13, T0 + 3, 4);
	cr_assert_eq(value_of(&w, 13), 4);
	close_all();
	scratch_redis_kill(pid);
	unlink(socket);
	unlink(dump);
	rmdir(dir);
}

Test(hot, silent_redis_costs_its_deadline_only)
{
	char dir[] = "/tmp/penstock-hot-XXXXXX", socket[64];
	static struct answer a;
	pid_t pid;

	scratch_database();
	cr_assert_not_null(mkdtemp(dir));
	snprintf(socket, sizeof(socket), "%s/redis.sock", dir);
	pid = scratch_redis_start(dir);
	open_all(socket);
	kill(pid, SIGSTOP);
	cr_assert_eq(
	    w.port.latest(w.port.self, (int32_t[]){1}, 1, on_latest, &a, NULL),
	    ERR_OK);
	cr_assert(poll_loop_until(loop, &a.done, 2000));
	cr_assert_eq(a.code, ERR_CACHE);
	cr_assert_not(trusted(&w));
	kill(pid, SIGCONT);
	wait_trusted(&w);
	cr_assert(isnan(value_of(&w, 1)));
	close_all();
	scratch_redis_kill(pid);
	unlink(socket);
	rmdir(dir);
}

static void
wait_redis(const char *address, const char *password, struct redis_state *ret)
{
	struct redis_config cf = {.address = address, .password = password};
	struct redis *r = redis_new(loop, &cf, NULL);

	cr_assert_not_null(r);
	poll_loop_run(loop, 60);
	redis_state(r, ret);
	redis_free(r);
}

Test(hot, password_over_tcp)
{
	char dir[] = "/tmp/penstock-hot-XXXXXX", socket[64], address[64];
	int port = 20000 + (int)(getpid() % 10000);
	struct redis_state s;
	pid_t pid;

	scratch_database();
	cr_assert_not_null(mkdtemp(dir));
	snprintf(socket, sizeof(socket), "%s/redis.sock", dir);
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	pid = scratch_redis_start(dir);
	scratch_redis_command(socket, "CONFIG SET port %d", port);
	scratch_redis_command(socket, "CONFIG SET requirepass right");
	signal(SIGPIPE, SIG_IGN);
	loop = poll_loop_new();
	wait_redis(address, "right", &s);
	cr_assert(s.connected);
	cr_assert_str_eq(s.error, "");
	wait_redis(address, "wrong", &s);
	cr_assert(strstr(s.error, "WRONGPASS") != NULL, "%s", s.error);
	poll_loop_free(loop);
	scratch_redis_kill(pid);
	unlink(socket);
	rmdir(dir);
}

Test(hot, addresses)
{
	static const char *const bad[] = {"", "redis:6379", "127.0.0.1",
	    "127.0.0.1:0", "127.0.0.1:99999", ":6379", "127.0.0.1:x"};
	struct redis_config cf = {.address = "[::1]:1"};
	struct err_info info;
	struct redis_state s;
	struct redis *r;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	loop = poll_loop_new();
	r = redis_new(loop, &cf, &info);
	cr_assert_not_null(r);
	poll_loop_run(loop, 200);
	redis_state(r, &s);
	cr_assert_not(s.connected);
	cr_assert_neq(s.error[0], '\0');
	redis_free(r);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cf.address = bad[i];
		err_clear(&info);
		cr_assert_null(redis_new(loop, &cf, &info), "%s", bad[i]);
		cr_assert_eq(info.code, ERR_INVALID);
	}
	poll_loop_free(loop);
}
