/*
 * worker: one worker process: its clients, its API, and in worker 1 the loop.
 *
 * Runs on: L. Everything lives as long as the process; worker_stop() ends it
 * in order. Errors: worker_start() logs and returns the error.
 */
#ifndef PENSTOCK_APP_WORKER_H
#define PENSTOCK_APP_WORKER_H

#include "app/config.h"
#include "core/exchange.h"

struct hot_shared;
struct last_seen;
struct limits;

/* Made by the parent before it forks. */
struct shared {
	struct hot_shared *hot;
	struct last_seen *last_seen;
	const struct limits *limits;
	_Atomic int *pids;	   /* by worker number; 0: never started */
	const char *redis_address; /* socket path or address:port */
};

enum err
worker_start(const struct config *, const struct shared *, size_t number);
/* What src/edge calls for each request. */
void worker_handle(struct exchange *);
/* Nothing of this worker's waits for an answer any more. */
bool worker_idle(void);
/* No further cycle begins. */
void worker_halt_loop(void);
/* Waits no longer for the running cycle: cancels it. */
void worker_stop_loop(void);
void worker_stop(void);

#endif
