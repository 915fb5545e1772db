#include "api/tiers.h"

#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Of readings_buckets.sql: the bounds of two hours; of meter_get.sql: one row
 * each of what is known of a meter. */
#define B0	      "2026-11-18T05:00:00Z"
#define B0_US	      (T1_US - 6 * US_PER_HOUR)
#define BOUND_COLUMNS 9
#define METER_COLUMNS 9

static char cells[64][8];
static size_t ncells;
static const int bound_lens[] = {4, 8, 8, 20, 8, 8, 8, 8, 8, 4, 8, 8, 20, 8, 8,
    8, 8, 8, 4, 8, 8, 20, 8, 8, 8, 8, 8};
static const int meter_lens[] = {
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8};
static struct fake_rows answers[4];

static const char *
whole(int64_t v)
{
	cr_assert(ncells < 64);
	for (int b = 0; b < 8; b++)
		cells[ncells][b] = (char)(v >> (56 - 8 * b));
	return (cells[ncells++]);
}

static const char *
instant(int64_t t_us)
{
	return (whole(t_us - INT64_C(946684800) * US_PER_SECOND));
}

static const char *
real(double x)
{
	int64_t v;

	memcpy(&v, &x, sizeof(v));
	return (whole(v));
}

static void
begin(void)
{
	static const char *const stamps[] = {
	    B0, "2026-11-18T06:00:00Z", "2026-11-18T07:00:00Z"};
	struct series_row s = {.id = 9,
	    .node = "N1",
	    .metric = "volume",
	    .unit = "m3",
	    .canonical = "m3",
	    .kind = SERIES_TOTAL,
	    .change = 9};
	struct fake_rows *r = answers;

	tiers_init();
	ncells = 0;
	cr_assert_eq(registry_put_series(fake.api.registry, &s), ERR_OK);
	memset(answers, 0, sizeof(answers));
	r[0] = (struct fake_rows){.statement = ST_readings_buckets,
	    .n = 3,
	    .columns = BOUND_COLUMNS,
	    .lens = bound_lens};
	for (int i = 0; i < 3; i++) {
		r[0].cells[BOUND_COLUMNS * i + 2] =
		    instant(B0_US + i * US_PER_HOUR);
		r[0].cells[BOUND_COLUMNS * i + 3] = stamps[i];
	}
	/* A register of 1000, an hour's cadence. */
	r[1] = (struct fake_rows){.statement = ST_meter_get,
	    .n = 1,
	    .columns = METER_COLUMNS,
	    .lens = meter_lens};
	r[1].cells[0] = real(1000);
	r[1].cells[1] = real(3600);
	fake.rows = answers;
}

TestSuite(meters, .init = begin, .fini = fake_done);

static void
put(double hours, double x, int16_t quality)
{
	struct tier *t = &tiers[WARM];
	int64_t at = B0_US + (int64_t)(hours * (double)US_PER_HOUR);

	t->readings[t->n++] = (struct reading){9, quality, x, at, at};
}

#define ASK                                                            \
	"/api/v1/consumption?node=N1&metric=volume&bucket=1h&from=" B0 \
	"&to=2026-11-18T07:00:00Z"
#define HEAD                                                        \
	"{\"node\":\"N1\",\"metric\":\"volume\",\"unit\":\"m3\","   \
	"\"bucket\":\"1h\",\"tz\":\"UTC\",\"from\":\"" B0           \
	"\",\"to\":\"2026-11-18T07:00:00Z\",\"register_max\":1000," \
	"\"max_gap_s\":10800,\"items\":["

Test(meters, whatever_way_the_readings_come_in_pieces)
{
	static const char want[] = HEAD
	    "{\"ts\":\"" B0 "\",\"volume\":5,\"estimated_share\":0,"
	    "\"coverage\":1,\"flags\":[\"derived_rollover\"]},"
	    "{\"ts\":\"2026-11-18T06:00:00Z\",\"volume\":null,"
	    "\"estimated_share\":null,\"coverage\":0,\"flags\":[]}],"
	    "\"findings\":[{\"from\":\"" B0
	    "\",\"to\":\"2026-11-18T05:30:00Z\",\"old_index\":998,"
	    "\"new_index\":1,\"volume\":3,\"flags\":[\"derived_rollover\"]}],"
	    "\"volume\":5,\"estimated_share\":0,\"unplaced\":0,"
	    "\"coverage\":0.5,\"source\":\"warm\",\"next\":null,"
	    "\"findings_left_out\":0}";

	put(0, 998, 0);
	put(0.25, 500, QUALITY_CLOCK_AHEAD); /* not one to count on */
	put(0.5, 1, 0);
	put(1, 3, 0);
	for (size_t step = 0; step < 4; step++) {
		tiers[WARM].step = step;
		expect(ASK, 200, want);
	}
	/* Six hours before, for what crosses the first bound; never later
	 * than a reading may be. */
	cr_expect_leq(
	    tiers[WARM].asked.to_us, FAKE_NOW_US + fake.api.future_us + 1);
}

Test(meters, an_event_and_a_flag_in_force)
{
	struct fake_rows *r = &answers[1];
	struct fake_call c;

	r->n = 2;
	r->cells[3] = instant(B0_US + US_PER_HOUR / 2);
	r->cells[4] = whole(2); /* swap */
	r->cells[5] = real(400);
	r->cells[6] = real(7);
	r->cells[9] = real(1000);
	r->cells[10] = real(3600);
	r->cells[12] = instant(B0_US + US_PER_HOUR);
	r->cells[13] = whole(3);
	r->cells[17] = instant(B0_US + 2 * US_PER_HOUR);
	put(0, 398, 0);
	put(1, 8, 0);
	c = get(ASK, NULL);
	cr_expect_eq(c.status, 200);
	cr_expect(says(&c,
	    "\"volume\":3,\"estimated_share\":0,\"coverage\":1,"
	    "\"flags\":[\"event\"]"));
	cr_expect(
	    says(&c, "\"coverage\":0,\"flags\":[\"flow_total_mismatch\"]"));
	call_done(&c);
}

Test(meters, what_fails_on_the_way_is_said)
{
	struct fake_call c;

	put(0, 998, 0);
	put(1, 3, 0);
	tiers[WARM].step = 1;
	tiers[WARM].fails = ERR_DATABASE;
	tiers[WARM].fails_at = 1;
	c = get(ASK, NULL);
	cr_expect_eq(c.status, 503, "%d", c.status);
	cr_expect_eq(c.answers, 1);
	call_done(&c);
	answers[1].n = 0;
	c = get(ASK, NULL);
	cr_expect_eq(c.status, 500, "%d", c.status);
	call_done(&c);
	answers[1].error = ERR_DATABASE;
	c = get(ASK, NULL);
	cr_expect_eq(c.status, 503, "%d", c.status);
	call_done(&c);
}

Test(meters, series_that_are_not_there_or_no_totalisers)
{
	static const struct {
		const char *path;
		int status, refreshes;
	} cases[] = {
	    {"/api/v1/consumption?node=N1&metric=none", 404, 1},
	    {"/api/v1/consumption?node=N1&metric=flow", 422, 0},
	    {"/api/v1/consumption?node=N1", 422, 0},
	    {"/api/v1/consumption/check?node=N1&flow_metric=none", 404, 1},
	    /* The fake's flow is in m. */
	    {"/api/v1/consumption/check?node=N1", 422, 0},
	    {ASK "&tz=Nowhere", 422, 0},
	    {"/api/v1/consumption/check?node=N1&total_metric=level", 422, 0},
	};
	struct fake_call c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake.refreshes = 0;
		c = get(cases[i].path, NULL);
		cr_expect_eq(c.status, cases[i].status, "%s: %d", cases[i].path,
		    c.status);
		cr_expect_eq(
		    fake.refreshes, cases[i].refreshes, "%s", cases[i].path);
		call_done(&c);
	}
	cr_expect_eq(tiers[WARM].reads, 0);
}

Test(meters, a_client_that_left_is_no_matter)
{
	struct fake_call c;

	put(0, 998, 0);
	put(1, 3, 0);
	for (int steps = 0; steps < 3; steps++) {
		call_init(&c, METHOD_GET, ASK, NULL);
		call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
		api_dispatch(&fake.api, &c.x);
		for (int i = 0; i < steps && fake_waiting() > 0; i++)
			fake_step();
		call_leave(&c);
		fake_turn();
		cr_expect_eq(c.answers, 0);
		call_done(&c);
	}
}
