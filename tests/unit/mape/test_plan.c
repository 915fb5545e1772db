#include "core/instant.h"
#include "mape/plan.h"
#include "store/twin.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW (instant_from_civil(2026, 5, 1, 12 * US_PER_HOUR))

static struct twin *t;
static struct ports ports;
static struct arena arena;
static const struct loop_rules rules;
static struct loop_figures figures;
static struct memory memory;
static struct knowledge k;
static struct act act;

static const struct template_action close_inlet = {
    1, "close_valve", "valve", "inlet", "{\"percent\":0}", true};
static const struct template_action close_zone = {
    1, "close_valve", "valve", "zone", "{}", false};
static const struct actuator actuators[] = {
    {1, "V1", "valve", 10, "Z", 1, "G"},
    {2, "PU1", "pump", 10, "Z", 1, "G"},
    {3, "V2", "valve", 20, "Z", 2, "H"},
    {4, "V3", "valve", 30, "OTHER", 2, "H"},
};
static const struct series series[] = {
    {.id = 1,
	.node_id = 10,
	.node = "M",
	.node_type = "meter",
	.zone = "Z",
	.metric = "flow"},
    {.id = 2,
	.node_id = 10,
	.node = "M",
	.node_type = "meter",
	.zone = "Z",
	.metric = "pressure"},
    {.id = 3,
	.node_id = 40,
	.node = "J",
	.node_type = "junction",
	.zone = "",
	.metric = "flow"},
};
static struct plan_template templates[2];

static void
start(void)
{
	t = twin_new(NOW, 1);
	t->in_unit = true;
	twin_ports(t, &ports);
	arena_init(&arena, 1 << 24);
	templates[0] = (struct plan_template){
	    .id = 7,
	    .code = "isolate",
	    .metric = "flow",
	    .anomaly_type = "threshold",
	    .direction = DIRECTION_HIGH,
	    .least_severity = SEVERITY_CRITICAL,
	    .node_type = "meter",
	    .effect_metric = "pressure",
	    .effect_direction = DIRECTION_HIGH,
	    .effect_window_us = US_PER_MINUTE,
	    .expires_us = US_PER_HOUR,
	    .actions = &close_inlet,
	    .nactions = 1,
	};
	templates[1] = templates[0];
	templates[1].id = 8;
	templates[1].code = "second";
	k = (struct knowledge){
	    3, series, 3, templates, 1, actuators, 4, NULL, 0};
	act = (struct act){
	    &ports, &arena, &k, &memory, NOW, &rules, &figures, NULL};
}

static void
stop(void)
{
	cr_assert_str_eq(t->violation, "");
	arena_done(&arena);
	twin_free(t);
}

TestSuite(plan, .init = start, .fini = stop);

static struct twin_anomaly *
raise_on(int32_t on, enum anomaly_type type, enum severity severity)
{
	struct anomaly an = {
	    .condition = {on, type, DIRECTION_HIGH, severity, 0},
	    .rule_id = "r",
	    .evidence = "{}",
	    .first_us = NOW,
	    .last_us = NOW,
	};
	int64_t id;
	bool new;

	cr_assert_eq(
	    ports.decisions.anomaly_raise(t, &an, &id, &new, NULL), ERR_OK);
	return (&t->anomalies[id - 1]);
}

static struct twin_anomaly *
burst(void)
{
	return (raise_on(1, ANOMALY_THRESHOLD, SEVERITY_CRITICAL));
}

static void
expect(const struct twin_anomaly *o, const char *outcome, const char *reason)
{
	cr_assert_eq(plan_anomalies(&act), ERR_OK);
	cr_assert_str_eq(o->planning, outcome);
	cr_assert(strstr(o->reasons, reason), "%s", o->reasons);
}

Test(plan, proposes_the_inlet_valve)
{
	const struct command *c = &t->commands[0].command;
	const struct plan *p = &t->plans[0].plan;

	expect(burst(), "proposed", "\"template\":\"isolate\"");
	cr_assert_eq(t->ncommands, 1);
	cr_assert_str_eq(c->link, "V1");
	cr_assert_str_eq(c->action, "close_valve");
	cr_assert_str_eq(c->argument, "{\"percent\":0}");
	cr_assert_eq(c->state, COMMAND_PLANNED);
	cr_assert_eq(c->key[14], '4');
	cr_assert(strchr("89ab", c->key[19]));
	cr_assert_eq(strlen(c->key), 36);
	cr_assert_eq(p->effect_series, 2);
	cr_assert_eq(p->expires_us, NOW + US_PER_HOUR);
	cr_assert_eq(p->template_id, 7);
	cr_assert_eq(p->knowledge_version, 3);
	cr_assert_eq(figures.proposed, 1);
}

Test(plan, zone_reaches_all_valves_of_the_zone)
{
	templates[0].actions = &close_zone;
	expect(burst(), "proposed", "isolate");
	cr_assert_eq(t->ncommands, 2);
	cr_assert_str_eq(t->commands[0].command.link, "V1");
	cr_assert_str_eq(t->commands[1].command.link, "V2");
	cr_assert_eq(t->commands[1].command.step, 1, "side by side");
	cr_assert_str_neq(
	    t->commands[0].command.key, t->commands[1].command.key);
}

Test(plan, says_why_nothing_fits)
{
	expect(raise_on(1, ANOMALY_THRESHOLD, SEVERITY_WARNING), "no_plan_fits",
	    "severity is warning, below critical");
	expect(raise_on(2, ANOMALY_THRESHOLD, SEVERITY_CRITICAL),
	    "no_plan_fits", "metric is pressure, not flow");
	expect(raise_on(1, ANOMALY_RATE, SEVERITY_CRITICAL), "no_plan_fits",
	    "anomaly is rate, not threshold");
	expect(raise_on(3, ANOMALY_THRESHOLD, SEVERITY_CRITICAL),
	    "no_plan_fits", "node is a junction, not a meter");
	expect(raise_on(9, ANOMALY_THRESHOLD, SEVERITY_CRITICAL),
	    "no_plan_fits", "the series is retired");
	templates[0].direction = DIRECTION_LOW;
	expect(burst(), "no_plan_fits", "direction is high, not low");
	cr_assert_eq(t->nplans, 0);
}

Test(plan, no_actuator_no_plan)
{
	templates[0].node_type = "";
	expect(raise_on(3, ANOMALY_THRESHOLD, SEVERITY_CRITICAL),
	    "no_plan_fits", "no valve on a gateway is its inlet");
	templates[0].nactions = 0;
	expect(burst(), "no_plan_fits", "it has no action");
}

Test(plan, a_sensor_fault_must_be_named)
{
	templates[0].anomaly_type = "";
	expect(raise_on(1, ANOMALY_SILENCE, SEVERITY_CRITICAL), "no_plan_fits",
	    "silence is a sensor fault");
	templates[0].anomaly_type = "flatline";
	expect(raise_on(1, ANOMALY_FLATLINE, SEVERITY_CRITICAL), "proposed",
	    "isolate");
}

Test(plan, priority_decides_and_the_passed_over_are_named)
{
	k.ntemplates = 2;
	templates[0].node_type = "tank";
	expect(burst(), "proposed", "node is a meter, not a tank");
	cr_assert_eq(t->plans[0].plan.template_id, 8);
}

Test(plan, a_link_in_a_live_plan_is_left_alone)
{
	struct twin_anomaly *first = burst(), *second;

	expect(first, "proposed", "isolate");
	templates[0].metric = "pressure";
	second = raise_on(2, ANOMALY_THRESHOLD, SEVERITY_CRITICAL);
	expect(second, "plan_open", "\"link\":\"V1\"");
	cr_assert_eq(t->nplans, 1);
	expect(second, "plan_open", "\"link\":\"V1\"");
	cr_assert(twin_reject(t, 1));
	expect(second, "proposed", "isolate");
	cr_assert_eq(t->nplans, 2);
	cr_assert_eq(t->plans[1].plan.anomaly_id, second->anomaly.id);
	expect(first, "proposed", "isolate");
	cr_assert_eq(t->nplans, 2, "a rejection stands");
}

Test(plan, the_severest_goes_first)
{
	struct twin_anomaly *warning, *critical;

	templates[0].least_severity = SEVERITY_WARNING;
	warning = raise_on(1, ANOMALY_THRESHOLD, SEVERITY_WARNING);
	critical = burst();
	expect(critical, "proposed", "isolate");
	expect(warning, "plan_open", "\"link\":\"V1\"");
}

Test(plan, a_proposal_gives_way_to_a_severer_anomaly)
{
	struct twin_anomaly *warning, *critical;

	templates[0].least_severity = SEVERITY_WARNING;
	warning = raise_on(1, ANOMALY_THRESHOLD, SEVERITY_WARNING);
	expect(warning, "proposed", "isolate");
	critical = burst();
	expect(critical, "proposed", "isolate");
	cr_assert_eq(t->nplans, 2);
	cr_assert_eq(t->plans[0].plan.state, PLAN_SUPERSEDED);
	cr_assert_eq(t->commands[0].command.state, COMMAND_CANCELLED);
	cr_assert_str_eq(t->transitions[t->ntransitions - 2].row_id, "P16");
	expect(warning, "plan_open", "\"link\":\"V1\"");
	cr_assert(twin_reject(t, 2));
	expect(warning, "proposed", "isolate");
	cr_assert_eq(t->nplans, 3, "its own was never decided on");
}

Test(plan, what_was_agreed_to_gives_way_to_nothing)
{
	struct twin_anomaly *critical;

	templates[0].least_severity = SEVERITY_WARNING;
	expect(raise_on(1, ANOMALY_THRESHOLD, SEVERITY_WARNING), "proposed",
	    "isolate");
	cr_assert(twin_approve(t, 1));
	critical = burst();
	expect(critical, "plan_open", "\"link\":\"V1\"");
	cr_assert_eq(t->plans[0].plan.state, PLAN_APPROVED);
}

Test(plan, history_gets_no_plan)
{
	struct twin_anomaly *o = burst();

	o->anomaly.last_us = NOW - PLAN_HISTORY_US - 1;
	expect(o, "no_plan_fits", "the evidence is history");
	expect(o, "no_plan_fits", "the evidence is history");
	o->anomaly.last_us = NOW - PLAN_HISTORY_US;
	expect(o, "proposed", "isolate");
}

/* While the anomaly lasts, what came to nothing is proposed again. */
Test(plan, again_after_a_proposal_that_came_to_nothing)
{
	static const enum plan_state ends[] = {PLAN_EXPIRED, PLAN_FAILED,
	    PLAN_WORKED, PLAN_NO_EFFECT, PLAN_WORSE, PLAN_NOT_PROVABLE,
	    PLAN_REJECTED};
	struct twin_anomaly *o = burst();
	size_t i;

	expect(o, "proposed", "isolate");
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		t->plans[t->nplans - 1].plan.state = ends[i];
		expect(o, "proposed", "isolate");
		cr_assert_eq(t->nplans, i < 2 ? i + 2 : 3);
	}
	t->plans[2].plan.state = PLAN_EXPIRED;
	o->anomaly.last_us = NOW - PLAN_HISTORY_US - 1;
	expect(o, "proposed", "isolate");
	cr_assert_eq(t->nplans, 3, "nobody sees it any more");
}

/* What was passed over is kept with its score. */
Test(plan, the_best_score_is_proposed)
{
	struct twin_anomaly *o;

	k.ntemplates = 2;
	templates[1].trials = 20;
	templates[1].successes = 19;
	o = burst();
	expect(
	    o, "proposed", "\"template\":\"second\",\"fits\":true,\"rank\":1");
	cr_assert_eq(t->plans[0].plan.template_id, 8);
	cr_assert(strstr(o->reasons,
		      "\"template\":\"isolate\",\"fits\":true,\"rank\":2,"
		      "\"score\":1,"),
	    "%s", o->reasons);
	cr_assert(strstr(o->reasons, "its score is lower"));
	cr_assert(strstr(o->reasons, "\"trials\":20,\"successes\":19"));
}

Test(plan, risk_is_taken_for_what_is_severe)
{
	k.ntemplates = 2;
	templates[0].least_severity = templates[1].least_severity =
	    SEVERITY_INFO;
	templates[0].risk = RISK_LOW;
	templates[1].risk = RISK_HIGH;
	templates[1].trials = templates[1].successes = 16;
	expect(raise_on(1, ANOMALY_THRESHOLD, SEVERITY_INFO), "proposed",
	    "\"template\":\"isolate\",\"fits\":true,\"rank\":1");
	expect(burst(), "proposed",
	    "\"template\":\"second\",\"fits\":true,\"rank\":1");
	cr_assert_eq(t->plans[1].plan.risk, RISK_HIGH);
}

Test(plan, equals_go_by_priority)
{
	k.ntemplates = 2;
	templates[0].priority = 2;
	templates[1].priority = 1;
	expect(burst(), "proposed", "it comes later");
	cr_assert_eq(t->plans[0].plan.template_id, 8);
}

Test(plan, steps_keep_their_order_and_no_link_is_moved_twice_in_one)
{
	static const struct template_action twice[] = {
	    {1, "close_valve", "valve", "inlet", "{}", false},
	    {2, "close_valve", "valve", "zone", "{}", false},
	    {2, "stop_pump", "pump", "inlet", "{}", false},
	};

	templates[0].actions = twice;
	templates[0].nactions = 3;
	expect(burst(), "proposed", "isolate");
	cr_assert_eq(t->ncommands, 4);
	cr_assert_eq(t->commands[0].command.step, 1);
	cr_assert_eq(t->commands[3].command.step, 2);
	cr_assert_str_eq(t->commands[3].command.link, "PU1");
}

Test(plan, one_step_moves_a_link_once)
{
	static const struct template_action both[] = {
	    {1, "close_valve", "valve", "inlet", "{}", false},
	    {1, "open_valve", "valve", "zone", "{}", false},
	};

	templates[0].actions = both;
	templates[0].nactions = 2;
	expect(burst(), "no_plan_fits", "step 1 would move V1 twice");
}

Test(plan, a_guard_needs_its_metric)
{
	templates[0].guard_metrics = "pressure,level";
	expect(burst(), "no_plan_fits", "a guard needs level");
}

Test(plan, the_effect_may_be_that_of_the_zone)
{
	templates[0].effect_metric = "flow";
	templates[0].effect_in_zone = true;
	templates[0].metric = "pressure";
	expect(raise_on(2, ANOMALY_THRESHOLD, SEVERITY_CRITICAL), "proposed",
	    "isolate");
	cr_assert_eq(t->plans[0].plan.effect_series, 1);
}

Test(plan, no_effect_series_is_allowed)
{
	templates[0].effect_metric = NULL;
	expect(burst(), "proposed", "isolate");
	cr_assert_eq(t->plans[0].plan.effect_series, 0);
}

Test(plan, many_templates_stay_within_bounds)
{
	static struct plan_template many[3000];
	size_t i;

	for (i = 0; i < 3000; i++) {
		many[i] = templates[0];
		many[i].metric = "level";
	}
	k.templates = many;
	k.ntemplates = 3000;
	expect(burst(), "no_plan_fits", "no template fits");
}
