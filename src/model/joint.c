#include "model/joint.h"
#include "model/joint_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLIP	8.0
#define CALM	0.5 /* of the threshold */
#define VOUCHED 0.5 /* of the spread: what the others leave unsaid */
#define SPARED	0.5 /* of the alarms asked for: what comes is never as before */

void
joint_free(struct joint *m)
{
	if (m == NULL)
		return;
	free(m->signals);
	free(m->weights);
	free(m->row);
	free(m->missing);
	free(m);
}

size_t
joint_signals(const struct joint *m)
{
	return (m->n);
}

struct joint *
joint_make(size_t n)
{
	struct joint *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return (NULL);
	m->n = n;
	m->width = 1 + 2 * n;
	m->signals = calloc(n, sizeof(*m->signals));
	m->weights = calloc(n * m->width, sizeof(double));
	m->row = calloc(m->width, sizeof(double));
	m->missing = calloc(n, sizeof(bool));
	if (m->signals == NULL || m->weights == NULL || m->row == NULL ||
	    m->missing == NULL) {
		joint_free(m);
		return (NULL);
	}
	m->row[0] = 1;
	return (m);
}

bool
joint_there(double x)
{
	return (fabs(x) < 1e30);
}

void
joint_advance(struct joint *m, const double *x)
{
	double *now = m->row + 1, *before = now + m->n;
	size_t j;

	memcpy(before, now, m->n * sizeof(*now));
	for (j = 0; j < m->n; j++) {
		const struct joint_signal *s = &m->signals[j];

		m->missing[j] = !joint_there(x[j]);
		if (!m->missing[j])
			now[j] = s->judged ? (x[j] - s->mean) / s->sd : 0;
	}
	if (m->step++ == 0)
		memcpy(before, now, m->n * sizeof(*now));
}

double
joint_foretell(const struct joint *m, const double *weights)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < m->width; i++)
		sum += weights[i] * m->row[i];
	return (sum);
}

double
joint_follow(struct joint_signal *s, size_t step, double e)
{
	double *past = &s->past[step % JOINT_DELAY];

	s->smooth += (fmax(-CLIP, fmin(CLIP, e)) - s->smooth) / JOINT_SMOOTH;
	if (step >= JOINT_DELAY)
		s->level += s->follow * (*past - s->level);
	*past = s->smooth;
	return (s->smooth - s->level);
}

/* --- judging ------------------------------------------------------------- */

/* How often each signal may pass its highest peak in as long as is known. */
static double
passes_of(const struct joint *m)
{
	size_t judged = 0, j;

	for (j = 0; j < m->n; j++)
		judged += m->signals[j].judged;
	return (judged > 0
		? SPARED * m->target * (double)m->learnt / (double)judged
		: 0);
}

double
joint_judge(struct joint *m, const double *x, struct joint_part *parts)
{
	double excess = joint_excess(passes_of(m)), most = 0, e, r;
	size_t j;

	joint_advance(m, x);
	for (j = 0; j < m->n; j++) {
		struct joint_signal *s = &m->signals[j];
		struct joint_part *p = &parts[j];

		memset(p, 0, sizeof(*p));
		s->off = 0;
		s->alarm = joint_threshold(s, excess);
		if (!s->judged || m->missing[j])
			continue;
		e = m->row[1 + j] -
		    joint_foretell(m, m->weights + j * m->width);
		r = joint_follow(s, m->step - 1, e / s->scale);
		s->whole += (e / s->scale - s->whole) / JOINT_SMOOTH;
		s->off = s->whole - s->level;
		p->ratio = fabs(r) / (s->limit * s->alarm);
		p->expected = x[j] - (e - s->level * s->scale) * s->sd;
		p->band = s->limit * s->alarm * s->scale * s->sd;
		most = fmax(most, p->ratio);
	}
	return (most);
}

void
joint_learn(struct joint *m, const struct joint_part *parts, double ratio)
{
	size_t j;

	m->learnt++;
	for (j = 0; j < m->n; j++)
		if (m->signals[j].judged && !m->missing[j])
			joint_learn_peak(&m->signals[j], parts[j].ratio, ratio);
}

void
joint_target(struct joint *m, double alarms_a_step)
{
	m->target = alarms_a_step;
}

/* What j's deviation were if signal i had been as the others foretold it. */
static double
without(const struct joint *m, size_t j, size_t i)
{
	const struct joint_signal *s = &m->signals[j], *other = &m->signals[i];
	const double *w = m->weights + j * m->width + 1;

	return (
	    fabs(s->off +
		(w[i] + w[m->n + i]) * other->off * other->scale / s->scale) /
	    (s->limit * s->alarm));
}

static bool
is_alone(const struct joint *m, size_t i)
{
	const struct joint_signal *s = &m->signals[i];
	size_t j;

	if (!s->judged || s->scale > VOUCHED ||
	    fabs(s->off) <= s->limit * s->alarm)
		return (false);
	for (j = 0; j < m->n; j++)
		if (j != i && m->signals[j].judged && without(m, j, i) > CALM)
			return (false);
	return (true);
}

size_t
joint_alone(const struct joint *m)
{
	size_t i = 0;

	while (i < m->n && !is_alone(m, i))
		i++;
	return (i);
}
