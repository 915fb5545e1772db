#include "model/tail.h"

#include <math.h>
#include <string.h>

#define PER_OCTAVE   8
#define LEAST_OCTAVE (-2)
#define EXCEED	     0.05
#define PRIOR_G	     0.25
#define PRIOR_N	     12
#define REFRESH	     16

void
tail_init(struct tail *t)
{
	memset(t, 0, sizeof(*t));
	t->p_u = 1;
	t->slope = 1 / PRIOR_G;
}

static int
bin_of(double z)
{
	double i = z > 0 ? (log2(z) - LEAST_OCTAVE) * PER_OCTAVE : 0;

	return (i < 0 ? 0 : i < TAIL_BINS ? (int)i : TAIL_BINS - 1);
}

/* The middle of a bin, in natural logarithms. */
static double
log_of(double bin)
{
	return ((bin / PER_OCTAVE + LEAST_OCTAVE) * M_LN2);
}

static void
refresh(struct tail *t)
{
	double above = 0, sum = 0, total = 0;
	int i, u;

	for (i = 0; i < TAIL_BINS; i++)
		total += t->bins[i];
	for (u = TAIL_BINS; u > 1 && above + t->bins[u - 1] <= EXCEED * total;)
		above += t->bins[--u];
	for (i = u; i < TAIL_BINS; i++)
		sum += t->bins[i] * (log_of(i + 0.5) - log_of(u));
	t->total = (float)total;
	t->log_u = (float)log_of(u);
	t->p_u = (float)((above + EXCEED * PRIOR_N) / (total + PRIOR_N));
	t->slope = (float)((above + PRIOR_N) / (sum + PRIOR_N * PRIOR_G));
}

double
tail_rarity(const struct tail *t, double z)
{
	double over = z > 0 ? log(z) - t->log_u : -1;

	if (over <= 0)
		return (0);
	return ((over * t->slope - log(t->p_u)) / M_LN10);
}

void
tail_learn(struct tail *t, double z, double memory)
{
	int i;

	t->bins[bin_of(z)]++;
	t->total++;
	if (t->total > 2 * memory) {
		for (i = 0; i < TAIL_BINS; i++)
			t->bins[i] /= 2;
		t->total /= 2;
	}
	if (t->due-- == 0) {
		refresh(t);
		t->due = REFRESH;
	}
}
