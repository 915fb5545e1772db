/*
 * poll_loop: core/loop.h on poll(2), for tests and small programs.
 *
 * Runs on: one thread. Frees: poll_loop_free(). Units: ms. Errors: watch and
 * after give NULL without memory.
 */
#ifndef PENSTOCK_TESTS_POLL_LOOP_H
#define PENSTOCK_TESTS_POLL_LOOP_H

#include "core/loop.h"

#include <stdbool.h>

struct loop *poll_loop_new(void);
void poll_loop_free(struct loop *);
/* One wait of at most `ms` and all that was due. */
void poll_loop_turn(struct loop *, unsigned ms);
/* Turns until *done or `ms` have passed; returns *done. */
bool poll_loop_until(struct loop *, const bool *done, unsigned ms);
/* Turns for `ms`. */
void poll_loop_run(struct loop *, unsigned ms);

#endif
