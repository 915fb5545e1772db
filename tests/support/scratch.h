/*
 * scratch: the blocking side of the contract tests: plain SQL and Redis
 * commands on connections of their own, and a Redis server that may be killed.
 *
 * Runs on: one thread. Frees: the process's end. Errors: fail the test.
 */
#ifndef PENSTOCK_TESTS_SCRATCH_H
#define PENSTOCK_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* PENSTOCK_TEST_DATABASE for the role that serves, and PENSTOCK_TEST_REDIS;
 * skip the test if unset. scratch_sql() is the owner's. */
const char *scratch_database(void);
const char *scratch_redis(void);

/* First column of the first row, "" if there is none; valid until the next
 * call. */
const char *
scratch_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t scratch_number(const char *sql);
/* SQL of an open transaction that holds its locks until scratch_release(). */
void scratch_hold(const char *sql);
void scratch_release(void);

/* The reply as text; `socket` as above. */
const char *scratch_redis_command(const char *socket, const char *fmt, ...);

/* A Redis on dir/redis.sock that keeps its data in dir. */
pid_t scratch_redis_start(const char *dir);
void scratch_redis_kill(pid_t);

#endif
