/* How far off is too far: from errors of steps that a fit had not seen. */
#include "model/joint_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD	   0.05 /* least scale of an error, of the spread */
#define MARGIN	   2.0
#define BETTER	   0.8
#define WANDER	   3.0
#define BLOCKS	   8
#define ALONE	   2.0
#define PEAKS	   10
#define EVENT	   1e30
#define TAIL_LEAST 0.02
#define TAIL_FEW   0.2 /* where there are no more stretches than peaks */
#define STRETCH	   (2 * JOINT_DELAY)
#define LEAST	   0.75 /* threshold, of what was learnt */
#define MOST	   3.0
#define CALM	   0.5 /* of the threshold: it is over */

/* How fast a level may follow. */
static const double follows[] = {
    0, 1.0 / 512, 1.0 / 256, 1.0 / 128, 1.0 / 64, 1.0 / 32};

size_t
joint_fold(size_t i, size_t steps)
{
	return (i * JOINT_FOLDS / steps);
}

static void
restart(struct joint_signal *s)
{
	s->smooth = s->level = 0;
	memset(s->past, 0, sizeof(s->past));
}

static int
descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x < y) - (x > y));
}

/* The greatest of all, but no more than twice what three eighths of the time
 * came to: what happened once is no measure of what is usual. */
static double
greatest(double most[BLOCKS])
{
	qsort(most, BLOCKS, sizeof(*most), descending);
	return (most[2] > 0 ? fmin(most[0], ALONE * most[2]) : most[0]);
}

/* The mean square and the greatest of what lies between, at one speed. */
static void
trial(struct joint_signal *s, const struct joint_errors *e, double *ret_square,
    double *ret_most)
{
	double sum = 0, most[BLOCKS] = {0}, *block, r;
	size_t i;

	restart(s);
	for (i = 0; i < e->steps; i++) {
		if (isnan(e->e[i]))
			continue;
		r = joint_follow(s, i, e->e[i] / s->scale);
		if (i >= JOINT_DELAY)
			sum += r * r;
		block = &most[i * BLOCKS / e->steps];
		*block = fmax(*block, fabs(r));
	}
	*ret_square = sum / (double)e->steps;
	*ret_most = greatest(most);
}

/* How far off whole quarters were that the fit had not seen, in scales: what
 * moves for longer than was learnt goes on moving. */
static double
wander(const struct joint_signal *s, const double *e, size_t steps)
{
	double sum[JOINT_FOLDS] = {0}, count[JOINT_FOLDS] = {0}, squares = 0;
	size_t i, f;

	for (i = 0; i < steps; i++) {
		if (isnan(e[i]))
			continue;
		sum[joint_fold(i, steps)] += e[i] / s->scale;
		count[joint_fold(i, steps)]++;
	}
	for (f = 0; f < JOINT_FOLDS; f++)
		if (count[f] > 0)
			squares += pow(sum[f] / count[f], 2);
	return (sqrt(squares / JOINT_FOLDS));
}

static double
scale_of(const struct joint_signal *s, const double *e, size_t steps)
{
	double sum = 0, squares = 0, mean, sd = 0;
	size_t i, count = 0;

	for (i = 0; i < steps; i++)
		if (!isnan(e[i])) {
			sum += e[i];
			squares += e[i] * e[i];
			count++;
		}
	if (count > 0) {
		mean = sum / (double)count;
		sd = sqrt(fmax(0, squares / (double)count - mean * mean));
	}
	return (fmax(fmax(sd, SPREAD), s->error));
}

/* Mean excess of the highest of n peaks, by its median; it sorts them. */
static double
tail_of(double *peak, size_t n)
{
	size_t top = n / 20 > PEAKS ? n / 20 : PEAKS;

	qsort(peak, n, sizeof(*peak), descending);
	if (top >= n)
		return (TAIL_FEW);
	return (fmax((peak[top / 2] - peak[top]) / M_LN2, TAIL_LEAST));
}

/* Goes through it all again, to where the level has come to; what is highest of
 * each stretch goes where its errors were. */
static void
look_back(struct joint_signal *s, const struct joint_errors *e, double usual)
{
	double *peak = e->e, r, most = 0;
	size_t i, n = 0;

	restart(s);
	for (i = 0; i < e->steps; i++) {
		if (!isnan(e->e[i])) {
			r = fabs(joint_follow(s, i, e->e[i] / s->scale)) /
			    usual;
			e->ratio[i] = fmax(e->ratio[i], r);
			most = fmax(most, r);
		}
		if ((i + 1) % STRETCH == 0) {
			peak[n++] = most;
			most = 0;
		}
	}
	s->tail = tail_of(peak, n);
}

void
joint_calibrate(struct joint_signal *s, const struct joint_errors *e)
{
	double best = 0, most = 0, off, v, q, chosen = 0;
	size_t i;

	s->scale = scale_of(s, e->e, e->steps);
	for (i = 0; i < sizeof(follows) / sizeof(follows[0]); i++) {
		s->follow = follows[i];
		trial(s, e, &v, &q);
		if (i == 0 || v < best * (chosen > 0 ? 1 : BETTER)) {
			best = v;
			most = q;
			chosen = follows[i];
		}
	}
	s->follow = chosen;
	s->limit = fmax(most, 2 / sqrt(JOINT_SMOOTH)) *
	    (1 + MARGIN / sqrt((double)e->steps / JOINT_SMOOTH));
	off = chosen > 0 ? 0 : WANDER * wander(s, e->e, e->steps);
	look_back(s, e, s->limit);
	s->limit += off;
	s->top = s->alarm = 1;
	s->peak = 0;
	s->calm = 0;
}

/* --- the threshold ------------------------------------------------------- */

double
joint_excess(double passes)
{
	if (!(passes > 0))
		return (0);
	return (passes < 1 ? PEAKS * (pow(passes, -1.0 / PEAKS) - 1)
			   : -log(passes));
}

double
joint_threshold(const struct joint_signal *s, double excess)
{
	return (fmax(LEAST, fmin(s->top + s->tail * excess, MOST)));
}

void
joint_learn_peak(struct joint_signal *s, double own, double ratio)
{
	s->peak = fmax(s->peak, ratio < ALONE ? own * s->alarm : EVENT);
	s->calm = own > CALM ? 0 : s->calm + 1;
	if (s->calm < JOINT_SMOOTH)
		return;
	if (s->peak < EVENT)
		s->top = fmin(fmax(s->top, s->peak), MOST);
	s->peak = 0;
	s->calm = 0;
}
