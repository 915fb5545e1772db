/* How series usually go, on a real PostgreSQL: kept, and kept through crashes. */
#include "mape/loop.h"
#include "warm_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP   (15 * US_PER_MINUTE)
#define CYCLES 70 /* two snapshots and what comes after */

TestSuite(warm_watches, .init = fixture_open, .fini = fixture_close);

static const struct knowledge_port *
knowledge(void)
{
	return (&fx.ports.knowledge);
}

static void
save(const struct watch_row *rows, size_t n)
{
	ok(fx.ports.decisions.begin(fx.ports.decisions.self, &fx.info));
	ok(knowledge()->watches_save(knowledge()->self, rows, n, &fx.info));
	ok(fx.ports.decisions.commit(fx.ports.decisions.self, &fx.info));
}

static size_t
load(const int32_t *ids, size_t n, struct watch_row **ret)
{
	size_t found = 99;

	ok(knowledge()->watches_load(
	    knowledge()->self, &fx.arena, ids, n, ret, &found, &fx.info));
	return (found);
}

Test(warm_watches, rows_are_found_as_they_were_put)
{
	static const int32_t ids[] = {3, 5, 8};
	unsigned char state[3400], tail[] = {0, 1, 2, 0};
	struct watch_row rows[] = {{.series = 3,
				       .version = 7,
				       .state = state,
				       .len = sizeof(state),
				       .upto_us = NOON,
				       .open = 9,
				       .calm = 4,
				       .since_us = NOON - 1},
	    {.series = 8,
		.version = 7,
		.state = state,
		.tail = tail,
		.tail_len = 4,
		.upto_us = NOON}};
	struct watch_row *found;
	size_t i;

	for (i = 0; i < sizeof(state); i++)
		state[i] = (unsigned char)(i * i);
	save(rows, 2);
	cr_assert_eq(load(ids, 3, &found), 2);
	cr_assert_eq(found[0].series, 3);
	cr_assert_eq(found[0].version, 7);
	cr_assert_eq(found[0].len, sizeof(state));
	cr_assert_eq(memcmp(found[0].state, state, sizeof(state)), 0);
	cr_assert_eq(found[0].tail_len, 0);
	cr_assert_eq(found[0].upto_us, NOON);
	cr_assert_eq(found[0].open, 9);
	cr_assert_eq(found[0].calm, 4);
	cr_assert_eq(found[0].since_us, NOON - 1);
	cr_assert_eq(found[1].series, 8);
	cr_assert_eq(found[1].len, 0);
	cr_assert_eq(memcmp(found[1].tail, tail, 4), 0);
	cr_assert_eq(load(NULL, 0, &found), 1);
	cr_assert_eq(found[0].series, 3);
	cr_assert_eq(load(ids + 1, 1, &found), 0);
}

/* A tail alone leaves the state where it is: nothing of it is written. */
Test(warm_watches, a_tail_leaves_the_state)
{
	static const int32_t id = 3;
	unsigned char state[3400] = {1, 2, 3}, tail[] = {9, 8};
	struct watch_row row = {.series = 3,
	    .version = 7,
	    .state = state,
	    .len = sizeof(state),
	    .upto_us = NOON};
	struct watch_row *found;
	int64_t size;

	save(&row, 1);
	size = sql_int("SELECT pg_relation_size(reltoastrelid) FROM pg_class "
		       "WHERE oid = 'watch_states'::regclass");
	cr_assert_gt(size, 0, "the state is kept apart from its row");
	row.state = NULL;
	row.len = 0;
	row.tail = tail;
	row.tail_len = 2;
	row.open = 1;
	for (int i = 0; i < 10; i++)
		save(&row, 1);
	cr_assert_eq(sql_int("SELECT pg_relation_size(reltoastrelid) FROM "
			     "pg_class WHERE oid = 'watch_states'::regclass"),
	    size);
	cr_assert_eq(load(&id, 1, &found), 1);
	cr_assert_eq(found[0].len, sizeof(state));
	cr_assert_eq(memcmp(found[0].state, state, sizeof(state)), 0);
	cr_assert_eq(memcmp(found[0].tail, tail, 2), 0);
	cr_assert_eq(found[0].open, 1);
}

static int64_t clock_now;

static int64_t
now_us(void *self)
{
	(void)self;
	return (clock_now);
}

static void
fill(void *self, void *buf, size_t len)
{
	(void)self;
	memset(buf, 1, len);
}

static void
send_none(
    void *self, const struct command *c, size_t n, struct gateway_reply *ret)
{
	(void)self;
	(void)c;
	for (; n > 0; n--, ret++)
		*ret = (struct gateway_reply){.outcome = GATEWAY_REFUSED};
}

static enum err
one_cycle(struct loop_ctx *ctx, const struct ports *p)
{
	struct loop_figures f = {0};
	bool leader = false;
	enum err err;

	err_clear(&fx.info);
	if ((err = warm_lead(fx.warm, &leader, &fx.info)) == ERR_OK)
		err = loop_cycle(ctx, p, &f, &fx.info);
	else
		loop_forget(ctx);
	return (err);
}

static void
begin(struct loop_ctx *ctx)
{
	loop_init(ctx);
	ctx->unusual.a_week = 7;
}

/* Before some cycles the process dies, and at some its connection does. */
static void
play(struct unusual_state *ret, int die_every, int cut_every)
{
	struct ports p = fx.ports;
	struct loop_ctx ctx;
	int i;

	p.clock = (struct clock_port){NULL, now_us};
	p.entropy = (struct entropy_port){NULL, fill};
	p.actuator = (struct actuator_port){NULL, send_none, NULL};
	begin(&ctx);
	for (i = 1; i <= CYCLES; i++) {
		clock_now = NOON + i * STEP;
		log_row(fx.series[0], clock_now, 1, 20 + 3 * sin(i));
		if (i > 1) /* late */
			log_row(fx.series[0],
			    clock_now - 2 * STEP - US_PER_MINUTE, 1, 7);
		if (die_every > 0 && i % die_every == 0) {
			loop_done(&ctx);
			begin(&ctx);
		}
		if (cut_every > 0 && i % cut_every == 0) {
			sql_kill_loop();
			cr_assert_neq(one_cycle(&ctx, &p), ERR_OK);
		}
		cr_assert_eq(one_cycle(&ctx, &p), ERR_OK, "%s", fx.info.detail);
	}
	*ret = unusual_find(&ctx.unusual, fx.series[0])->state;
	loop_done(&ctx);
}

Test(warm_watches, a_crash_at_any_time_leaves_the_same_bytes)
{
	static const struct {
		int die, cut;
	} runs[] = {{1, 0}, {3, 5}, {0, 7}, {32, 0}};
	struct unusual_state calm, crashed;
	size_t i;

	memset(&calm, 0, sizeof(calm));
	play(&calm, 0, 0);
	cr_assert_eq(calm.seen, CYCLES);
	cr_assert_eq(sql_int("SELECT length(state) FROM watch_states"),
	    (int64_t)sizeof(calm));
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		fixture_empty();
		memset(&crashed, 0, sizeof(crashed));
		play(&crashed, runs[i].die, runs[i].cut);
		cr_assert_eq(memcmp(&calm, &crashed, sizeof(calm)), 0,
		    "dies every %d, is cut off every %d", runs[i].die,
		    runs[i].cut);
	}
}
