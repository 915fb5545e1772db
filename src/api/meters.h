/*
 * meters: one question about what went through a meter: the totaliser's
 * readings and events, and if asked a flow's readings, turned into buckets.
 *
 * Runs on: L. Frees: the request's arena. Units: m3, µs UTC. Errors: answered
 * by meter_begin() or on the way; then `done` is not called.
 */
#ifndef PENSTOCK_API_METERS_H
#define PENSTOCK_API_METERS_H

#include "api/history.h"
#include "api/range_walk.h"
#include "domain/totaliser.h"
#include "domain/volumes.h"

#define METER_FINDINGS 200
/* Beside TOTALISER_…: a quality flag in force says that the flow and the
 * totaliser part. */
#define METER_MISMATCH (1u << TOTALISER_FLAGS)

struct meter {
	struct request *r;
	struct history h; /* of the request: what was asked for */
	const struct series_entry *total, *flow;
	const char *total_metric, *flow_metric; /* NULL: no flow */
	void (*done)(struct meter *);
	bool refreshed;
	/* Answers. */
	struct edge *edges; /* n + 1 */
	size_t n;
	double register_max; /* NAN: none */
	struct volumes volumes, integral;
	/* The steps of which there is something to say, the first ones. */
	struct totaliser_step *findings;
	size_t nfindings, left_out;
	unsigned tiers;
	/* On the way. */
	struct totaliser totaliser;
	struct range_walk walk;
	size_t read;
	struct reading last; /* of the flow */
	bool has_last;
	/* Of the answer. */
	bool begun, items_done;
	size_t i;
};

/* Finds the series of node= and reads them. `most` buckets. */
void meter_begin(struct request *, const char *total_metric,
    const char *flow_metric, size_t most, void (*done)(struct meter *));
/* JSON members: the span, and what was taken for granted. */
void meter_write_span(struct text *, const struct meter *);
/* What is no more than the sum's rounding is not shown: mL. */
double meter_round(double m3);

void consumption_get(struct request *);
void consumption_check(struct request *); /* GET; POST keeps the flags */

#endif
