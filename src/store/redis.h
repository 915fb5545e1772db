/*
 * redis: one asynchronous connection to Redis, hiredis on the loop port.
 *
 * Runs on: L. Frees: redis_free(); what is in flight gets a NULL reply.
 * Units: ms. Errors: redis_send() gives ERR_CACHE while away and ERR_BUSY
 * when too much is in flight. A command over its deadline costs the
 * connection. Reconnects by itself (back-off up to 1 s, with jitter).
 */
#ifndef PENSTOCK_STORE_REDIS_H
#define PENSTOCK_STORE_REDIS_H

#include "core/err.h"
#include "core/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis;
struct redisReply;

struct redis_config {
	/* "/path/of.sock", "127.0.0.1:6379" or "[::1]:6379": names would
	 * block (see resolve.h). Copied. */
	const char *address;
	const char *password; /* NULL: none. Copied. */
	unsigned deadline_ms; /* of a command; 0: 1 s */
	unsigned connect_ms;  /* 0: 2 s */
	size_t queue_max;     /* commands in flight; 0: 256 */
};

struct redis_state {
	bool connected;
	int64_t since_us; /* of that state, the loop's monotonic clock */
	size_t in_flight;
	char error[200]; /* of the last failure, "" if there was none */
};

/* NULL: the connection was lost before the reply. Called exactly once. */
typedef void redis_reply_cb(void *arg, const struct redisReply *);
/* After each connect (true) and each loss (false), after the replies. */
typedef void redis_state_cb(void *arg, bool up);

struct redis *
redis_new(struct loop *, const struct redis_config *, struct err_info *);
void redis_free(struct redis *);
void redis_on_state(struct redis *, redis_state_cb *, void *arg);
void redis_state(const struct redis *, struct redis_state *ret);
/* `command` is RESP, copied. The callback never runs from inside. */
enum err redis_send(struct redis *, const char *command, size_t len,
    redis_reply_cb *, void *arg);
/* `n` commands one behind the other in `commands`, each as long as `len` says;
 * all or none of them are taken, and each reply goes to the callback. */
enum err redis_send_many(struct redis *, const char *commands,
    const size_t *len, size_t n, redis_reply_cb *, void *arg);

#endif
