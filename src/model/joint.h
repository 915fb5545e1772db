/*
 * joint: each signal of a system given the others, at each step of time.
 *
 *	e(j,t) = x(j,t) - b(j) [1, x(i,t), x(i,t-1), x(j,t-1)],  i != j
 *	s(j,t) = s(j,t-1) + (e(j,t) / d(j) - s(j,t-1)) / 6
 *	l(j,t) = l(j,t-1) + a(j) (s(j,t-12) - l(j,t-1))
 *	r(j,t) = |s(j,t) - l(j,t)| / q(j);   ratio = max over j of r / h
 *	h(j,t) = top(j) + tail(j) 10 (p^(-1/10) - 1), p < 1; - tail(j) ln p, else
 *	p = half the target / signals * steps known
 *
 * b is a ridge regression in which each predictor has the error of its
 * instrument (half a percent of the largest value, at least 3 % of its
 * spread), so that what a meter cannot tell is not relied on; the level of a
 * tank given the flows around it is its mass balance. d and q come from
 * errors on quarters that were held out of the fit: q is the largest |s - l|
 * seen, more the fewer independent times were seen, and more by three times
 * what whole quarters were off by. What happened once is no measure: q goes by
 * at most twice what three eighths of the time came to, and what was beyond is
 * left out as all is learnt again (trimming). a is 0 unless a level that follows
 * foretells the held-out errors clearly better: a signal that wanders (a
 * temperature) is judged by its changes.
 * h, 3/4 to 3, goes on learning: top, 1 at first, is the highest r that is over,
 * six steps below h / 2, and while which nothing came to twice its threshold:
 * that is an event, of which all signals tell. tail is by how much the highest of
 * 24 steps pass each other, and what stands beside it an exponential's quantile
 * where ten peaks told the mean (Student's way); p is how often top may be passed
 * in as long as is known.
 * References: Hoerl and Kennard 1970, "Ridge regression", Technometrics 12(1);
 * Roberts 1959, "Control chart tests based on geometric moving averages",
 * Technometrics 1(3); Fuller 1987, "Measurement error models" (errors in
 * predictors); Rousseeuw 1984, "Least median of squares", JASA 79(388), the
 * idea of trimming; Pickands 1975, "Statistical inference using extreme order
 * statistics", Ann. Stat. 3(1) (tail); Siffer et al. 2017, "Anomaly detection in
 * streams with extreme value theory", KDD (peaks that are no alarms teach on);
 * Stone 1974, "Cross-validatory choice", JRSS B 36(2).
 * Runs on: T (fitting takes seconds), C (judging). Frees: joint_free(). Units:
 * the signals' own; steps. Errors: ERR_INVALID, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_MODEL_JOINT_H
#define PENSTOCK_MODEL_JOINT_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

#define JOINT_SIGNALS_MOST 256
#define JOINT_STEPS_LEAST  64

struct joint;

/* What one signal adds. */
struct joint_part {
	double ratio; /* of 1: the threshold */
	double expected, band;
};

/* x: a row of n values per step, NaN where there is none. ERR_INVALID: too few
 * signals, or rows with any value, or all of those in one quarter. */
enum err joint_fit(const double *x, size_t steps, size_t n, struct joint **ret);
void joint_free(struct joint *);
size_t joint_signals(const struct joint *);
/* Sets the thresholds by how many false alarms a step may bring, of all signals
 * together; 0: by the highest peak of each alone. */
void joint_target(struct joint *, double alarms_a_step);
/* The signal that the others know well and whose own error, if it were mended,
 * would leave every other at less than half its threshold: an instrument that
 * is wrong by itself. As many as there are: none. Of the step judged last. */
size_t joint_alone(const struct joint *);
/* The greatest ratio; 0 for signals that say nothing now. parts: n. */
double joint_judge(struct joint *, const double *x, struct joint_part *parts);
/* Learns from the step judged last how far off is usual; ratio: the greatest of
 * all that judged it, by other means, too. */
void joint_learn(struct joint *, const struct joint_part *parts, double ratio);

#endif
