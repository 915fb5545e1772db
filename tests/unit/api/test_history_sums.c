#include "api/tiers.h"
#include "domain/packed_rollup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(history_sums, .init = tiers_init, .fini = fake_done);

/* Binary cells of readings_buckets: two bounds and a sum of series 1. */
static char edges[3][8], id[4] = {0, 0, 0, 1}, second_id[4] = {0, 0, 0, 2};
static char ord1[4] = {0, 0, 0, 1};
static char count3[8] = {0, 0, 0, 0, 0, 0, 0, 3};
static char count2[8] = {0, 0, 0, 0, 0, 0, 0, 2};
static char width[8] = {0, 0, 0, 0, 0, 0, 0x0e, 0x10};
static const char ten[8] = {0x40, 0x24}, four[8] = {0x40, 0x10};
static const char six[8] = {0x40, 0x18};

static void
put_edge(int i, int64_t t_us)
{
	int64_t v = t_us - INT64_C(946684800) * US_PER_SECOND;

	for (int b = 0; b < 8; b++)
		edges[i][b] = (char)(v >> (56 - 8 * b));
}

#define EDGE(i, w, stamp) NULL, ord1, edges[i], stamp, w, NULL, NULL, NULL, NULL
#define SUM(s, o)	  s, o, NULL, NULL, count3, count2, ten, four, six
static const int lens[] = {4, 4, 8, 20, 8, 8, 8, 8, 8, 4, 4, 8, 20, 8, 8, 8, 8,
    8, 4, 4, 8, 20, 8, 8, 8, 8, 8, 4, 4, 8, 20, 8, 8, 8, 8, 8};

#define B0 "2026-11-18T11:00:00Z"
#define B1 "2026-11-18T12:00:00Z"
#define B2 "2026-11-18T13:00:00Z"

Test(history_sums, buckets)
{
	struct fake_rows rows[] = {{.statement = ST_readings_buckets,
				       .n = 3,
				       .columns = 9,
				       .cells = {EDGE(0, width, B0),
					   EDGE(1, width, B1), SUM(id, ord1)},
				       .lens = lens},
	    {.columns = 0}};

	put_edge(0, T1_US);
	put_edge(1, T1_US + US_PER_HOUR);
	fake.rows = rows;
	expect(Q "&bucket=1h&from=2026-11-18T11:01:00Z&to=" B1, 200,
	    FLOW "\"bucket\":\"1h\",\"tz\":\"UTC\",\"from\":\"" B0
		 "\",\"to\":\"" B1 "\",\"items\":[{\"ts\":\"" B0
		 "\",\"count\":3,\"good\":2,\"avg\":5,\"min\":4,\"max\":6,"
		 "\"sum\":10}],\"next\":null,\"source\":\"warm\","
		 "\"rollup_s\":3600}");
	cr_expect_eq(fake.asked[0].lane, LANE_SLOW);
	cr_expect_str_eq(fake.asked[0].params[1], "2026-11-18T11:01:00Z");
	cr_expect_str_eq(fake.asked[0].params[3], "1 hour");
	cr_expect_str_eq(fake.asked[0].params[5], "UTC");
	cr_expect_str_eq(fake.asked[0].params[6], "f");
	expect(Q "&bucket=1h&agg=max,avg&tz=Europe/Rome&from=" T1 "&to=" B1,
	    200,
	    FLOW "\"bucket\":\"1h\",\"tz\":\"Europe/Rome\",\"from\":\"" B0
		 "\",\"to\":\"" B1 "\",\"items\":[{\"ts\":\"" B0
		 "\",\"good\":2,\"avg\":5,\"max\":6}],\"next\":null,"
		 "\"source\":\"warm\",\"rollup_s\":3600}");
	cr_expect_eq(tiers[WARM].reads, 0);
}

Test(history_sums, buckets_of_many_series_are_one_statement)
{
	struct fake_rows rows[] = {
	    {.statement = ST_readings_buckets,
		.n = 4,
		.columns = 9,
		.cells = {EDGE(0, width, B0), EDGE(1, width, B1), SUM(id, ord1),
		    SUM(second_id, ord1)},
		.lens = lens},
	    {.columns = 0}};

	put_edge(0, T1_US);
	put_edge(1, T1_US + US_PER_HOUR);
	fake.rows = rows;
	expect("/api/v1/readings?series=N1/level,N2/level,N1/flow&bucket=1h"
	       "&agg=sum" SPAN,
	    200,
	    "{\"bucket\":\"1h\",\"tz\":\"UTC\",\"from\":\"" B0 "\",\"to\":\"" B1
	    "\",\"source\":\"warm\",\"rollup_s\":3600,"
	    "\"series\":[" LEVEL "\"items\":[{\"ts\":\"" B0
	    "\",\"good\":2,\"sum\":10}]},{\"node\":\"N2\","
	    "\"metric\":\"level\",\"unit\":\"m\",\"items\":[]}," FLOW
	    "\"items\":[{\"ts\":\"" B0 "\",\"good\":2,\"sum\":10}]}]}");
	cr_expect_eq(fake.nasked, 1);
}

/* Packed hours: B0's add to those that are not packed, the next one lies
 * behind the bounds. */
static const struct rollup hours[] = {{.bucket_us = T1_US,
					  .count = 2,
					  .good = 2,
					  .sum = 9,
					  .min = 2,
					  .max = 7,
					  .sumsq = 53},
    {.bucket_us = T1_US + US_PER_HOUR,
	.count = 1,
	.good = 1,
	.sum = 8,
	.min = 8,
	.max = 8}};

#define PACKED_ITEMS                                                       \
	FLOW "\"bucket\":\"1h\",\"tz\":\"UTC\",\"from\":\"" B0             \
	     "\",\"to\":\"" B1 "\",\"items\":[{\"ts\":\"" B0               \
	     "\",\"count\":5,\"good\":4,\"min\":2,\"max\":7,\"sum\":19}]," \
	     "\"next\":null,\"source\":\"warm\",\"rollup_s\":3600}"

/* How many columns each row has: nine, and data. */
static void
packed_rows(struct fake_rows *rows, int *row_lens, char *data, size_t size)
{
	cr_assert_leq(packed_rollup_bound(2), size);
	rows->lens = row_lens;
	for (int i = 0; i < 39; i++)
		row_lens[i] = i % 10 < 9 ? lens[i % 10] : 0;
	row_lens[39] = (int)packed_rollup_encode(hours, 2, data);
	put_edge(0, T1_US);
	put_edge(1, T1_US + US_PER_HOUR);
	fake.rows = rows;
}

Test(history_sums, packed_roll_ups_are_added)
{
	static char data[2048];
	int row_lens[40];
	struct fake_rows rows[] = {
	    {.statement = ST_readings_buckets,
		.n = 4,
		.columns = 10,
		.cells = {EDGE(0, width, B0), NULL, EDGE(1, width, B1), NULL,
		    SUM(id, ord1), NULL, id, NULL, NULL, NULL, NULL, NULL, NULL,
		    NULL, NULL, data}},
	    {.columns = 0}};

	packed_rows(rows, row_lens, data, sizeof(data));
	expect(Q "&bucket=1h&agg=count,min,max,sum" SPAN, 200, PACKED_ITEMS);
	cr_expect_eq(fake.nasked, 1);
	cr_expect_eq(fake.asked[0].lens[7], -1);
}

/* More than one step can open: part by part, and the first answer, which has
 * none, is of the bounds alone. */
Test(history_sums, too_many_roll_ups_come_in_parts)
{
	static char data[2048], one[8] = {0, 0, 0, 0, 0, 0, 0, 1};
	int row_lens[40];
	struct fake_rows rows[] = {
	    {.statement = ST_readings_buckets,
		.n = 4,
		.columns = 10,
		.cells = {NULL, ord1, edges[0], B0, width, one, NULL, NULL,
		    NULL, NULL, EDGE(1, width, B1), NULL, SUM(id, ord1), NULL,
		    id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, data}},
	    {.columns = 0}};

	packed_rows(rows, row_lens, data, sizeof(data));
	expect(Q "&bucket=1h&agg=count,min,max,sum" SPAN, 200, PACKED_ITEMS);
	cr_assert_eq(fake.nasked, 2);
	cr_expect_str_eq(fake.asked[1].params[1], B0);
	cr_expect_str_eq(fake.asked[1].params[2], B1);
	cr_expect_str_eq(fake.asked[1].params[7], "3600");
}

/* Roll-ups that do not fit and what was known then: added up from readings,
 * whatever tier has them. */
Test(history_sums, buckets_from_readings)
{
	struct fake_rows rows[] = {
	    {.statement = ST_readings_buckets,
		.n = 3,
		.columns = 9,
		.cells = {EDGE(0, NULL, B0), EDGE(1, NULL, B1),
		    EDGE(2, NULL, B2)},
		.lens = lens},
	    {.columns = 0}};

	for (int i = 0; i < 3; i++)
		put_edge(i, T1_US + i * US_PER_HOUR);
	fake.rows = rows;
	tiers_fill(WARM, 1, T1_US + US_PER_HOUR - 2 * US_PER_SECOND, 5);
	tiers[WARM].step = 2;
	expect(Q "&bucket=1h" SPAN, 200,
	    FLOW "\"bucket\":\"1h\",\"tz\":\"UTC\",\"from\":\"" B0
		 "\",\"to\":\"2026-11-18T13:00:00Z\",\"items\":["
		 "{\"ts\":\"" B0 "\",\"count\":2,\"good\":1,\"avg\":0,"
		 "\"min\":0,\"max\":0,\"sum\":0},"
		 "{\"ts\":\"" B1 "\",\"count\":3,\"good\":2,\"avg\":3,"
		 "\"min\":2,\"max\":4,\"sum\":6}],\"next\":null,"
		 "\"source\":\"warm\",\"rollup_s\":null}");
	expect(Q "&bucket=1h&agg=count&as_known_at=" B1 SPAN, 200,
	    FLOW "\"bucket\":\"1h\",\"tz\":\"UTC\",\"from\":\"" B0
		 "\",\"to\":\"2026-11-18T13:00:00Z\",\"items\":["
		 "{\"ts\":\"" B0 "\",\"count\":2,\"good\":1}],\"next\":null,"
		 "\"source\":\"warm\",\"rollup_s\":null}");
	cr_expect_str_eq(fake.asked[1].params[6], "t");
}

/* --- the last good reading before a time --- */

static char bucket_at[8], logged_at[8];
static const int before_lens[] = {8, 8};

static void
put_time(char *cell, int64_t t_us)
{
	put_edge(2, t_us);
	memcpy(cell, edges[2], 8);
}

static void
ask_before(
    const char *bucket, const char *logged, int status, const char *says_)
{
	struct fake_rows rows[] = {{.statement = ST_range_before,
				       .n = 1,
				       .columns = 2,
				       .cells = {bucket, logged},
				       .lens = before_lens},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = get("/api/v1/readings/before?node=N1&metric=flow"
		"&at=2026-11-18T11:00:04Z",
	    NULL);
	cr_expect_eq(c.status, status, "%s", c.body);
	cr_expect(says(&c, says_), "%s", c.body);
	call_done(&c);
}

Test(history_sums, before)
{
	put_time(bucket_at, T1_US);
	put_time(logged_at, T1_US - 7200 * US_PER_SECOND);
	ask_before(NULL, NULL, 404, "no good reading");
	tiers_fill(WARM, 1, T1_US, 4); /* the last one is suspect */
	ask_before(bucket_at, NULL, 200,
	    FLOW "\"ts\":\"2026-11-18T11:00:02Z\",\"value\":2,"
		 "\"quality\":\"good\","
		 "\"received_at\":\"2026-11-18T11:00:02.001000Z\","
		 "\"source\":\"warm\"}");
	cr_expect_eq(tiers[WARM].asked.to_us, T1_US + 4 * US_PER_SECOND);
	ask_before(bucket_at, logged_at, 200, "11:00:02Z");
	put_time(logged_at, T1_US + US_PER_SECOND);
	ask_before(bucket_at, logged_at, 200, "11:00:02Z");
	/* Newer than any hour that is merged: that one alone is read. */
	put_time(bucket_at, T1_US - US_PER_HOUR);
	put_time(logged_at, T1_US + 2 * US_PER_SECOND);
	ask_before(bucket_at, logged_at, 200, "11:00:02Z");
	cr_expect_eq(tiers[WARM].asked.to_us - tiers[WARM].asked.from_us, 1);
	/* Where there should be one and is none, it looks further back, and
	 * not for ever. */
	tiers[WARM].n = 0;
	fake.nasked = 0;
	tiers[WARM].fails = ERR_DATABASE;
	ask_before(bucket_at, NULL, 503, "failed");
}
