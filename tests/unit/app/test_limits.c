/* The limits that settings ask for, and what is judged as too much. */
#include "app/limits.h"
#include "app/shed.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

static char *wrong;

static char *
lookup(const char *name)
{
	if (wrong != NULL && strcmp(name, wrong) == 0)
		return ("many");
	if (strncmp(name, "PENSTOCK_TLS", 12) == 0 && name[12] == '_' &&
	    (strcmp(name + 13, "CERT") == 0 || strcmp(name + 13, "KEY") == 0))
		return ("/c");
	if (strcmp(name, "PENSTOCK_DATABASE_URL") == 0)
		return ("host=/s");
	if (strcmp(name, "PENSTOCK_JWT_SECRET") == 0)
		return ("0123456789012345678901234567890123456789");
	return (NULL);
}

Test(limits_settings, all_are_set_and_the_wrong_one_is_named)
{
	static char *const variables[] = {"PENSTOCK_LIMIT_LOGIN",
	    "PENSTOCK_LIMIT_CHANGE", "PENSTOCK_LIMIT_READ",
	    "PENSTOCK_LIMIT_INGEST", "PENSTOCK_LIMIT_ADDRESS_LOGIN",
	    "PENSTOCK_LIMIT_ADDRESS_CHANGE", "PENSTOCK_LIMIT_ADDRESS_READ",
	    "PENSTOCK_LIMIT_ADDRESS_INGEST"};
	struct limits ls;
	struct config c;
	struct err_info info = {.code = ERR_OK};

	wrong = NULL;
	cr_assert_eq(config_load(&c, lookup, &info), ERR_OK, "%s", info.detail);
	cr_assert_eq(limits_load(&c, &ls, &info), ERR_OK, "%s", info.detail);
	for (int k = LIMIT_INGEST; k < LIMIT_CLASSES; k++)
		for (int by = 0; by < LIMIT_BYS; by++) {
			cr_expect_not_null(ls.of[k][by].name);
			cr_expect_gt(ls.of[k][by].quota, 0);
		}
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		wrong = variables[i];
		err_clear(&info);
		cr_assert_eq(config_load(&c, lookup, &info), ERR_OK);
		cr_assert_eq(limits_load(&c, &ls, &info), ERR_INVALID);
		cr_expect_eq(strncmp(info.detail, wrong, strlen(wrong)), 0,
		    "%s", info.detail);
	}
}

Test(shed, is_judged_by_what_waits)
{
	static const struct {
		struct shed_signals s;
		enum pressure p;
		const char *why;
	} rows[] = {
	    {{0}, PRESSURE_NONE, NULL},
	    {{.log = 749, .lag = 999}, PRESSURE_NONE, NULL},
	    {{.log = 750}, PRESSURE_INGEST, "log"},
	    {{.log = 1000}, PRESSURE_INGEST, "log"},
	    {{.lanes[LANE_LOOKUP] = 500}, PRESSURE_INGEST, "lookup"},
	    {{.lanes[LANE_FAST] = 500}, PRESSURE_INGEST, "fast"},
	    {{.lanes[LANE_FAST] = 750}, PRESSURE_READ, "fast"},
	    {{.lanes[LANE_SLOW] = 750, .log = 900}, PRESSURE_READ, "slow"},
	    {{.lag = 1000}, PRESSURE_INGEST, "loop"},
	    {{.lag = 4000}, PRESSURE_READ, "loop"},
	};
	const char *why;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_expect_eq(shed_judge(&rows[i].s, &why), rows[i].p, "%zu", i);
		cr_expect(rows[i].why == NULL
			? why == NULL
			: why != NULL && strcmp(why, rows[i].why) == 0,
		    "%zu", i);
	}
}

/* A loop of one timer. */
static struct {
	int64_t now_us;
	loop_timer_cb *cb;
	void *arg;
	struct shed_signals seen;
} fake;

static struct loop_timer *
after(struct loop *l, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)l;
	(void)ms;
	fake.cb = cb;
	fake.arg = arg;
	return ((struct loop_timer *)&fake);
}

static void
cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	(void)t;
}

static int64_t
now(struct loop *l)
{
	(void)l;
	return (fake.now_us);
}

static void
look(struct shed_signals *ret)
{
	*ret = fake.seen;
}

static void
turn(int64_t us)
{
	fake.now_us += us;
	fake.cb(fake.arg);
}

Test(shed, holds_on_for_a_second_and_sees_a_late_loop_at_once)
{
	static const struct loop_ops ops = {
	    .after = after, .cancel = cancel, .monotonic_us = now};
	struct loop loop = {&ops};
	struct shed_config sc = {
	    .loop = &loop, .lag_max_us = 500000, .look = look};
	struct shed *s = shed_new(&sc);

	fake.now_us = INT64_C(86400000000);
	cr_expect_eq(shed_now(s, fake.now_us), PRESSURE_NONE);
	turn(INT64_C(30000000)); /* a slow start is no load */
	cr_expect_eq(shed_now(s, fake.now_us), PRESSURE_NONE);
	fake.seen.log = 800;
	turn(100000);
	cr_expect_eq(shed_now(s, fake.now_us), PRESSURE_INGEST);
	fake.seen.log = 0;
	turn(100000);
	cr_expect_eq(shed_now(s, fake.now_us), PRESSURE_INGEST);
	for (int i = 0; i < 10; i++)
		turn(100000);
	cr_expect_eq(shed_now(s, fake.now_us), PRESSURE_NONE);
	/* In the middle of a turn of the loop that takes too long. */
	cr_expect_eq(shed_now(s, fake.now_us + 599999), PRESSURE_NONE);
	cr_expect_eq(shed_now(s, fake.now_us + 600000), PRESSURE_INGEST);
	cr_expect_eq(shed_now(s, fake.now_us + 2100000), PRESSURE_READ);
	turn(2100000);
	cr_expect_eq(shed_now(s, fake.now_us), PRESSURE_READ);
	shed_free(s);
}
