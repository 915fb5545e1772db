#include "mape/systems.h"

#include "domain/anomaly.h"
#include "model/system.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNALS 4
#define LEARNT	1000
#define STEPS	1200
#define STEP_US (300 * US_PER_SECOND)
#define AT(i)	(INT64_C(5000000) * STEP_US + (int64_t)(i)*STEP_US)
#define RULE_AT 1060 /* the pump stays off though the tank is low */
#define TOLD	8

static const struct system_series signals[SIGNALS] = {
    {11, "T1", "level", false},
    {12, "PU1", "status", true},
    {13, "PU1", "flow", false},
    {14, "D1", "flow", false},
};
static const struct control rule = {
    .link = "PU1", .node = "T1", .open = true, .level = 1.5};

struct told {
	enum anomaly_type type;
	int32_t series;
	int64_t first_us, last_us, cleared_us;
	char rule[40], evidence[4096];
};

/* One zone; every call of the loop takes `chunk` steps at most. */
struct world {
	double x[STEPS * SIGNALS];
	size_t chunk, ready;
	unsigned char *state;
	size_t state_len;
	int64_t upto_us, told_us;
	struct system_open open;
	char newest[4096];
	struct told told[TOLD];
	size_t ntold, commits, rollbacks, void_states;
	bool fails, taken_away, gone;
};

static uint64_t seed;

static double
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

/* A pump that fills a tank from which people draw. */
static void
fill(struct world *w, size_t rule_at)
{
	double level = 3, use, pump;
	bool on = false;
	size_t i;

	seed = 3;
	for (i = 0; i < STEPS; i++) {
		use =
		    50 - 25 * cos((double)i / 288 * 6.2831853) + 4 * uniform();
		on = level < 1.5 || (on && level < 4);
		pump = on && !(i >= rule_at && i < rule_at + 60) ? 1 : 0;
		w->x[i * SIGNALS] = level + 0.02 * uniform();
		w->x[i * SIGNALS + 1] = pump;
		w->x[i * SIGNALS + 2] = pump > 0 ? 140 + 2 * uniform() : 0;
		w->x[i * SIGNALS + 3] = use;
		level += (140 * pump - use) / 12 / 20;
		level = fmax(level, 0.3);
	}
}

static void
learn(struct world *w)
{
	struct system_signal names[SIGNALS];
	struct system *s;
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		names[i] =
		    (struct system_signal){signals[i].node, signals[i].metric};
	cr_assert_eq(system_new(names, SIGNALS, &rule, 1, &s), ERR_OK);
	cr_assert_eq(system_fit(s, w->x, LEARNT), ERR_OK);
	cr_assert_eq(system_pack(s, &w->state, &w->state_len), ERR_OK);
	system_free(s);
	w->upto_us = w->told_us = AT(LEARNT);
	w->open.since_us = INSTANT_NONE;
}

static struct world *
world(size_t rule_at)
{
	struct world *w = calloc(1, sizeof(*w));

	cr_assert_not_null(w);
	fill(w, rule_at);
	learn(w);
	return (w);
}

static void
end(struct world *w)
{
	free(w->state);
	free(w);
}

/* --- the ports ------------------------------------------------------------ */

static int64_t
now(void *self)
{
	(void)self;
	return (AT(STEPS));
}

static enum err
begin(void *self, struct err_info *info)
{
	(void)self;
	(void)info;
	return (ERR_OK);
}

static enum err
commit(void *self, struct err_info *info)
{
	struct world *w = self;

	(void)info;
	w->commits++;
	return (ERR_OK);
}

static void
rollback(void *self)
{
	struct world *w = self;

	w->rollbacks++;
}

static enum err
raise_it(void *self, const struct anomaly *a, int64_t *ret_id, bool *ret_new,
    struct err_info *info)
{
	struct world *w = self;
	struct told *t = &w->told[w->ntold - (w->ntold > 0)];

	if (w->fails)
		return (err_set(info, ERR_DATABASE, NULL, "gone"));
	*ret_new =
	    w->ntold == 0 || t->cleared_us != 0 || t->type != a->condition.type;
	if (*ret_new) {
		cr_assert_lt(w->ntold, TOLD);
		t = &w->told[w->ntold++];
		t->type = a->condition.type;
		t->series = a->condition.series;
		t->first_us = a->first_us;
		(void)snprintf(t->rule, sizeof(t->rule), "%s", a->rule_id);
	}
	*ret_id = (int64_t)w->ntold;
	t->last_us = a->last_us;
	(void)snprintf(t->evidence, sizeof(t->evidence), "%s", a->evidence);
	return (ERR_OK);
}

static enum err
clear_it(void *self, const struct condition *c, const struct move *m,
    struct err_info *info)
{
	struct world *w = self;
	struct told *t = &w->told[w->ntold - 1];

	(void)info;
	cr_expect_gt(w->ntold, 0);
	cr_expect_eq(c->type, t->type);
	cr_expect_eq(c->series, t->series);
	cr_expect_str_eq(m->to, "cleared");
	t->cleared_us = m->at_us;
	return (ERR_OK);
}

static enum err
due(void *self, int64_t now_us, int32_t *ret, size_t most, size_t *ret_n,
    struct err_info *info)
{
	const struct world *w = self;

	(void)now_us;
	(void)most;
	(void)info;
	ret[0] = 5;
	*ret_n = w->told_us < AT(w->ready);
	return (ERR_OK);
}

static enum err
take(void *self, struct arena *arena, int32_t zone, int64_t now_us,
    struct system_zone *ret, struct err_info *info)
{
	struct world *w = self;
	const size_t from = (size_t)((w->upto_us - AT(0)) / STEP_US);

	(void)arena;
	(void)now_us;
	(void)info;
	cr_expect_eq(zone, 5);
	*ret = (struct system_zone){.zone = zone,
	    .code = "west",
	    .signals = signals,
	    .n = SIGNALS,
	    .step_us = STEP_US,
	    .state = w->state,
	    .state_len = w->state_len,
	    .from_us = w->upto_us,
	    .told_us = w->told_us,
	    .x = &w->x[from * SIGNALS],
	    .steps = w->ready - from,
	    .open = w->open};
	if (w->gone)
		ret->gone = true, ret->steps = 0;
	return (ERR_OK);
}

static enum err
save(void *self, const struct system_zone *z, const struct system_result *x,
    struct err_info *info)
{
	struct world *w = self;

	(void)z;
	if (w->taken_away)
		return (err_set(info, ERR_CONFLICT, NULL, "learnt anew"));
	if (x->state != NULL) {
		free(w->state);
		w->state = malloc(x->state_len);
		cr_assert_not_null(w->state);
		memcpy(w->state, x->state, x->state_len);
		w->state_len = x->state_len;
	} else
		cr_expect_eq(x->upto_us, w->upto_us);
	cr_expect_leq(x->upto_us, x->told_us);
	w->upto_us = x->upto_us;
	w->told_us = x->told_us;
	w->open = x->open;
	if (x->newest != NULL)
		(void)snprintf(w->newest, sizeof(w->newest), "%s", x->newest);
	return (ERR_OK);
}

static enum err
void_state(void *self, const struct system_zone *z, struct err_info *info)
{
	struct world *w = self;

	(void)info;
	cr_expect_eq(z->gone, w->gone);
	w->void_states++;
	return (ERR_OK);
}

static void
notify(void *self, const char *what, int64_t id, const char *facts)
{
	(void)self;
	(void)what;
	(void)id;
	(void)facts;
}

/* As if the service was started anew each time. */
static enum err
judge(struct world *w)
{
	const struct ports p = {.clock = {w, now},
	    .decisions = {.self = w,
		.begin = begin,
		.commit = commit,
		.rollback = rollback,
		.anomaly_raise = raise_it,
		.anomaly_clear = clear_it},
	    .notifier = {w, notify}};
	const struct system_port port = {w, due, take, save, void_state};
	struct err_info info = {0};
	struct systems s;
	bool any = false;
	enum err err;

	systems_init(&s);
	err = systems_judge(&s, &p, &port, 3, &any, &info);
	cr_expect(any);
	systems_done(&s);
	return (err);
}

static void
run(struct world *w, size_t chunk)
{
	w->ready = LEARNT;
	while (w->ready < STEPS) {
		w->ready += chunk;
		if (w->ready > STEPS)
			w->ready = STEPS;
		cr_assert_eq(judge(w), ERR_OK);
	}
}

/* --- tests ---------------------------------------------------------------- */

Test(systems, tells_a_pump_against_its_rule)
{
	struct world *w = world(RULE_AT);
	const struct told *t = &w->told[0];

	run(w, 1);
	cr_assert_geq(w->ntold, 1);
	while (t < &w->told[w->ntold] && t->type != ANOMALY_MANIPULATION)
		t++;
	cr_assert_lt(t, &w->told[w->ntold]);
	cr_expect_eq(t->series, 12);
	cr_expect_str_eq(t->rule, "system:control");
	cr_expect_geq(t->first_us, AT(RULE_AT));
	cr_expect_lt(t->first_us, AT(RULE_AT + 60));
	cr_expect_neq(t->cleared_us, 0);
	cr_expect_not_null(
	    strstr(t->evidence, "\"looks_like\":\"suspected manipulation\""),
	    "%s", t->evidence);
	cr_expect_eq(w->open.lead, 0);
	end(w);
}

Test(systems, tells_nothing_where_there_is_nothing)
{
	struct world *w = world(STEPS);

	run(w, 7);
	cr_expect_eq(w->ntold, 0, "%s", w->told[0].evidence);
	cr_expect_eq(w->told_us, AT(STEPS));
	cr_expect_not_null(strstr(w->newest, "\"contributions\":[]"));
	end(w);
}

static void
same(const struct told *a, const struct told *b)
{
	cr_expect_eq(a->type, b->type);
	cr_expect_eq(a->series, b->series);
	cr_expect_eq(a->first_us, b->first_us);
	cr_expect_eq(a->last_us, b->last_us);
	cr_expect_eq(a->cleared_us, b->cleared_us);
	cr_expect_str_eq(a->rule, b->rule);
	cr_expect_str_eq(a->evidence, b->evidence);
}

/* However the steps come, and however often it is started anew between. */
Test(systems, is_the_same_in_one_go_and_step_by_step)
{
	struct world *a = world(RULE_AT), *b = world(RULE_AT),
		     *c = world(RULE_AT);
	size_t i;

	run(a, 1);
	run(b, 17);
	run(c, STEPS);
	cr_assert_eq(a->state_len, b->state_len);
	cr_assert_eq(a->state_len, c->state_len);
	cr_expect_arr_eq(a->state, b->state, a->state_len);
	cr_expect_arr_eq(a->state, c->state, a->state_len);
	cr_assert_eq(a->ntold, b->ntold);
	cr_assert_eq(a->ntold, c->ntold);
	for (i = 0; i < a->ntold; i++) {
		same(&a->told[i], &b->told[i]);
		same(&a->told[i], &c->told[i]);
	}
	cr_expect_str_eq(a->newest, c->newest);
	end(a);
	end(b);
	end(c);
}

Test(systems, keeps_nothing_that_was_not_told)
{
	struct world *w = world(RULE_AT);

	w->fails = true;
	w->ready = STEPS;
	cr_expect_eq(judge(w), ERR_DATABASE);
	cr_expect_eq(w->rollbacks, 1);
	cr_expect_eq(w->commits, 0);
	cr_expect_eq(w->told_us, AT(LEARNT));
	end(w);
}

Test(systems, lets_go_of_what_was_learnt_anew_meanwhile)
{
	struct world *w = world(STEPS);

	w->taken_away = true;
	w->ready = STEPS;
	cr_expect_eq(judge(w), ERR_OK);
	cr_expect_eq(w->rollbacks, 1);
	cr_expect_eq(w->commits, 0);
	end(w);
}

Test(systems, begins_anew_where_it_cannot_read_what_it_was)
{
	struct world *w = world(RULE_AT);
	const size_t half = RULE_AT + 50;

	for (w->ready = LEARNT + 10; w->ready < half; w->ready += 10)
		cr_assert_eq(judge(w), ERR_OK);
	cr_assert_neq(w->open.lead, 0);
	w->state[0]++;
	w->ready = STEPS;
	cr_expect_eq(judge(w), ERR_OK);
	cr_expect_eq(w->void_states, 1);
	cr_expect_neq(w->told[w->ntold - 1].cleared_us, 0);
	end(w);
}

/* Its series were retired, or moved to another zone, that judges them now. */
Test(systems, lets_go_of_a_zone_that_is_none_any_more)
{
	struct world *w = world(RULE_AT);

	for (w->ready = LEARNT + 10; w->ready < RULE_AT + 50; w->ready += 10)
		cr_assert_eq(judge(w), ERR_OK);
	cr_assert_neq(w->open.lead, 0);
	w->gone = true;
	w->ready = STEPS;
	cr_expect_eq(judge(w), ERR_OK);
	cr_expect_eq(w->void_states, 1);
	cr_expect_eq(w->told[w->ntold - 1].cleared_us, now(w));
	end(w);
}
