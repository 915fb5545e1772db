/*
 * rank: which of the templates that fit an anomaly is the best to try.
 *
 *	score = severity * success * effect - risk
 *
 * an expected utility: what it is worth to end the anomaly (info 1, warning
 * 2, critical 4), times the chance that the template does, less what the plan
 * itself may cost (low 0, medium 0.25, high 0.75). So a risk is taken for
 * something severe that would not be taken for little.
 *
 * success = (successes + 2) / (trials + 4): the mean of a Beta(2, 2) prior
 * after the trials that an engineer accepted, which is Agresti and Coull's
 * "add two successes and two failures" (1998, The American Statistician 52(2),
 * 119-126). Untried is 0.5, and one success is 0.6 rather than 1.
 *
 * effect, from 0 to 1: the least effect promised, as a share of how far the
 * value is beyond its limit, if it is promised on the same series; 0 if that
 * would move it further out; 0.5 if it is promised on another series, or
 * nobody knows how far it is; 0.25 if nothing would prove it.
 *
 * Equal scores go by the template's priority, then its id: equal input, equal
 * order.
 *
 * Runs on: C. Frees: nothing. Units: score in millionths.
 */
#ifndef PENSTOCK_MAPE_RANK_H
#define PENSTOCK_MAPE_RANK_H

#include "core/text.h"
#include "domain/plan.h"

struct ranked {
	const struct plan_template *t;
	double severity, success, effect, risk;
	int64_t score;
};

/* effect: the series that would prove it, 0: none. */
struct ranked rank_score(
    const struct plan_template *, const struct anomaly *, int32_t effect);
/* The best first. */
void rank_sort(struct ranked *, size_t n);
/* Members of the object that is open in the text. */
void rank_write(struct text *, const struct ranked *);

#endif
