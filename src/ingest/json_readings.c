#include "ingest/json_readings.h"
#include "core/text.h"
#include "ingest/decimal.h"

#include <stdint.h>
#include <string.h>

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

static const char *const names[JSON_MEMBERS] = {
    "node", "metric", "ts", "value", "unit"};

/* Always false; `at` is where the reading stopped. */
static bool
bad(struct json_readings *d, const char *at, const char *what)
{
	const char *p, *line = d->start;
	unsigned long lines = 1;

	for (p = d->start; p < at; p++)
		if (*p == '\n') {
			lines++;
			line = p + 1;
		}
	err_set(d->info, ERR_BAD_JSON, NULL, "line %lu, column %lu: %s%s",
	    lines, (unsigned long)(at - line) + 1, what,
	    at == d->end ? ", but the body ends" : "");
	return (false);
}

/* The next byte that is not white space, NUL at the end. */
static inline char
peek(struct json_readings *d)
{
	while (d->p < d->end) {
		if ((unsigned char)*d->p > ' ')
			return (*d->p);
		if (*d->p != ' ' && *d->p != '\n' && *d->p != '\r' &&
		    *d->p != '\t')
			return (*d->p == '\0' ? '\1' : *d->p);
		d->p++;
	}
	return ('\0');
}

static inline bool
expect(struct json_readings *d, char c, const char *what)
{
	if (peek(d) != c)
		return (bad(d, d->p, what));
	d->p++;
	return (true);
}

/* The first byte that is a quote, a backslash, a control or not ASCII. */
static inline const char *
plain_end(const char *p, const char *end)
{
	uint64_t w, quote, slash;

	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, 8);
		quote = w ^ ONES * '"';
		slash = w ^ ONES * '\\';
		/* A borrow can only mark a byte above the first true one. */
		w = ((quote - ONES) | (slash - ONES) | (w - ONES * 0x20) | w) &
		    HIGHS;
		if (w != 0)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return (p + __builtin_ctzll(w) / 8);
#else
			break;
#endif
	}
	while (p < end && *p != '"' && *p != '\\' &&
	    (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
		p++;
	return (p);
}

/* Where unescaped bytes go; counts on, but stores no more, when full. */
struct sink {
	char *s;
	size_t len;
};

static void
sink_add(struct sink *out, const char *s, size_t n)
{
	size_t room;

	if (out->s == NULL)
		return;
	room = JSON_STRING_MAX + 1 - out->len;
	if (n > room)
		n = room;
	memcpy(out->s + out->len, s, n);
	out->len += n;
}

static void
sink_add_character(struct sink *out, uint32_t c)
{
	char b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	for (i = n - 1; i > 0; i--, c >>= 6)
		b[i] = (char)(0x80 | (c & 0x3f));
	b[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	sink_add(out, b, n);
}

/* The four digits of \uXXXX, -1 if they are not. */
static int32_t
hex4(const char *p, const char *end)
{
	int32_t v = 0;
	int i, c;

	if (end - p < 4)
		return (-1);
	for (i = 0; i < 4; i++) {
		c = (unsigned char)p[i];
		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			c = (c | 0x20) - 'a' + 10;
		else
			return (-1);
		v = v << 4 | c;
	}
	return (v);
}

/* d->p is behind "\u". A pair of surrogates is one character. */
static bool
unicode_escape(struct json_readings *d, struct sink *out)
{
	int32_t hi = hex4(d->p, d->end), lo;
	uint32_t c = (uint32_t)hi;

	if (hi < 0)
		return (bad(d, d->p, "expected four hexadecimal digits"));
	d->p += 4;
	if (hi >= 0xd800 && hi <= 0xdfff) {
		if (hi > 0xdbff || d->end - d->p < 6 || d->p[0] != '\\' ||
		    d->p[1] != 'u' || (lo = hex4(d->p + 2, d->end)) < 0xdc00 ||
		    lo > 0xdfff)
			return (bad(d, d->p, "half a surrogate pair"));
		d->p += 6;
		c = 0x10000 + ((c & 0x3ff) << 10) + ((uint32_t)lo & 0x3ff);
	}
	sink_add_character(out, c);
	return (true);
}

/* d->p is behind the backslash. */
static bool
escape(struct json_readings *d, struct sink *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (d->p == d->end)
		return (bad(d, d->p, "expected an escape"));
	if (*d->p == 'u') {
		d->p++;
		return (unicode_escape(d, out));
	}
	at = memchr(from, *d->p, sizeof(from) - 1);
	if (at == NULL)
		return (bad(d, d->p, "there is no such escape"));
	d->p++;
	sink_add(out, &to[at - from], 1);
	return (true);
}

/* The rest of a string that is more than plain ASCII. */
static bool
take_hard_string(struct json_readings *d, struct sink *out)
{
	const char *from;
	size_t n;

	for (;;) {
		from = d->p;
		d->p = plain_end(d->p, d->end);
		sink_add(out, from, (size_t)(d->p - from));
		if (d->p == d->end)
			return (bad(d, d->p, "expected a closing quote"));
		if (*d->p == '"')
			return (d->p++, true);
		if (*d->p == '\\') {
			d->p++;
			if (!escape(d, out))
				return (false);
			continue;
		}
		n = text_utf8(d->p, (size_t)(d->end - d->p));
		if (n < 2)
			return (bad(d, d->p,
			    "a control character or bytes "
			    "that are not UTF-8"));
		sink_add(out, d->p, n);
		d->p += n;
	}
}

/*
 * d->p is behind the quote. A plain string is borrowed from the body, any
 * other built in `scratch` (NULL: only checked). A string that is too long
 * comes back longer than JSON_STRING_MAX.
 */
static inline bool
take_string(struct json_readings *d, char *scratch, struct span *ret)
{
	struct sink out = {.s = scratch};
	const char *from = d->p, *to = plain_end(from, d->end);

	if (to < d->end && *to == '"') {
		*ret = (struct span){from, (size_t)(to - from)};
		d->p = to + 1;
		return (true);
	}
	if (!take_hard_string(d, &out))
		return (false);
	*ret = (struct span){scratch, out.len};
	return (true);
}

static inline bool
take_number(struct json_readings *d, double *ret)
{
	size_t n = decimal_parse(d->p, d->end, JSON_NUMBER_MAX, ret);

	if (n == 0)
		return (bad(d, d->p,
		    "not a number, or one of more than 400 "
		    "characters"));
	d->p += n;
	return (true);
}

static bool
skip_word(struct json_readings *d)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t i, n;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		n = strlen(words[i]);
		if ((size_t)(d->end - d->p) >= n &&
		    memcmp(d->p, words[i], n) == 0) {
			d->p += n;
			return (true);
		}
	}
	return (bad(d, d->p, "expected a value"));
}

static bool skip_value(struct json_readings *, int depth);

/* d->p is behind the opening bracket. */
static bool
skip_nested(struct json_readings *d, char close, int depth)
{
	struct span name;

	if (depth >= JSON_DEPTH_MAX)
		return (bad(d, d->p, "nested too deeply"));
	if (peek(d) == close)
		return (d->p++, true);
	for (;;) {
		if (close == '}' &&
		    (!expect(d, '"', "expected a member's name") ||
			!take_string(d, NULL, &name) ||
			!expect(d, ':', "expected ':'")))
			return (false);
		if (!skip_value(d, depth + 1))
			return (false);
		if (peek(d) == close)
			return (d->p++, true);
		if (!expect(d, ',', "expected ',' or the closing bracket"))
			return (false);
	}
}

static bool
skip_value(struct json_readings *d, int depth)
{
	struct span text;
	double number;
	char c = peek(d);

	switch (c) {
	case '{':
	case '[':
		d->p++;
		return (skip_nested(d, c == '{' ? '}' : ']', depth));
	case '"':
		d->p++;
		return (take_string(d, NULL, &text));
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return (take_number(d, &number));
		return (skip_word(d));
	}
}

static inline int
member_of(const struct span *name)
{
	int m;

	switch (name->len) {
	case 2:
		m = JSON_TS;
		break;
	case 4:
		m = name->s[0] == 'n' ? JSON_NODE : JSON_UNIT;
		break;
	case 5:
		m = JSON_VALUE;
		break;
	case 6:
		m = JSON_METRIC;
		break;
	default:
		return (-1);
	}
	return (memcmp(name->s, names[m], name->len) == 0 ? m : -1);
}

static void
set_fault(struct json_reading *r, enum json_fault f, struct span member)
{
	if (r->fault != JSON_FAULT_NONE)
		return;
	r->fault = f;
	r->member = member;
}

static void
set_member_fault(struct json_reading *r, enum json_fault f, int m)
{
	set_fault(r, f, (struct span){names[m], strlen(names[m])});
}

static bool
is_number_start(char c)
{
	return (c == '-' || (c >= '0' && c <= '9'));
}

static bool
take_member(struct json_readings *d, struct json_reading *r, int m)
{
	struct span *const text[JSON_MEMBERS] = {[JSON_NODE] = &r->node,
	    [JSON_METRIC] = &r->metric,
	    [JSON_TS] = &r->ts,
	    [JSON_UNIT] = &r->unit};
	char c = peek(d);

	if (m == JSON_VALUE) {
		if (is_number_start(c))
			return (take_number(d, &r->value));
		set_member_fault(r, JSON_FAULT_NOT_NUMBER, m);
		return (skip_value(d, 2));
	}
	if (c != '"') {
		set_member_fault(r,
		    m == JSON_TS && is_number_start(c) ? JSON_FAULT_TS_NUMBER
						       : JSON_FAULT_NOT_STRING,
		    m);
		return (skip_value(d, 2));
	}
	d->p++;
	if (!take_string(d, d->scratch[m], text[m]))
		return (false);
	if (text[m]->len > JSON_STRING_MAX)
		set_member_fault(r, JSON_FAULT_TOO_LONG, m);
	return (true);
}

/* One name and its value; d->p at the name. */
static inline bool
take_pair(struct json_readings *d, struct json_reading *r, unsigned *seen)
{
	/* The name of an unknown member must outlive those after it. */
	char *scratch =
	    d->scratch[JSON_MEMBERS + (r->fault == JSON_FAULT_UNKNOWN)];
	struct span name;
	int m;

	if (!expect(d, '"', "expected a member's name") ||
	    !take_string(d, scratch, &name) || !expect(d, ':', "expected ':'"))
		return (false);
	if ((m = member_of(&name)) < 0) {
		set_fault(r, JSON_FAULT_UNKNOWN, name);
		return (skip_value(d, 2));
	}
	if (*seen & 1u << m)
		return (bad(d, d->p, "a member stands here a second time"));
	*seen |= 1u << m;
	return (take_member(d, r, m));
}

/* d->p is behind '{'. */
static bool
take_reading(struct json_readings *d, struct json_reading *r)
{
	unsigned seen = 0;
	int m;

	if (peek(d) == '}')
		d->p++;
	else
		for (;;) {
			if (!take_pair(d, r, &seen))
				return (false);
			if (peek(d) == '}') {
				d->p++;
				break;
			}
			if (!expect(d, ',', "expected ',' or '}'"))
				return (false);
		}
	for (m = 0; m < JSON_UNIT; m++)
		if (!(seen & 1u << m))
			set_member_fault(r, JSON_FAULT_MISSING, m);
	return (true);
}

static bool
at_end(struct json_readings *d)
{
	if (peek(d) != '\0')
		return (bad(d, d->p, "there is more behind the JSON text"));
	d->done = true;
	return (true);
}

/* What stands behind the list; d->p is behind its value. */
static bool
finish_list(struct json_readings *d)
{
	struct err_info unknown = {0};
	struct span name;

	while (peek(d) == ',') {
		d->p++;
		if (!expect(d, '"', "expected a member's name") ||
		    !take_string(d, d->scratch[0], &name) ||
		    !expect(d, ':', "expected ':'") || !skip_value(d, 1))
			return (false);
		if (name.len == 8 && memcmp(name.s, "readings", 8) == 0)
			return (bad(d, d->p, "\"readings\" stands twice"));
		err_set(&unknown, ERR_INVALID, NULL, "unknown member \"%.*s\"",
		    (int)name.len, name.s);
	}
	if (!expect(d, '}', "expected ',' or '}'") || !at_end(d))
		return (false);
	if (unknown.code != ERR_OK)
		*d->info = unknown;
	return (unknown.code == ERR_OK);
}

/* Well-formed JSON of another shape; *what* says which is wanted. */
static void
refuse_shape(struct json_readings *d, const char *pointer, const char *what)
{
	if (d->info->code == ERR_OK)
		err_set(d->info, ERR_INVALID, pointer, "%s", what);
}

void
json_readings_init(struct json_readings *d, const char *body, size_t len,
    size_t max, struct err_info *info)
{
	const char *inside;
	struct span name;

	d->start = d->p = body;
	d->end = body + len;
	d->max = max;
	d->count = 0;
	d->list = d->done = false;
	d->info = info;
	err_clear(info);
	if (peek(d) != '{') {
		if (skip_value(d, 0) && at_end(d))
			refuse_shape(d, NULL,
			    "expected one reading or {\"readings\": [...]}");
		return;
	}
	inside = ++d->p;
	if (peek(d) != '"' || (d->p++, !take_string(d, d->scratch[0], &name)) ||
	    name.len != 8 || memcmp(name.s, "readings", 8) != 0) {
		d->p = inside;
		return;
	}
	d->list = true;
	if (!expect(d, ':', "expected ':'"))
		return;
	if (peek(d) == '[')
		d->p++;
	else if (skip_value(d, 1) && finish_list(d))
		refuse_shape(d, "/readings", "\"readings\" must be an array");
}

/* ',' between items or the end of the list; *ret_more if one follows. */
static bool
take_separator(struct json_readings *d, bool *ret_more)
{
	char c = peek(d);

	*ret_more = false;
	if (c == ']') {
		d->p++;
		return (finish_list(d));
	}
	*ret_more = true;
	return (d->count == 0 || expect(d, ',', "expected ',' or ']'"));
}

static bool
take_item(struct json_readings *d, struct json_reading *ret)
{
	*ret = (struct json_reading){0};
	if (!d->list)
		return (take_reading(d, ret) && at_end(d));
	if (peek(d) == '{') {
		d->p++;
		return (take_reading(d, ret));
	}
	set_fault(ret, JSON_FAULT_NOT_OBJECT, (struct span){"", 0});
	return (skip_value(d, 2));
}

enum err
json_readings_next(
    struct json_readings *d, struct json_reading *ret, bool *ret_more)
{
	bool more = !d->done;

	if (d->info->code != ERR_OK)
		return (d->info->code);
	if (more && d->list && !take_separator(d, &more))
		return (d->info->code);
	if (more && d->count == d->max)
		return (err_set(d->info, ERR_TOO_LARGE, "/readings",
		    "more than %zu readings in one request", d->max));
	if (more && !take_item(d, ret))
		return (d->info->code);
	d->count += more;
	*ret_more = more;
	return (ERR_OK);
}
