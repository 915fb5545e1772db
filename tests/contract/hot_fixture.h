/*
 * hot_fixture: workers of the hot tier on a real Redis and PostgreSQL, shared
 * by the suites about it.
 *
 * Runs on: one thread. Frees: close_all(). Errors: fail the test.
 */
#ifndef PENSTOCK_TESTS_HOT_FIXTURE_H
#define PENSTOCK_TESTS_HOT_FIXTURE_H

#include "store/hot.h"
#include "store/pg.h"

#include <stdbool.h>

/* Two workers of one instance, or one of each of two. */
struct worker {
	struct redis *redis;
	struct hot *hot;
	struct hot_port port;
};

extern struct loop *loop;
extern struct pg *pg;
extern struct query_port query;
extern struct worker w; /* number 0 of `shared` */
extern struct hot_shared *shared;

/* All but `w` have number 1 of what they share. */
void open_worker(struct worker *, const char *socket, struct hot_shared *);
void close_worker(struct worker *);
bool trusted(struct worker *);
void wait_trusted(struct worker *);
struct hot_shared *shared_new(void);
/* Opens the loop, PostgreSQL and `w`, and waits until that is trusted. */
void open_all(const char *socket);
void close_all(void);
/* As an offload port's: the thread of the steps is this one. */
enum err run_here(void *, void (*work)(void *), void (*done)(void *), void *);

#endif
