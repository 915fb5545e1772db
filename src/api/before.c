/*
 * The last good reading of a series before a time. Roll-ups say in which hour
 * to look, also where the readings themselves are archived; then the hour is
 * read as any range is, so that of two readings at one time the stored one
 * counts.
 */
#include "api/handlers.h"

#include "api/api.h"
#include "api/history.h"
#include "api/range_walk.h"
#include "api/wire.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <stdio.h>
#include <string.h>

#define STEPS_MAX 100 /* hours that held nothing good after all */

struct before {
	struct history *h;
	struct range_walk walk;
	int64_t at_us, from_us; /* of this step */
	struct reading found;
	bool has;
	unsigned steps;
};

static void look(struct before *);

static void
answer(const struct before *b)
{
	struct request *r = b->h->r;
	const struct series_entry *s = b->h->series[0];
	char small[1024];
	struct text t;

	text_init_fixed(&t, small, sizeof(small));
	json_object(&t, NULL);
	history_write_series(&t, s);
	json_instant(&t, "ts", b->found.t_us);
	json_double(&t, "value", b->found.value);
	json_string(&t, "quality", quality_name(b->found.quality));
	json_instant(&t, "received_at", b->found.received_us);
	json_string(&t, "source", range_tiers_name(b->walk.tiers));
	json_object_end(&t);
	reply_text(r, 200, &t);
}

static void
on_part(struct request *r, const struct reading *readings, size_t n,
    const struct err_info *info)
{
	struct history *h = r->state;
	struct before *b = h->job;

	if (info->code != ERR_OK) {
		reply_problem(r, info);
		return;
	}
	for (; n > 0 && readings[n - 1].quality != QUALITY_GOOD; n--)
		;
	if (n > 0) {
		b->found = readings[n - 1];
		b->has = true;
	}
	if (!range_walk_done(&b->walk))
		range_walk_next(&b->walk);
	else if (b->has)
		answer(b);
	else {
		b->at_us = b->from_us;
		look(b);
	}
}

/* What the hour and the log have before the time; the later of them is where
 * a good reading may be. */
static void
on_rows(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct before *b = h->job;
	int64_t bucket, logged, to;
	bool merged = wire_instant(rows, 0, 0, &bucket);

	if (!wire_instant(rows, 0, 1, &logged))
		logged = INSTANT_NONE;
	if (!merged && logged == INSTANT_NONE) {
		reply_error(r, ERR_NOT_FOUND, NULL,
		    "%s/%s has no good reading before that time",
		    h->series[0]->node->name.s, h->series[0]->metric);
		return;
	}
	if (merged && bucket + US_PER_HOUR > logged) {
		b->from_us = bucket;
		to = bucket + US_PER_HOUR;
	} else {
		b->from_us = logged;
		to = logged + 1;
	}
	b->walk = (struct range_walk){.r = r,
	    .series = h->series[0]->id,
	    .at_us = b->from_us,
	    .to_us = to < b->at_us ? to : b->at_us,
	    .max = 4000,
	    .cb = on_part};
	range_walk_next(&b->walk);
}

static void
look(struct before *b)
{
	struct request *r = b->h->r;
	char series[12], at[INSTANT_TEXT];

	if (++b->steps > STEPS_MAX) {
		reply_error(r, ERR_DEADLINE, NULL,
		    "too many hours without a good reading");
		return;
	}
	(void)snprintf(series, sizeof(series), "%d", (int)b->h->series[0]->id);
	(void)instant_format(b->at_us, at);
	request_ask(r,
	    &(struct query){
		.statement = ST_range_before,
		.lane = LANE_SLOW,
		.params =
		    (struct param[]){{series, -1, false}, {at, -1, false}},
		.nparams = 2,
		.binary_result = true,
	    },
	    on_rows);
}

static void
on_series(struct request *r)
{
	struct history *h = r->state;
	struct before *b = arena_calloc(&r->arena, 1, sizeof(*b));
	const char *at = request_query(r, "at");

	if (b == NULL || h->n != 1) {
		reply_error(r, b == NULL ? ERR_NO_MEMORY : ERR_INVALID, NULL,
		    "one series at a time");
		return;
	}
	h->job = b;
	b->h = h;
	b->at_us = r->api->clocks.now_us() + 1;
	if (at != NULL)
		(void)instant_parse(at, strlen(at), &b->at_us);
	look(b);
}

void
before_get(struct request *r)
{
	history_begin(r, on_series);
}
