/* What went through a meter, by bucket; and whether the integral of a flow
 * says the same. */
#include "api/meters.h"

#include "api/wire.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_BUCKETS 1000
/* Maximum permissible error of a meter of accuracy class 2 in the lower flow
 * zone, OIML R 49-1:2006 section 3.2 (ISO 4064-1). */
#define TOLERANCE     0.05
#define TOLERANCE_WHY "OIML R 49-1 class 2, lower flow zone"

static void
write_flags(struct text *t, unsigned flags)
{
	json_array(t, "flags");
	for (unsigned i = 0; i < TOTALISER_FLAGS; i++)
		if (flags & 1u << i)
			json_string(t, NULL, totaliser_flags[i]);
	if (flags & METER_MISMATCH)
		json_string(t, NULL, "flow_total_mismatch");
	json_array_end(t);
}

static int64_t
width_us(const struct meter *m, size_t i)
{
	return (m->edges[i + 1].t_us - m->edges[i].t_us);
}

static bool
has_volume(const struct volume_cell *c)
{
	return (c->covered_us > 0 || c->points > 0);
}

static void
write_volume(struct text *t, const struct volume_cell *c)
{
	json_double(t, "volume", has_volume(c) ? meter_round(c->volume) : NAN);
	json_double(t, "estimated_share",
	    !has_volume(c)	? NAN
		: c->volume > 0 ? c->estimated / c->volume
				: 0);
}

static double
share(int64_t part, int64_t whole)
{
	return ((double)part / (double)whole);
}

static void
write_item(struct text *t, const struct meter *m, size_t i)
{
	const struct volume_cell *c = &m->volumes.cells[i];

	json_object(t, NULL);
	json_string(t, "ts", m->edges[i].stamp);
	write_volume(t, c);
	json_double(t, "coverage", share(c->covered_us, width_us(m, i)));
	write_flags(t, c->flags);
	json_object_end(t);
}

static void
write_finding(struct text *t, const struct totaliser_step *s)
{
	json_object(t, NULL);
	json_instant(t, "from", s->t0_us);
	json_instant(t, "to", s->t1_us);
	json_double(t, "old_index", s->x0);
	json_double(t, "new_index", s->x1);
	json_double(t, "volume", meter_round(s->volume));
	write_flags(t, s->flags);
	if (s->flags & TOTALISER_FALL)
		json_string(t, "note",
		    "the index fell and no event says why: what was used is "
		    "missing; enter a meter event (rollover, reset or swap), "
		    "or set register_max");
	else if (s->flags & TOTALISER_MISPLACED)
		json_string(t, "note",
		    "the index fell within a day of a meter event: void it and "
		    "enter it with the time at which the register changed");
	json_object_end(t);
}

static void
write_sum(struct text *t, const struct meter *m)
{
	struct volume_cell all = {.volume = m->volumes.unplaced,
	    .covered_us = m->volumes.unplaced_us};
	size_t i;

	for (i = 0; i < m->n; i++) {
		all.volume += m->volumes.cells[i].volume;
		all.estimated += m->volumes.cells[i].estimated;
		all.covered_us += m->volumes.cells[i].covered_us;
		all.points += m->volumes.cells[i].points;
	}
	write_volume(t, &all);
	json_double(t, "unplaced", meter_round(m->volumes.unplaced));
	json_double(t, "coverage",
	    share(all.covered_us, m->edges[m->n].t_us - m->edges[0].t_us));
	json_string(t, "source", range_tiers_name(m->tiers));
	json_null(t, "next");
	json_int(t, "findings_left_out", (int64_t)m->left_out);
}

static bool
write_consumption(void *job, struct text *t, size_t full)
{
	struct meter *m = job;

	if (!m->begun) {
		json_object(t, NULL);
		history_write_series(t, m->total);
		meter_write_span(t, m);
		json_array(t, "items");
		m->begun = true;
	}
	for (; !m->items_done && m->i < m->n; m->i++) {
		if (t->len >= full)
			return (false);
		write_item(t, m, m->i);
	}
	if (!m->items_done) {
		json_array_end(t);
		json_array(t, "findings");
		m->items_done = true;
		m->i = 0;
	}
	for (; m->i < m->nfindings; m->i++) {
		if (t->len >= full)
			return (false);
		write_finding(t, &m->findings[m->i]);
	}
	json_array_end(t);
	write_sum(t, m);
	json_object_end(t);
	return (true);
}

static void
answer_consumption(struct meter *m)
{
	/* history_answer() takes itself what hangs on the history. */
	history_answer(&m->h, m->n, write_consumption);
}

void
consumption_get(struct request *r)
{
	meter_begin(r, request_query(r, "metric"), NULL, HISTORY_BUCKETS,
	    answer_consumption);
}

static double
option(struct request *r, const char *name, double otherwise)
{
	const char *s = request_query(r, name);

	return (s != NULL ? strtod(s, NULL) : otherwise);
}

static enum agreement
compare(const struct meter *m, size_t i)
{
	return (volumes_compare(&m->integral.cells[i], &m->volumes.cells[i],
	    width_us(m, i), option(m->r, "tolerance", TOLERANCE),
	    option(m->r, "slack_m3", 0)));
}

static void
write_check(struct text *t, const struct meter *m, size_t i)
{
	const struct volume_cell *flow = &m->integral.cells[i];
	const struct volume_cell *total = &m->volumes.cells[i];
	bool both = flow->covered_us > 0 && has_volume(total);

	json_object(t, NULL);
	json_string(t, "ts", m->edges[i].stamp);
	json_instant(t, "from", m->edges[i].t_us);
	json_instant(t, "to", m->edges[i + 1].t_us);
	json_string(t, "state", agreement_names[compare(m, i)]);
	json_double(t, "flow_m3",
	    flow->covered_us > 0 ? meter_round(flow->volume) : NAN);
	json_double(t, "total_m3",
	    has_volume(total) ? meter_round(total->volume) : NAN);
	json_double(t, "difference_m3",
	    both ? meter_round(flow->volume - total->volume) : NAN);
	json_double(
	    t, "flow_coverage", share(flow->covered_us, width_us(m, i)));
	json_double(
	    t, "total_coverage", share(total->covered_us, width_us(m, i)));
	json_string(t, "flow_metric", m->flow->metric);
	write_flags(t, total->flags);
	json_object_end(t);
}

static void
write_items(struct text *t, const struct meter *m, const char *key)
{
	json_array(t, key);
	for (size_t i = 0; i < m->n; i++)
		write_check(t, m, i);
	json_array_end(t);
}

static void
answer_check(struct meter *m)
{
	size_t counts[AGREEMENTS] = {0};
	struct text t;

	text_init(&t, (size_t)4 << 20);
	json_object(&t, NULL);
	json_string(&t, "node", m->total->node->name.s);
	json_string(&t, "total_metric", m->total->metric);
	json_string(&t, "flow_metric", m->flow->metric);
	json_string(&t, "unit", m->total->canonical);
	meter_write_span(&t, m);
	json_double(&t, "flow_max_gap_s",
	    (double)m->integral.gap_us / (double)US_PER_SECOND);
	json_double(&t, "tolerance", option(m->r, "tolerance", TOLERANCE));
	json_string(&t, "tolerance_source",
	    request_query(m->r, "tolerance") != NULL ? "given" : TOLERANCE_WHY);
	json_double(&t, "slack_m3", option(m->r, "slack_m3", 0));
	write_items(&t, m, "items");
	for (size_t i = 0; i < m->n; i++)
		counts[compare(m, i)]++;
	for (int i = 0; i < AGREEMENTS; i++)
		json_int(&t, agreement_names[i], (int64_t)counts[i]);
	json_string(&t, "source", range_tiers_name(m->tiers));
	json_object_end(&t);
	reply_text(m->r, 200, &t);
	text_done(&t);
}

static void
on_kept(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;

	(void)rows;
	answer_check(h->job);
}

/* What was found stays visible until the same span is found to agree. */
static void
keep_flags(struct meter *m)
{
	struct text t;
	char id[12];

	text_init(&t, (size_t)4 << 20);
	write_items(&t, m, NULL);
	(void)snprintf(id, sizeof(id), "%d", (int)m->total->id);
	if (text_ok(&t))
		request_ask(m->r,
		    &(struct query){
			.statement = ST_quality_flags_put,
			.lane = LANE_SLOW,
			.params = (struct param[]){{id, -1, false},
			    {"flow_total_mismatch", -1, false},
			    {t.s, (int)t.len, false},
			    {m->r->who.name, -1, false}},
			.nparams = 4,
		    },
		    on_kept);
	else
		reply_error(m->r, ERR_NO_MEMORY, NULL, "request too large");
	text_done(&t);
}

void
consumption_check(struct request *r)
{
	const char *flow = request_query(r, "flow_metric");
	const char *total = request_query(r, "total_metric");

	meter_begin(r, total != NULL ? total : "volume",
	    flow != NULL ? flow : "flow", CHECK_BUCKETS,
	    r->method == METHOD_POST ? keep_flags : answer_check);
}
