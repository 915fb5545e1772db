/*
 * plan: finds for each new anomaly the first template, by priority, that fits
 * it, and proposes its actions as commands for a person to decide on.
 *
 * Runs on: C, inside a unit of work. Errors: those of the ports.
 *
 * Every anomaly is planned once and its outcome recorded with the reasons:
 * "proposed"; "no_plan_fits" (each template with why it was passed over);
 * "plan_open" (a link that would be moved belongs to a plan that is not final
 * yet). The outcome stays for the life of the anomaly: no second proposal is
 * made for it, people take over. A sensor fault fits only a template that
 * names its type; evidence older than an hour is history and gets no plan.
 */
#ifndef PENSTOCK_MAPE_PLAN_H
#define PENSTOCK_MAPE_PLAN_H

#include "mape/act.h"

#define PLAN_COMMANDS_MAX 16
#define PLAN_HISTORY_US	  (60 * 60 * INT64_C(1000000))

enum err plan_anomalies(struct act *);

#endif
