/*
 * hot: the newest value per series in Redis (design D6). Implements struct
 * hot_port of core/ingest_port.h.
 *
 * Key "ps:{epoch}:l:{series}", 48 h expiry, 28 bytes, big-endian: event time
 * int64 (µs since 1970), value IEEE 754 binary64, quality int32, receive time
 * int64, and one byte more while only readings that just came were noted: one
 * that came late is not the newest of its series, so such a key is a miss until
 * PostgreSQL has told the newest. Key "ps:epoch" holds the epoch that readers and writers must have;
 * every script call and every MGET compares it in the same step.
 *
 * A cache that can lie is worse than none. Whoever loses a write or the
 * connection makes the hot tier untrusted for all workers of the instance;
 * when Redis answers again one of them raises the epoch in PostgreSQL (table
 * hot_epoch) and then in Redis, and only then is it trusted again. Keys of
 * older epochs are never read. A writer with an older epoch is refused and
 * writes again with the new one; a reader that finds another epoch has missed.
 * A Redis whose epoch is older than ours has forgotten: that is a loss too.
 * So neither a Redis that comes back with old data nor a slow instance brings
 * back an old value. Not covered: an instance that cannot reach Redis while
 * another one can; until it can again the other serves what it knows. Nor a
 * log row that committed though its answer was lost: its sender was told to
 * send again, and until then the value is in PostgreSQL only.
 *
 * Runs on: L. Frees: hot_free(), before redis_free() and pg_free(), which
 * give back what is in flight. Errors: latest() gives ERR_CACHE while
 * untrusted, ERR_BUSY when too much waits.
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

/*
 * Takes redis_on_state(). NULL if memory is out. Counts as a loss: whoever
 * had this place before may have died between a commit and its write.
 */
struct hot *hot_new(struct loop *, struct redis *, const struct query_port *,
    struct hot_shared *);
void hot_free(struct hot *);
struct hot_port hot_port(struct hot *);
/* From pg_on_notify() with NULL: a recovery that waits for PostgreSQL goes
 * on at once. */
void hot_notified(struct hot *);

#endif
