/* Numbers against strtod. */
#include "ingest/decimal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char copy[402];
	const char *s = (const char *)data;
	double ours, theirs;
	size_t n = decimal_parse(s, s + len, 400, &ours);

	if (n == 0)
		return (0);
	if (n > len || n > 400)
		abort();
	memcpy(copy, s, n);
	copy[n] = '\0';
	theirs = strtod(copy, NULL);
	if (memcmp(&ours, &theirs, sizeof(ours)) != 0)
		abort();
	return (0);
}
