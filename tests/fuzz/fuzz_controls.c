/* Any network file gives controls within their bounds. */
#include "model/controls.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST 16

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct control c[MOST];
	size_t n = controls_parse((const char *)data, len, c, MOST), i;

	if (n > MOST)
		abort();
	for (i = 0; i < n; i++)
		if (!isfinite(c[i].level) ||
		    strnlen(c[i].link, CONTROL_NAME) == CONTROL_NAME ||
		    strnlen(c[i].node, CONTROL_NAME) == CONTROL_NAME)
			abort();
	return (0);
}
