#include "model/tail.h"

#include <math.h>
#include <string.h>

#define PER_OCTAVE   8
#define LEAST_OCTAVE (-2)
#define EXCEED	     0.05
#define PRIOR_G	     0.25
#define PRIOR_N	     12
#define REFRESH	     16
#define WHOLE	     4 /* of a bin */

void
tail_init(struct tail *t)
{
	memset(t, 0, sizeof(*t));
	t->p_u = t->u = 1;
	t->slope = 1 / PRIOR_G;
}

static int
bin_of(double z)
{
	float i = z > 0 ? (log2f((float)z) - LEAST_OCTAVE) * PER_OCTAVE : 0;

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
	double total = t->total, above = 0, sum = 0, bin;
	int i, u;

	for (u = TAIL_BINS; u > 1; above += bin) {
		bin = (double)t->bins[u - 1] / WHOLE;
		if (above + bin > EXCEED * total)
			break;
		u--;
	}
	for (i = u; i < TAIL_BINS; i++)
		sum += t->bins[i] * (log_of(i + 0.5) - log_of(u)) / WHOLE;
	t->log_u = (float)log_of(u);
	t->u = expf(t->log_u);
	t->p_u = (float)((above + EXCEED * PRIOR_N) / (total + PRIOR_N));
	t->slope = (float)((above + PRIOR_N) / (sum + PRIOR_N * PRIOR_G));
}

double
tail_rarity(const struct tail *t, double z)
{
	double over;

	if (!(z > t->u))
		return (0);
	over = fmax(0, log(z) - t->log_u);
	return ((over * t->slope - log(t->p_u)) / M_LN10);
}

static void
halve(struct tail *t)
{
	float sum = 0;
	int i;

	for (i = 0; i < TAIL_BINS; i++) {
		t->bins[i] /= 2;
		sum += t->bins[i];
	}
	t->total = sum / WHOLE;
}

void
tail_learn(struct tail *t, double z, double memory)
{
	t->bins[bin_of(z)] += WHOLE;
	t->total++;
	if (t->total > 2 * memory)
		halve(t);
	if (t->due-- == 0) {
		refresh(t);
		t->due = REFRESH;
	}
}
