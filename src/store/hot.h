/*
 * hot: the newest value per series and the last 48 h of every series in Redis
 * (design D6). Implements struct hot_port of core/ingest_port.h and struct
 * range_port of core/range_port.h.
 *
 * A cache that can lie is worse than none.
 *
 * THE EPOCH. Key "ps:epoch" holds the number that readers and writers must
 * have; every script compares it in the same step, and who reads asks for it
 * behind the values, which is as good because it only grows. Whoever loses
 * a write or the connection makes the hot tier untrusted for all workers of the
 * instance; when Redis answers again one of them raises the epoch in PostgreSQL
 * (table hot_epoch) and then in Redis, and only then is it trusted again. What
 * older epochs wrote is never read. A writer with an older epoch is refused and
 * writes again with the new one; a reader that finds another epoch has missed.
 * A Redis whose epoch is older than ours has forgotten: that is a loss too.
 * So neither a Redis that comes back with old data nor a slow instance brings
 * back an old value.
 *
 * THE NEWEST. Hash "ps:{epoch}:l:{series / 4096}", expiring 48 h after the last
 * write, field "{series}", 28 bytes, big-endian: event time int64 (µs since
 * 1970), value IEEE 754 binary64, quality int32, receive time int64; and a byte
 * '+' while it is only a least time: a reading that has just come may be late,
 * and which one is the newest only PostgreSQL can tell once nothing is held
 * here. A write goes out as soon as there is one, under load every 5 ms while
 * somebody has read newest values of this instance within the last second, else
 * every 200. What a worker has not yet written its own readers see at once. Those
 * of the instance's other workers wait for it, if what they found is older than
 * the newest time seen of that series: a few ms, and after 50 PostgreSQL is
 * asked. Those of other instances may see what was newest 200 ms ago.
 *
 * NEAR. A worker keeps copies of the newest values it has read from Redis, as
 * long as it knows that they are what Redis would say. Its own instance cannot
 * have stored anything newer of a series while the newest time seen of it, in
 * memory that all its workers share and raised before the commit, is that of
 * the copy. Another one tells so with each write, in the same step: hash
 * "ps:{epoch}:w", a field per instance (its name) with a word that it never
 * gave before, and field "b" with one drawn anew whenever the hash is. The words
 * are asked for ahead of the values; once they or the epoch are others, or
 * anything was lost, no copy is good, and none without having asked within the
 * last 20 ms: so long after another instance's write a copy may still answer,
 * but not after any worker here has told what is newer, which raises the time
 * seen. Copies are dropped every minute, for what somebody did to Redis by
 * hand; verify-hot --forget, which deletes the words, has them dropped at once.
 *
 * THE HOURS. Key "ps:h:{series}:{hour}" (hours since 1970), expiring 53 h after
 * the hour began: the readings of that hour in the form of domain/hour.h,
 * appended as they are committed. Key "ps:n:{series}" is their index, a hash:
 * how many readings each hour holds, and in field "b" since when the series is
 * whole: "{switch}:{hour}". Key "ps:hours" is the switch, "{epoch}:{random}":
 * without it, or with another one than "b" says, nothing is held.
 *
 * A range is answered only if, in one step of Redis, the epoch is ours, the
 * index names the present switch, the range begins at its hour or later, and
 * each hour's string holds exactly as many readings as the index counts. So a
 * key that Redis evicted or expired, that somebody deleted, cut or overwrote
 * with another type is told from an hour without readings; whatever fits none
 * of this is no answer, and PostgreSQL is asked. (A value changed by hand
 * within a string is not seen by readers: scripts/verify-hot finds it.)
 *
 * Why it is whole: a series is built (store/hot_keep.h) by first deleting what
 * is there and marking the index as being built, then reading the series in
 * PostgreSQL in one snapshot, then adding that and naming the switch, which
 * fails if the mark has gone. A reading committed before the snapshot is in
 * it; one committed later is appended after the mark was set, because it is
 * appended after its commit: by the worker that committed it, whichever it is.
 * What a worker cannot append makes it remove the switch ("hole": more waits
 * than it may hold, Redis refused). A
 * reading too old to be kept raises the index's hour above its own. Readings
 * stored past note() have their series' index deleted (forget()).
 * A reader first waits until what its instance had committed when it was asked
 * has been appended; a commit of another instance may take the milliseconds of
 * a flight (under load, one every 10 ms while somebody reads what has just been
 * committed, else every 200) to be seen.
 *
 * APART. An instance that committed what it cannot write to Redis, while others
 * may reach it, tells them through PostgreSQL, at most once a second: they trust
 * nothing for three seconds after the last word. So what they answer may lack
 * what it committed until a notification has come, a few ms. A commit whose
 * outcome is unknown takes the hours away, and the newest values with the next
 * epoch, raised as soon as PostgreSQL is there: until then nobody can know of
 * it. No epoch is raised while PostgreSQL is at a write of the log for longer
 * than a second: one that nobody waits for any more.
 *
 * Runs on: L. Frees: hot_free(), before redis_free() and pg_free(), which
 * give back what is in flight. Errors: latest() and range read() give ERR_CACHE
 * while untrusted, latest() ERR_BUSY when too much waits.
 */
#ifndef PENSTOCK_STORE_HOT_H
#define PENSTOCK_STORE_HOT_H

#include "core/ingest_port.h"
#include "core/loop.h"
#include "core/query.h"
#include "core/range_port.h"
#include "store/redis.h"

struct hot;
struct last_seen;
struct hot_shared; /* in memory that all workers of the instance share */

size_t hot_shared_size(void);
/* Once, before the workers fork: untrusted until a worker raised the epoch. */
void hot_shared_init(struct hot_shared *);

/*
 * Takes redis_on_state(). NULL if memory is out. `number` is the worker's, of
 * those that share. Counts as a loss: whoever had this place before may have
 * died between a commit and its write.
 */
struct hot *hot_new(struct loop *, struct redis *, const struct query_port *,
    struct hot_shared *, unsigned number);
void hot_free(struct hot *);
/* How to look up the newest time of a series that the instance has seen, as
 * ingest/last_seen.h does. Without it nothing is kept near. */
void
hot_seen(struct hot *, int64_t (*)(const struct last_seen *, int32_t series),
    const struct last_seen *);
struct hot_port hot_port(struct hot *);
struct range_port hot_range_port(struct hot *);

/* How the hours are, as this instance's keeper (hot_keep.h) said last. */
enum hot_hours_word {
	HOT_HOURS_WAIT,	 /* for Redis, PostgreSQL or a calm moment */
	HOT_HOURS_BUILD, /* some series are not whole */
	HOT_HOURS_KEPT,
	HOT_HOURS_FULL,	     /* Redis is: no hours are kept */
	HOT_HOURS_ELSEWHERE, /* another instance keeps them */
};
struct hot_hours {
	enum hot_hours_word word;
	int64_t whole, series; /* at the end of the last look at all */
};
void hot_hours(const struct hot *, struct hot_hours *ret);
/* From pg_on_notify() with NULL: a recovery that waits for PostgreSQL goes
 * on at once. */
void hot_notified(struct hot *);
/* From pg_on_notify(): what followed "hot_apart " in the payload. */
void hot_apart(struct hot *, const char *name);
/* Another instance cannot write to Redis what it commits. */
bool hot_is_apart(const struct hot *);
/* Another instance ended, perhaps between a commit and its write: a loss. */
void hot_instance_ended(struct hot *);

#endif
