#include <jansson.h>

#include "cmd/feed_send.h"

#include "cmd/tool.h"

#include <stdlib.h>
#include <string.h>

/* A reading longer than this cannot be one. */
#define ITEM_MAX   1024
#define WAIT_LEAST 200
#define WAIT_MOST  5000

static void
begin(struct sender *s)
{
	text_reset(&s->body);
	s->n = 0;
	json_object(&s->body, NULL);
	json_array(&s->body, "readings");
}

struct sender *
sender_new(const struct sender_config *conf)
{
	struct sender *s;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		tool_error("out of memory");
		return (NULL);
	}
	s->conf = *conf;
	text_init(&s->body, SENDER_BODY + 1);
	begin(s);
	return (s);
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	text_done(&s->body);
	free(s);
}

static void
count_reason(struct sender *s, const char *word)
{
	struct sender_reason *r = s->reasons;
	size_t i;

	for (i = 0; i < s->nreasons; i++, r++)
		if (strncmp(r->word, word, sizeof(r->word) - 1) == 0) {
			r->count++;
			return;
		}
	if (s->nreasons == SENDER_REASONS)
		return;
	snprintf(r->word, sizeof(r->word), "%s", word);
	r->count = 1;
	s->nreasons++;
}

void
sender_reject(struct sender *s, size_t line, size_t column, const char *reason,
    const char *detail)
{
	s->rejected++;
	count_reason(s, reason);
	if (s->shown++ < s->conf.show)
		tool_error(
		    "line %zu, cell %zu: %s: %s", line, column, reason, detail);
	else if (s->shown == s->conf.show + 1)
		tool_error("further rejections are only counted");
}

static uint64_t
member_count(const json_t *doc, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(doc, name));

	return (n < 0 ? 0 : (uint64_t)n);
}

static void
take_item(struct sender *s, const json_t *item)
{
	const char *status, *reason, *detail;
	json_int_t i = json_integer_value(json_object_get(item, "index"));

	status = json_string_value(json_object_get(item, "status"));
	if (status == NULL || strcmp(status, "rejected") != 0 || i < 0 ||
	    (size_t)i >= s->n)
		return;
	reason = json_string_value(json_object_get(item, "reason"));
	detail = json_string_value(json_object_get(item, "detail"));
	sender_reject(s, s->lines[i], s->columns[i],
	    reason == NULL ? "unnamed" : reason, detail == NULL ? "" : detail);
}

/* An answer that does not account for every reading is no answer. */
static bool
take_answer(struct sender *s, const struct client_reply *r)
{
	json_t *doc = json_loadb(r->body, r->len, 0, NULL), *item;
	uint64_t accepted, duplicates, rejected, before = s->rejected;
	size_t i;
	bool ok;

	accepted = member_count(doc, "accepted");
	duplicates = member_count(doc, "duplicates");
	rejected = member_count(doc, "rejected");
	json_array_foreach(json_object_get(doc, "items"), i, item)
	    take_item(s, item);
	ok = accepted + duplicates + rejected == s->n &&
	    s->rejected - before == rejected;
	json_decref(doc);
	if (!ok) {
		tool_error("the answer does not account for the %zu readings "
			   "sent: %.300s",
		    s->n, r->body);
		return (false);
	}
	s->sent += s->n;
	s->accepted += accepted;
	s->duplicates += duplicates;
	return (true);
}

/* Full jitter, doubling, or what the server asked for. */
static int64_t
wait_ms(const struct client_reply *r, int attempt)
{
	int64_t most = WAIT_LEAST;

	if (r->retry_after_s > 0)
		return ((int64_t)(r->retry_after_s * 1000));
	while (attempt-- > 0 && most < WAIT_MOST)
		most *= 2;
	if (most > WAIT_MOST)
		most = WAIT_MOST;
	return (most / 2 + random() % (most / 2));
}

/* False: stopped, or patience is over. */
static bool
wait_again(struct sender *s, const struct client_reply *r, int attempt,
    int64_t deadline)
{
	char buf[400];
	int64_t wait = wait_ms(r, attempt);

	if (tool_stopping() || tool_monotonic_ms() + wait > deadline) {
		tool_error("given up: %s", client_reason(r, buf, sizeof(buf)));
		return (false);
	}
	if (attempt == 0)
		tool_error(
		    "%s; trying again", client_reason(r, buf, sizeof(buf)));
	s->retries++;
	return (tool_sleep_ms(wait));
}

bool
sender_flush(struct sender *s)
{
	int64_t deadline = tool_monotonic_ms() + s->conf.patience_ms;
	struct client_reply r;
	char buf[400];
	int attempt;

	if (s->n == 0)
		return (true);
	json_array_end(&s->body);
	json_object_end(&s->body);
	for (attempt = 0;; attempt++) {
		client_call(s->conf.client, "POST", "/api/v1/readings",
		    s->conf.key, s->body.s, s->body.len, &r);
		if (r.status == 200)
			break;
		if (!client_transient(&r)) {
			tool_error("the batch that ends in line %zu: %s",
			    s->lines[s->n - 1],
			    client_reason(&r, buf, sizeof(buf)));
			return (false);
		}
		if (!wait_again(s, &r, attempt, deadline))
			return (false);
	}
	if (!take_answer(s, &r))
		return (false);
	begin(s);
	return (true);
}

static size_t
item_length(const struct sender_item *i)
{
	return (strlen(i->node) + strlen(i->metric) + strlen(i->ts) +
	    strlen(i->value) + (i->unit == NULL ? 0 : strlen(i->unit)));
}

bool
sender_add(struct sender *s, const struct sender_item *i)
{
	struct text *t = &s->body;

	if (item_length(i) > ITEM_MAX) {
		sender_reject(s, i->line, i->column, "too_long",
		    "the reading has more than 1024 characters");
		return (true);
	}
	/* Escaped, a character may take six; 100 is for names and marks. */
	if (s->n == s->conf.batch || t->len + 6 * ITEM_MAX + 100 > SENDER_BODY)
		if (!sender_flush(s))
			return (false);
	s->lines[s->n] = i->line;
	s->columns[s->n++] = i->column;
	json_object(t, NULL);
	json_string(t, "node", i->node);
	json_string(t, "metric", i->metric);
	json_string(t, "ts", i->ts);
	json_raw(t, "value", i->value, strlen(i->value));
	if (i->unit != NULL)
		json_string(t, "unit", i->unit);
	json_object_end(t);
	return (true);
}
