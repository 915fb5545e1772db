#include "api/etag.h"

#include <string.h>

/* The finaliser of MurmurHash3's 64-bit lanes (public domain): every bit of
 * the input turns about half of those of the output. */
static uint64_t
scramble(uint64_t v)
{
	v = (v ^ v >> 33) * UINT64_C(0xff51afd7ed558ccd);
	v = (v ^ v >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (v ^ v >> 33);
}

void
etag_init(struct etag *e)
{
	*e = (struct etag){
	    UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xd1b54a32d192ed03)};
}

/* Order counts: each lane is multiplied on. */
void
etag_mix(struct etag *e, uint64_t v)
{
	e->a = scramble(e->a ^ v) * 5 + 1;
	e->b = scramble(e->b + v * UINT64_C(0x9ddfea08eb382d69)) * 9 + 1;
}

void
etag_text(const struct etag *e, char ret[static ETAG_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t lanes[] = {e->a, e->b};
	char *p = ret;

	*p++ = '"';
	for (int i = 0; i < 32; i++)
		*p++ = digits[lanes[i / 16] >> (60 - 4 * (i % 16)) & 15];
	*p++ = '"';
	*p = '\0';
}

static size_t
without_coding(const char *s, size_t len)
{
	static const char coding[] = "-gzip";
	size_t n = sizeof(coding) - 1;

	return (len > n && memcmp(s + len - n, coding, n) == 0 ? len - n : len);
}

bool
etag_matches(const char *list, const char *tag)
{
	size_t len, want = strlen(tag) - 2;
	const char *end;

	list += strspn(list, " \t");
	if (list[0] == '*' && list[1 + strspn(list + 1, " \t")] == '\0')
		return (true);
	for (;; list = end + 1) {
		list += strspn(list, " \t,");
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		if (*list++ != '"' || (end = strchr(list, '"')) == NULL)
			return (false);
		len = without_coding(list, (size_t)(end - list));
		if (len == want && memcmp(list, tag + 1, len) == 0)
			return (true);
	}
}
