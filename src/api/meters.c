#include "api/meters.h"

#include "api/api.h"
#include "api/wire.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK	     16384
#define READINGS_MAX 20000000
#define EVENTS_MAX   10000
/* How far apart neighbours may be: silence is three cadences elsewhere, too.
 * Without a cadence: a meter that is read daily, and half a day late; a flow
 * that is hourly. */
#define GAP_CADENCES 3
#define GAP_TOTAL_US (36 * US_PER_HOUR)
#define GAP_FLOW_US  US_PER_HOUR
#define GAP_MOST_US  (31 * US_PER_DAY)

enum column {
	COLUMN_REGISTER,
	COLUMN_CADENCE,
	COLUMN_RATE,
	COLUMN_AT,
	COLUMN_TYPE,
	COLUMN_OLD,
	COLUMN_NEW,
	COLUMN_WIDTH,
	COLUMN_UNTIL
};

#define TYPE_FLAG 3 /* of meter_get.sql: no event */

static void
no_memory(struct meter *m)
{
	reply_error(m->r, ERR_NO_MEMORY, NULL, "request too large");
}

double
meter_round(double m3)
{
	return (round(m3 * 1e6) / 1e6);
}

static int64_t
gap_us(const struct meter *m, double cadence_s, int64_t otherwise_us)
{
	const char *s = request_query(m->r, "max_gap_s");
	double gap_s = s != NULL ? strtod(s, NULL) : cadence_s * GAP_CADENCES;

	if (isnan(gap_s))
		return (otherwise_us);
	gap_s *= (double)US_PER_SECOND;
	return (gap_s < (double)GAP_MOST_US ? (int64_t)gap_s : GAP_MOST_US);
}

void
meter_write_span(struct text *t, const struct meter *m)
{
	const char *tz = request_query(m->r, "tz");

	json_string(t, "bucket", m->h.width->word);
	json_string(t, "tz", tz != NULL ? tz : "UTC");
	json_instant(t, "from", m->edges[0].t_us);
	json_instant(t, "to", m->edges[m->n].t_us);
	json_double(t, "register_max", m->register_max);
	json_double(
	    t, "max_gap_s", (double)m->volumes.gap_us / (double)US_PER_SECOND);
}

/* It is among the last. */
static void
take_back(struct meter *m, const struct totaliser_step *s)
{
	struct totaliser_step *f;

	for (size_t i = m->nfindings; i-- > 0;) {
		f = &m->findings[i];
		if (f->t0_us == s->t0_us && f->t1_us == s->t1_us &&
		    f->flags & TOTALISER_EVENT) {
			f->volume = NAN;
			f->flags |= TOTALISER_MISPLACED;
			return;
		}
	}
}

static void
on_step(void *arg, const struct totaliser_step *s)
{
	struct meter *m = arg;

	volumes_step(&m->volumes, s);
	if (s->undo)
		take_back(m, s);
	if (s->undo || s->flags == 0 || s->t1_us <= m->edges[0].t_us ||
	    s->t0_us > m->edges[m->n].t_us)
		return;
	if (m->nfindings < METER_FINDINGS)
		m->findings[m->nfindings++] = *s;
	else
		m->left_out++;
}

/* Readings that are suspect (their clock was ahead) are left out: the next
 * index makes up for one, and a flow is then drawn between its neighbours. */
static void
take_total(struct meter *m, const struct reading *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].quality == QUALITY_GOOD)
			totaliser_reading(&m->totaliser, v[i].t_us, v[i].value);
}

static void
take_flow(struct meter *m, const struct reading *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].quality != QUALITY_GOOD)
			continue;
		if (m->has_last)
			volumes_flow(&m->integral, m->last.t_us, m->last.value,
			    v[i].t_us, v[i].value);
		m->last = v[i];
		m->has_last = true;
	}
}

static void ask_flow(struct meter *);

static void
on_part(struct request *r, const struct reading *readings, size_t n,
    const struct err_info *info)
{
	struct history *h = r->state;
	struct meter *m = h->job;
	bool total = m->walk.series == m->total->id;

	if (info->code != ERR_OK) {
		reply_problem(r, info);
		return;
	}
	m->tiers |= m->walk.tiers;
	if ((m->read += n) > READINGS_MAX) {
		reply_error(r, ERR_INVALID, NULL,
		    "more than %d readings to add up: shorten the time",
		    READINGS_MAX);
		return;
	}
	(total ? take_total : take_flow)(m, readings, n);
	if (!range_walk_done(&m->walk))
		range_walk_next(&m->walk);
	else if (total) {
		totaliser_end(&m->totaliser);
		if (m->flow != NULL)
			ask_flow(m);
		else
			m->done(m);
	} else
		m->done(m);
}

/* A step across the first or last bound has its ends up to a gap outside, and
 * whether one of those is a misread its neighbour tells. */
static void
walk(struct meter *m, int32_t series, int64_t lead_us)
{
	const struct api *api = m->r->api;
	int64_t first_us = m->edges[0].t_us - lead_us;
	int64_t end_us = m->edges[m->n].t_us + lead_us;
	int64_t ahead_us = api->clocks.now_us() + api->future_us + 1;

	/* No reading is newer, and no tier is asked for what is not yet. */
	if (end_us > ahead_us)
		end_us = ahead_us;
	m->walk = (struct range_walk){.r = m->r,
	    .series = series,
	    .at_us = first_us,
	    .to_us = end_us > first_us ? end_us : first_us + 1,
	    .max = CHUNK,
	    .cb = on_part};
	range_walk_next(&m->walk);
}

static double
number(const struct rows *rows, int row, enum column c)
{
	double v = NAN;

	(void)wire_double(rows, row, (int)c, &v);
	return (v);
}

static void
on_flow(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct meter *m = h->job;

	m->integral.gap_us = gap_us(m,
	    rows->n > 0 ? number(rows, 0, COLUMN_CADENCE) : NAN, GAP_FLOW_US);
	walk(m, m->flow->id, m->integral.gap_us);
}

static void
take_flag(struct meter *m, const struct rows *rows, int row, int64_t from_us)
{
	int64_t to_us;

	if (wire_instant(rows, row, COLUMN_UNTIL, &to_us))
		volumes_flag(&m->volumes, from_us, to_us, METER_MISMATCH);
}

/* False: no memory. */
static bool
take_events(struct meter *m, const struct rows *rows)
{
	struct meter_event *e;
	int64_t type;
	size_t n = 0;

	e = arena_calloc(&m->r->arena, (size_t)rows->n + 1, sizeof(*e));
	for (int row = 0; e != NULL && row < rows->n; row++) {
		if (!wire_instant(rows, row, COLUMN_AT, &e[n].at_us) ||
		    !wire_integer(rows, row, COLUMN_TYPE, &type))
			continue;
		if (type == TYPE_FLAG) {
			take_flag(m, rows, row, e[n].at_us);
			continue;
		}
		e[n].type = (enum meter_event_type)type;
		e[n].old_index = number(rows, row, COLUMN_OLD);
		e[n].new_index = number(rows, row, COLUMN_NEW);
		e[n++].width = number(rows, row, COLUMN_WIDTH);
	}
	m->totaliser.events = e;
	m->totaliser.nevents = n;
	return (e != NULL);
}

static void
on_meter(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct meter *m = h->job;

	if (rows->n < 1 || rows->n > EVENTS_MAX) {
		reply_error(r, rows->n < 1 ? ERR_INTERNAL : ERR_INVALID, NULL,
		    "%d meter events in one span of time", rows->n);
		return;
	}
	m->register_max = number(rows, 0, COLUMN_REGISTER);
	m->totaliser.width = m->register_max;
	m->totaliser.max_rate_per_min = number(rows, 0, COLUMN_RATE);
	m->totaliser.step = on_step;
	m->totaliser.arg = m;
	m->volumes.gap_us =
	    gap_us(m, number(rows, 0, COLUMN_CADENCE), GAP_TOTAL_US);
	if (take_events(m, rows))
		walk(m, m->total->id, 2 * m->volumes.gap_us);
	else
		no_memory(m);
}

/* Of a year that RFC 3339 can write. */
static void
format_within(int64_t t_us, char buf[static INSTANT_TEXT])
{
	int64_t lo = instant_from_civil(1, 1, 1, 0);
	int64_t hi = instant_from_civil(9999, 12, 31, 0);

	(void)instant_format(t_us < lo ? lo : t_us > hi ? hi : t_us, buf);
}

/* Events as far outside as readings are read at most. */
static void
ask_about(struct meter *m, int32_t series,
    void (*cb)(struct request *, const struct rows *))
{
	char id[12], from[INSTANT_TEXT], to[INSTANT_TEXT];
	int64_t lead_us = 2 * GAP_MOST_US;

	(void)snprintf(id, sizeof(id), "%d", (int)series);
	format_within(m->edges[0].t_us - lead_us, from);
	format_within(m->edges[m->n].t_us + lead_us, to);
	request_ask(m->r,
	    &(struct query){
		.statement = ST_meter_get,
		.lane = LANE_SLOW,
		.params = (struct param[]){{id, -1, false}, {from, -1, false},
		    {to, -1, false}},
		.nparams = 3,
		.binary_result = true,
	    },
	    cb);
}

static void
ask_flow(struct meter *m)
{
	ask_about(m, m->flow->id, on_flow);
}

static bool
make_volumes(struct meter *m, struct volumes *v, const int64_t *edges_us)
{
	v->edges_us = edges_us;
	v->n = m->n;
	v->cells = arena_calloc(&m->r->arena, m->n, sizeof(*v->cells));
	return (v->cells != NULL);
}

static void
on_edges(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct meter *m = h->job;
	int64_t *edges_us = NULL;

	if (history_take_edges(&r->arena, rows, &m->edges, &m->n))
		edges_us =
		    arena_alloc(&r->arena, (m->n + 1) * sizeof(*edges_us));
	m->findings =
	    arena_alloc(&r->arena, METER_FINDINGS * sizeof(*m->findings));
	if (edges_us == NULL || m->findings == NULL) {
		no_memory(m);
		return;
	}
	for (size_t i = 0; i <= m->n; i++)
		edges_us[i] = m->edges[i].t_us;
	if (make_volumes(m, &m->volumes, edges_us) &&
	    make_volumes(m, &m->integral, edges_us))
		ask_about(m, m->total->id, on_meter);
	else
		no_memory(m);
}

static void
refuse(struct meter *m, const char *why)
{
	reply_error(m->r, ERR_INVALID, NULL, "%s", why);
}

static void
start(struct meter *m)
{
	struct history *h = &m->h;
	const char *tz = request_query(m->r, "tz");
	const char *bucket = request_query(m->r, "bucket");

	h->width = history_width(bucket != NULL ? bucket : "1d");
	if (m->total->kind != SERIES_TOTAL)
		reply_error(m->r, ERR_INVALID, NULL,
		    "%s is no totaliser: its series is not of kind total",
		    m->total_metric);
	else if (m->flow != NULL &&
	    (strcmp(m->flow->canonical, "m3/h") != 0 ||
		strcmp(m->total->canonical, "m3") != 0))
		refuse(m, "a flow in m3/h is checked against a volume in m3");
	else if (tz != NULL && !history_is_zone(tz))
		refuse(m, "tz is a name of the IANA database, as Europe/Rome");
	else if (!history_take_span(h))
		refuse(m, "from must be before to");
	else if ((h->to_us - h->from_us) / h->width->least_us >
	    (int64_t)h->limit)
		reply_error(m->r, ERR_INVALID, NULL,
		    "more than %zu buckets: widen them or shorten the time",
		    h->limit);
	else
		history_ask_edges(h, on_edges);
}

static void look(struct request *);

static const struct series_entry *
find(struct meter *m, const char *metric)
{
	const char *node = request_query(m->r, "node");
	const struct series_entry *s = registry_series(
	    m->r->api->registry, node, strlen(node), metric, strlen(metric));

	if (s == NULL && !m->refreshed) {
		m->refreshed = true;
		request_refresh(m->r, look);
	} else if (s == NULL)
		reply_error(m->r, ERR_NOT_FOUND, NULL,
		    "there is no series %s/%s", node, metric);
	return (s);
}

static void
look(struct request *r)
{
	struct history *h = r->state;
	struct meter *m = h->job;

	if ((m->total = find(m, m->total_metric)) == NULL)
		return;
	if (m->flow_metric != NULL &&
	    (m->flow = find(m, m->flow_metric)) == NULL)
		return;
	h->series = &m->total;
	h->n = 1;
	start(m);
}

void
meter_begin(struct request *r, const char *total_metric,
    const char *flow_metric, size_t most, void (*done)(struct meter *))
{
	struct meter *m = arena_calloc(&r->arena, 1, sizeof(*m));

	if (m == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	m->r = m->h.r = r;
	m->h.job = m;
	m->h.limit = most;
	m->total_metric = total_metric;
	m->flow_metric = flow_metric;
	m->done = done;
	r->state = &m->h;
	look(r);
}
