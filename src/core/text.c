#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

static char nothing[1]; /* what an empty growing text points at */

void
text_init(struct text *t, size_t cap)
{
	*t = (struct text){.s = nothing, .cap = cap, .owned = true};
}

void
text_init_fixed(struct text *t, char *buf, size_t size)
{
	*t = (struct text){.s = buf, .size = size};
	if (size == 0) {
		t->s = nothing;
		t->failed = true;
		return;
	}
	t->cap = size - 1;
	buf[0] = '\0';
}

void
text_done(struct text *t)
{
	if (t->owned && t->size > 0)
		free(t->s);
	text_init_fixed(t, NULL, 0);
}

void
text_reset(struct text *t)
{
	t->len = 0;
	t->comma = false;
	t->failed = !t->owned && t->size == 0;
	if (t->size > 0)
		t->s[0] = '\0';
}

bool
text_ok(const struct text *t)
{
	return (!t->failed);
}

/* Room for `n` more bytes and the NUL, or the text has failed. */
static bool
reserve(struct text *t, size_t n)
{
	size_t want, size;
	char *s;

	if (t->failed || n > t->cap - t->len)
		return (!(t->failed = true));
	want = t->len + n + 1;
	if (want <= t->size)
		return (true);
	size = t->size < FIRST_SIZE ? FIRST_SIZE : t->size;
	while (size < want)
		size = size > t->cap / 2 ? t->cap + 1 : size * 2;
	s = realloc(t->size > 0 ? t->s : NULL, size);
	if (s == NULL)
		return (!(t->failed = true));
	t->s = s;
	t->size = size;
	return (true);
}

void
text_add(struct text *t, const char *s, size_t n)
{
	if (n == 0 || !reserve(t, n))
		return;
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

char *
text_room(struct text *t, size_t n)
{
	return (reserve(t, n) ? t->s + t->len : NULL);
}

void
text_grew(struct text *t, size_t n)
{
	t->len += n;
	t->s[t->len] = '\0';
}

void
text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		t->failed = true;
	else if (reserve(t, (size_t)n)) {
		(void)vsnprintf(t->s + t->len, (size_t)n + 1, fmt, again);
		t->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

char *
text_take(struct text *t, size_t *ret_len)
{
	char *s = NULL;
	size_t len = t->len;

	if (t->owned && reserve(t, 0)) {
		s = t->s;
		s[len] = '\0';
		if (ret_len != NULL)
			*ret_len = len;
		text_init(t, t->cap);
	}
	return (s);
}
