/* History beside the loop, on the real server: what is known, what is
 * written, and what the loop learns of it. */
#include "warm_fixture.h"

#include "store/importer.h"

#include <stdlib.h>
#include <string.h>

#define N	3000
#define MARCH	(instant_from_civil(2021, 3, 1, 0))
#define QUARTER (15 * US_PER_SECOND)

static struct importer *importer;
static struct import_port port;
static struct reading readings[N];
static struct import_known known[N];

static void
open_all(void)
{
	fixture_open();
	importer = importer_new(fixture_serving());
	cr_assert_not_null(importer);
	port = importer_port(importer);
	ok(port.open(port.self, &fx.info));
}

static void
close_all(void)
{
	port.close(port.self);
	importer_free(importer);
	fixture_close();
}

TestSuite(importer, .init = open_all, .fini = close_all);

static size_t
every(int64_t from_us, int64_t step_us, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		readings[i] = (struct reading){.series = fx.series[0],
		    .value = (double)(i % 97) / 4,
		    .t_us = from_us + (int64_t)i * step_us,
		    .received_us = NOON};
	return (n);
}

static void
store(size_t n)
{
	ok(port.prepare(port.self, readings, n, &fx.info));
	ok(port.begin(port.self, &fx.info));
	ok(port.store(port.self, readings, n, &fx.info));
	ok(port.commit(port.self, &fx.info));
}

/* Roll-ups and newest values that raw readings do not give. */
static int64_t
wrong_sums(void)
{
	return (sql_int(
	    "WITH raw AS MATERIALIZED (SELECT * FROM readings), "
	    "w AS (SELECT unnest(ARRAY[300, 3600, 86400]) AS width_s), "
	    "r AS (SELECT series, width_s, date_bin(width_s * interval '1 s', "
	    "ts, 'epoch') AS bucket, count(*) AS n, sum(value) AS sum, "
	    "min(value) AS min, max(value) AS max, min(ts) AS first_ts, "
	    "max(ts) AS last_ts, (array_agg(value ORDER BY ts))[1] AS first, "
	    "(array_agg(value ORDER BY ts DESC))[1] AS last "
	    "FROM raw, w GROUP BY 1, 2, 3) "
	    "SELECT (SELECT count(*) FROM r FULL JOIN rollups u "
	    "USING (series, width_s, bucket) WHERE (r.n, r.sum, r.min, r.max, "
	    "r.first_ts, r.last_ts, r.first, r.last) IS DISTINCT FROM (u.n, "
	    "u.sum, u.min, u.max, u.first_ts, u.last_ts, u.first, u.last)) + "
	    "(SELECT count(*) FROM series_latest l WHERE l.ts <> (SELECT "
	    "max(ts) FROM raw WHERE raw.series = l.series))"));
}

Test(importer, adds_to_roll_ups_that_are_there)
{
	struct reading odd[N / 2];
	size_t i, n = every(MARCH, QUARTER, N);

	for (i = 0; i < n; i++)
		if (i % 2 == 1)
			odd[i / 2] = readings[i];
		else
			readings[i / 2] = readings[i];
	store(n / 2);
	memcpy(readings, odd, sizeof(odd));
	store(n / 2);
	cr_expect_eq(sql_int("SELECT count(*) FROM readings"), N);
	cr_expect_eq(wrong_sums(), 0);
	every(MARCH + 700 * US_PER_HOUR, US_PER_HOUR, 10);
	store(10);
	cr_expect_eq(wrong_sums(), 0);
}

Test(importer, tells_what_is_known_and_with_which_value)
{
	size_t i, n = every(MARCH, 6 * US_PER_HOUR, 400);

	store(n);
	ok(port.stored(port.self, readings, n, known, &fx.info));
	for (i = 0; i < n; i++)
		cr_expect(
		    known[i].known && known[i].value == readings[i].value);
	/* Between them nothing is; then the log, of which the first stays. */
	every(MARCH + US_PER_HOUR, 6 * US_PER_HOUR, n);
	log_row(fx.series[0], readings[7].t_us, 1, 1.5);
	log_row(fx.series[0], readings[7].t_us, 1, 2.5);
	log_row(fx.series[1], readings[8].t_us, 1, 3.5);
	ok(port.stored(port.self, readings, n, known, &fx.info));
	for (i = 0; i < n; i++)
		cr_expect_eq(known[i].known, i == 7, "%zu", i);
	cr_expect_eq(known[7].value, 1.5);
	/* What is merged was first. */
	every(MARCH, 6 * US_PER_HOUR, n);
	log_row(fx.series[0], readings[3].t_us, 1, 9);
	ok(port.stored(port.self, readings, n, known, &fx.info));
	cr_expect_eq(known[3].value, readings[3].value);
}

/* The log may be long, and others wait while the lock is held. */
Test(importer, opens_rows_of_the_log_but_once)
{
	size_t i, n = every(MARCH, 6 * US_PER_HOUR, 400);

	log_row(fx.series[0], readings[7].t_us, 1, 1.5);
	log_row(fx.series[0], readings[300].t_us, 1, 4.5);
	ok(port.prepare(port.self, readings, n, &fx.info));
	sql("UPDATE ingest_log SET value = ARRAY[8.5]");
	log_row(fx.series[0], readings[7].t_us, 1, 2.5);
	log_row(fx.series[0], readings[8].t_us, 1, 3.5);
	ok(port.begin(port.self, &fx.info));
	ok(port.stored(port.self, readings, 200, known, &fx.info));
	ok(port.stored(port.self, readings + 200, 200, known + 200, &fx.info));
	port.rollback(port.self);
	for (i = 0; i < n; i++)
		cr_expect_eq(known[i].known, i == 7 || i == 8 || i == 300);
	cr_expect_eq(known[7].value, 1.5);
	cr_expect_eq(known[8].value, 3.5);
	cr_expect_eq(known[300].value, 4.5);
	/* The next part looks anew. */
	ok(port.prepare(port.self, readings, n, &fx.info));
	ok(port.stored(port.self, readings, n, known, &fx.info));
	cr_expect_eq(known[300].value, 8.5);
}

/* A row a day, or a month that is over and has few. */
Test(importer, writes_few_rows)
{
	int64_t now = sql_int("SELECT packed_us(date_trunc('month', now()))");

	store(every(MARCH, US_PER_HOUR, 1400)); /* March, April */
	cr_expect_eq(sql_int("SELECT count(*) FROM segments"), 2);
	store(every(MARCH + 100 * US_PER_DAY, 30 * US_PER_SECOND, N));
	cr_expect_eq(sql_int("SELECT count(*) FROM segments"), 4);
	store(every(now, US_PER_SECOND, 10));
	cr_expect_eq(sql_int("SELECT count(*) FROM segments WHERE t0 >= "
			     "date_trunc('month', now())"),
	    1);
	cr_expect_eq(
	    sql_int("SELECT count(*) FROM segments WHERE "
		    "date_trunc('month', t0) <> date_trunc('month', t1)"),
	    0);
	cr_expect_eq(wrong_sums(), 0);
}

/* Decades at once would hold the lock for seconds, and more locks than the
 * server has. */
Test(importer, makes_each_partition_in_a_transaction_of_its_own)
{
	size_t n =
	    every(instant_from_civil(1993, 1, 1, 0), 31 * US_PER_DAY, 12);

	ok(port.prepare(port.self, readings, n, &fx.info));
	cr_expect_eq(sql_int("SELECT count(DISTINCT i.xmin::text) "
			     "FROM pg_inherits i "
			     "JOIN pg_class c ON c.oid = i.inhrelid "
			     "WHERE relname LIKE 'segments\\__\\_1993__'"),
	    12);
	store(n);
	cr_expect_eq(wrong_sums(), 0);
}

Test(importer, tells_the_loop_what_it_did_not_merge)
{
	const struct telemetry_port *t = &fx.ports.telemetry;
	struct reading *moved;
	int64_t mark = 0;
	size_t n;

	store(every(MARCH, US_PER_HOUR, 10));
	store(every(MARCH - US_PER_DAY, US_PER_HOUR, 10));
	ok(t->moved(t->self, &fx.arena, &mark, &moved, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_expect_eq(moved[0].series, fx.series[0]);
	cr_expect_eq(moved[0].t_us, MARCH + 9 * US_PER_HOUR);
	cr_expect_eq(moved[0].value, 9.0 / 4);
	ok(t->moved(t->self, &fx.arena, &mark, &moved, &n, &fx.info));
	cr_expect_eq(n, 0);
	store(every(MARCH + 20 * US_PER_HOUR, US_PER_HOUR, 1));
	ok(t->moved(t->self, &fx.arena, &mark, &moved, &n, &fx.info));
	cr_expect_eq(n, 1);
}

Test(importer, keeps_nothing_of_a_transaction_that_was_lost)
{
	size_t n = every(MARCH, US_PER_HOUR, 100);

	ok(port.prepare(port.self, readings, n, &fx.info));
	ok(port.begin(port.self, &fx.info));
	ok(port.store(port.self, readings, n, &fx.info));
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE application_name = 'penstock import'");
	cr_expect_eq(port.commit(port.self, &fx.info), ERR_DATABASE);
	port.rollback(port.self);
	port.close(port.self);
	cr_expect_eq(sql_int("SELECT count(*) FROM segments"), 0);
	cr_expect_eq(sql_int("SELECT count(*) FROM rollups"), 0);
	ok(port.open(port.self, &fx.info));
	store(n);
	cr_expect_eq(wrong_sums(), 0);
}

/* A session that ends gives the place up. */
Test(importer, has_one_place_in_a_database)
{
	struct importer *other = importer_new(fixture_serving());
	struct import_port p = importer_port(other);

	cr_expect_eq(sql_int("SELECT count(*) FROM pg_locks WHERE locktype = "
			     "'advisory' AND granted AND objid = 7305804406 "
			     "& 4294967295"),
	    1);
	importer_free(importer);
	ok(p.open(p.self, &fx.info));
	p.close(p.self);
	cr_expect_eq(sql_int("SELECT count(*) FROM pg_locks WHERE locktype = "
			     "'advisory' AND granted AND objid = 7305804406 "
			     "& 4294967295"),
	    0);
	importer = other;
	port = p;
}

Test(importer, is_not_troubled_by_a_connection_that_ended_meanwhile)
{
	port.close(port.self);
	sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
	    "WHERE application_name LIKE 'penstock import%%'");
	ok(port.open(port.self, &fx.info));
	cr_expect_eq(sql_int("SELECT count(*) FROM pg_locks WHERE locktype = "
			     "'advisory' AND granted AND objid = 7305804406 "
			     "& 4294967295"),
	    1);
}
