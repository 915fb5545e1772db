#include "api/media.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* "0", "0.5", "1.000" in thousandths; 1000 if it is none of these. */
static int
weight(const char *s, size_t len)
{
	static const int scale[] = {100, 10, 1};
	int v;

	if (len == 0 || (s[0] != '0' && s[0] != '1') ||
	    (len > 1 && s[1] != '.') || len > 5)
		return (1000);
	v = (s[0] - '0') * 1000;
	for (size_t i = 2; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (1000);
		v += (s[i] - '0') * scale[i - 2];
	}
	return (v < 1000 ? v : 1000);
}

/* Of the parameters behind a range. */
static int
find_weight(const char *s, size_t len)
{
	const char *end = s + len;
	size_t n;

	for (; s < end; s += n) {
		s += strspn(s, "; \t");
		n = strcspn(s, "; \t,");
		if (n > 2 && strncasecmp(s, "q=", 2) == 0)
			return (weight(s + 2, n - 2));
		if (n == 0)
			break;
	}
	return (1000);
}

/* 3: the type itself; 2: type / *; 1: * / *; 0: it does not fit. */
static int
fits(const char *range, size_t len, const char *type)
{
	size_t main = strcspn(type, "/") + 1;

	if (len == strlen(type) && strncasecmp(range, type, len) == 0)
		return (3);
	if (len == main + 1 && range[main] == '*' &&
	    strncasecmp(range, type, main) == 0)
		return (2);
	return (len == 3 && memcmp(range, "*/*", 3) == 0 ? 1 : 0);
}

static int
weight_of(const char *accept, const char *type)
{
	int best = 0, q = 0, fit;
	size_t len, whole;

	for (;; accept += whole + 1) {
		accept += strspn(accept, " \t");
		whole = strcspn(accept, ",");
		len = strcspn(accept, "; \t,");
		fit = fits(accept, len, type);
		if (fit > best) {
			best = fit;
			q = find_weight(accept + len, whole - len);
		}
		if (accept[whole] == '\0')
			return (q);
	}
}

int
media_choose(const char *accept, const char *const *offered, size_t n)
{
	int best = 0, ret = -1, q;

	if (accept == NULL || accept[strspn(accept, " \t,")] == '\0')
		return (0);
	for (size_t i = 0; i < n; i++) {
		q = weight_of(accept, offered[i]);
		if (q > best) {
			best = q;
			ret = (int)i;
		}
	}
	return (ret);
}
