/* A time that is read is written and read again as the same. */
#include "core/instant.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[INSTANT_TEXT];
	int64_t t, again;
	size_t n;

	if (!instant_parse((const char *)data, len, &t))
		return (0);
	n = instant_format(t, text);
	if (n >= INSTANT_TEXT || !instant_parse(text, n, &again) || again != t)
		abort();
	return (0);
}
