/*
 * history: one GET of readings on its way: what was asked for, and the three
 * ways to answer it (page, flow, buckets).
 *
 * Runs on: L. Frees: the request's arena, but for what a flow holds, which
 * ends with its stream. Units: µs UTC. Errors: each way answers once.
 */
#ifndef PENSTOCK_API_HISTORY_H
#define PENSTOCK_API_HISTORY_H

#include "api/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_SERIES_MAX 100
#define HISTORY_PAGE_MAX   100000 /* readings in one page, of all series */
#define HISTORY_BUCKETS	   10000  /* of one series */
#define HISTORY_CELLS	   100000 /* buckets of all series */

struct series_entry;
struct reading;

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_NDJSON };

/* Which bounds a bucket has: SQL's words of readings_buckets.sql. `least_us`
 * is the shortest it can be, for the bound on their number. */
struct width {
	const char *word, *step, *kind;
	int64_t least_us;
};

struct history {
	struct request *r;
	const struct series_entry **series;
	size_t n;
	bool many; /* the answer is a list of series, even of one */
	enum format format;
	int64_t from_us, to_us;	   /* from <= t < to */
	int64_t known_us;	   /* received by then; INT64_MAX: all */
	size_t limit;		   /* of each series */
	const struct width *width; /* NULL: readings themselves */
	unsigned aggregates;	   /* bit per row of history_aggregates */
	bool refreshed;
	void (*next)(struct request *); /* once the series are known */
	void *job;			/* of the way that answers */
	/* Of history_answer(). */
	bool (*write)(void *job, struct text *, size_t full);
	bool comma;
	bool counted; /* among the long answers */
};

#define HISTORY_AGGREGATES 5
extern const char *const history_aggregates[HISTORY_AGGREGATES];

/* Finds the series that the query names, then calls `next`, with the history
 * as the request's state, or answers. */
void history_begin(struct request *, void (*next)(struct request *));
void history_page(struct history *);
void history_flow(struct history *);
void history_buckets(struct history *);
/*
 * 200 with the JSON that `write` makes of h->job: up to `full` bytes and an
 * item each time it is called, true once that was all. `items`, about how
 * many there are, decides whether it is called once or piece by piece.
 */
void history_answer(struct history *, size_t items,
    bool (*write)(void *job, struct text *, size_t full));
/* For other answers by bucket. NULL: no such width. */
const struct width *history_width(const char *word);
bool history_is_zone(const char *tz);
/* Takes from, to and as_known_at; false: not in order. */
bool history_take_span(struct history *);
/* Asks for the bounds of h->width's buckets over the span, and takes them:
 * one more than there are buckets, false if there are none or no memory. */
struct edge {
	int64_t t_us;
	const char *stamp; /* in the zone */
};
void history_ask_edges(
    struct history *, void (*cb)(struct request *, const struct rows *));
bool history_take_edges(struct arena *, const struct rows *,
    struct edge **ret_edges, size_t *ret_buckets);
/* JSON members that say which series it is. */
void history_write_series(struct text *, const struct series_entry *);

#endif
