/*
 * plan: finds for each anomaly the best of the templates that fit it (rank.h),
 * and proposes its actions as commands for people to decide on.
 *
 * Runs on: C, inside a unit of work. Errors: those of the ports.
 *
 * The outcome is recorded with the reasons, each template with its score or
 * why it does not fit: "proposed"; "no_plan_fits"; "plan_open" (a link that
 * would be moved belongs to a plan that is not final yet). A proposal that
 * nobody agreed to yet gives way to that for a severer anomaly: superseded. A sensor fault fits only a
 * template that names its type; evidence older than an hour is history and
 * gets no plan.
 *
 * An anomaly that stays open is planned again when what held it back has
 * gone: its evidence is no history any more, the link is free, or its proposal
 * expired undecided or failed on its way. Not after a person rejected it, and
 * not after it was carried out, whatever the verdict: people take over.
 */
#ifndef PENSTOCK_MAPE_PLAN_H
#define PENSTOCK_MAPE_PLAN_H

#include "mape/act.h"

#define PLAN_COMMANDS_MAX 16
#define PLAN_HISTORY_US	  (60 * 60 * INT64_C(1000000))

enum err plan_anomalies(struct act *);

#endif
