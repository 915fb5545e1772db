/*
 * The whole loop on a real PostgreSQL while its connection is killed before
 * any one of its calls: what is stored in the end is what would have been
 * stored without.
 */
#include "mape/loop.h"
#include "warm_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CYCLES 24
#define STEP   (10 * US_PER_SECOND)
/* Coprime to the calls of a quiet cycle, so that every kind has its turn;
 * PENSTOCK_TEST_STRIDE=1 kills before every single one. */
#define STRIDE 11

TestSuite(
    warm_crash, .init = fixture_open, .fini = fixture_close, .timeout = 280);

static struct ports real;
static int calls, kill_at;
static int64_t clock_now;
static int executed, asked; /* distinct keys; all attempts */
static char last_key[37];

static void
step(void)
{
	if (++calls == kill_at)
		sql_kill_loop();
}

#define INFO , struct err_info *info
#define WRAP(port, fn, params, args)        \
	static enum err wrapped_##fn params \
	{                                   \
		step();                     \
		return (real.port.fn args); \
	}
#define SET(p, port, fn) (p)->port.fn = wrapped_##fn

/* clang-format off */
WRAP(telemetry, take, (void *s, struct arena *a, size_t max, struct reading **r, size_t *n, bool *more INFO), (s, a, max, r, n, more, info))
WRAP(telemetry, known, (void *s, const struct reading *q, size_t n, bool *r INFO), (s, q, n, r, info))
WRAP(telemetry, store, (void *s, const struct merge *m INFO), (s, m, info))
WRAP(telemetry, window, (void *s, int32_t x, int64_t from, int64_t to, struct window_stats *r INFO), (s, x, from, to, r, info))
WRAP(knowledge, version, (void *s, int64_t *r INFO), (s, r, info))
WRAP(knowledge, load, (void *s, struct arena *a, struct knowledge *r INFO), (s, a, r, info))
WRAP(knowledge, states_load, (void *s, const int32_t *ids, size_t n, struct series_state *r INFO), (s, ids, n, r, info))
WRAP(knowledge, states_save, (void *s, const struct series_state *r, size_t n INFO), (s, r, n, info))
WRAP(knowledge, paused, (void *s, bool *r INFO), (s, r, info))
WRAP(knowledge, report, (void *s, const char *state, const char *f INFO), (s, state, f, info))
WRAP(decisions, begin, (void *s INFO), (s, info))
WRAP(decisions, commit, (void *s INFO), (s, info))
WRAP(decisions, anomaly_raise, (void *s, const struct anomaly *a, int64_t *id, bool *fresh INFO), (s, a, id, fresh, info))
WRAP(decisions, anomaly_clear, (void *s, const struct condition *c, const struct move *m INFO), (s, c, m, info))
WRAP(decisions, anomaly_told, (void *s, int32_t x, int64_t at, bool *r INFO), (s, x, at, r, info))
WRAP(decisions, holds_turn, (void *s, int64_t now INFO), (s, now, info))
WRAP(decisions, alarms_due, (void *s, struct arena *a, int64_t now, struct alarm **x, size_t *n INFO), (s, a, now, x, n, info))
WRAP(decisions, alarms_put, (void *s, const struct alarm *x, size_t n, const struct alarm_move *m, size_t k INFO), (s, x, n, m, k, info))
WRAP(decisions, alarms_group, (void *s, int64_t now INFO), (s, now, info))
WRAP(decisions, anomaly_planned, (void *s, int64_t id, const char *o, const char *r INFO), (s, id, o, r, info))
WRAP(decisions, plan_propose, (void *s, const struct plan *p, const struct command *c, size_t n, int64_t *id INFO), (s, p, c, n, id, info))
WRAP(decisions, commands_due, (void *s, struct arena *a, int64_t now, size_t max, struct command **r, size_t *n INFO), (s, a, now, max, r, n, info))
WRAP(decisions, move, (void *s, const struct move *m INFO), (s, m, info))
WRAP(decisions, guard_asset, (void *s, struct arena *a, const struct command *c, int64_t now, struct guard_asset *r INFO), (s, a, c, now, r, info))
WRAP(decisions, command_attempt, (void *s, const struct command *c, const char *e INFO), (s, c, e, info))
/* clang-format on */

static int64_t
now_us(void *self)
{
	(void)self;
	return (clock_now);
}

static void
fill(void *self, void *buf, size_t len)
{
	static unsigned char next;

	(void)self;
	memset(buf, ++next, len);
}

/* A gateway that does each key once and says so each time it is told or asked. */
static void
send_commands(
    void *self, const struct command *c, size_t n, struct gateway_reply *ret)
{
	size_t i;

	(void)self;
	step();
	for (i = 0; i < n; i++) {
		ret[i] = (struct gateway_reply){
		    .outcome = GATEWAY_EXECUTED, .http_status = 200};
		asked++;
		if (strcmp(last_key, c[i].key) == 0)
			continue;
		if (c[i].ask) {
			ret[i].outcome = GATEWAY_NEVER_HAD;
			continue;
		}
		executed++;
		memcpy(last_key, c[i].key, sizeof(last_key));
	}
}

static void
wrap(struct ports *p)
{
	real = fx.ports;
	*p = real;
	SET(p, telemetry, take);
	SET(p, telemetry, known);
	SET(p, telemetry, store);
	SET(p, telemetry, window);
	SET(p, knowledge, version);
	SET(p, knowledge, load);
	SET(p, knowledge, states_load);
	SET(p, knowledge, states_save);
	SET(p, knowledge, paused);
	SET(p, knowledge, report);
	SET(p, decisions, begin);
	SET(p, decisions, commit);
	SET(p, decisions, anomaly_raise);
	SET(p, decisions, anomaly_clear);
	SET(p, decisions, anomaly_told);
	SET(p, decisions, holds_turn);
	SET(p, decisions, alarms_due);
	SET(p, decisions, alarms_put);
	SET(p, decisions, alarms_group);
	SET(p, decisions, anomaly_planned);
	SET(p, decisions, plan_propose);
	SET(p, decisions, commands_due);
	SET(p, decisions, move);
	SET(p, decisions, command_attempt);
	SET(p, decisions, guard_asset);
	p->clock = (struct clock_port){NULL, now_us};
	p->entropy = (struct entropy_port){NULL, fill};
	p->actuator = (struct actuator_port){NULL, send_commands, NULL};
}

static void
approve(void)
{
	long long now = (long long)(clock_now / US_PER_SECOND);

	sql("UPDATE commands SET state = 'queued', next_attempt_at = "
	    "to_timestamp(%lld), not_after = to_timestamp(%lld) WHERE plan_id "
	    "IN (SELECT id FROM plans WHERE state = 'proposed')",
	    now, now + 300);
	sql("UPDATE plans SET state = 'approved', decided_by = 'test', "
	    "decided_at = to_timestamp(%lld) WHERE state = 'proposed'",
	    now);
}

static void
one_cycle(struct loop_ctx *ctx, const struct ports *p)
{
	struct loop_figures f = {0};
	bool leader = false;

	err_clear(&fx.info);
	if (warm_lead(fx.warm, &leader, &fx.info) == ERR_OK)
		(void)loop_cycle(ctx, p, &f, &fx.info);
	else
		loop_forget(ctx);
	if (kill_at == 0)
		cr_assert_eq(fx.info.code, ERR_OK, "%s", fx.info.detail);
}

/* Low pressure until the valve is closed; every row is logged twice. */
static void
play(int at)
{
	struct ports p;
	struct loop_ctx ctx;
	int i;

	wrap(&p);
	calls = executed = asked = 0;
	kill_at = at;
	last_key[0] = '\0';
	loop_init(&ctx);
	for (i = 0; i < CYCLES; i++) {
		clock_now = NOON + i * STEP;
		log_row(fx.series[0], clock_now, 1, executed > 0 ? 20 : 5);
		log_row(fx.series[0], clock_now, 1, executed > 0 ? 20 : 5);
		log_row(fx.series[1], clock_now - US_PER_DAY, 1, 1);
		one_cycle(&ctx, &p);
		approve();
	}
	one_cycle(&ctx, &p);
	loop_done(&ctx);
}

static void
check(void)
{
	cr_assert_eq(executed, 1, "call %d: executed %d", kill_at, executed);
	cr_assert_leq(asked, 2);
	cr_assert_eq(sql_int("SELECT count(*) FROM ingest_log"), 0);
	cr_assert_eq(sql_int("SELECT count(*) FROM readings WHERE merged"),
	    2 * CYCLES, "call %d", kill_at);
	cr_assert_eq(sql_int("SELECT sum(n) FROM rollups WHERE width_s = 300"),
	    2 * CYCLES);
	cr_assert_eq(sql_int("SELECT count(DISTINCT (series, ts)) "
			     "FROM readings"),
	    2 * CYCLES);
	cr_assert_eq(sql_int("SELECT count(*) FROM anomalies WHERE "
			     "state = 'cleared' AND severity = 'critical'"),
	    1, "call %d", kill_at);
	cr_assert_eq(sql_int("SELECT count(*) FROM plans"), 1);
	cr_assert_eq(sql_int("SELECT count(*) FROM plans WHERE "
			     "state = 'worked'"),
	    1, "call %d", kill_at);
	cr_assert_eq(sql_int("SELECT count(*) FROM commands WHERE "
			     "state IN ('executed', 'verified')"),
	    1);
	cr_assert_eq(sql_int("SELECT count(*) FROM transitions WHERE "
			     "to_state IN ('worked', 'executed', 'open')"),
	    3);
}

Test(warm_crash, nothing_is_half_done)
{
	const char *stride = getenv("PENSTOCK_TEST_STRIDE");
	int k, all,
	    by = stride == NULL ? STRIDE : (int)strtol(stride, NULL, 10);

	cr_assert_gt(by, 0);
	play(0);
	check();
	all = calls;
	for (k = 1; k <= all; k += by) {
		fixture_empty();
		play(k);
		check();
	}
}
