/*
 * What a rule would have found: its readings are read here, from whatever tier
 * holds them, and the loop runs over them on a thread.
 */
#include <jansson.h> /* before core/text.h */

#include "api/handlers.h"

#include "api/api.h"
#include "api/range_walk.h"
#include "api/resources.h"
#include "core/instant.h"
#include "ingest/rule_json.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 5000
#define END                  \
	{                    \
		.name = NULL \
	}

/* clang-format off */
const struct field body_backtest[] = {
	{ "from", FIELD_INSTANT, true, 0, 0, NULL, NULL,
	    "Event time of the first readings" },
	{ "to", FIELD_INSTANT, true, 0, 0, NULL, NULL,
	    "And before which; at most 31 days later" },
	{ "version", FIELD_INTEGER, false, 1, 1000, NULL, NULL,
	    "Which version; absent: the one that the mode is about" },
	{ "rule", FIELD_OBJECT, false, 0, 0, NULL, NULL,
	    "Instead of a version: a rule that is not kept" },
	END
};
/* clang-format on */

const struct resource resource_rules_backtest = {ST_rules_backtest, 200, "rule",
    {{SOURCE_PATH, "code"}, {SOURCE_BODY, NULL}, {SOURCE_END, NULL}}};

struct past {
	struct request *r;
	struct backtest b;
	size_t next; /* of its series */
	struct range_walk walk;
};

static void
on_done(void *arg)
{
	struct past *p = arg;
	struct request *r = p->r;

	if (!request_gone(r)) {
		if (p->b.info.code != ERR_OK)
			reply_problem(r, &p->b.info);
		else
			reply_json(r, 200, p->b.json, p->b.len);
	}
	free(p->b.json);
	request_release(r);
}

static void
start(struct past *p)
{
	const struct backtest_port *port = &p->r->api->backtest;
	enum err err;

	request_hold(p->r);
	err = port->run(port->self, &p->b, on_done, p);
	if (err == ERR_OK)
		return;
	reply_error(p->r, err, NULL, "another backtest is at work; try again");
	request_release(p->r);
}

static void on_part(struct request *, const struct reading *, size_t n,
    const struct err_info *);

static void
walk_next(struct past *p)
{
	if (p->next == p->b.nseries) {
		start(p);
		return;
	}
	p->walk = (struct range_walk){.r = p->r,
	    .series = p->b.series[p->next++],
	    .at_us = p->b.from_us,
	    .to_us = p->b.to_us,
	    .max = CHUNK,
	    .cb = on_part};
	range_walk_next(&p->walk);
}

static void
on_part(struct request *r, const struct reading *readings, size_t n,
    const struct err_info *info)
{
	struct past *p = r->state;
	size_t i;

	if (info->code != ERR_OK) {
		reply_problem(r, info);
		return;
	}
	if (n > BACKTEST_READINGS - p->b.n) {
		reply_error(r, ERR_INVALID, "/from",
		    "there are more than %d readings in that time: ask for "
		    "less",
		    BACKTEST_READINGS);
		return;
	}
	for (i = 0; i < n; i++) {
		p->b.readings[p->b.n] = readings[i];
		p->b.readings[p->b.n++].series = p->walk.series;
	}
	if (range_walk_done(&p->walk))
		walk_next(p);
	else
		range_walk_next(&p->walk);
}

/* {1,2,3} */
static bool
read_series(struct past *p, const char *list)
{
	size_t n = 1;
	const char *s;
	int32_t *ids;
	char *end;

	for (s = list; *s != '\0'; s++)
		n += *s == ',';
	if ((ids = arena_alloc(&p->r->arena, n * sizeof(*ids))) == NULL)
		return (false);
	p->b.series = ids;
	for (s = list + 1; *s != '}' && p->b.nseries < n;
	     s = end + (*end == ','))
		ids[p->b.nseries++] = (int32_t)strtol(s, &end, 10);
	return (true);
}

static const char *
dup_column(struct request *r, const struct rows *rows, int column)
{
	int len;
	const char *s = rows->get(rows, 0, column, &len);

	return (s == NULL ? NULL : arena_strndup(&r->arena, s, (size_t)len));
}

static void
on_rule(struct request *r, const struct rows *rows)
{
	struct past *p = r->state;
	const char *version, *list;

	if (rows->n == 0) {
		resource_answer(r, rows);
		return;
	}
	p->b.code = dup_column(r, rows, 0);
	version = dup_column(r, rows, 1);
	p->b.body = dup_column(r, rows, 2);
	list = dup_column(r, rows, 3);
	if (list != NULL && read_series(p, list) &&
	    p->b.nseries > RULE_SERIES) {
		reply_error(r, ERR_CONFLICT, NULL,
		    "it is about %zu series now; a rule takes %d", p->b.nseries,
		    RULE_SERIES);
		return;
	}
	p->b.readings =
	    arena_alloc(&r->arena, BACKTEST_READINGS * sizeof(*p->b.readings));
	if (p->b.code == NULL || version == NULL || p->b.body == NULL ||
	    p->b.series == NULL || p->b.readings == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL,
		    "no room for a backtest in this request's memory");
		return;
	}
	p->b.version = (int32_t)strtol(version, NULL, 10);
	walk_next(p);
}

static int64_t
instant_of(const struct request *r, const char *key)
{
	const json_t *v = json_object_get(r->body, key);
	int64_t t_us = 0;

	(void)instant_parse(json_string_value(v), json_string_length(v), &t_us);
	return (t_us);
}

void
rules_backtest(struct request *r)
{
	const json_t *rule = json_object_get(r->body, "rule");
	struct past *p = arena_calloc(&r->arena, 1, sizeof(*p));
	struct err_info info = {0};
	struct rule parsed;

	if (p == NULL || r->api->backtest.self == NULL) {
		reply_error(r, ERR_BUSY, NULL, "no backtest can be done now");
		return;
	}
	r->state = p;
	p->r = r;
	p->b.from_us = instant_of(r, "from");
	p->b.to_us = instant_of(r, "to");
	if (p->b.to_us <= p->b.from_us)
		reply_error(r, ERR_INVALID, "/to", "it is not after from");
	else if (p->b.to_us - p->b.from_us > BACKTEST_SPAN_US)
		reply_error(
		    r, ERR_INVALID, "/to", "a backtest is of 31 days at most");
	else if (p->b.to_us > r->api->clocks.now_us())
		reply_error(r, ERR_INVALID, "/to", "it is still to come");
	else if (json_is_object(rule) &&
	    rule_json_tree(&r->arena, rule, "/rule", &parsed, &info) != ERR_OK)
		reply_problem(r, &info);
	else
		resource_ask(r, on_rule);
}
