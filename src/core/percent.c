#include "core/percent.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c |= 0x20;
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

bool
percent_decode(const char *s, size_t len, bool plus, char *ret, size_t size)
{
	size_t n = 0;
	int hi, lo, c;

	for (size_t i = 0; i < len; i++) {
		c = (unsigned char)s[i];
		if (c == '+' && plus)
			c = ' ';
		else if (c == '%') {
			if (len - i < 3 || (hi = hex(s[i + 1])) < 0 ||
			    (lo = hex(s[i + 2])) < 0)
				return (false);
			c = hi << 4 | lo;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || n + 1 >= size)
			return (false);
		ret[n++] = (char)c;
	}
	ret[n] = '\0';
	return (true);
}
