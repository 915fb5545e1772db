#include "core/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* Upper bounds in the histogram's small unit; one more bucket for the rest. */
static const int64_t bounds[] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000,
    10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000,
    10000000, 20000000, 50000000};
#define NBOUNDS (sizeof(bounds) / sizeof(bounds[0]))

/* Every status this service sends; the last slot takes any other. */
static const int statuses[] = {0, 200, 201, 202, 204, 304, 400, 401, 403, 404,
    405, 406, 408, 409, 411, 412, 413, 414, 415, 422, 429, 431, 500, 501, 503,
    505, 999};
#define NSTATUSES (sizeof(statuses) / sizeof(statuses[0]))

struct histogram {
	_Atomic uint64_t bucket[NBOUNDS + 1];
	_Atomic int64_t sum;
};

struct route_metrics {
	_Atomic uint64_t status[NSTATUSES];
	struct histogram took;
};

/* Of one worker, so that none waits for another's cache lines. */
struct counts {
	_Atomic uint64_t counter[COUNTER_COUNT];
	struct histogram histogram[HISTOGRAM_COUNT];
	struct route_metrics route[METRIC_ROUTES];
	_Atomic uint64_t gap[16];
};

struct block {
	struct counts counts[METRIC_WORKERS];
	_Atomic bool counts_used[METRIC_WORKERS];
	_Atomic int64_t gauge[GAUGE_COUNT];
	_Atomic int64_t part[METRIC_WORKERS][GAUGE_COUNT];
	_Atomic int64_t worker_memory[METRIC_WORKERS];
};

struct series_info {
	const char *name, *labels, *help;
	double scale;
};

static const struct series_info counters[] = {
#define X(id, name, labels, help) {name, labels, help, 1},
    METRIC_COUNTERS(X)
#undef X
};
static const struct series_info gauges[] = {
#define X(id, name, labels, help) {name, labels, help, 1},
    METRIC_GAUGES(X)
#undef X
};
static const struct series_info histograms[] = {
#define X(id, name, scale, help) {name, "", help, scale},
    METRIC_HISTOGRAMS(X)
#undef X
};

static struct block *shared;
static size_t own; /* slot of this worker */

size_t
metrics_size(void)
{
	return (sizeof(struct block));
}

void
metrics_open(void *block)
{
	shared = block;
	own = 0;
	if (shared != NULL)
		shared->counts_used[own] = true;
}

void
metrics_worker(size_t worker)
{
	size_t i;

	own = worker < METRIC_WORKERS ? worker : 0;
	if (shared != NULL)
		shared->counts_used[own] = true;
	for (i = 0; shared != NULL && i < GAUGE_COUNT; i++)
		shared->part[own][i] = 0;
}

void
metric_count(enum metric_counter m, uint64_t add)
{
	if (shared != NULL)
		atomic_fetch_add_explicit(
		    &shared->counts[own].counter[m], add, memory_order_relaxed);
}

void
metric_gauge_set(enum metric_gauge m, int64_t v)
{
	if (shared != NULL)
		atomic_store_explicit(
		    &shared->gauge[m], v, memory_order_relaxed);
}

void
metric_gauge_add(enum metric_gauge m, int64_t v)
{
	if (shared != NULL)
		atomic_fetch_add_explicit(
		    &shared->part[own][m], v, memory_order_relaxed);
}

int64_t
metric_gauge_get(enum metric_gauge m)
{
	int64_t v;
	size_t i;

	if (shared == NULL)
		return (0);
	v = shared->gauge[m];
	for (i = 0; i < METRIC_WORKERS; i++)
		v += shared->part[i][m];
	return (v);
}

static void
observe(struct histogram *h, int64_t v)
{
	size_t i;

	for (i = 0; i < NBOUNDS && v > bounds[i]; i++)
		continue;
	atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum, v, memory_order_relaxed);
}

void
metric_observe(enum metric_histogram m, int64_t v)
{
	if (shared != NULL)
		observe(&shared->counts[own].histogram[m], v);
}

void
metric_route(size_t route, int status, int64_t took_us)
{
	struct route_metrics *r;
	size_t i;

	if (shared == NULL || route >= METRIC_ROUTES)
		return;
	r = &shared->counts[own].route[route];
	for (i = 0; i < NSTATUSES - 1 && statuses[i] != status; i++)
		continue;
	atomic_fetch_add_explicit(&r->status[i], 1, memory_order_relaxed);
	observe(&r->took, took_us);
}

void
metric_worker_memory(int64_t bytes)
{
	if (shared != NULL)
		atomic_store_explicit(
		    &shared->worker_memory[own], bytes, memory_order_relaxed);
}

static void
write_head(struct text *t, const struct series_info *s, const char *type)
{
	if (s->help != NULL)
		text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", s->name, s->help,
		    s->name, type);
}

static void
write_sample(struct text *t, const struct series_info *s, int64_t v)
{
	bool labelled = s->labels[0] != '\0';

	text_printf(t, "%s%s%s%s %lld\n", s->name, labelled ? "{" : "",
	    s->labels, labelled ? "}" : "", (long long)v);
}

/* Labels is "" or `a="b"`. */
static void
write_histogram(
    struct text *t, const struct series_info *s, const struct histogram *h)
{
	const char *comma = s->labels[0] != '\0' ? "," : "";
	bool labelled = s->labels[0] != '\0';
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < NBOUNDS; i++) {
		n += h->bucket[i];
		text_printf(t, "%s_bucket{%s%sle=\"%.9g\"} %llu\n", s->name,
		    s->labels, comma, (double)bounds[i] * s->scale,
		    (unsigned long long)n);
	}
	n += h->bucket[NBOUNDS];
	text_printf(t, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", s->name, s->labels,
	    comma, (unsigned long long)n);
	text_printf(t, "%s_sum%s%s%s %.9g\n", s->name, labelled ? "{" : "",
	    s->labels, labelled ? "}" : "", (double)h->sum * s->scale);
	text_printf(t, "%s_count%s%s%s %llu\n", s->name, labelled ? "{" : "",
	    s->labels, labelled ? "}" : "", (unsigned long long)n);
}

/* All numbers are of one size, so that they add up as such. */
static void
add_up(struct counts *ret)
{
	_Atomic uint64_t *sum = (_Atomic uint64_t *)ret;
	const _Atomic uint64_t *of;
	size_t i, k;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < METRIC_WORKERS; i++) {
		if (!shared->counts_used[i])
			continue;
		of = (const _Atomic uint64_t *)&shared->counts[i];
		for (k = 0; k < sizeof(*ret) / sizeof(*of); k++)
			atomic_store_explicit(&sum[k],
			    atomic_load_explicit(
				&sum[k], memory_order_relaxed) +
				atomic_load_explicit(
				    &of[k], memory_order_relaxed),
			    memory_order_relaxed);
	}
}

static void
write_requests(struct text *t, const struct counts *c,
    const char *(*route_name)(size_t), size_t n)
{
	size_t i, k;

	text_puts(t,
	    "# HELP penstock_http_requests_total Requests by route "
	    "and status; status 0: the client left\n"
	    "# TYPE penstock_http_requests_total counter\n");
	for (i = 0; i < n; i++)
		for (k = 0; k < NSTATUSES; k++) {
			uint64_t v = c->route[i].status[k];

			if (v > 0)
				text_printf(t,
				    "penstock_http_requests_total{route=\"%s\""
				    ",status=\"%d\"} %llu\n",
				    route_name(i), statuses[k],
				    (unsigned long long)v);
		}
}

static void
write_latencies(struct text *t, const struct counts *c,
    const char *(*route_name)(size_t), size_t n)
{
	char labels[160];
	struct text label;
	struct series_info s = {"penstock_http_request_seconds", labels,
	    "Time from request to answer by route", 1e-6};
	size_t i, k;

	write_head(t, &s, "histogram");
	for (i = 0; i < n; i++) {
		for (k = 0; k <= NBOUNDS; k++)
			if (c->route[i].took.bucket[k] > 0)
				break;
		if (k > NBOUNDS)
			continue; /* never asked for: no series */
		text_init_fixed(&label, labels, sizeof(labels));
		text_printf(&label, "route=\"%s\"", route_name(i));
		write_histogram(t, &s, &c->route[i].took);
	}
}

static void
write_memory(struct text *t)
{
	size_t i;

	text_puts(t,
	    "# HELP penstock_worker_resident_bytes Resident memory "
	    "by worker\n"
	    "# TYPE penstock_worker_resident_bytes gauge\n");
	for (i = 0; i < METRIC_WORKERS; i++)
		if (shared->worker_memory[i] > 0)
			text_printf(t,
			    "penstock_worker_resident_bytes{worker=\"%zu\"} "
			    "%lld\n",
			    i, (long long)shared->worker_memory[i]);
}

void
metrics_write(struct text *t, const char *(*route_name)(size_t), size_t nroutes)
{
	static struct counts c;
	size_t i;

	if (shared == NULL)
		return;
	add_up(&c);
	if (nroutes > METRIC_ROUTES)
		nroutes = METRIC_ROUTES;
	for (i = 0; i < COUNTER_COUNT; i++) {
		write_head(t, &counters[i], "counter");
		write_sample(t, &counters[i], (int64_t)c.counter[i]);
	}
	for (i = 0; i < GAUGE_COUNT; i++) {
		write_head(t, &gauges[i], "gauge");
		write_sample(
		    t, &gauges[i], metric_gauge_get((enum metric_gauge)i));
	}
	for (i = 0; i < HISTOGRAM_COUNT; i++) {
		write_head(t, &histograms[i], "histogram");
		write_histogram(t, &histograms[i], &c.histogram[i]);
	}
	write_requests(t, &c, route_name, nroutes);
	write_latencies(t, &c, route_name, nroutes);
	write_memory(t);
}
