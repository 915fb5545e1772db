#include "model/replay.h"

#include <string.h>

#define OFTEN 50 /* one reading in so many */
#define TWICE 2

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

/* Remembers the run in place of itself or of its set's oldest; when it was
 * here before, 0 if never. */
static uint32_t
recall(struct replay *r, uint64_t h)
{
	uint32_t tag = (uint32_t)(h >> 32);
	struct replay_slot *set = r->slot[h % REPLAY_SETS], *at = set;
	uint32_t before;
	int i;

	for (i = 0; i < REPLAY_WAYS; i++) {
		if (set[i].at != 0 && set[i].tag == tag) {
			at = &set[i];
			break;
		}
		if (set[i].at < at->at)
			at = &set[i];
	}
	before = at->tag == tag ? at->at : 0;
	at->tag = tag;
	at->at = r->n;
	return (before);
}

/* What comes back by chance, of coarse readings, is soon over. */
bool
replay_repeats(const struct replay *r)
{
	return ((uint64_t)r->repeats * OFTEN > r->learnt || r->events > TWICE ||
	    r->repeats < REPLAY_RUN * r->events);
}

uint32_t
replay_judge(struct replay *r, double value, bool learning)
{
	uint32_t before = 0;

	r->run[r->n++ % REPLAY_RUN] = value;
	r->learnt += learning;
	if (!learning && replay_repeats(r))
		return (0);
	if (r->n >= REPLAY_RUN && moves(r))
		before = recall(r, hash(r));
	if (before > 0)
		before = r->n - before;
	if (!learning)
		return (before);
	r->repeats += before > 0;
	r->events += before > 0 && before != r->lag;
	r->lag = before;
	return (0);
}
