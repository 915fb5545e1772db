#include "core/instant.h"
#include "domain/hour.h"
#include "hot_fixture.h"
#include "store/hot_keep.h"
#include "support/poll_loop.h"
#include "support/scratch.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANY 3000

static struct hot_keeper *keeper;
static int32_t series[2];
static int64_t now; /* a whole second */
static const char *redis;

struct got {
	bool done;
	int calls;
	enum err code;
	size_t n;
	int64_t complete_to_us;
	struct reading readings[MANY];
};

static void
on_range(void *arg, const struct range_part *part, const struct err_info *info)
{
	struct got *g = arg;

	g->done = true;
	g->calls++;
	g->code = info->code;
	if (info->code != ERR_OK)
		return;
	cr_assert_leq(part->n, MANY);
	g->n = part->n;
	g->complete_to_us = part->complete_to_us;
	memcpy(g->readings, part->readings, part->n * sizeof(*part->readings));
}

static const struct got *
ask(struct worker *from, int32_t of, int64_t from_us, size_t max)
{
	static struct got g;
	struct range_port port = hot_range_port(from->hot);
	struct range r = {.series = of,
	    .from_us = from_us,
	    .to_us = now + US_PER_HOUR,
	    .max = max};

	memset(&g, 0, sizeof(g));
	g.code = port.read(port.self, &r, on_range, &g, NULL);
	if (g.code == ERR_OK)
		cr_assert(poll_loop_until(loop, &g.done, 5000));
	return (&g);
}

/* How many readings since a time; -1: the hot tier does not tell. */
static int
count_since(struct worker *from, int32_t of, int64_t from_us)
{
	const struct got *g = ask(from, of, from_us, MANY);

	if (g->code == ERR_OK)
		cr_assert_eq(g->complete_to_us, now + US_PER_HOUR);
	else
		cr_assert_eq(g->code, ERR_CACHE);
	return (g->code == ERR_OK ? (int)g->n : -1);
}

static int
count(int32_t of)
{
	return (count_since(&w, of, now - 48 * US_PER_HOUR));
}

static struct reading
reading(int32_t of, int64_t t_us, double value)
{
	return ((struct reading){
	    .series = of, .value = value, .t_us = t_us, .received_us = now});
}

static void
note(int32_t of, int64_t t_us, double value)
{
	struct reading r = reading(of, t_us, value);

	w.port.note(w.port.self, &r, 1);
}

static void
commit(int32_t of, int64_t t_us, double value)
{
	scratch_sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, "
		    "series, ts, value, quality) SELECT "
		    "to_timestamp(%lld), t, t, ARRAY[%d], ARRAY[t], "
		    "ARRAY[%f::float8], ARRAY[0::int2] FROM (SELECT "
		    "'epoch'::timestamptz + interval '1 us' * %lld) AS x(t)",
	    (long long)(now / US_PER_SECOND), (int)of, value, (long long)t_us);
}

static void
keeper_start(void)
{
	struct hot_keeper_config cf = {.loop = loop,
	    .run = run_here,
	    .conninfo = scratch_database(),
	    .redis_address = redis,
	    .shared = shared,
	    .quiet_ms = 50,
	    .pass_ms = 100};

	keeper = hot_keeper_new(&cf);
	cr_assert_not_null(keeper);
}

static void
wait_count(int32_t of, int want)
{
	int i, n = -2;

	for (i = 0; i < 100 && (n = count(of)) != want; i++)
		poll_loop_run(loop, 50);
	cr_assert_eq(n, want, "series %d: %d, not %d", (int)of, n, want);
}

static void
make_series(void)
{
	int i;

	scratch_sql("DELETE FROM ingest_log");
	scratch_sql("DELETE FROM segments");
	scratch_sql("INSERT INTO nodes (code, type) VALUES ('HOT-1', "
		    "'junction'), ('HOT-2', 'junction') "
		    "ON CONFLICT DO NOTHING");
	scratch_sql("INSERT INTO series (node_id, metric_id, unit, kind) "
		    "SELECT id, 2, 'm', 'instant' FROM nodes "
		    "WHERE code LIKE 'HOT-_' ON CONFLICT DO NOTHING");
	for (i = 0; i < 2; i++)
		series[i] = (int32_t)strtol(
		    scratch_sql("SELECT s.id FROM series s JOIN nodes n ON "
				"n.id = s.node_id WHERE n.code = 'HOT-%d'",
			i + 1),
		    NULL, 10);
}

static void
open_hours(const char *socket)
{
	redis = socket;
	scratch_database();
	now = (int64_t)time(NULL) * US_PER_SECOND;
	make_series();
	open_all(socket);
	keeper_start();
}

static void
close_hours(void)
{
	hot_keeper_free(keeper);
	poll_loop_run(loop, 20);
	close_all();
}

static const char *
hour_key(int32_t of, int64_t t_us)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "ps:h:%d:%d", (int)of, (int)hour_of(t_us));
	return (buf);
}

static const char *
index_key(int32_t of)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "ps:n:%d", (int)of);
	return (buf);
}

Test(hot_hours, what_is_noted_is_read)
{
	const struct got *g;
	int i;

	open_hours(scratch_redis());
	cr_assert_eq(count(series[0]), -1, "before it was built");
	wait_count(series[0], 0);
	for (i = 0; i < 100; i++) /* out of order, two hours, some twice */
		note(series[0], now - (i * 37 % 100) * US_PER_MINUTE, i);
	note(series[0], now - 37 * US_PER_MINUTE, 1);
	note(series[1], now, 5);
	cr_assert_eq(count(series[0]), 100);
	g = ask(&w, series[0], now - 48 * US_PER_HOUR, MANY);
	for (i = 0; i < 100; i++) {
		cr_assert_eq(
		    g->readings[i].t_us, now - (99 - i) * US_PER_MINUTE);
		cr_assert_eq(g->readings[i].series, series[0]);
		cr_assert_eq(g->readings[i].received_us, now);
	}
	cr_assert_eq(g->readings[99].value, 0);
	cr_assert_eq(g->readings[99 - 37].value, 1);
	cr_assert_eq(count_since(&w, series[0], now), 1, "from is included");
	cr_assert_eq(count_since(&w, series[0], now + 1), 0);
	cr_assert_eq(
	    count_since(&w, series[0], now - 55 * US_PER_HOUR), -1, "too old");
	cr_assert_eq(count(series[1]), 1);
	close_hours();
}

Test(hot_hours, chunks_are_whole_hours)
{
	const struct got *g;
	int64_t from = now;
	size_t n = 0;
	int i;

	open_hours(scratch_redis());
	wait_count(series[0], 0);
	for (i = 0; i < 40; i++)
		note(series[0], now - i * 30 * US_PER_MINUTE, i);
	from = now - 48 * US_PER_HOUR;
	for (i = 0; from < now + US_PER_HOUR; i++) {
		g = ask(&w, series[0], from, 5);
		cr_assert_eq(g->code, ERR_OK);
		cr_assert_leq(g->n, 6);
		cr_assert_gt(g->complete_to_us, from);
		from = g->complete_to_us;
		n += g->n;
	}
	cr_assert_eq(n, 40);
	cr_assert_gt(i, 5);
	close_hours();
}

/* Merged and logged, one of them in both. */
Test(hot_hours, built_from_postgresql)
{
	static struct reading r[MANY];
	static unsigned char bytes[MANY * 40];
	static char hex[2 * sizeof(bytes) + 1];
	const struct got *g;
	size_t i, len, n = 1000;

	redis = scratch_redis();
	scratch_database();
	now = (int64_t)time(NULL) * US_PER_SECOND;
	make_series();
	for (i = 0; i < n; i++)
		r[i] = reading(series[0],
		    now - (int64_t)(n - i) * US_PER_MINUTE, (double)i);
	cr_assert_leq(packed_bound(n), sizeof(bytes));
	/* A row stays in its month. */
	for (i = 0; i < n; i += 500) {
		size_t k;

		len = packed_encode(r + i, 500, bytes);
		for (k = 0; k < len; k++)
			snprintf(hex + 2 * k, 3, "%02x", bytes[k]);
		cr_assert_lt(2 * len, 3800);
		scratch_sql("SELECT segments_ensure(1::int2, "
			    "to_timestamp(%lld))",
		    (long long)(r[i].t_us / US_PER_SECOND));
		scratch_sql("INSERT INTO segments VALUES (%d, 1, "
			    "to_timestamp(%lld), to_timestamp(%lld), 500, "
			    "decode('%s', 'hex'))",
		    (int)series[0], (long long)(r[i].t_us / US_PER_SECOND),
		    (long long)(r[i + 499].t_us / US_PER_SECOND), hex);
	}
	commit(series[0], r[7].t_us, -1); /* second of its time: not shown */
	commit(series[0], now, 5);
	commit(series[1], now - 49 * US_PER_HOUR, 5);
	open_all(redis);
	keeper_start();
	wait_count(series[0], 1001);
	g = ask(&w, series[0], now - 48 * US_PER_HOUR, MANY);
	for (i = 0; i < n; i++) {
		cr_assert_eq(g->readings[i].t_us, r[i].t_us);
		cr_assert_eq(g->readings[i].value, (double)i);
	}
	cr_assert_eq(g->readings[n].value, 5);
	cr_assert_eq(count(series[1]), 0);
	note(series[0], now - 5 * US_PER_MINUTE + 1, 77);
	cr_assert_eq(count(series[0]), 1002);
	close_hours();
}

/* Each of these makes the series unknown, never empty or shorter, and what is
 * appended then does no harm; then it is built anew. */
Test(hot_hours, whatever_is_done_to_the_keys)
{
	static const char *const harm[] = {
	    "redis.call('DEL', KEYS[2])",
	    "redis.call('DEL', KEYS[1])",
	    "redis.call('SET', KEYS[1], 'x')",
	    "redis.call('DEL', KEYS[2]) redis.call('LPUSH', KEYS[2], 'x')",
	    "redis.call('SET', KEYS[2], '')",
	    "redis.call('SET', KEYS[2], 'abc')",
	    "redis.call('SETRANGE', KEYS[2], 0, '\\255\\255')",
	    ("local s = redis.call('GET', KEYS[2]) "
	     "redis.call('SET', KEYS[2], string.sub(s, 1, -21))"),
	    "redis.call('APPEND', KEYS[2], string.rep('x', 20))",
	    "redis.call('HSET', KEYS[1], ARGV[1], 'x')",
	    "redis.call('HDEL', KEYS[1], ARGV[1])",
	    "redis.call('HSET', KEYS[1], 'b', 'x')",
	    "redis.call('DEL', KEYS[3])",
	    "redis.call('DEL', KEYS[3]) redis.call('LPUSH', KEYS[3], 'x')",
	};
	char hour[16];
	size_t i;
	int n;

	open_hours(scratch_redis());
	snprintf(hour, sizeof(hour), "%d", (int)hour_of(now));
	for (n = 0; n < 3; n++)
		commit(series[0], now - n, n);
	for (i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		wait_count(series[0], n);
		hot_keeper_free(keeper);
		keeper = NULL;
		poll_loop_run(loop, 20);
		scratch_redis_command(redis, "EVAL %s 3 %s %s ps:hours %s",
		    harm[i], index_key(series[0]), hour_key(series[0], now),
		    hour);
		cr_assert_eq(count(series[0]), -1, "%s", harm[i]);
		commit(series[0], now - n, n);
		note(series[0], now - n, n);
		n++;
		cr_assert_eq(count(series[0]), -1, "%s", harm[i]);
		cr_assert(trusted(&w));
		keeper_start();
	}
	wait_count(series[0], n);
	close_hours();
}

Test(hot_hours, two_values_at_one_time)
{
	open_hours(scratch_redis());
	commit(series[0], now, 1);
	wait_count(series[0], 1);
	note(series[0], now, 2);
	cr_assert_eq(count(series[0]), -1);
	wait_count(series[0], 1);
	cr_assert_eq(ask(&w, series[0], now, 1)->readings[0].value, 1);
	close_hours();
}

static void
pack_again(void)
{
	scratch_redis_command(redis, "EVAL %s 1 %s",
	    "return redis.call('HSET', KEYS[1], 'p', '1')",
	    index_key(series[0]));
}

/* PostgreSQL kept the second of two receive times, Redis has both: until the
 * hour is over the first is told, then what PostgreSQL has. */
Test(hot_hours, taken_by_two_workers_at_once)
{
	struct reading r = reading(0, 0, 1);
	int i;

	open_hours(scratch_redis());
	wait_count(r.series = series[0], 0);
	r.received_us = now;
	commit(r.series, r.t_us = now - 3 * US_PER_HOUR, r.value);
	w.port.note(w.port.self, &r, 1);
	r.received_us -= 5000;
	w.port.note(w.port.self, &r, 1);
	cr_assert_eq(
	    ask(&w, r.series, r.t_us, 1)->readings[0].received_us, now - 5000);
	pack_again();
	for (i = 0; i < 100 &&
	     ask(&w, r.series, r.t_us, 1)->readings[0].received_us != now;
	     i++)
		poll_loop_run(loop, 50);
	cr_assert_lt(i, 100, "not built anew");
	close_hours();
}

Test(hot_hours, what_one_worker_committed_another_reads)
{
	struct worker second;
	int i;

	open_hours(scratch_redis());
	open_worker(&second, redis, shared);
	wait_trusted(&w);
	wait_count(series[0], 0);
	for (i = 1; i <= 50; i++) {
		note(series[0], now - i, i);
		cr_assert_eq(
		    count_since(&second, series[0], now - US_PER_HOUR), i);
	}
	close_worker(&second);
	close_hours();
}

Test(hot_hours, hours_given_up_leave_the_newest)
{
	static struct reading r[1000];
	int i, k;

	open_hours(scratch_redis());
	commit(series[0], now, 1);
	wait_count(series[0], 1);
	for (i = 0; i < 300; i++) { /* more than may wait */
		for (k = 0; k < 1000; k++)
			r[k] = reading(series[0], now - i * 1000 - k, k);
		w.port.note(w.port.self, r, 1000);
	}
	cr_assert_eq(count(series[0]), -1);
	cr_assert(trusted(&w));
	wait_count(series[0], 1);
	w.port.doubt(w.port.self);
	cr_assert_eq(count(series[0]), -1, "an unknown outcome");
	cr_assert(trusted(&w));
	wait_count(series[0], 1);
	close_hours();
}

Test(hot_hours, forgotten_is_one_series)
{
	open_hours(scratch_redis());
	wait_count(series[0], 0);
	wait_count(series[1], 0);
	hot_keeper_free(keeper);
	commit(series[0], now - 5, 1);
	w.port.forget(w.port.self, series, 1);
	cr_assert_eq(count(series[0]), -1);
	cr_assert_eq(count(series[1]), 0);
	keeper_start();
	wait_count(series[0], 1);
	close_hours();
}

/* What a clock that is ahead passes over is told. */
Test(hot_hours, passed_over_raises_the_floor)
{
	char command[64];

	open_hours(scratch_redis());
	wait_count(series[0], 0);
	hot_keeper_free(keeper);
	keeper = NULL;
	snprintf(command, sizeof(command), "%d", (int)hour_of(now) - 54);
	scratch_redis_command(redis, "EVAL %s 2 %s ps:hours %s",
	    "return redis.call('HSET', KEYS[1], 'b', "
	    "redis.call('GET', KEYS[2]) .. ':' .. ARGV[1])",
	    index_key(series[0]), command);
	cr_assert_eq(count_since(&w, series[0], now - 53 * US_PER_HOUR), 0);
	note(series[0], now - 52 * US_PER_HOUR, 1);
	cr_assert_eq(count_since(&w, series[0], now - 53 * US_PER_HOUR), -1);
	cr_assert_eq(count(series[0]), 0);
	close_hours();
}

Test(hot_hours, another_instance_begins_anew)
{
	struct worker other;
	struct hot_shared *s = shared_new();

	open_hours(scratch_redis());
	commit(series[0], now, 1);
	wait_count(series[0], 1);
	open_worker(&other, redis, s);
	wait_trusted(&other);
	cr_assert_eq(count(series[0]), -1);
	commit(series[0], now - 1, 1);
	note(series[0], now - 1, 1);
	wait_count(series[0], 2);
	cr_assert_eq(count_since(&other, series[0], now - 1), 2);
	close_worker(&other);
	close_hours();
	free(s);
}

Test(hot_hours, hours_that_are_over_are_packed)
{
	char key[64];
	int i;

	open_hours(scratch_redis());
	wait_count(series[0], 0);
	for (i = 0; i < 200; i++)
		note(series[0], now - 3 * US_PER_HOUR - i * 1000003, i);
	cr_assert_eq(count(series[0]), 200);
	snprintf(
	    key, sizeof(key), "%s", hour_key(series[0], now - 3 * US_PER_HOUR));
	pack_again();
	for (i = 0; i < 100; i++) {
		poll_loop_run(loop, 50);
		if (strtol(scratch_redis_command(redis, "EVAL %s 1 %s",
			       "return "
			       "tostring(redis.call('STRLEN', KEYS[1]))",
			       key),
			NULL, 10) < 2000)
			break;
	}
	cr_assert_lt(i, 100, "still as it was appended");
	cr_assert_eq(count(series[0]), 200);
	note(series[0], now - 3 * US_PER_HOUR + 1, 7); /* late */
	cr_assert_eq(count(series[0]), 201);
	close_hours();
}

struct own {
	char dir[32], socket[64];
	pid_t pid;
};

static void
own_redis(struct own *o)
{
	scratch_database();
	snprintf(o->dir, sizeof(o->dir), "/tmp/penstock-hot-XXXXXX");
	cr_assert_not_null(mkdtemp(o->dir));
	snprintf(o->socket, sizeof(o->socket), "%s/redis.sock", o->dir);
	o->pid = scratch_redis_start(o->dir);
}

static void
own_redis_end(struct own *o)
{
	scratch_redis_kill(o->pid);
	unlink(o->socket);
	rmdir(o->dir);
}

Test(hot_hours, silent_redis)
{
	struct own o;

	own_redis(&o);
	open_hours(o.socket);
	commit(series[0], now, 1);
	wait_count(series[0], 1);
	hot_keeper_free(keeper);
	kill(o.pid, SIGSTOP);
	cr_assert_eq(count(series[0]), -1);
	commit(series[0], now - 1, 1);
	note(series[0], now - 1, 1); /* lost */
	cr_assert_eq(count(series[0]), -1);
	kill(o.pid, SIGCONT);
	keeper_start();
	wait_count(series[0], 2);
	close_hours();
	own_redis_end(&o);
}

/* allkeys-lru: any key may go at any time. */
Test(hot_hours, redis_that_evicts)
{
	static struct reading r[100];
	int i, k, n, told = 0;
	struct own o;

	own_redis(&o);
	open_hours(o.socket);
	wait_count(series[0], 0);
	hot_keeper_free(keeper);
	keeper = NULL;
	scratch_redis_command(o.socket,
	    "CONFIG SET maxmemory-policy "
	    "allkeys-lru");
	scratch_redis_command(o.socket, "CONFIG SET maxmemory 2500000");
	for (i = 0; i < 600 && trusted(&w); i++) {
		for (k = 0; k < 100; k++)
			r[k] = reading(series[0],
			    now - (i * 100 + k) * 2 * US_PER_SECOND, k);
		w.port.note(w.port.self, r, 100);
		n = count_since(&w, series[0], now - 20 * US_PER_MINUTE);
		cr_assert(n == -1 || n == (i < 6 ? 100 * i + 100 : 601),
		    "turn %d: %d", i, n);
		told += n >= 0;
	}
	cr_assert_gt(told, 0);
	cr_assert_gt(
	    strtol(strstr(scratch_redis_command(o.socket, "INFO stats"),
		       "evicted_keys:") +
		    13,
		NULL, 10),
	    0);
	close_hours();
	own_redis_end(&o);
}
