/* A rule over flow and pressure in the simulated district: a burst is found by
 * it, planned for and answered, live; and only noted, in shadow. */
#include "world.h"

#include "core/instant.h"
#include "ingest/rule_json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct world w;
static struct rule_text rule;
static char body[1024];

/* The largest of what the district has shown. */
static double
most(const char *node, const char *metric)
{
	const struct twin_series *s =
	    twin_find_series(w.twin, district_find(node, metric) + 1);
	double value = -INFINITY;
	size_t i;

	for (i = 0; i < s->n; i++)
		value = fmax(value, s->readings[i].value);
	return (value);
}

/* Beyond what a day has shown, for five minutes, while the sensors are heard. */
static void
start(void)
{
	world_init(
	    &w, 20261121, instant_from_civil(2026, 11, 16, 0), US_PER_MINUTE);
	w.loop.read_rule = rule_json_read;
	world_ticks(&w, 24 * 60);
	w.template.anomaly_type = "burst";
	(void)snprintf(body, sizeof(body),
	    "{\"when\":{\"for\":{\"seconds\":300,\"of\":{\"and\":["
	    "{\"series\":\"DEMO-WEST/flow\",\"value\":{\"above\":%.17g}},"
	    "{\"metric\":\"pressure\",\"age_s\":{\"below\":600}}]}}},"
	    "\"severity\":\"critical\",\"type\":\"burst\","
	    "\"direction\":\"high\",\"message\":\"a burst\"}",
	    most("DEMO-WEST", "flow") * 1.05);
	rule = (struct rule_text){
	    .rule = 1, .version = 2, .code = "west", .body = body};
	w.twin->knowledge.rules = &rule;
	w.twin->knowledge.nrules = 1;
	w.twin->knowledge.version++;
}

static void
stop(void)
{
	cr_assert_str_eq(w.twin->violation, "");
	world_done(&w);
}

TestSuite(burst_rule, .init = start, .fini = stop);

static const struct twin_anomaly *
found(void)
{
	size_t i;

	for (i = w.twin->nanomalies; i-- > 0;) {
		if (w.twin->anomalies[i].anomaly.condition.rule == 1)
			return (&w.twin->anomalies[i]);
	}
	return (NULL);
}

Test(burst_rule, answers_a_burst)
{
	const struct twin_anomaly *o;
	const struct twin_plan *p;

	world_ticks(&w, 120);
	cr_assert_null(found());
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 10);
	o = found();
	cr_assert_not_null(o);
	cr_assert_str_eq(o->anomaly.rule_id, "R:west@2");
	cr_assert_str_eq(o->planning, "proposed");
	p = world_last_plan(&w);
	cr_assert_eq(p->plan.anomaly_id, o->anomaly.id);
	cr_assert(twin_approve(w.twin, p->plan.id));
	world_ticks(&w, 3);
	cr_assert_gt(w.executed, 0);
	district_inject(&w.district, DISTRICT_BURST, false);
	world_ticks(&w, 120);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
}

Test(burst_rule, only_notes_it_in_shadow)
{
	rule.shadow = true;
	w.twin->knowledge.version++;
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 10);
	cr_assert_null(found());
	cr_assert_eq(w.twin->nfindings, 1);
	cr_assert_eq(w.twin->findings[0].version, 2);
	district_inject(&w.district, DISTRICT_BURST, false);
	world_ticks(&w, 120);
	cr_assert_eq(w.twin->nfindings, 2);
	cr_assert(w.twin->findings[1].clear);
}
