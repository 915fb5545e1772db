/*
 * hot: the newest value per series in Redis (design D6). Implements struct
 * hot_port of core/ingest_port.h.
 *
 * Key "ps:{epoch}:l:{series}", 48 h expiry, 28 bytes, big-endian: event time
 * int64 (µs since 1970), value IEEE 754 binary64, quality int32, receive time
 * int64. Key "ps:epoch" holds the epoch that writers must have.
 *
 * A cache that can lie is worse than none. Whoever loses a write or the
 * connection makes the hot tier untrusted for all workers of the instance;
 * when Redis answers again one of them raises the epoch in PostgreSQL (table
 * hot_epoch) and in Redis, and only then is it trusted again. Keys of older
 * epochs are never read, and the write script refuses a writer of an older
 * epoch, which then writes again with the new one. So neither a Redis that
 * comes back with old data nor a slow instance can bring back an old value.
 *
 * Runs on: L. Frees: hot_free(), before redis_free() and pg_free(). Errors:
 * latest() gives ERR_CACHE while untrusted, ERR_BUSY when too much waits.
 */
#ifndef PENSTOCK_STORE_HOT_H
#define PENSTOCK_STORE_HOT_H

#include "core/ingest_port.h"
#include "core/loop.h"
#include "core/query.h"
#include "store/redis.h"

struct hot;
struct hot_shared; /* in memory that all workers of the instance share */

size_t hot_shared_size(void);
/* Once, before the workers fork: untrusted until a worker raised the epoch. */
void hot_shared_init(struct hot_shared *);

/* Takes redis_on_state(). NULL if memory is out. */
struct hot *hot_new(struct loop *, struct redis *, const struct query_port *,
    struct hot_shared *);
void hot_free(struct hot *);
struct hot_port hot_port(struct hot *);
/* From pg_on_notify(): payload "hot_epoch", or NULL (connected anew). */
void hot_notified(struct hot *);

#endif
