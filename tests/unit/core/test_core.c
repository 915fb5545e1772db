#include <jansson.h> /* first: see core/text.h */

#include "core/arena.h"
#include "core/err.h"
#include "core/fsm.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/problem.h"
#include "core/quantity.h"
#include "domain/reading.h"
#include "domain/series.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

Test(err, every_row_is_whole)
{
	int e, f;

	for (e = 0; e < ERR_COUNT; e++) {
		cr_expect(err_status(e) >= 200 && err_status(e) < 600);
		cr_expect(strlen(err_slug(e)) > 0 && strlen(err_title(e)) > 0);
		cr_expect_eq(strspn(err_slug(e), "abcdefghijklmnopqrstuvwxyz-"),
		    strlen(err_slug(e)));
		cr_expect_eq(err_level(e) == LOG_LEVEL_INFO,
		    err_status(e) >= 400 &&
			(err_status(e) < 500 || e == ERR_ENCODING ||
			    e == ERR_NO_METHOD || e == ERR_DRAINING ||
			    e == ERR_HTTP_VERSION),
		    "level of %s", err_slug(e));
		for (f = 0; f < e; f++)
			cr_expect_str_neq(err_slug(e), err_slug(f));
	}
}

Test(err, first_error_wins_and_text_is_cut)
{
	struct err_info info = {0};
	char big[1000];

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	cr_expect_eq(err_set(NULL, ERR_BUSY, NULL, "x"), ERR_BUSY);
	cr_expect_eq(err_set(&info, ERR_INVALID, "/a", "%s", big), ERR_INVALID);
	cr_expect_eq(err_set(&info, ERR_BUSY, "/b", "later"), ERR_BUSY);
	cr_expect_eq(info.code, ERR_INVALID);
	cr_expect_str_eq(info.pointer, "/a");
	cr_expect_eq(strlen(info.detail), sizeof(info.detail) - 1);
	err_clear(&info);
	err_set(&info, ERR_INVALID, big, "short");
	cr_expect_eq(strlen(info.pointer), sizeof(info.pointer) - 1);
}

Test(arena, aligns_and_keeps_to_its_cap)
{
	struct arena a;
	size_t n = 0, i;
	char *p;

	arena_init(&a, 100000);
	for (i = 1; (p = arena_alloc(&a, i)) != NULL; i++) {
		cr_assert_eq((uintptr_t)p % 16, 0);
		memset(p, 0xa5, i);
		n += i;
	}
	cr_expect(n > 70000 && n < 100000, "%zu", n);
	cr_expect(a.used <= a.cap);
	cr_expect_null(arena_alloc(&a, SIZE_MAX));
	cr_expect_null(arena_calloc(&a, SIZE_MAX / 2, 3));
	cr_expect_null(arena_strndup(&a, "", SIZE_MAX));
	arena_reset(&a);
	cr_expect(a.used > 0 && a.used < 20000);
	cr_expect_not_null(arena_alloc(&a, 50000));
	arena_done(&a);
	cr_expect_eq(a.used, 0);
}

Test(arena, makes_strings)
{
	struct arena a;
	int *zeros;

	arena_init(&a, 1 << 20);
	cr_expect_str_eq(arena_strdup(&a, "water"), "water");
	cr_expect_str_eq(arena_strndup(&a, "water", 2), "wa");
	cr_expect_str_eq(arena_printf(&a, "%s-%03d", "DMA", 7), "DMA-007");
	zeros = arena_calloc(&a, 1000, sizeof(*zeros));
	cr_assert_not_null(zeros);
	cr_expect_eq(zeros[0] | zeros[500] | zeros[999], 0);
	arena_done(&a);
}

Test(fsm, finds_moves_and_states)
{
	static const struct fsm_row rows[] = {{"A1", 0, 0, 1}, {"A2", 1, 0, 0}};
	static const char *const states[] = {"open", "shut"};
	static const struct fsm fsm = {
	    .rows = rows, .nrows = 2, .states = states, .nstates = 2};

	cr_expect_str_eq(fsm_find(&fsm, 1, 0)->id, "A2");
	cr_expect_null(fsm_find(&fsm, 1, 1));
	cr_expect_eq(fsm_state(&fsm, "shut"), 1);
	cr_expect_eq(fsm_state(&fsm, "ajar"), -1);
}

static char line[4096];
static int lines;

static void
sink(enum log_level level, const char *s, size_t len)
{
	(void)level;
	cr_assert(len < sizeof(line));
	memcpy(line, s, len);
	line[len] = '\0';
	lines++;
}

Test(log, writes_json_with_the_event_first)
{
	log_event(LOG_LEVEL_ERROR, "before_open", NULL);
	log_open(sink, LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_DEBUG, "too_low", NULL);
	cr_expect_eq(lines, 0);
	log_event(LOG_LEVEL_WARN, "pg_lost", "conn", LOG_STR, "log", "attempt",
	    LOG_INT, (int64_t)3, "wait_s", LOG_DBL, 0.25, NULL);
	cr_expect_eq(lines, 1);
	cr_expect_str_eq(line,
	    "{\"event\":\"pg_lost\",\"level\":\"warn\",\"conn\":\"log\","
	    "\"attempt\":3,\"wait_s\":0.25}");
}

Test(log, a_cut_line_is_still_json)
{
	char big[4000];
	size_t n;
	json_t *j;

	log_open(sink, LOG_LEVEL_DEBUG);
	memset(big, 'x', sizeof(big));
	for (n = 1900; n < 2100; n++) {
		big[n] = '\0';
		log_event(LOG_LEVEL_INFO, "long", "a", LOG_STR, "kept", "b",
		    LOG_STR, big, NULL);
		big[n] = 'x';
		cr_assert(strlen(line) < 2048);
		j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		cr_assert_not_null(j, "%s", line);
		cr_expect_str_eq(
		    json_string_value(json_object_get(j, "a")), "kept");
		cr_expect((json_object_get(j, "b") == NULL) ==
		    json_is_true(json_object_get(j, "cut")));
		json_decref(j);
	}
}

Test(problem, has_the_members_of_rfc9457)
{
	struct err_info info = {
	    ERR_INVALID, "too \"high\"", "/nodes/0", "out_of_range", 0};
	char buf[1024];
	struct text t;

	text_init_fixed(&t, buf, sizeof(buf));
	problem_write(&t, &info, "r1");
	cr_expect_str_eq(buf,
	    "{\"type\":\"/problems/invalid\",\"title\":\"The content does not "
	    "fit the rules\",\"status\":422,\"detail\":\"too \\\"high\\\"\","
	    "\"reason\":\"out_of_range\",\"request_id\":\"r1\","
	    "\"errors\":[{\"pointer\":\"/nodes/0\","
	    "\"detail\":\"too \\\"high\\\"\"}]}");
	text_reset(&t);
	problem_write(&t, &(struct err_info){.code = ERR_NOT_FOUND}, NULL);
	cr_expect_str_eq(buf,
	    "{\"type\":\"/problems/not-found\",\"title\":\"There is no such "
	    "resource\",\"status\":404}");
}

/* Figures from NIST SP 811 and the definitions of psi, bar and gallon. */
Test(quantity, converts)
{
	static const struct {
		const char *unit, *canonical;
		double in, out, within;
	} vectors[] = {
	    {"L/s", "m3/h", 1, 3.6, 0},
	    {"m3/d", "m3/h", 86.4, 3.6, 1e-12},
	    {"gpm", "m3/h", 1, 0.227125, 5e-7},
	    {"MGD", "m3/h", 24, 3785.41, 5e-3},
	    {"ML/d", "m3/h", 24, 1000, 1e-9},
	    {"bar", "m", 1, 10.197162, 5e-7},
	    {"kPa", "m", 9.80665, 1, 1e-12},
	    {"psi", "m", 1, 0.70307, 5e-7},
	    {"psi", "m", 1 / 6.894757, 0.1019716, 5e-8},
	    {"ft", "m", 10, 3.048, 1e-12},
	    {"degF", "degC", 212, 100, 1e-12},
	    {"degF", "degC", 32, 0, 1e-12},
	    {"K", "degC", 273.15, 0, 0},
	    {"ug/L", "mg/L", 200, 0.2, 1e-12},
	    {"mS/cm", "uS/cm", 2.5, 2500, 0},
	    {"1", "1", 7.2, 7.2, 0},
	};
	const struct unit *u;
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		u = unit_find(vectors[i].unit, strlen(vectors[i].unit));
		cr_assert_not_null(u, "%s", vectors[i].unit);
		cr_expect(unit_converts(u, vectors[i].canonical));
		cr_expect_float_eq(unit_to_canonical(u, vectors[i].in),
		    vectors[i].out, vectors[i].within + 1e-300, "%s",
		    vectors[i].unit);
	}
}

Test(quantity, table_is_consistent)
{
	const struct unit *u, *c;
	size_t i;

	for (i = 0; (u = unit_at(i)) != NULL; i++) {
		cr_expect_eq(unit_find(u->code, strlen(u->code)), u, "%s twice",
		    u->code);
		c = unit_find(u->canonical, strlen(u->canonical));
		cr_assert_not_null(c);
		cr_expect(c->factor == 1 && c->offset == 0 &&
		    strcmp(c->canonical, c->code) == 0);
		cr_expect(isfinite(u->factor) && u->factor > 0);
	}
	cr_expect(i > 40);
}

Test(quantity, refuses_the_unknown_and_the_foreign)
{
	const struct unit *ntu = unit_find("NTU", 3);

	cr_expect_null(unit_find("", 0));
	cr_expect_null(unit_find("l/S", 3));
	cr_expect_null(unit_find("L/s ", 4));
	cr_expect_null(unit_find("m\0/h", 4));
	cr_expect_eq(unit_find("m3/h", 1), unit_find("m", 1));
	cr_assert_not_null(ntu);
	cr_expect(!unit_converts(ntu, "FNU"));
	cr_expect(!unit_converts(unit_find("FNU", 3), "NTU"));
	cr_expect(!unit_converts(unit_find("bar", 3), "m3/h"));
}

Test(domain, words_come_back)
{
	int i;

	for (i = SERIES_INSTANT; i <= SERIES_STATUS; i++)
		cr_expect_eq(series_kind_parse(series_kind_name(i)), i);
	for (i = DIRECTION_NONE; i <= DIRECTION_LOW; i++)
		cr_expect_eq(direction_parse(direction_name(i)), i);
	for (i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++)
		cr_expect_eq(severity_parse(severity_name(i)), i);
	cr_expect_eq(series_kind_parse("gauge"), -1);
	cr_expect_eq(direction_parse(""), -1);
	cr_expect_eq(severity_parse("Critical"), -1);
	cr_expect_str_eq(quality_name(QUALITY_GOOD), "good");
	cr_expect_str_eq(quality_name(QUALITY_CLOCK_AHEAD), "suspect");
}

Test(metrics, a_gauge_is_the_sum_of_living_workers)
{
	void *block = calloc(1, metrics_size());

	metrics_open(block);
	metrics_worker(1);
	metric_gauge_add(GAUGE_QUEUE_READINGS, 500);
	metrics_worker(2);
	metric_gauge_add(GAUGE_QUEUE_READINGS, 30);
	cr_expect_eq(metric_gauge_get(GAUGE_QUEUE_READINGS), 530);
	metrics_worker(1); /* the first one died with 500 in its queue */
	cr_expect_eq(metric_gauge_get(GAUGE_QUEUE_READINGS), 30);
	metric_gauge_add(GAUGE_QUEUE_READINGS, 7);
	metric_gauge_set(GAUGE_PLANS_PROPOSED, 4);
	cr_expect_eq(metric_gauge_get(GAUGE_QUEUE_READINGS), 37);
	cr_expect_eq(metric_gauge_get(GAUGE_PLANS_PROPOSED), 4);
	metrics_open(NULL);
	free(block);
}
