/*
 * execute: sends the commands of approved plans, asks what became of them and
 * records what came of it.
 *
 * Runs on: C; execute_begin and execute_record each inside a unit of work of
 * their own, execute_send between them, outside of any. Errors: those of the
 * ports.
 *
 * An attempt is recorded before it is sent; every attempt carries the same
 * idempotency key and not-after. What brought no clear answer, or whose result
 * was lost, may have been executed: it becomes unknown and its gateway is
 * asked, until EXECUTE_ASK_US after not-after; then it is a dead letter that
 * a person settles. Sent again is only what the gateway says it never had,
 * what surely did not leave, and what is declared repeatable.
 *
 * Between tries: exponential backoff with full jitter (Brooker 2015,
 * "Exponential Backoff And Jitter", AWS Architecture Blog) until not-after.
 * What the actuator has not back in time is settled in a later cycle.
 * A command that ends without being executed fails its plan; the plan's
 * commands that have not left are cancelled.
 */
#ifndef PENSTOCK_MAPE_EXECUTE_H
#define PENSTOCK_MAPE_EXECUTE_H

#include "domain/plan.h"
#include "mape/act.h"

#define EXECUTE_EACH	    8  /* commands of one gateway in one cycle */
#define EXECUTE_LATE	    64 /* late replies in one cycle */
#define EXECUTE_BACKOFF_US  (2 * INT64_C(1000000))
#define EXECUTE_BACKOFF_MAX (60 * INT64_C(1000000))

struct claim {
	int32_t link_id;
	int64_t plan_id;
};

struct execution {
	struct act *act;
	struct plan *plans; /* approved and executing */
	size_t nplans;
	struct command *commands; /* those that leave now */
	struct gateway_reply *replies;
	bool *left; /* [n] handed to the actuator */
	size_t n;
	struct claim *claims; /* links of executing plans */
	size_t nclaims;
	struct breaker_state *breakers;
	bool *probing; /* [nbreakers] a probe leaves in this cycle */
	size_t nbreakers;
};

/* Expires proposals nobody decided on, and those whose anomaly has cleared:
 * they would only hold their links. */
enum err execute_expire(struct act *);
/* Guards all commands that are due and records the attempts. */
enum err execute_begin(struct execution *, struct act *);
void execute_send(struct execution *);
enum err execute_record(struct execution *);

#endif
