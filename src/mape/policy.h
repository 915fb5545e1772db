/*
 * policy: what runs without anybody's asking. In an emergency that a person
 * declared: plans of templates that are protective and were agreed to
 * beforehand, as they are now ("emergency"), and nothing else. At other times,
 * if the rules allow it: plans of low risk ("low-risk"). Never what undoes
 * another plan, and never two at once on one link.
 *
 * Runs on: C, inside a unit of work. Errors: those of the ports.
 */
#ifndef PENSTOCK_MAPE_POLICY_H
#define PENSTOCK_MAPE_POLICY_H

#include "mape/act.h"

enum err policy_decide(struct act *);

#endif
