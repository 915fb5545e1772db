#include <jansson.h>

#include "cmd/mqtt_batch.h"

#include "cmd/tool.h"
#include "core/instant.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_POST 5000 /* the API's own limits, of one POST */
#define BYTES_POST ((size_t)2000 << 10)
#define ITEMS_FULL 2500 /* of a batch that takes no more messages */
#define BYTES_FULL ((size_t)512 << 10)
#define BYTES_MOST ((size_t)16 << 20)
#define WAIT_LEAST 200
#define WAIT_MOST  5000
#define TELL_MOST  20 /* a minute */
#define QUOTE_MOST 60

/* What became of one message: its readings in the batch's text. */
struct part {
	size_t from, len, items;
	char topic[QUOTE_MOST];
};

struct mqtt_batch {
	struct mqtt_batch_config config;
	struct part parts[MQTT_BATCH_MESSAGES];
	size_t n, items, stored; /* parts; readings; parts done */
	bool over;		 /* more came than it holds: none is done */
	struct text text;	 /* items with a comma behind each */
	struct text body;
	int64_t told_ms; /* the minute's begin */
	int told;
};

struct mqtt_batch *
mqtt_batch_new(const struct mqtt_batch_config *config)
{
	struct mqtt_batch *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		tool_error("out of memory");
		return (NULL);
	}
	b->config = *config;
	text_init(&b->text, BYTES_MOST);
	text_init(&b->body, BYTES_MOST);
	return (b);
}

void
mqtt_batch_free(struct mqtt_batch *b)
{
	if (b == NULL)
		return;
	text_done(&b->text);
	text_done(&b->body);
	free(b);
}

size_t
mqtt_batch_count(const struct mqtt_batch *b)
{
	return (b->n);
}

void
mqtt_batch_empty(struct mqtt_batch *b)
{
	text_reset(&b->text);
	b->n = b->items = b->stored = 0;
	b->over = false;
}

/* What a stranger wrote, in characters a log can hold. */
static void
quote(char ret[static QUOTE_MOST], const char *s, size_t len)
{
	size_t n = 0;

	for (; n < len && n < QUOTE_MOST - 1; n++)
		ret[n] = s[n] > ' ' && s[n] <= '~' ? s[n] : '_';
	ret[n] = '\0';
}

static void
tell(struct mqtt_batch *b, const char *topic, const char *reason,
    const char *detail)
{
	int64_t now = tool_monotonic_ms();
	char words[QUOTE_MOST];

	if (b->told_ms == 0 || now - b->told_ms > 60000) {
		b->told_ms = now;
		b->told = 0;
	}
	if (++b->told > TELL_MOST)
		return;
	quote(words, detail, strlen(detail));
	tool_error("%s: %s: %s%s", topic, reason, words,
	    b->told == TELL_MOST ? " (more of this minute are only counted)"
				 : "");
}

static void
set_aside(struct mqtt_batch *b, struct part *p, const char *reason,
    const char *detail)
{
	p->items = p->len = 0;
	atomic_fetch_add(&b->config.counters->set_aside, 1);
	tell(b, p->topic, reason, detail);
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

/* The payload without white space around it, if it is a number. */
static bool
number_of(const struct mqtt_message *m, char ret[static FEED_NUMBER])
{
	char cell[FEED_NUMBER];
	const char *p = m->payload;
	size_t len = m->len;

	for (; len > 0 && is_blank(*p); len--)
		p++;
	while (len > 0 && is_blank(p[len - 1]))
		len--;
	if (len == 0 || len >= sizeof(cell) || memchr(p, '\0', len) != NULL)
		return (false);
	memcpy(cell, p, len);
	cell[len] = '\0';
	return (feed_number(cell, '.', ret));
}

/* A number alone has no time but that of its arrival. False: too long. */
static bool
add_number(
    struct mqtt_batch *b, const char *number, const struct mqtt_series *s)
{
	char ts[INSTANT_TEXT], buf[2048];
	struct text t;

	instant_format(tool_now_us() / 1000 * 1000, ts);
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "node", s->node);
	json_string(&t, "metric", s->metric);
	json_string(&t, "ts", ts);
	json_raw(&t, "value", number, strlen(number));
	if (s->unit[0] != '\0')
		json_string(&t, "unit", s->unit);
	json_object_end(&t);
	if (!text_ok(&t))
		return (false);
	text_puts(&b->text, t.s);
	text_puts(&b->text, ",");
	return (true);
}

static bool
add_item(struct mqtt_batch *b, const json_t *item)
{
	char *s = json_dumps(item, JSON_COMPACT | JSON_REAL_PRECISION(17));

	if (s == NULL)
		return (false);
	text_puts(&b->text, s);
	text_puts(&b->text, ",");
	free(s);
	return (true);
}

static bool
set_word(json_t *doc, const char *name, const char *word)
{
	return (json_object_set_new(doc, name, json_pack("s", word)) == 0);
}

/* The topic's series; a message that names one, too, says two things. */
static bool
name_series(json_t *doc, const struct mqtt_series *s)
{
	if (json_object_get(doc, "node") != NULL ||
	    json_object_get(doc, "metric") != NULL)
		return (false);
	if (s->unit[0] != '\0' && json_object_get(doc, "unit") == NULL &&
	    !set_word(doc, "unit", s->unit))
		return (false);
	return (set_word(doc, "node", s->node) &&
	    set_word(doc, "metric", s->metric));
}

/* NULL: it is in the batch; else why it can never be. */
static const char *
add_json(struct mqtt_batch *b, struct part *p, json_t *doc,
    const struct mqtt_series *s)
{
	json_t *list = json_object_get(doc, "readings"), *item;
	size_t i;

	if (!json_is_object(doc))
		return ("no_reading");
	if (s->node[0] != '\0' && !name_series(doc, s))
		return ("names_another_series");
	if (s->node[0] != '\0' || list == NULL) {
		p->items = 1;
		return (add_item(b, doc) ? NULL : "no_reading");
	}
	if (!json_is_array(list) || json_object_size(doc) != 1 ||
	    json_array_size(list) > ITEMS_POST)
		return ("no_list_of_readings");
	p->items = json_array_size(list);
	json_array_foreach(list, i, item) if (!add_item(b, item)) return (
	    "no_reading");
	return (NULL);
}

static const char *
add_payload(struct mqtt_batch *b, struct part *p, const struct mqtt_message *m)
{
	char number[FEED_NUMBER];
	struct mqtt_series s;
	const char *why;
	json_t *doc;

	if (!mqtt_map_find(b->config.map, m->topic, &s))
		return ("unknown_topic");
	if (s.node[0] != '\0' && number_of(m, number)) {
		if (m->retained)
			return ("retained_without_time");
		p->items = 1;
		return (add_number(b, number, &s) ? NULL : "too_long");
	}
	doc = json_loadb(m->payload, m->len, JSON_REJECT_DUPLICATES, NULL);
	why = doc == NULL ? "no_json" : add_json(b, p, doc, &s);
	json_decref(doc);
	return (why);
}

bool
mqtt_batch_add(struct mqtt_batch *b, const struct mqtt_message *m)
{
	struct part *p = &b->parts[b->n];
	const char *why;

	atomic_fetch_add(&b->config.counters->received, 1);
	b->over = b->over || b->n == MQTT_BATCH_MESSAGES;
	if (b->over)
		return (false);
	b->n++;
	*p = (struct part){.from = b->text.len};
	quote(p->topic, m->topic, strlen(m->topic));
	why = m->len == 0 ? "empty" : add_payload(b, p, m);
	if (why != NULL) {
		b->text.len = p->from;
		set_aside(b, p, why, "");
	}
	p->len = b->text.len - p->from;
	b->items += p->items;
	b->over = !text_ok(&b->text);
	return (b->n < MQTT_BATCH_MESSAGES && b->items < ITEMS_FULL &&
	    b->text.len < BYTES_FULL);
}

/* The parts from the first that was not stored that fit into one POST, at
 * the most `most`. */
static size_t
write_body(struct mqtt_batch *b, size_t most, size_t *ret_items)
{
	const struct part *first = &b->parts[b->stored], *p = first;
	const struct part *end = b->parts + b->n;
	size_t items = 0, len = 0;

	for (; p < end && (size_t)(p - first) < most; p++) {
		if (p > first &&
		    (items + p->items > ITEMS_POST ||
			len + p->len > BYTES_POST))
			break;
		items += p->items;
		len += p->len;
	}
	text_reset(&b->body);
	text_puts(&b->body, "{\"readings\":[");
	if (len > 0)
		text_add(&b->body, b->text.s + first->from, len - 1);
	text_puts(&b->body, "]}");
	*ret_items = items;
	return ((size_t)(p - first));
}

static const struct part *
part_of(const struct mqtt_batch *b, size_t item)
{
	const struct part *p = &b->parts[b->stored];

	for (; item >= p->items; p++)
		item -= p->items;
	return (p);
}

static void
tell_items(struct mqtt_batch *b, const json_t *items, size_t n)
{
	const char *reason, *detail;
	const json_t *item;
	json_int_t at;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)items, i, item)
	{
		reason = json_string_value(json_object_get(item, "reason"));
		detail = json_string_value(json_object_get(item, "detail"));
		at = json_integer_value(json_object_get(item, "index"));
		if (reason != NULL && at >= 0 && (size_t)at < n)
			tell(b, part_of(b, (size_t)at)->topic, reason,
			    detail == NULL ? "" : detail);
	}
}

/* An answer that does not account for every reading is none. */
static bool
take_answer(struct mqtt_batch *b, const struct client_reply *r, size_t n)
{
	struct mqtt_counters *c = b->config.counters;
	json_t *doc = json_loadb(r->body, r->len, 0, NULL);
	json_int_t accepted, duplicates, rejected;

	accepted = json_integer_value(json_object_get(doc, "accepted"));
	duplicates = json_integer_value(json_object_get(doc, "duplicates"));
	rejected = json_integer_value(json_object_get(doc, "rejected"));
	if (accepted < 0 || duplicates < 0 || rejected < 0 ||
	    (size_t)accepted + (size_t)duplicates + (size_t)rejected != n) {
		json_decref(doc);
		return (false);
	}
	atomic_fetch_add(&c->accepted, (uint64_t)accepted);
	atomic_fetch_add(&c->duplicate, (uint64_t)duplicates);
	atomic_fetch_add(&c->rejected, (uint64_t)rejected);
	tell_items(b, json_object_get(doc, "items"), n);
	json_decref(doc);
	return (true);
}

/* What the body is to blame for, and not who sends it, or the service. */
static bool
blames_body(int status)
{
	return (
	    status == 400 || status == 413 || status == 415 || status == 422);
}

enum sent { SENT_STORED, SENT_AGAIN, SENT_BY_ITSELF };

static enum sent
send_parts(struct mqtt_batch *b, size_t most, struct client_reply *r)
{
	size_t items, n = write_body(b, most, &items);
	char why[400];

	*r = (struct client_reply){.body = ""};
	if (items == 0) {
		b->stored += n;
		return (SENT_STORED);
	}
	client_call(b->config.client, "POST", "/api/v1/readings", b->config.key,
	    b->body.s, b->body.len, r);
	if (r->status == 200 && take_answer(b, r, items)) {
		b->stored += n;
		return (SENT_STORED);
	}
	if (!blames_body(r->status))
		return (SENT_AGAIN);
	if (n > 1)
		return (SENT_BY_ITSELF);
	set_aside(b, &b->parts[b->stored++], "refused",
	    client_reason(r, why, sizeof(why)));
	return (SENT_STORED);
}

/* Full jitter, doubling, or what the service asked for. */
static int64_t
wait_ms(const struct client_reply *r, int attempt)
{
	int64_t most = WAIT_LEAST << (attempt < 5 ? attempt : 5);

	if (r->retry_after_s > 0)
		return ((int64_t)(r->retry_after_s * 1000));
	if (most > WAIT_MOST)
		most = WAIT_MOST;
	return (most / 2 + random() % (most / 2));
}

bool
mqtt_batch_store(struct mqtt_batch *b, int64_t patience_ms)
{
	int64_t end = tool_monotonic_ms() + patience_ms, wait;
	size_t most = b->n, alone = 0; /* parts up to it go by themselves */
	struct client_reply r;
	char why[400];
	int attempt = 0;

	while (!b->over && b->stored < b->n) {
		if (b->stored >= alone)
			most = b->n;
		switch (send_parts(b, most, &r)) {
		case SENT_STORED:
			attempt = 0;
			continue;
		case SENT_BY_ITSELF:
			alone = b->n;
			most = 1;
			continue;
		case SENT_AGAIN:
			break;
		}
		wait = wait_ms(&r, attempt);
		if (attempt++ == 0)
			tool_error("the service does not store: %s",
			    client_reason(&r, why, sizeof(why)));
		atomic_fetch_add(&b->config.counters->retried, 1);
		if (tool_monotonic_ms() + wait > end || !tool_sleep_ms(wait))
			return (false);
	}
	return (!b->over);
}
