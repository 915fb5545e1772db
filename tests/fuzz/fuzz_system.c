/* Whatever a state's bytes became: refused, or a system that judges. */
#include "model/system.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIGNALS 3
#define STEPS	80

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A state as it should be, made once. */
static unsigned char *
whole(size_t *ret_len)
{
	static const struct system_signal signals[SIGNALS] = {
	    {"PU1", "status"}, {"T1", "level"}, {"A", "flow"}};
	static const struct control rule = {
	    .link = "PU1", .node = "T1", .open = true, .level = 2};
	static unsigned char *bytes;
	static size_t len;
	double x[STEPS][SIGNALS];
	struct system *y;
	int i;

	if (bytes == NULL) {
		for (i = 0; i < STEPS; i++) {
			x[i][0] = i / 7 % 2;
			x[i][1] = 3 + sin(i) + sin(1.3 * i);
			x[i][2] = x[i][1] * 5 + cos(i * i);
		}
		if (system_new(signals, SIGNALS, &rule, 1, &y) != ERR_OK ||
		    system_fit(y, &x[0][0], STEPS) != ERR_OK ||
		    system_pack(y, &bytes, &len) != ERR_OK)
			abort();
		system_free(y);
	}
	*ret_len = len;
	return (bytes);
}

static void
use(struct system *y)
{
	static struct system_part parts[SYSTEM_PARTS_MOST];
	static double x[SYSTEM_SIGNALS_MOST];
	unsigned char *bytes;
	size_t len, n, i;
	int step;

	for (step = 0; step < 3; step++) {
		for (i = 0; i < system_signals(y); i++)
			x[i] = (double)(i * 7 + (size_t)step * 3 % 5);
		(void)system_judge(y, step, x);
		n = system_parts(y, parts, SYSTEM_PARTS_MOST);
		for (i = 0; i < n; i++)
			if (parts[i].signal >= system_signals(y))
				abort();
		(void)system_look_name(system_looks_like(y));
	}
	if (system_pack(y, &bytes, &len) != ERR_OK)
		abort();
	free(bytes);
}

static void
read_back(const unsigned char *bytes, size_t len)
{
	struct system *y;

	if (system_unpack(bytes, len, &y) != ERR_OK)
		return;
	use(y);
	system_free(y);
}

/* As it is, then as changes of a whole one: where (3 bytes) and to what. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n, at;
	unsigned char *bytes, *was = whole(&n);

	read_back(data, len);
	if ((bytes = malloc(n)) == NULL)
		abort();
	memcpy(bytes, was, n);
	for (; len >= 4; data += 4, len -= 4) {
		at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16);
		bytes[at % n] = data[3];
	}
	read_back(bytes, n);
	free(bytes);
	return (0);
}
