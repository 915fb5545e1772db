/*
 * warm_fixture: a migrated scratch database, emptied for each test, with a
 * small network in it, and the loop's ports on it.
 *
 * Skips the test unless PENSTOCK_TEST_DATABASE names the database. Tests
 * that use it must not run side by side.
 */
#ifndef PENSTOCK_TESTS_WARM_FIXTURE_H
#define PENSTOCK_TESTS_WARM_FIXTURE_H

#include "core/arena.h"
#include "core/instant.h"
#include "core/ports.h"
#include "domain/plan.h"
#include "domain/reading.h"
#include "domain/series.h"
#include "domain/series_state.h"
#include "store/warm.h"

#include <criterion/criterion.h>

/* 2026-11-20T12:00:00Z */
#define NOON INT64_C(1795176000000000)

struct fixture {
	struct warm *warm;
	struct ports ports;
	struct arena arena;
	struct err_info info;
	int32_t series[2]; /* N1/pressure, N1/flow */
	int32_t link, template;
};

extern struct fixture fx;

void fixture_open(void);
/* The database for the role that serves; sql() is the owner's. */
const char *fixture_serving(void);
void fixture_close(void);
/* As after fixture_open(), the connection kept. */
void fixture_empty(void);
/* On a connection of the test's own. */
void sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t sql_int(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the loop's backend and waits until it is gone. */
void sql_kill_loop(void);
/* One log row: n readings of a series, a minute apart, values from v on. */
int64_t log_row(int32_t series, int64_t t_us, int n, double v);

#define ok(call)      \
	cr_assert_eq( \
	    (err_clear(&fx.info), (call)), ERR_OK, "%s", fx.info.detail)

#endif
