/* PUT of a zone's network file, read on a thread. */
#include "api/fake.h"
#include "core/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define FILE_TEXT "[CONTROLS]\nLINK P1 OPEN IF NODE T1 BELOW 1\n"

static struct {
	void (*work)(void *), (*done)(void *);
	void *arg;
	char seen[sizeof(FILE_TEXT)];
} thread;

static enum err
put_off(void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	(void)self;
	thread.work = work;
	thread.done = done;
	thread.arg = arg;
	return (ERR_OK);
}

static enum err
read_controls(
    const char *inp, size_t len, struct text *ret, struct err_info *info)
{
	(void)info;
	cr_assert_lt(len, sizeof(thread.seen));
	memcpy(thread.seen, inp, len);
	text_puts(ret, "[]");
	return (ERR_OK);
}

static void
setup(void)
{
	fake_init();
	fake.api.offload.run = put_off;
	fake.api.controls = read_controls;
}

TestSuite(controls, .init = setup, .fini = fake_done);

static void
put(struct fake_call *c, const char *body)
{
	call_init(c, METHOD_PUT, "/api/v1/zones/west/controls", "");
	c->x.body = body;
	c->x.body_len = strlen(FILE_TEXT);
	c->nheaders = 0;
	call_header(c, "Authorization", fake_bearer(ROLE_ENGINEER));
	call_header(c, "Content-Type", "text/plain");
	api_dispatch(&fake.api, &c->x);
	fake_turn();
	cr_assert_not_null(thread.work, "%d", c->status);
}

/* The body is the connection's: another client's may be there next. */
Test(controls, of_a_client_that_leaves_meanwhile)
{
	char *body = strdup(FILE_TEXT);
	struct fake_call c;

	put(&c, body);
	c.x.on_gone(&c.x);
	memset(body, 'x', strlen(FILE_TEXT));
	free(body);
	thread.work(thread.arg);
	thread.done(thread.arg);
	fake_turn();
	cr_expect_str_eq(thread.seen, FILE_TEXT);
	cr_expect_eq(c.answers, 0);
	cr_expect_eq(fake.nasked, 0);
}

Test(controls, of_a_client_that_waits)
{
	struct fake_call c;

	put(&c, FILE_TEXT);
	thread.work(thread.arg);
	thread.done(thread.arg);
	cr_expect_str_eq(thread.seen, FILE_TEXT);
	cr_assert_eq(fake.nasked, 1);
	cr_expect_eq(fake.asked[0].statement, ST_zone_controls_put);
	cr_expect_str_eq(fake.asked[0].params[0], "west");
	cr_expect_str_eq(fake.asked[0].params[1], "[]");
	fake_turn();
	call_done(&c);
}
