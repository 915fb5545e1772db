/* Whatever readings come, and however late: a score within 0 and 1, of what
 * began before. */
#include "model/watch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Eight bytes of value, and a byte of how often it comes, a step apart. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct watch_verdict v;
	struct watch w;
	int64_t t_us = 0;
	double x;
	int i;

	watch_init(&w, len % 2 == 0 ? "" : "degC");
	for (; len >= 9; data += 9, len -= 9) {
		memcpy(&x, data, sizeof(x));
		for (i = 0; i <= data[8]; i++) {
			t_us += INT64_C(1000000) << data[8] % 16;
			watch_judge(&w, x, t_us, 1, &v);
			if (!(v.score >= 0 && v.score <= 1) ||
			    v.since_us > t_us || v.rule >= WATCH_RULES)
				abort();
		}
	}
	return (0);
}
