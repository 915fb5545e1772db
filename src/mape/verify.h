/*
 * verify: did the water do what the plan promised?
 *
 *	change = mean(after) - mean(before), towards effect_direction
 *	worked: change >= least;  worse: change <= -least;  else no_effect
 *
 * before: the effect window before the approval, after: the one from the last
 * command's execution. Fewer than VERIFY_READINGS good readings in either, no
 * effect series or no direction: not_provable. Judged once the series' data
 * reach the end of the window, or a second window later without them.
 * Runs on: C, inside a unit of work. Units: the series' own; µs.
 */
#ifndef PENSTOCK_MAPE_VERIFY_H
#define PENSTOCK_MAPE_VERIFY_H

#include "domain/plan.h"
#include "mape/act.h"

#define VERIFY_READINGS 3

enum plan_event
verify_judge(const struct plan *, const struct window_stats *before,
    const struct window_stats *after, const char **ret_reason);
enum err verify_plans(struct act *);

#endif
