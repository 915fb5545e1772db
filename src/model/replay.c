#include "model/replay.h"

#include <string.h>

void
replay_init(struct replay *r)
{
	memset(r, 0, sizeof(*r));
}

/* FNV-1a of the values' bits, oldest first. */
static uint64_t
hash(const struct replay *r)
{
	uint64_t h = UINT64_C(14695981039346656037), bits;
	int i, k;

	for (i = 0; i < REPLAY_RUN; i++) {
		memcpy(&bits, &r->run[(r->n + (uint32_t)i) % REPLAY_RUN],
		    sizeof(bits));
		for (k = 0; k < 64; k += 8)
			h = (h ^ (bits >> k & 0xff)) * UINT64_C(1099511628211);
	}
	return (h);
}

static bool
moves(const struct replay *r)
{
	int i, j, same = 0;

	for (i = 1; i < REPLAY_RUN; i++)
		for (j = 0; j < i; j++)
			if (r->run[i] == r->run[j]) {
				same++;
				break;
			}
	return (same <= 1);
}

uint32_t
replay_judge(struct replay *r, double value, bool learning)
{
	uint64_t h;
	uint32_t at, ago = 0;

	r->run[r->n++ % REPLAY_RUN] = value;
	if (r->n < REPLAY_RUN || !moves(r))
		return (0);
	h = hash(r);
	at = (uint32_t)(h % REPLAY_SLOTS);
	if (r->slot[at].at != 0 && r->slot[at].hash == h)
		ago = r->n - r->slot[at].at;
	r->slot[at].hash = h;
	r->slot[at].at = r->n;
	if (learning && ago > 0)
		r->repeats++;
	return (learning || r->repeats > 0 ? 0 : ago);
}
