#include "ingest/json_item.h"
#include "ingest/decimal.h"

static const char *const names[ITEM_MEMBERS] = {
    "node", "metric", "ts", "value", "unit"};

#define REQUIRED \
	(1u << ITEM_NODE | 1u << ITEM_METRIC | 1u << ITEM_TS | 1u << ITEM_VALUE)

/* What a member's name in quotes begins with `s`, its colon and perhaps one
 * blank; `p` is moved behind them. -1: none of ours, or written otherwise. */
static inline int
plain_name(const char **p, const char *end)
{
	static const unsigned char lens[ITEM_MEMBERS] = {7, 9, 5, 8, 7};
	const char *s = *p;
	int m;

	if (end - s < 10)
		return (-1);
	if (memcmp(s, "\"node\":", 7) == 0)
		m = ITEM_NODE;
	else if (memcmp(s, "\"metric\":", 9) == 0)
		m = ITEM_METRIC;
	else if (memcmp(s, "\"ts\":", 5) == 0)
		m = ITEM_TS;
	else if (memcmp(s, "\"value\":", 8) == 0)
		m = ITEM_VALUE;
	else if (memcmp(s, "\"unit\":", 7) == 0)
		m = ITEM_UNIT;
	else
		return (-1);
	s += lens[m];
	*p = s + (*s == ' ');
	return (m);
}

static inline const char *
plain_text(const char *p, const char *end, struct span *ret)
{
	const char *to;

	if (p == end || *p != '"')
		return (NULL);
	to = json_plain_end(++p, end);
	if (to == end || *to != '"' || to - p > ITEM_TEXT_MAX)
		return (NULL);
	*ret = (struct span){p, (size_t)(to - p)};
	return (to + 1);
}

/*
 * The way most senders write: all members there, plain text, no white space
 * but one blank behind ':' and ','. Returns what is behind the brace; NULL:
 * something is unusual or wrong, the long way tells.
 */
static const char *
plain_object(const char *p, const char *end, struct item *r)
{
	struct span text[ITEM_MEMBERS] = {{NULL, 0}};
	double value = 0;
	unsigned seen = 0;
	size_t n;
	int m;

	for (;;) {
		if ((m = plain_name(&p, end)) < 0 || seen & 1u << m)
			return (NULL);
		seen |= 1u << m;
		if (m == ITEM_VALUE) {
			n = decimal_parse(p, end, ITEM_NUMBER_MAX, &value);
			p = n > 0 ? p + n : NULL;
		} else
			p = plain_text(p, end, &text[m]);
		if (p == NULL || p == end)
			return (NULL);
		if (*p++ != ',')
			break;
		p += p < end && *p == ' ';
	}
	if (p[-1] != '}' || (seen & REQUIRED) != REQUIRED)
		return (NULL);
	r->node = text[ITEM_NODE];
	r->metric = text[ITEM_METRIC];
	r->ts = text[ITEM_TS];
	r->unit = text[ITEM_UNIT];
	r->value = value;
	return (p);
}

static inline int
member_of(const struct span *name)
{
	int m;

	switch (name->len) {
	case 2:
		m = ITEM_TS;
		break;
	case 4:
		m = name->s[0] == 'n' ? ITEM_NODE : ITEM_UNIT;
		break;
	case 5:
		m = ITEM_VALUE;
		break;
	case 6:
		m = ITEM_METRIC;
		break;
	default:
		return (-1);
	}
	return (memcmp(name->s, names[m], name->len) == 0 ? m : -1);
}

static void
set_fault(struct item *r, enum item_fault f, struct span member)
{
	if (r->fault != ITEM_FAULT_NONE)
		return;
	r->fault = f;
	r->member = member;
}

static void
set_member_fault(struct item *r, enum item_fault f, int m)
{
	set_fault(r, f, (struct span){names[m], strlen(names[m])});
}

static bool
take_member(struct json_scan *d, struct item *r, int m)
{
	struct span *const text[ITEM_MEMBERS] = {[ITEM_NODE] = &r->node,
	    [ITEM_METRIC] = &r->metric,
	    [ITEM_TS] = &r->ts,
	    [ITEM_UNIT] = &r->unit};
	char c = json_peek(d);

	if (m == ITEM_VALUE) {
		if (json_is_number_start(c))
			return (json_number_take(d, &r->value));
		set_member_fault(r, ITEM_FAULT_NOT_NUMBER, m);
		return (json_skip(d, 2));
	}
	if (c != '"') {
		set_member_fault(r,
		    m == ITEM_TS && json_is_number_start(c)
			? ITEM_FAULT_TS_NUMBER
			: ITEM_FAULT_NOT_STRING,
		    m);
		return (json_skip(d, 2));
	}
	d->p++;
	if (!json_string_take(d, d->scratch[m], text[m]))
		return (false);
	if (text[m]->len > ITEM_TEXT_MAX)
		set_member_fault(r, ITEM_FAULT_TOO_LONG, m);
	return (true);
}

/* One name and its value; d->p at the name. */
static inline bool
take_pair(struct json_scan *d, struct item *r, unsigned *seen)
{
	/* The name of an unknown member must outlive those after it. */
	char *scratch =
	    d->scratch[ITEM_MEMBERS + (r->fault == ITEM_FAULT_UNKNOWN)];
	struct span name;
	int m;

	if (!json_name_take(d, scratch, &name))
		return (false);
	if ((m = member_of(&name)) < 0) {
		set_fault(r, ITEM_FAULT_UNKNOWN, name);
		return (json_skip(d, 2));
	}
	if (*seen & 1u << m)
		return (
		    json_bad(d, d->p, "a member stands here a second time"));
	*seen |= 1u << m;
	return (take_member(d, r, m));
}

/* d->p is behind '{'. */
static bool
take_members(struct json_scan *d, struct item *r)
{
	unsigned seen = 0;
	int m;

	if (json_peek(d) == '}')
		d->p++;
	else
		for (;;) {
			if (!take_pair(d, r, &seen))
				return (false);
			if (json_peek(d) == '}') {
				d->p++;
				break;
			}
			if (!json_expect(d, ',', "expected ',' or '}'"))
				return (false);
		}
	for (m = 0; m < ITEM_UNIT; m++)
		if (!(seen & 1u << m))
			set_member_fault(r, ITEM_FAULT_MISSING, m);
	return (true);
}

bool
json_item_finish(struct json_scan *d, struct item *ret)
{
	const char *behind = plain_object(d->p, d->end, ret);

	ret->fault = ITEM_FAULT_NONE;
	ret->member = (struct span){NULL, 0};
	if (behind != NULL) {
		d->p = behind;
		return (true);
	}
	*ret = (struct item){.index = ret->index};
	return (take_members(d, ret));
}

bool
json_item_take(struct json_scan *d, struct item *ret)
{
	if (json_peek(d) == '{') {
		d->p++;
		return (json_item_finish(d, ret));
	}
	*ret = (struct item){.index = ret->index};
	set_fault(ret, ITEM_FAULT_NOT_OBJECT, (struct span){"", 0});
	return (json_skip(d, 2));
}
