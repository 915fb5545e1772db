#include "fake.h"

#include "api/audit.h"
#include "core/loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* Timers that the test fires. */
static struct {
	unsigned ms;
	loop_timer_cb *cb;
	void *arg;
} timers[8];
static size_t ntimers;

static struct loop_timer *
after(struct loop *loop, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)loop;
	cr_assert_lt(ntimers, 8);
	timers[ntimers].ms = ms;
	timers[ntimers].cb = cb;
	timers[ntimers++].arg = arg;
	return ((struct loop_timer *)&timers);
}

static const struct loop_ops ops = {.after = after};
static struct loop loop = {.ops = &ops};

/* Those that are due after so long. */
static void
fire(unsigned ms)
{
	for (size_t i = 0; i < ntimers; i++)
		if (timers[i].cb != NULL && timers[i].ms <= ms) {
			loop_timer_cb *cb = timers[i].cb;

			timers[i].cb = NULL;
			cb(timers[i].arg);
		}
	fake_turn();
}

static void
init(void)
{
	fake_init();
	fake.api.loop = &loop;
}

TestSuite(audit, .init = init, .fini = fake_done);

static int
get(const char *path, const char *bearer)
{
	struct fake_call c;
	int status;

	call_init(&c, METHOD_GET, path, NULL);
	if (bearer != NULL)
		call_header(&c, "Authorization", bearer);
	call_run(&c);
	status = c.status;
	call_done(&c);
	return (status);
}

static size_t
count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text += strlen(word))
		n++;
	return (n);
}

Test(audit, a_refusal_is_told_with_who_and_from_where)
{
	const char *told = fake.refused[0];

	cr_expect_eq(get("/api/v1/users", fake_bearer(ROLE_VIEWER)), 403);
	cr_expect_eq(fake.nrefused, 0, "it waits for more");
	cr_expect_not(audit_idle());
	fire(AUDIT_WAIT_MS);
	cr_assert_eq(fake.nrefused, 1);
	cr_expect(audit_idle());
	cr_expect_not_null(strstr(told, "\"actor\":\""));
	cr_expect_not_null(strstr(told, "\"role\":\"viewer\""));
	cr_expect_not_null(strstr(told, "\"address\":\"127.0.0.1\""));
	cr_expect_not_null(strstr(told, "\"action\":\"users_list\""));
	cr_expect_not_null(strstr(told, "\"status\":403"));
	cr_expect_eq(told[strlen(told) - 1], ']');
}

Test(audit, without_a_credential_nothing_was_attempted)
{
	cr_expect_eq(get("/api/v1/users", NULL), 401);
	cr_expect_eq(get("/nothing", "Bearer x"), 404);
	cr_expect_eq(ntimers, 0);
}

Test(audit, of_a_key_the_id_is_told_and_never_the_secret)
{
	static const char key[] = "Bearer pk_0123456789abcdef_"
				  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

	fake_turn();
	cr_expect_eq(get("/api/v1/latest", key), 401);
	cr_expect_eq(get("/api/v1/latest", "Bearer hunter2"), 401);
	fire(AUDIT_WAIT_MS);
	cr_assert_eq(fake.nrefused, 1);
	cr_expect_eq(count(fake.refused[0], "\"status\":401"), 2);
	cr_expect_null(strstr(fake.refused[0], "AAAAA"));
	cr_expect_null(strstr(fake.refused[0], "hunter2"));
}

Test(audit, a_flood_is_counted_not_kept)
{
	char path[40];

	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/api/v1/nodes/n%d", i);
		cr_assert_eq(get(path, "Bearer x"), 401);
	}
	fire(AUDIT_WAIT_MS);
	cr_assert_eq(fake.nrefused, 1);
	cr_expect_eq(count(fake.refused[0], "\"status\":401"), AUDIT_BURST);
	fire(AUDIT_SUM_MS);
	fire(AUDIT_WAIT_MS);
	cr_assert_eq(fake.nrefused, 2);
	cr_expect_not_null(strstr(fake.refused[1], "\"action\":\"refusals\""));
	cr_expect_not_null(
	    strstr(fake.refused[1], "990 more refusals: 127.0.0.1 990"), "%s",
	    fake.refused[1]);
	cr_expect(audit_idle());
}

Test(audit, what_the_database_did_not_take_is_counted)
{
	get("/api/v1/users", fake_bearer(ROLE_VIEWER));
	fake.query_refuses = ERR_DATABASE;
	fire(AUDIT_WAIT_MS);
	fake.query_refuses = ERR_OK;
	get("/api/v1/users", fake_bearer(ROLE_VIEWER));
	for (int i = 0; i < AUDIT_BURST; i++)
		get("/api/v1/users", fake_bearer(ROLE_VIEWER));
	fire(AUDIT_SUM_MS);
	fire(AUDIT_WAIT_MS);
	cr_assert_gt(fake.nrefused, 0);
	cr_expect_not_null(
	    strstr(fake.refused[fake.nrefused - 1], "3 more refusals"));
}

/* The database is told who asks with every change and with no reading. */
Test(audit, a_change_says_who_asks)
{
	struct fake_call c;

	call_init(&c, METHOD_POST, "/api/v1/loop/pause", NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_run(&c);
	call_done(&c);
	cr_assert_eq(fake.nasked, 1);
	cr_expect_not_null(
	    strstr(fake.asked[0].origin, "\"action\":\"loop_pause\""));
	cr_expect_not_null(
	    strstr(fake.asked[0].origin, "\"role\":\"engineer\""));
	get("/api/v1/nodes", fake_bearer(ROLE_ENGINEER));
	cr_assert_eq(fake.nasked, 2);
	cr_expect_str_eq(fake.asked[1].origin, "");
}
