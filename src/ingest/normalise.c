#include "ingest/normalise.h"
#include "core/instant.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_MAX 64 /* bytes of a sender's text that a detail repeats */

#define X(code, word, sentence) word,
static const char *const words[] = {REJECT_TABLE(X)};
#undef X
#define X(code, word, sentence) sentence,
static const char *const sentences[] = {REJECT_TABLE(X)};
#undef X

const char *
reject_word(enum reject r)
{
	return (words[r]);
}

const char *
reject_sentence(enum reject r)
{
	return (sentences[r]);
}

static int
quoted(const struct span *s)
{
	return ((int)(s->len < QUOTE_MAX ? s->len : QUOTE_MAX));
}

static enum reject
faulty(const struct item *in, char *detail)
{
	static const char *const formats[] = {
	    [ITEM_FAULT_NOT_OBJECT] = "a reading must be an object%.*s",
	    [ITEM_FAULT_MISSING] = "\"%.*s\" is missing",
	    [ITEM_FAULT_UNKNOWN] = "unknown member \"%.*s\"",
	    [ITEM_FAULT_NOT_STRING] = "\"%.*s\" must be a string",
	    [ITEM_FAULT_NOT_NUMBER] = "\"%.*s\" must be a number",
	    [ITEM_FAULT_TS_NUMBER] = "\"%.*s\" must be RFC 3339 text, not a "
				     "number",
	    [ITEM_FAULT_TOO_LONG] = "\"%.*s\" is too long",
	    [ITEM_FAULT_SYNTAX] = "%.*s",
	};

	/* One of the constants above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(detail, NORMALISE_DETAIL, formats[in->fault],
	    in->fault == ITEM_FAULT_SYNTAX ? (int)in->member.len
					   : quoted(&in->member),
	    in->member.s);
#pragma GCC diagnostic pop
	return (in->fault == ITEM_FAULT_TS_NUMBER ? REJECT_BAD_TIMESTAMP
						  : REJECT_BAD_ITEM);
}

static enum reject
bad_time(const struct span *ts, char *detail)
{
	(void)snprintf(detail, NORMALISE_DETAIL,
	    "\"%.*s\" is not an RFC 3339 time such as 2026-11-20T09:27:04Z",
	    quoted(ts), ts->s);
	return (REJECT_BAD_TIMESTAMP);
}

static enum reject
judge_time(const struct ingest_limits *l, struct reading *r, char *detail)
{
	char limit[INSTANT_TEXT];

	if (r->t_us > l->now_us + l->future_us) {
		instant_format(l->now_us, limit);
		(void)snprintf(detail, NORMALISE_DETAIL,
		    "more than %lld s ahead of the server's clock, %s",
		    (long long)(l->future_us / US_PER_SECOND), limit);
		return (REJECT_FUTURE);
	}
	if (r->t_us < l->oldest_us) {
		instant_format(l->oldest_us, limit);
		(void)snprintf(detail, NORMALISE_DETAIL,
		    "before the oldest time that is kept, %s", limit);
		return (REJECT_TOO_OLD);
	}
	r->quality = r->t_us > l->now_us ? QUALITY_CLOCK_AHEAD : QUALITY_GOOD;
	return (REJECT_NONE);
}

static enum reject
convert(const struct item *in, const struct series_entry *s, double *ret,
    char *detail)
{
	const struct unit *u;

	if (in->unit.s == NULL) {
		*ret = in->value * s->factor + s->offset;
		return (REJECT_NONE);
	}
	u = unit_find(in->unit.s, in->unit.len);
	if (u == NULL || !unit_converts(u, s->canonical)) {
		(void)snprintf(detail, NORMALISE_DETAIL,
		    "\"%.*s\" is not a unit that converts to %s",
		    quoted(&in->unit), in->unit.s, s->canonical);
		return (REJECT_BAD_UNIT);
	}
	*ret = unit_to_canonical(u, in->value);
	return (REJECT_NONE);
}

static enum reject
judge_value(const struct series_entry *s, double v, char *detail)
{
	if (!isfinite(v)) {
		(void)snprintf(detail, NORMALISE_DETAIL, "%s",
		    reject_sentence(REJECT_NOT_FINITE));
		return (REJECT_NOT_FINITE);
	}
	if (v < s->low || v > s->high) {
		(void)snprintf(detail, NORMALISE_DETAIL,
		    "%.9g %s is not between %.9g and %.9g %s", v, s->canonical,
		    s->low, s->high, s->canonical);
		return (REJECT_OUT_OF_RANGE);
	}
	return (REJECT_NONE);
}

static inline bool
is_named(const struct series_entry *s, const struct item *in)
{
	const struct registry_name *n = &s->name;

	/* Codes differ in their last letter more often than in their first. */
	return (n->len == in->node.len && n->len2 == in->metric.len &&
	    n->len > 0 && n->s[n->len - 1] == in->node.s[n->len - 1] &&
	    memcmp(n->s, in->node.s, n->len) == 0 &&
	    memcmp(s->metric, in->metric.s, n->len2) == 0);
}

/* Senders name one series many times, or a node's series in turn. */
static const struct series_entry *
guess(const struct series_entry *last, const struct item *in)
{
	if (last == NULL || is_named(last, in))
		return (last);
	last = last->next_of_node;
	return (last != NULL && is_named(last, in) ? last : NULL);
}

static enum reject
find(struct normaliser *n, const struct item *in, char *detail)
{
	const struct series_entry *s = guess(n->last, in);

	if (s == NULL)
		s = registry_series(n->registry, in->node.s, in->node.len,
		    in->metric.s, in->metric.len);
	if (s != NULL && !series_retired(s)) {
		n->last = s;
		return (REJECT_NONE);
	}
	(void)snprintf(detail, NORMALISE_DETAIL, "%.*s/%.*s %s",
	    quoted(&in->node), in->node.s, quoted(&in->metric), in->metric.s,
	    s == NULL ? "is not a series" : "is retired");
	return (s == NULL ? REJECT_UNKNOWN_SERIES : REJECT_RETIRED);
}

static enum reject
judge_scope(struct normaliser *n, char *detail)
{
	const struct node_entry *node = n->last->node;

	if (node == n->inside)
		return (REJECT_NONE);
	if (registry_key_admits(n->limits.scope, node)) {
		n->inside = node;
		return (REJECT_NONE);
	}
	(void)snprintf(detail, NORMALISE_DETAIL,
	    "this API key may not send for node %s", node->name.s);
	return (REJECT_SCOPE);
}

static enum reject
judge_archived(
    const struct range_port *archive, const struct reading *r, char *detail)
{
	int64_t end_us;

	if (archive == NULL || archive->only == NULL ||
	    !archive->only(archive->self, r->series, r->t_us, &end_us))
		return (REJECT_NONE);
	(void)snprintf(detail, NORMALISE_DETAIL,
	    "this time is archived and takes readings again once it is "
	    "restored");
	return (REJECT_TOO_OLD);
}

enum reject
normalise(struct normaliser *n, const struct item *in, struct reading *ret,
    char detail[static NORMALISE_DETAIL])
{
	struct reading out = {.received_us = n->limits.now_us};
	enum reject why;

	if (in->fault != ITEM_FAULT_NONE)
		return (faulty(in, detail));
	if ((why = find(n, in, detail)) != REJECT_NONE)
		return (why);
	if (n->limits.scope != NULL &&
	    (why = judge_scope(n, detail)) != REJECT_NONE)
		return (why);
	if (!instant_parse(in->ts.s, in->ts.len, &out.t_us))
		return (bad_time(&in->ts, detail));
	out.series = n->last->id;
	if ((why = convert(in, n->last, &out.value, detail)) != REJECT_NONE ||
	    (why = judge_value(n->last, out.value, detail)) != REJECT_NONE ||
	    (why = judge_time(&n->limits, &out, detail)) != REJECT_NONE ||
	    (why = judge_archived(n->limits.archive, &out, detail)) !=
		REJECT_NONE)
		return (why);
	*ret = out;
	return (REJECT_NONE);
}
