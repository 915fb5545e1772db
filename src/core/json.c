/* The JSON writer of core/text.h (RFC 8259). */
#include "core/instant.h"
#include "core/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t
text_utf8(const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;
	size_t n, i;
	uint32_t c;

	if (len == 0)
		return (0);
	if (s[0] < 0x80)
		return (1);
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
		return (0);
	c = s[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return (0);
		c = c << 6 | (s[i] & 0x3fu);
	}
	/* Overlong, surrogate or beyond Unicode (RFC 3629). */
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) ||
	    (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return (0);
	return (n);
}

static void
add_escaped(struct text *t, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *p = c != '\0' ? strchr(from, c) : NULL;
	static const char digits[] = "0123456789abcdef";
	char s[] = "\\u00..";

	if (p != NULL) {
		s[1] = to[p - from];
		text_add(t, s, 2);
		return;
	}
	s[4] = digits[c >> 4];
	s[5] = digits[c & 15];
	text_add(t, s, 6);
}

/* How many bytes from `s` on stand for themselves: most strings, whole. */
static size_t
plain(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)(s[i] - 0x20) >= 0x60 || s[i] == '"' ||
		    s[i] == '\\')
			break;
	return (i);
}

static void
add_string(struct text *t, const char *s, size_t len)
{
	size_t i = plain(s, len), from = 0, n;
	unsigned char c;
	char *p;

	if (i == len) {
		if ((p = text_room(t, len + 2)) == NULL)
			return;
		p[0] = p[len + 1] = '"';
		if (len > 0)
			memcpy(p + 1, s, len);
		text_grew(t, len + 2);
		return;
	}
	text_add(t, "\"", 1);
	while (i < len) {
		c = (unsigned char)s[i];
		if (c >= 0x20 && c != '"' && c != '\\' &&
		    (n = text_utf8(s + i, len - i)) > 0) {
			i += n;
			continue;
		}
		text_add(t, s + from, i - from);
		if (c >= 0x80)
			text_add(t, "\xef\xbf\xbd", 3);
		else
			add_escaped(t, c);
		from = ++i;
	}
	text_add(t, s + from, len - from);
	text_add(t, "\"", 1);
}

/* The comma that is due, and the key. */
static void
begin(struct text *t, const char *key)
{
	if (t->comma)
		text_add(t, ",", 1);
	t->comma = true;
	if (key != NULL) {
		add_string(t, key, strlen(key));
		text_add(t, ":", 1);
	}
}

static void
open_bracket(struct text *t, const char *key, const char *bracket)
{
	begin(t, key);
	text_add(t, bracket, 1);
	t->comma = false;
}

static void
close_bracket(struct text *t, const char *bracket)
{
	text_add(t, bracket, 1);
	t->comma = true;
}

void
json_object(struct text *t, const char *key)
{
	open_bracket(t, key, "{");
}

void
json_object_end(struct text *t)
{
	close_bracket(t, "}");
}

void
json_array(struct text *t, const char *key)
{
	open_bracket(t, key, "[");
}

void
json_array_end(struct text *t)
{
	close_bracket(t, "]");
}

void
json_stringn(struct text *t, const char *key, const char *s, size_t len)
{
	begin(t, key);
	add_string(t, s, len);
}

void
json_string(struct text *t, const char *key, const char *s)
{
	if (s == NULL)
		json_null(t, key);
	else
		json_stringn(t, key, s, strlen(s));
}

void
json_raw(struct text *t, const char *key, const char *json, size_t len)
{
	begin(t, key);
	text_add(t, json, len);
}

/* Digits of |m| with `point` of them behind the point. */
static void
add_decimal(struct text *t, bool negative, uint64_t m, int point)
{
	char buf[32], *p = buf + sizeof(buf);
	int i;

	for (i = 0; m > 0 || i <= point; i++) {
		if (i == point && point > 0)
			*--p = '.';
		*--p = (char)('0' + m % 10);
		m /= 10;
	}
	if (negative)
		*--p = '-';
	text_add(t, p, (size_t)(buf + sizeof(buf) - p));
}

void
json_int(struct text *t, const char *key, int64_t v)
{
	begin(t, key);
	add_decimal(t, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v, 0);
}

/*
 * Up to 15 digits and 6 behind the point: m / 10^k is one correctly rounded
 * division, just what a reader does, so if it gives v back the text is exact.
 */
static bool
add_short_double(struct text *t, double v)
{
	static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
	double a = fabs(v), m;
	int k;

	if (a >= 1e15 || (a < 1e-4 && a != 0))
		return (false);
	for (k = 0; k <= 6; k++) {
		m = nearbyint(a * power[k]);
		if (m >= 1e15)
			return (false);
		if (m / power[k] == a) {
			add_decimal(t, signbit(v), (uint64_t)m, k);
			return (true);
		}
	}
	return (false);
}

static void
add_double(struct text *t, double v)
{
	char buf[40], *p;
	int digits;

	if (add_short_double(t, v))
		return;
	for (digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		(void)snprintf(buf, sizeof(buf), "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	/* A locale may have put its own decimal point. */
	for (p = buf; *p != '\0'; p++)
		if (strchr("+-0123456789e", *p) == NULL)
			*p = '.';
	text_puts(t, buf);
}

void
json_double(struct text *t, const char *key, double v)
{
	if (!isfinite(v)) {
		json_null(t, key);
		return;
	}
	begin(t, key);
	add_double(t, v);
}

void
json_bool(struct text *t, const char *key, bool v)
{
	json_raw(t, key, v ? "true" : "false", v ? 4 : 5);
}

void
json_null(struct text *t, const char *key)
{
	json_raw(t, key, "null", 4);
}

void
json_instant(struct text *t, const char *key, int64_t t_us)
{
	char buf[INSTANT_TEXT];

	if (t_us == INSTANT_NONE)
		json_null(t, key);
	else
		json_stringn(t, key, buf, instant_format(t_us, buf));
}
