#include "store/resp.h"

#include <string.h>

char *
resp_digits(char *p, int64_t v)
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char digits[RESP_DIGITS];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + u % 10);
	while ((u /= 10) != 0);
	if (v < 0)
		*p++ = '-';
	while (n > 0)
		*p++ = digits[--n];
	return (p);
}

char *
resp_head(char *p, char kind, size_t n)
{
	*p++ = kind;
	p = resp_digits(p, (int64_t)n);
	*p++ = '\r';
	*p++ = '\n';
	return (p);
}

char *
resp_bulk(char *p, const void *data, size_t len)
{
	p = resp_head(p, '$', len);
	memcpy(p, data, len);
	p += len;
	*p++ = '\r';
	*p++ = '\n';
	return (p);
}

char *
resp_text(char *p, const char *s)
{
	return (resp_bulk(p, s, strlen(s)));
}

char *
resp_number(char *p, int64_t v)
{
	char digits[RESP_DIGITS];

	return (
	    resp_bulk(p, digits, (size_t)(resp_digits(digits, v) - digits)));
}
