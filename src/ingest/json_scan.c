#include "ingest/json_scan.h"
#include "core/text.h"
#include "ingest/decimal.h"

/* Behind white space that fills whole words; it may be megabytes long. */
static const char *
space_end(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i space = _mm_set1_epi8(' '), tab = _mm_set1_epi8('\t');
	const __m128i feed = _mm_set1_epi8('\n'), back = _mm_set1_epi8('\r');
	__m128i v;

	for (; end - p >= 16; p += 16) {
		v = _mm_loadu_si128((const __m128i *)(const void *)p);
		v = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, space),
				     _mm_cmpeq_epi8(v, feed)),
		    _mm_or_si128(
			_mm_cmpeq_epi8(v, back), _mm_cmpeq_epi8(v, tab)));
		if (_mm_movemask_epi8(v) != 0xffff)
			break;
	}
#else
	(void)end;
#endif
	return (p);
}

char
json_peek_far(struct json_scan *d)
{
	const char *p = space_end(d->p, d->end);

	while (
	    p < d->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	d->p = p;
	return (p == d->end ? '\0' : *p == '\0' ? '\1' : *p);
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
	room = ITEM_TEXT_MAX + 1 - out->len;
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
unicode_escape(struct json_scan *d, struct sink *out)
{
	int32_t hi = hex4(d->p, d->end), lo;
	uint32_t c = (uint32_t)hi;

	if (hi < 0)
		return (json_bad(d, d->p, "expected four hexadecimal digits"));
	d->p += 4;
	if (hi >= 0xd800 && hi <= 0xdfff) {
		if (hi > 0xdbff || d->end - d->p < 6 || d->p[0] != '\\' ||
		    d->p[1] != 'u' || (lo = hex4(d->p + 2, d->end)) < 0xdc00 ||
		    lo > 0xdfff)
			return (json_bad(d, d->p, "half a surrogate pair"));
		d->p += 6;
		c = 0x10000 + ((c & 0x3ff) << 10) + ((uint32_t)lo & 0x3ff);
	}
	sink_add_character(out, c);
	return (true);
}

/* d->p is behind the backslash. */
static bool
escape(struct json_scan *d, struct sink *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (d->p == d->end)
		return (json_bad(d, d->p, "expected an escape"));
	if (*d->p == 'u') {
		d->p++;
		return (unicode_escape(d, out));
	}
	at = memchr(from, *d->p, sizeof(from) - 1);
	if (at == NULL)
		return (json_bad(d, d->p, "there is no such escape"));
	d->p++;
	sink_add(out, &to[at - from], 1);
	return (true);
}

static bool
finish_string(struct json_scan *d, struct sink *out)
{
	const char *from;
	size_t n;

	for (;;) {
		from = d->p;
		d->p = json_plain_end(d->p, d->end);
		sink_add(out, from, (size_t)(d->p - from));
		if (d->p == d->end)
			return (json_bad(d, d->p, "expected a closing quote"));
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
			return (json_bad(d, d->p,
			    "a control character or bytes "
			    "that are not UTF-8"));
		sink_add(out, d->p, n);
		d->p += n;
	}
}

bool
json_hard_string(struct json_scan *d, char *scratch, struct span *ret)
{
	struct sink out = {.s = scratch};

	if (!finish_string(d, &out))
		return (false);
	*ret = (struct span){scratch, out.len};
	return (true);
}

bool
json_name_take(struct json_scan *d, char *scratch, struct span *ret)
{
	return (json_expect(d, '"', "expected a member's name") &&
	    json_string_take(d, scratch, ret) &&
	    json_expect(d, ':', "expected ':'"));
}

bool
json_number_take(struct json_scan *d, double *ret)
{
	size_t n = decimal_parse(d->p, d->end, ITEM_NUMBER_MAX, ret);

	if (n == 0)
		return (json_bad(d, d->p,
		    "not a number, or one of more than 400 "
		    "characters"));
	d->p += n;
	return (true);
}

static bool
skip_word(struct json_scan *d)
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
	return (json_bad(d, d->p, "expected a value"));
}

/* d->p is behind the opening bracket. */
static bool
skip_nested(struct json_scan *d, char close, int depth)
{
	struct span name;

	if (depth >= JSON_DEPTH_MAX)
		return (json_bad(d, d->p, "nested too deeply"));
	if (json_peek(d) == close)
		return (d->p++, true);
	for (;;) {
		if (close == '}' && !json_name_take(d, NULL, &name))
			return (false);
		if (!json_skip(d, depth + 1))
			return (false);
		if (json_peek(d) == close)
			return (d->p++, true);
		if (!json_expect(d, ',', "expected ',' or the closing bracket"))
			return (false);
	}
}

bool
json_skip(struct json_scan *d, int depth)
{
	struct span text;
	double number;
	char c = json_peek(d);

	switch (c) {
	case '{':
	case '[':
		d->p++;
		return (skip_nested(d, c == '{' ? '}' : ']', depth));
	case '"':
		d->p++;
		return (json_string_take(d, NULL, &text));
	default:
		if (json_is_number_start(c))
			return (json_number_take(d, &number));
		return (skip_word(d));
	}
}
