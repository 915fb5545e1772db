/*
 * outlier: Hampel identifier, one reading against the window before it.
 *
 *	m = median(w);  s = 1.4826 median(|w - m|);  outlier: |x - m| > k s
 *
 * When more than half of the window is one value s would be 0; then
 * s = 1.2533 mean(|w - m|), and a window without any spread judges nothing
 * (that is the flat line's business). The reading judged enters the window
 * whatever the verdict, so a lasting step is an outlier only until it is the
 * window's majority.
 * References: Hampel 1974, "The influence curve and its role in robust
 * estimation", JASA 69(346); Pearson 2002, "Outliers in process modeling and
 * identification", IEEE Trans. Control Syst. Technol. 10(1); for s of a tied
 * window Iglewicz and Hoaglin 1993, "How to detect and handle outliers".
 * Runs on: C. Units: the series' own. O(window), no allocation; a window kept
 * in order judges a run of readings several times as fast as one at a time.
 */
#ifndef PENSTOCK_MODEL_OUTLIER_H
#define PENSTOCK_MODEL_OUTLIER_H

#include "domain/series_state.h"

/* Fewer readings than this judge nothing. */
#define OUTLIER_LEAST 16

struct outlier_stats {
	double median, sigma;
	int n;
};

/* The state's window in rising order. */
struct outlier_window {
	double sorted[OUTLIER_WINDOW];
	int n;
};

void outlier_window_init(struct outlier_window *, const struct series_state *);
/* DIRECTION_NONE: within the band, or not to be judged. *ret_stats is what
 * the window said; sigma 0 if it could not judge. */
enum direction outlier_judge(double k, const struct outlier_window *,
    double value, struct outlier_stats *ret_stats);
/* Enters both the state and its window. */
void
outlier_remember(struct series_state *, struct outlier_window *, double value);

#endif
