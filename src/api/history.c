#include "api/history.h"

#include "api/api.h"
#include "api/handlers.h"
#include "api/media.h"
#include "api/stream.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 1000
#define WHOLE	      1000 /* items that are written in one step */
#define LONG_MAX      64   /* longer answers at once: each some megabytes */
#define ITEM_BYTES    1024 /* more than an item and what stands around it */

static const struct width widths[] = {
    {"5m", "5 minutes", "span", 5 * US_PER_MINUTE},
    {"15m", "15 minutes", "span", 15 * US_PER_MINUTE},
    {"1h", "1 hour", "hour", US_PER_HOUR},
    {"6h", "6 hours", "quarter", 5 * US_PER_HOUR},
    {"1d", "1 day", "day", 23 * US_PER_HOUR},
    {"1w", "7 days", "week", 167 * US_PER_HOUR},
    {"1mo", "1 month", "month", 671 * US_PER_HOUR},
};

const struct width *
history_width(const char *word)
{
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++)
		if (strcmp(widths[i].word, word) == 0)
			return (&widths[i]);
	return (NULL);
}

const char *const history_aggregates[HISTORY_AGGREGATES] = {
    "count", "avg", "min", "max", "sum"};

void
history_write_series(struct text *t, const struct series_entry *s)
{
	json_string(t, "node", s->node->name.s);
	json_string(t, "metric", s->metric);
	json_string(t, "unit", s->canonical);
}

static unsigned long_answers;

static void
gone(struct request *r)
{
	struct history *h = r->state;

	long_answers -= h->counted;
	h->counted = false;
}

static void
pull(struct request *r)
{
	struct history *h = r->state;
	char piece[STREAM_PIECE + ITEM_BYTES];
	struct text t;
	bool all;

	text_init_fixed(&t, piece, sizeof(piece));
	t.comma = h->comma;
	all = h->write(h->job, &t, STREAM_PIECE);
	h->comma = t.comma;
	stream_write(r, t.s, t.len);
	if (all || !text_ok(&t)) {
		gone(r);
		stream_end(r, text_ok(&t));
	}
}

void
history_answer(struct history *h, size_t items,
    bool (*write)(void *job, struct text *, size_t full))
{
	static const struct stream stream = {.status = 200,
	    .content_type = "application/json",
	    .pull = pull,
	    .gone = gone};
	struct text t;

	h->write = write;
	if (items > WHOLE) {
		if (long_answers == LONG_MAX)
			reply_error(h->r, ERR_BUSY, NULL,
			    "%d long answers are under way", LONG_MAX);
		else if (stream_begin(h->r, &stream)) {
			h->counted = true;
			long_answers++;
		}
		return;
	}
	text_init(&t, (size_t)4 << 20);
	(void)write(h->job, &t, SIZE_MAX);
	reply_text(h->r, 200, &t);
	text_done(&t);
}

/* "avg,max" to bits; false if a word is not one of the known. */
static bool
take_aggregates(struct history *h)
{
	const char *s = request_query(h->r, "agg");
	size_t len, i;

	h->aggregates = s == NULL ? (1u << HISTORY_AGGREGATES) - 1 : 0;
	for (; s != NULL; s = s[len] == ',' ? s + len + 1 : NULL) {
		len = strcspn(s, ",");
		for (i = 0; i < HISTORY_AGGREGATES; i++)
			if (strlen(history_aggregates[i]) == len &&
			    memcmp(history_aggregates[i], s, len) == 0)
				break;
		if (i == HISTORY_AGGREGATES)
			return (false);
		h->aggregates |= 1u << i;
	}
	return (true);
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
bool
history_is_zone(const char *tz)
{
	return (strcmp(tz, "UTC") == 0 || is_fixed_zone(tz) ||
	    (strchr(tz, '/') != NULL && tz[0] != '/' &&
		strspn(tz,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
		    "xyz/_+-") == strlen(tz)));
}

static bool
given(struct history *h, const char *name)
{
	return (request_query(h->r, name) != NULL);
}

static void
refuse(struct history *h, const char *why)
{
	reply_error(h->r, ERR_INVALID, NULL, "%s", why);
}

static void
start_buckets(struct history *h)
{
	const char *tz = request_query(h->r, "tz");
	int64_t count = (h->to_us - h->from_us) / h->width->least_us;

	if (!take_aggregates(h))
		refuse(h, "agg is a list of avg, min, max, sum and count");
	else if (tz != NULL && !history_is_zone(tz))
		refuse(h, "tz is a name of the IANA database, as Europe/Rome");
	else if (given(h, "cursor") || given(h, "limit"))
		refuse(h, "buckets come at once: no limit and no cursor");
	else if (h->format != FORMAT_JSON)
		refuse(h, "buckets come as JSON only");
	else if (count > HISTORY_BUCKETS)
		reply_error(h->r, ERR_INVALID, NULL,
		    "more than %d buckets: widen them or shorten the time",
		    HISTORY_BUCKETS);
	else if (count * (int64_t)h->n > HISTORY_CELLS)
		reply_error(h->r, ERR_INVALID, NULL,
		    "more than %d buckets of all series: widen them, shorten "
		    "the time or ask for fewer series",
		    HISTORY_CELLS);
	else
		history_buckets(h);
}

/* Our cursors are µs since 1970 of the last reading shown. */
static bool
take_cursor(struct history *h)
{
	const char *s = request_query(h->r, "cursor"), *digits;
	long long us;
	size_t n;

	if (s == NULL)
		return (true);
	digits = s + (s[0] == '-');
	n = strspn(digits, "0123456789");
	if (n == 0 || n > 18 || digits[n] != '\0')
		return (false);
	us = strtoll(s, NULL, 10);
	if (llabs(us) >= INT64_C(200000000) * US_PER_HOUR)
		return (false);
	if (us >= h->from_us)
		h->from_us = us + 1;
	return (true);
}

static void
start_page(struct history *h)
{
	const char *limit = request_query(h->r, "limit");

	h->limit =
	    limit != NULL ? (size_t)strtoul(limit, NULL, 10) : LIMIT_DEFAULT;
	if (h->many && given(h, "cursor"))
		refuse(h, "a cursor is of one series: ask for that one alone");
	else if (!take_cursor(h))
		refuse(h, "cursor is not one of ours");
	else if (h->limit * h->n > HISTORY_PAGE_MAX)
		reply_error(h->r, ERR_INVALID, NULL,
		    "limit times the number of series is over %d",
		    HISTORY_PAGE_MAX);
	else
		history_page(h);
}

/* The last 24 hours unless said otherwise. */
bool
history_take_span(struct history *h)
{
	struct request *r = h->r;
	const char *from = request_query(r, "from");
	const char *to = request_query(r, "to");
	const char *known = request_query(r, "as_known_at");
	/* A bucket around what is earlier may begin before year 1 in UTC. */
	const int64_t earliest = instant_from_civil(2, 1, 1, 0);

	h->known_us = INT64_MAX;
	h->to_us = r->api->clocks.now_us() + 1;
	if (to != NULL && !instant_parse(to, strlen(to), &h->to_us))
		return (false);
	h->from_us = h->to_us - US_PER_DAY;
	if (from != NULL && !instant_parse(from, strlen(from), &h->from_us))
		return (false);
	if (h->from_us < earliest)
		h->from_us = earliest;
	return (h->from_us < h->to_us &&
	    (known == NULL ||
		instant_parse(known, strlen(known), &h->known_us)));
}

static bool
take_format(struct history *h)
{
	static const char *const media[] = {
	    [FORMAT_JSON] = "application/json",
	    [FORMAT_CSV] = "text/csv",
	    [FORMAT_NDJSON] = "application/x-ndjson",
	};
	static const char *const words[] = {
	    [FORMAT_JSON] = "json",
	    [FORMAT_CSV] = "csv",
	    [FORMAT_NDJSON] = "ndjson",
	};
	const char *word = request_query(h->r, "format");
	int i;

	if (word == NULL) {
		i = media_choose(request_header(h->r, "Accept"), media, 3);
		h->format = (enum format)i;
		return (i >= 0);
	}
	for (i = 0; strcmp(words[i], word) != 0; i++)
		;
	h->format = (enum format)i;
	return (true);
}

static void
start(struct history *h)
{
	const char *word = request_query(h->r, "bucket");

	if (word != NULL)
		h->width = history_width(word);
	if (!take_format(h))
		reply_error(h->r, ERR_NOT_ACCEPTABLE, NULL,
		    "application/json, text/csv or application/x-ndjson");
	else if (!history_take_span(h))
		refuse(h, "from must be before to");
	else if (h->width != NULL)
		start_buckets(h);
	else if (given(h, "agg") || given(h, "tz"))
		refuse(h, "agg and tz go with bucket");
	else if (h->format == FORMAT_JSON)
		start_page(h);
	else if (given(h, "limit") || given(h, "cursor"))
		refuse(h, "all of it comes at once: no limit and no cursor");
	else
		history_flow(h);
}

static void
on_series(struct request *r)
{
	start(r->state);
}

void
history_get(struct request *r)
{
	history_begin(r, on_series);
}
