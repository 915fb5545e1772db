#include "core/instant.h"
#include "ingest/normalise.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define NOW INT64_C(1795166824000000) /* 2026-11-20T09:27:04Z */

static const struct ingest_limits limits = {
    .now_us = NOW, .future_us = 5 * US_PER_MINUTE, .oldest_us = 0};
static struct registry *reg;
static char detail[NORMALISE_DETAIL];

static void
put(int32_t id, const char *metric, const char *unit, const char *canonical)
{
	struct series_row row = {.id = id,
	    .node = "N",
	    .metric = metric,
	    .unit = unit,
	    .canonical = canonical,
	    .low = -10,
	    .high = 250,
	    .retired = id == 9};

	cr_assert_eq(registry_put_series(reg, &row), ERR_OK);
}

static void
make(void)
{
	reg = registry_new();
	cr_assert_not_null(reg);
	registry_put_node(reg, &(struct node_row){"N", "Z", false, 1});
	put(1, "flow", "L/s", "m3/h");
	put(2, "pressure", "m", "m");
	put(3, "temperature", "degF", "degC");
	put(4, "turbidity", "NTU", "NTU");
	put(9, "old", "m", "m");
}

static void
drop(void)
{
	registry_free(reg);
}

TestSuite(normalise, .init = make, .fini = drop);

static struct span
span(const char *s)
{
	return ((struct span){s, s != NULL ? strlen(s) : 0});
}

static enum reject
judge(const struct item *in, struct reading *ret)
{
	struct normaliser n = {.registry = reg, .limits = limits};

	return (normalise(&n, in, ret, detail));
}

static enum reject
run(const char *metric, const char *ts, const char *unit, double value,
    struct reading *ret)
{
	struct item in = {.node = span("N"),
	    .metric = span(metric),
	    .ts = span(ts),
	    .unit = span(unit),
	    .value = value};

	detail[0] = '\0';
	return (judge(&in, ret));
}

Test(normalise, converts_to_the_canonical_unit)
{
	static const struct {
		const char *metric, *unit;
		double in, out;
	} vectors[] = {{"flow", NULL, 10, 36}, {"flow", "L/s", 10, 36},
	    {"flow", "m3/h", 10, 10}, {"flow", "m3/d", 24, 1},
	    {"pressure", "bar", 1, 10.1971621},
	    {"pressure", "psi", 20, 14.0614}, {"pressure", "kPa", 9.80665, 1},
	    {"pressure", NULL, 30, 30}, {"temperature", NULL, 50, 10},
	    {"temperature", "degC", 10, 10}};
	struct reading r;
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		cr_expect_eq(run(vectors[i].metric, "2026-11-20T09:27:04Z",
				 vectors[i].unit, vectors[i].in, &r),
		    REJECT_NONE, "%s", detail);
		cr_expect_float_eq(r.value, vectors[i].out, 1e-4);
		cr_expect_eq(r.t_us, NOW);
		cr_expect_eq(r.received_us, NOW);
		cr_expect_eq(r.quality, QUALITY_GOOD);
	}
}

Test(normalise, says_why_not)
{
	static const struct {
		const char *metric, *ts, *unit;
		double value;
		enum reject why;
		const char *names;
	} vectors[] = {
	    {"ph", "x", NULL, 7, REJECT_UNKNOWN_SERIES, "N/ph"},
	    {"old", "x", NULL, 7, REJECT_RETIRED, "N/old"},
	    {"flow", "yesterday", NULL, 7, REJECT_BAD_TIMESTAMP, "yesterday"},
	    {"flow", "1795166824", NULL, 7, REJECT_BAD_TIMESTAMP, "RFC 3339"},
	    {"flow", "2026-11-20T09:27:04Z", "bar", 7, REJECT_BAD_UNIT, "m3/h"},
	    {"flow", "2026-11-20T09:27:04Z", "l/S", 7, REJECT_BAD_UNIT, "l/S"},
	    {"turbidity", "2026-11-20T09:27:04Z", "FNU", 1, REJECT_BAD_UNIT,
		"FNU"},
	    {"flow", "2026-11-20T09:27:04Z", NULL, INFINITY, REJECT_NOT_FINITE,
		"double"},
	    {"flow", "2026-11-20T09:27:04Z", NULL, 1.7e308, REJECT_NOT_FINITE,
		"double"},
	    {"pressure", "2026-11-20T09:27:04Z", NULL, 250.1,
		REJECT_OUT_OF_RANGE, "250"},
	    {"pressure", "2026-11-20T09:27:04Z", "bar", -1.1,
		REJECT_OUT_OF_RANGE, "-10"},
	    {"flow", "2026-11-20T09:32:05Z", NULL, 1, REJECT_FUTURE, "300 s"},
	    {"flow", "1969-12-31T23:59:59Z", NULL, 1, REJECT_TOO_OLD,
		"1970-01-01T00:00:00Z"},
	};
	struct reading r = {.series = 77};
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		cr_expect_eq(run(vectors[i].metric, vectors[i].ts,
				 vectors[i].unit, vectors[i].value, &r),
		    vectors[i].why, "vector %zu", i);
		cr_expect_not_null(strstr(detail, vectors[i].names),
		    "vector %zu: %s", i, detail);
	}
	cr_expect_eq(r.series, 77, "written although rejected");
}

Test(normalise, a_clock_slightly_ahead_is_marked)
{
	struct reading r;

	cr_expect_eq(run("flow", "2026-11-20T09:27:04.000001Z", NULL, 1, &r),
	    REJECT_NONE);
	cr_expect_eq(r.quality, QUALITY_CLOCK_AHEAD);
	cr_expect_eq(
	    run("flow", "2026-11-20T09:32:04Z", NULL, 1, &r), REJECT_NONE);
	cr_expect_eq(r.quality, QUALITY_CLOCK_AHEAD);
}

Test(normalise, every_fault_of_the_decoder_has_its_sentence)
{
	struct item in = {.member = span("node")};
	struct reading r;
	int f;

	for (f = ITEM_FAULT_NOT_OBJECT; f <= ITEM_FAULT_TOO_LONG; f++) {
		in.fault = f;
		detail[0] = '\0';
		cr_expect_eq(judge(&in, &r),
		    f == ITEM_FAULT_TS_NUMBER ? REJECT_BAD_TIMESTAMP
					      : REJECT_BAD_ITEM);
		cr_expect(strlen(detail) > 10, "%s", detail);
	}
}

Test(normalise, long_texts_do_not_overflow_the_detail)
{
	char big[300];
	struct item in = {.node = {big, sizeof(big)},
	    .metric = {big, sizeof(big)},
	    .ts = {big, sizeof(big)}};
	struct reading r;

	memset(big, 'x', sizeof(big));
	cr_expect_eq(judge(&in, &r), REJECT_UNKNOWN_SERIES);
	cr_expect(strlen(detail) < NORMALISE_DETAIL);
	in.node = span("N");
	in.metric = span("flow");
	cr_expect_eq(judge(&in, &r), REJECT_BAD_TIMESTAMP);
	cr_expect(strlen(detail) < NORMALISE_DETAIL);
}

Test(normalise, reasons_are_words)
{
	int a, b;

	for (a = 0; a < REJECT_COUNT; a++) {
		cr_expect_eq(
		    strspn(reject_word(a), "abcdefghijklmnopqrstuvwxyz_"),
		    strlen(reject_word(a)));
		cr_expect(strlen(reject_sentence(a)) > 10);
		for (b = 0; b < a; b++)
			cr_expect_str_neq(reject_word(a), reject_word(b));
	}
}
