#include "api/handlers.h"

#include "api/api.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT "1000"
#define BUCKETS_MAX   10000
#define REPLY_CAP     ((size_t)32 << 20)

/* Which bounds a bucket has: SQL's words of readings_buckets.sql. `least_us`
 * is the shortest it can be, for the bound on their number. */
static const struct width {
	const char *word, *step, *kind;
	int64_t least_us;
} widths[] = {
    {"5m", "5 minutes", "span", 5 * US_PER_MINUTE},
    {"15m", "15 minutes", "span", 15 * US_PER_MINUTE},
    {"1h", "1 hour", "hour", US_PER_HOUR},
    {"6h", "6 hours", "quarter", 5 * US_PER_HOUR},
    {"1d", "1 day", "day", 23 * US_PER_HOUR},
    {"1w", "7 days", "week", 167 * US_PER_HOUR},
    {"1mo", "1 month", "month", 671 * US_PER_HOUR},
};

struct history {
	struct request *r;
	const struct series_entry *series;
	int64_t from_us, to_us;
	char id[12], from[INSTANT_TEXT], to[INSTANT_TEXT];
	const struct width *width; /* NULL: readings themselves */
	bool refreshed;
};

static const char *
column(const struct rows *rows, int c, int *ret_len)
{
	return (rows->get(rows, 0, c, ret_len));
}

static void
write_head(struct text *t, const struct history *h)
{
	json_object(t, NULL);
	json_string(t, "node", h->series->node->name.s);
	json_string(t, "metric", h->series->metric);
	json_string(t, "unit", h->series->canonical);
}

static void
on_page(struct request *r, const struct rows *rows)
{
	const char *items, *next;
	int len, next_len;
	struct text t;

	items = column(rows, 0, &len);
	next = column(rows, 1, &next_len);
	text_init(&t, REPLY_CAP);
	write_head(&t, r->state);
	json_raw(&t, "items", items, (size_t)len);
	if (next == NULL)
		json_null(&t, "next");
	else
		json_string(&t, "next", next);
	json_string(&t, "source", "warm");
	json_object_end(&t);
	reply_text(r, 200, &t);
	text_done(&t);
}

static void
on_buckets(struct request *r, const struct rows *rows)
{
	const struct history *h = r->state;
	const char *tz = request_query(r, "tz"), *s;
	struct text t;
	int len;

	text_init(&t, REPLY_CAP);
	write_head(&t, h);
	json_string(&t, "bucket", h->width->word);
	json_string(&t, "tz", tz != NULL ? tz : "UTC");
	json_string(&t, "from", column(rows, 1, &len));
	json_string(&t, "to", column(rows, 2, &len));
	s = column(rows, 0, &len);
	json_raw(&t, "items", s, (size_t)len);
	json_null(&t, "next");
	json_string(&t, "source", "warm");
	if ((s = column(rows, 3, &len)) == NULL)
		json_null(&t, "rollup_s");
	else
		json_raw(&t, "rollup_s", s, (size_t)len);
	json_object_end(&t);
	reply_text(r, 200, &t);
	text_done(&t);
}

/* "avg,max" to "{avg,max}"; NULL if a word is not one of the known. */
static const char *
aggregates(struct request *r)
{
	static const char *const known[] = {
	    "avg", "min", "max", "sum", "count"};
	const char *agg = request_query(r, "agg"), *s = agg;
	size_t len, i;

	if (agg == NULL)
		return ("{avg,min,max,sum,count}");
	for (;; s += len + 1) {
		len = strcspn(s, ",");
		for (i = 0; i < 5; i++)
			if (strlen(known[i]) == len &&
			    memcmp(known[i], s, len) == 0)
				break;
		if (i == 5)
			return (NULL);
		if (s[len] == '\0')
			return (arena_printf(&r->arena, "{%s}", agg));
	}
}

/* Etc/GMT-14 to Etc/GMT+12: the only names with digits. */
static bool
is_fixed_zone(const char *tz)
{
	size_t n;

	if (strncmp(tz, "Etc/GMT", 7) != 0 || (tz[7] != '+' && tz[7] != '-'))
		return (false);
	n = strspn(tz + 8, "0123456789");
	return (n > 0 && n <= 2 && tz[8 + n] == '\0' &&
	    strtol(tz + 8, NULL, 10) <= 14);
}

/* PostgreSQL also takes abbreviations and POSIX rules ("Any/Word+3"), which
 * are no places: a name of the IANA database has a slash, or is UTC. */
static bool
is_zone(const char *tz)
{
	return (strcmp(tz, "UTC") == 0 || is_fixed_zone(tz) ||
	    (strchr(tz, '/') != NULL && tz[0] != '/' &&
		strspn(tz,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
		    "xyz/_+-") == strlen(tz)));
}

static void
ask_buckets(struct history *h)
{
	struct request *r = h->r;
	const char *tz = request_query(r, "tz"), *agg = aggregates(r);

	if (agg == NULL)
		reply_error(r, ERR_INVALID, NULL,
		    "agg is a list of avg, min, max, sum and count");
	else if (tz != NULL && !is_zone(tz))
		reply_error(r, ERR_INVALID, NULL,
		    "tz is a name of the IANA database, as Europe/Rome");
	else if (request_query(r, "cursor") != NULL ||
	    request_query(r, "limit") != NULL)
		reply_error(r, ERR_INVALID, NULL,
		    "buckets come at once: no limit and no cursor");
	else if ((h->to_us - h->from_us) / h->width->least_us > BUCKETS_MAX)
		reply_error(r, ERR_INVALID, NULL,
		    "more than %d buckets: widen them or shorten the time",
		    BUCKETS_MAX);
	else
		request_ask(r,
		    &(struct query){
			.statement = ST_readings_buckets,
			.lane = LANE_SLOW,
			.params = (struct param[]){{h->id, -1, false},
			    {h->from, -1, false}, {h->to, -1, false},
			    {h->width->step, -1, false},
			    {h->width->kind, -1, false},
			    {tz != NULL ? tz : "UTC", -1, false},
			    {agg, -1, false}},
			.nparams = 7,
		    },
		    on_buckets);
}

/* Our cursors are µs since 1970; anything else is refused. */
static bool
take_cursor(const char *s, char ret[static INSTANT_TEXT])
{
	const char *digits = s + (s[0] == '-');
	size_t n = strspn(digits, "0123456789");
	long long us;

	if (n == 0 || n > 18 || digits[n] != '\0')
		return (false);
	us = strtoll(s, NULL, 10);
	return (llabs(us) < INT64_C(200000000) * US_PER_HOUR &&
	    instant_format(us, ret) > 0);
}

static void
ask_page(struct history *h)
{
	struct request *r = h->r;
	const char *limit = request_query(r, "limit");
	const char *cursor = request_query(r, "cursor");
	char after[INSTANT_TEXT];

	if (request_query(r, "agg") != NULL || request_query(r, "tz") != NULL)
		reply_error(r, ERR_INVALID, NULL, "agg and tz go with bucket");
	else if (cursor != NULL && !take_cursor(cursor, after))
		reply_error(r, ERR_INVALID, NULL, "cursor is not one of ours");
	else
		request_ask(r,
		    &(struct query){
			.statement = ST_readings_page,
			.lane = LANE_SLOW,
			.params = (struct param[]){{h->id, -1, false},
			    {h->from, -1, false}, {h->to, -1, false},
			    {limit != NULL ? limit : LIMIT_DEFAULT, -1, false},
			    {cursor != NULL ? after : NULL, -1, false}},
			.nparams = 5,
		    },
		    on_page);
}

/* The last 24 hours unless said otherwise. */
static bool
take_span(struct history *h)
{
	struct request *r = h->r;
	const char *from = request_query(r, "from");
	const char *to = request_query(r, "to");

	h->to_us = r->api->clocks.now_us() + 1;
	if (to != NULL && !instant_parse(to, strlen(to), &h->to_us))
		return (false);
	h->from_us = h->to_us - US_PER_DAY;
	if (from != NULL && !instant_parse(from, strlen(from), &h->from_us))
		return (false);
	(void)instant_format(h->from_us, h->from);
	(void)instant_format(h->to_us, h->to);
	return (h->from_us < h->to_us);
}

static void
ask(struct history *h)
{
	struct request *r = h->r;
	const char *word = request_query(r, "bucket");

	(void)snprintf(h->id, sizeof(h->id), "%d", (int)h->series->id);
	for (size_t i = 0; word != NULL && i < sizeof(widths) / sizeof(*widths);
	     i++)
		if (strcmp(widths[i].word, word) == 0)
			h->width = &widths[i];
	if (!take_span(h))
		reply_error(r, ERR_INVALID, NULL, "from must be before to");
	else if (h->width != NULL)
		ask_buckets(h);
	else
		ask_page(h);
}

static void find_series(struct history *);

static void
refreshed(struct request *r)
{
	find_series(r->state);
}

static void
find_series(struct history *h)
{
	struct request *r = h->r;
	const char *node = request_query(r, "node");
	const char *metric = request_query(r, "metric");

	h->series = registry_series(
	    r->api->registry, node, strlen(node), metric, strlen(metric));
	if (h->series != NULL)
		ask(h);
	else if (h->refreshed)
		reply_error(r, ERR_NOT_FOUND, NULL, "there is no series %s/%s",
		    node, metric);
	else {
		h->refreshed = true;
		request_refresh(r, refreshed);
	}
}

void
history_get(struct request *r)
{
	struct history *h = arena_calloc(&r->arena, 1, sizeof(*h));

	if (h == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	h->r = r;
	r->state = h;
	find_series(h);
}
