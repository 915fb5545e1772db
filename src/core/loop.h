/*
 * loop: the readiness and timer port that the clients in src/store use, so
 * that they know no Kore. src/edge implements it on Kore's epoll, tests on
 * poll(2).
 *
 * Runs on: L. Level-triggered. A callback may unwatch or cancel anything,
 * itself included; after unwatch/cancel returns the callback never runs
 * again, though memory is released only after the present event batch.
 * unwatch() must come before the descriptor is closed.
 */
#ifndef PENSTOCK_CORE_LOOP_H
#define PENSTOCK_CORE_LOOP_H

#include <stdint.h>

#define LOOP_READ  1u
#define LOOP_WRITE 2u
#define LOOP_ERROR 4u /* only reported, never asked for */

struct loop_watch;
struct loop_timer;
struct loop;

typedef void loop_io_cb(void *arg, unsigned events);
typedef void loop_timer_cb(void *arg);

struct loop_ops {
	/* NULL if memory is out. */
	struct loop_watch *(*watch)(
	    struct loop *, int fd, unsigned events, loop_io_cb *, void *arg);
	void (*modify)(struct loop *, struct loop_watch *, unsigned events);
	void (*unwatch)(struct loop *, struct loop_watch *);
	/* Once, after at least `ms`. */
	struct loop_timer *(*after)(
	    struct loop *, unsigned ms, loop_timer_cb *, void *arg);
	/* Once, when all events that are here now were handled: to gather
	 * what they ask for. Not again from inside such a callback. */
	struct loop_timer *(*soon)(struct loop *, loop_timer_cb *, void *arg);
	void (*cancel)(struct loop *, struct loop_timer *);
	int64_t (*monotonic_us)(struct loop *);
};

struct loop {
	const struct loop_ops *ops;
};

#endif
