#include "app/loader.h"

#include "auth/revoked.h"
#include "core/instant.h"
#include "core/log.h"
#include "ingest/last_seen.h"
#include "ingest/registry_rows.h"
#include "store/cold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000

struct waiter {
	void (*done)(void *);
	void *arg;
	struct waiter *next;
};

struct step;

struct loader {
	struct loader_config config;
	const struct step *step; /* NULL: no load is running */
	struct waiter *served;	 /* by the load that is running */
	struct waiter *next;	 /* by the one after it */
	struct loop_timer *retry, *failing;
	struct err_info failure;
	bool again, loaded, fresh;
};

enum kind {
	CHANGED,  /* what changed since, by page */
	AT_FIRST, /* only in the first load of the first worker */
	WHOLE,	  /* all rows each time: they replace those before */
};

/* One table of a load: its statement and what to do with a row. */
struct step {
	enum statement statement;
	enum err (*put)(struct loader *, const struct rows *, int row);
	enum kind kind;
	int64_t (*since)(const struct loader *); /* of CHANGED */
};

static enum err
put_node(struct loader *l, const struct rows *r, int row)
{
	return (registry_row_node(l->config.registry, r, row));
}

static enum err
put_series(struct loader *l, const struct rows *r, int row)
{
	return (registry_row_series(l->config.registry, r, row));
}

static int
hex_digit(char c)
{
	return (c <= '9' ? c - '0' : c - 'a' + 10);
}

static enum err
put_key(struct loader *l, const struct rows *r, int row)
{
	const char *hex = registry_row_text(r, row, 2);
	uint8_t sha256[32];
	size_t i;

	if (strlen(hex) != 2 * sizeof(sha256))
		return (ERR_INVALID);
	for (i = 0; i < sizeof(sha256); i++)
		sha256[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 |
		    hex_digit(hex[2 * i + 1]));
	return (registry_put_key(l->config.registry,
	    &(struct key_row){.id = registry_row_text(r, row, 0),
		.label = registry_row_text(r, row, 1),
		.sha256 = sha256,
		.revoked = registry_row_true(r, row, 3),
		.change = registry_row_int(r, row, 4),
		.nodes = r->get(r, row, 5, NULL),
		.zones = r->get(r, row, 6, NULL),
		.expires_us = registry_row_int(r, row, 7),
		.replaces = registry_row_text(r, row, 8)}));
}

static enum err
put_last_seen(struct loader *l, const struct rows *r, int row)
{
	last_seen_advance(l->config.last_seen,
	    (int32_t)registry_row_int(r, row, 0), registry_row_int(r, row, 1));
	return (ERR_OK);
}

static enum err
put_span(struct loader *l, const struct rows *r, int row)
{
	return (cold_span_put(l->config.cold, registry_row_text(r, row, 0),
	    registry_row_int(r, row, 1), registry_row_int(r, row, 2)));
}

static enum err
put_revoked(struct loader *l, const struct rows *r, int row)
{
	enum err e = revoked_put(l->config.revoked,
	    &(struct revoked_row){.key = registry_row_int(r, row, 0),
		.until_us = registry_row_int(r, row, 1),
		.change = registry_row_int(r, row, 2),
		.before_us = registry_row_int(r, row, 3)},
	    l->config.now_us());

	/* Its tokens would be taken: better none than that. */
	if (e != ERR_OK)
		(void)err_set(&l->failure, e, NULL,
		    "no room for the sessions and tokens that ended");
	return (e);
}

static int64_t
since_nodes(const struct loader *l)
{
	return (registry_change(l->config.registry, REGISTRY_NODES));
}

static int64_t
since_series(const struct loader *l)
{
	return (registry_change(l->config.registry, REGISTRY_SERIES));
}

static int64_t
since_keys(const struct loader *l)
{
	return (registry_change(l->config.registry, REGISTRY_KEYS));
}

static int64_t
since_revoked(const struct loader *l)
{
	return (revoked_change(l->config.revoked));
}

/* In this order: who is shut out is known first, and a series needs its
 * node. */
static const struct step steps[] = {
    {ST_registry_revoked, put_revoked, CHANGED, since_revoked},
    {ST_registry_nodes, put_node, CHANGED, since_nodes},
    {ST_registry_series, put_series, CHANGED, since_series},
    {ST_registry_keys, put_key, CHANGED, since_keys},
    {ST_archive_spans, put_span, WHOLE, NULL},
    {ST_registry_last_seen, put_last_seen, AT_FIRST, NULL},
};
#define NSTEPS (sizeof(steps) / sizeof(steps[0]))

static void begin(struct loader *);

static void
serve(struct waiter **list)
{
	struct waiter *w, *served = *list;

	*list = NULL;
	while ((w = served) != NULL) {
		served = w->next;
		w->done(w->arg);
		free(w);
	}
}

static void
retry(void *arg)
{
	struct loader *l = arg;

	l->retry = NULL;
	begin(l);
}

static void
finish(struct loader *l, const struct err_info *info)
{
	l->step = NULL;
	l->fresh = info->code == ERR_OK;
	if (l->fresh) {
		l->loaded = true;
	} else if (l->retry ==
	    NULL) { /* said once, however many ask meanwhile */
		log_event(LOG_LEVEL_WARN, "registry_load_failed", "detail",
		    LOG_STR, info->detail, NULL);
		l->retry = l->config.loop->ops->after(
		    l->config.loop, RETRY_MS, retry, l);
	}
	serve(&l->served);
	if (l->again || l->next != NULL)
		begin(l);
}

static void
fail(void *arg)
{
	struct loader *l = arg;

	l->failing = NULL;
	finish(l, &l->failure);
}

static void on_rows(void *, const struct rows *, const struct err_info *);

/* Asks the present step's statement, or ends the load. */
static void
ask(struct loader *l)
{
	char change[24];
	struct param param = {change, -1, false};
	struct query q = {.lane = LANE_FAST, .deadline_ms = 30000};

	if (l->step < steps + NSTEPS && l->step->kind == AT_FIRST &&
	    last_seen_trusted(l->config.last_seen))
		l->step++;
	err_clear(&l->failure);
	if (l->step == steps + NSTEPS) {
		finish(l, &l->failure);
		return;
	}
	q.statement = l->step->statement;
	if (l->step->kind == CHANGED) {
		snprintf(change, sizeof(change), "%" PRId64, l->step->since(l));
		q.params = &param;
		q.nparams = 1;
	}
	/* Not from inside loader_refresh(): its caller is not ready for done()
	 * yet. */
	if (l->config.query.run(
		l->config.query.self, &q, on_rows, l, &l->failure) != ERR_OK)
		l->failing =
		    l->config.loop->ops->after(l->config.loop, 1, fail, l);
}

/* False: the load began anew because a series' node came after the nodes
 * were read. */
static bool
apply(struct loader *l, const struct rows *rows)
{
	bool whole = true;
	enum err e;
	int i;

	if (l->step->kind == WHOLE)
		cold_spans_begin(l->config.cold);
	for (i = 0; i < rows->n; i++) {
		e = l->step->put(l, rows, i);
		if (e == ERR_NOT_FOUND) {
			l->step = steps;
			return (false);
		}
		if (e == ERR_OK)
			continue;
		if (l->failure.code != ERR_OK)
			return (true);
		whole = false;
		log_event(LOG_LEVEL_ERROR, "registry_row_unusable", "statement",
		    LOG_STR, statement_name(l->step->statement), "first",
		    LOG_STR, registry_row_text(rows, i, 0), "reason", LOG_STR,
		    err_title(e), NULL);
	}
	if (l->step->kind == WHOLE && whole)
		cold_spans_end(l->config.cold);
	return (true);
}

static void
on_rows(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct loader *l = arg;

	if (rows == NULL) {
		finish(l, info);
		return;
	}
	if (apply(l, rows)) {
		if (l->failure.code != ERR_OK) {
			finish(l, &l->failure);
			return;
		}
		if (l->step->kind == AT_FIRST)
			last_seen_trust(l->config.last_seen);
		if (l->step->kind != CHANGED || rows->n < REGISTRY_PAGE_ROWS) {
			if (l->step->put == put_revoked)
				revoked_loaded(l->config.revoked,
				    l->config.loop->ops->monotonic_us(
					l->config.loop));
			l->step++;
		}
	}
	ask(l);
}

static void
begin(struct loader *l)
{
	if (l->step != NULL) {
		l->again = true;
		return;
	}
	l->again = false;
	l->served = l->next;
	l->next = NULL;
	l->step = steps;
	ask(l);
}

struct loader *
loader_new(const struct loader_config *config)
{
	struct loader *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->config = *config;
	return (l);
}

void
loader_free(struct loader *l)
{
	if (l->retry != NULL)
		l->config.loop->ops->cancel(l->config.loop, l->retry);
	if (l->failing != NULL)
		l->config.loop->ops->cancel(l->config.loop, l->failing);
	free(l);
}

enum err
loader_refresh(struct loader *l, void (*done)(void *), void *arg)
{
	struct waiter *w;

	if (done != NULL) {
		if ((w = malloc(sizeof(*w))) == NULL)
			return (ERR_NO_MEMORY);
		*w = (struct waiter){done, arg, l->next};
		l->next = w;
	}
	begin(l);
	return (ERR_OK);
}

bool
loader_loaded(const struct loader *l)
{
	return (l->loaded);
}

bool
loader_fresh(const struct loader *l)
{
	return (l->fresh);
}
