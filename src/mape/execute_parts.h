/*
 * execute_parts: what execute.c and settle.c share.
 *
 * Runs on: C. Frees: nothing. Units: µs. Errors: those of the ports.
 */
#ifndef PENSTOCK_MAPE_EXECUTE_PARTS_H
#define PENSTOCK_MAPE_EXECUTE_PARTS_H

#include "mape/execute.h"

/* NULL: it is neither approved nor executing. */
struct plan *execute_plan(const struct execution *, int64_t id);
/* nbreakers: the gateway has none yet. */
size_t execute_breaker(const struct execution *, int32_t gateway_id);
enum err
execute_move(struct act *, struct command *, int event, const char *facts);
enum err
execute_move_plan(struct act *, struct plan *, int event, const char *facts);
enum err execute_save(struct act *, const struct command *, const char *error);
/* The command ends unexecuted and its plan with it. */
enum err execute_fail(
    struct execution *, struct command *, int event, const char *facts);

/* Records what came of c; `left` false: it did not even leave. */
enum err settle(struct execution *, struct command *c,
    const struct gateway_reply *, bool left);

/* Replies to errands of earlier cycles. */
enum err settle_late(struct execution *, const struct gateway_late *, size_t n);

#endif
