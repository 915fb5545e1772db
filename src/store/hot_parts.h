/*
 * hot_parts: the parts of hot.h: trust (hot.c); the newest values, reads
 * (hot_read.c) and writes (hot_write.c); hours of readings, reads (hot_range.c)
 * and appends (hot_append.c). Private to src/store/hot*.c.
 *
 * Runs on: L. Frees: hot_free(). Units: µs; shared ones as named.
 */
#ifndef PENSTOCK_STORE_HOT_PARTS_H
#define PENSTOCK_STORE_HOT_PARTS_H

#include "store/hot.h"

#include "domain/reading.h"
#include "store/hot_gather.h"
#include "store/hot_hours.h"
#include "store/hot_wire.h"

#include <stdatomic.h>

#define HOT_WORKERS 64u

/* How many times a worker has noted readings, and up to which of them they are
 * in Redis, or the hot tier is not trusted, or (of hours) keeps none. */
struct hot_mark {
	_Atomic uint64_t noted, written;
};

struct hot_shared {
	_Atomic int64_t epoch; /* only grows */
	/* Trusted while both are equal. Whoever raises the epoch sets
	 * `trusted` to the losses it saw before, so that a loss meanwhile
	 * is never overlooked. Both only grow. */
	_Atomic uint64_t losses, trusted;
	_Atomic int64_t stale_since_us; /* UTC; means nothing while trusted */
	_Atomic int64_t raise_until_us; /* monotonic: a worker is at it */
	_Atomic int64_t hold_until_us;	/* monotonic: none may be at it */
	/* Commits of unknown outcome, and up to which of them the epoch was
	 * raised since. Both only grow. */
	_Atomic uint64_t doubts, settled;
	_Atomic int64_t apart_until_us; /* monotonic: see hot_apart() */
	/* How often a reader came for what had still to be appended. */
	_Atomic uint64_t wanted;
	_Atomic int64_t read_us; /* monotonic: newest values were, last */
	uint64_t name;		 /* of this instance, drawn at random */
	struct hot_mark marks[HOT_WORKERS], newest[HOT_WORKERS];
	/* What this instance's keeper said last, and at how many losses. */
	_Atomic int hours_word;
	_Atomic uint64_t hours_losses;
	_Atomic int64_t hours_whole, hours_series;
};

struct hot_read {
	hot_cb *cb;
	void *arg;
	struct hot_read *next;
	size_t n, answered;
	/* Of the question on the wire: its first key and how many. */
	size_t at, asked;
	/* Other workers have yet to write what they committed before it was
	 * asked, and what was read may be older: until when it waits. */
	bool behind, again;
	int64_t until_us;
	uint64_t noted[HOT_WORKERS];
	bool *found;
	struct reading values[];
};

/* The newest reading per series, in order of first arrival; whole: it is the
 * newest of all, not of those noted only. */
struct dirty {
	struct reading *values;
	bool *whole;
	size_t n, size;
	struct dirty_slot {
		uint32_t generation, index;
	} * map;	     /* twice as many as `size`, a power of two */
	uint32_t generation; /* slots of another one are free */
};

struct hot_near {
	struct near_copy *copies;
	uint16_t generation; /* of copies that may be good */
	/* What must be as it was when they were read. */
	uint64_t words, losses;
	int64_t epoch;
	/* Monotonic: until when that is proven, from when on it is to be
	 * proven anew, until when copies are kept. */
	int64_t good_until_us, renew_us, keep_until_us;
	int64_t (*seen)(const struct last_seen *, int32_t series); /* or NULL */
	const struct last_seen *seen_arg;
};

struct hot {
	struct loop *loop;
	struct redis *redis;
	struct query_port pg;
	struct hot_shared *shared;
	unsigned number; /* of this worker's mark */
	bool up, closed;
	size_t under_way; /* replies and rows still to come */
	char *buf;	  /* WIRE_SIZE */

	bool recovering;
	uint64_t raise_losses, raise_doubts;
	int64_t raise_epoch;
	struct loop_timer *retry;
	int64_t told_us; /* monotonic, 0: what is lost is to be told */
	bool owes;

	struct hot_read *first, *last;
	size_t waiting; /* series in them */
	bool reading;
	/* The question on the wire: the words, a command of each run of keys
	 * that are in one hash, then the epoch. */
	struct {
		size_t n, nruns, run[WIRE_RUNS + 1]; /* where each begins */
		size_t answered;		     /* commands */
		int64_t epoch, asked_us;	     /* monotonic */
		uint64_t losses, words;
		bool sound, trusted, proven, behind;
		uint64_t noted[HOT_WORKERS];
	} fetch;
	struct hot_read *held; /* until `noted` is written */
	struct loop_timer *held_timer;
	bool asking; /* for a proof, if for nothing else */
	struct hot_near near;
	uint64_t word; /* the last one given, see wire_store() */
	struct loop_timer *fail;
	struct reading keys[WIRE_KEYS];
	bool has[WIRE_KEYS], whole[WIRE_KEYS];

	bool writing;
	int64_t write_not_before_us;
	int64_t calm_until_us; /* if nobody reads before */
	struct loop_timer *write_timer;
	struct dirty pending, flight;
	size_t flight_at, flight_n;
	int64_t flight_epoch;
	uint64_t flight_mark; /* what was noted when it began */

	struct {
		char *buf; /* HOURS_APPEND */
		struct gather pending, flight;
		/* In the flight: what is written, and the end of what is
		 * being sent. */
		struct hours_cursor at, next;
		uint64_t mark; /* what was noted when the flight began */
		bool sending, asked, on;
		int64_t epoch, began_us, not_before_us;
		int64_t calm_until_us; /* if nobody wants it before */
		uint64_t wanted;       /* when the flight began */
		struct loop_timer *timer;
	} append;

	struct hot_range *waiting_ranges;
	size_t ranges; /* not yet answered */
	struct loop_timer *poll;
};

/* hot.c */
bool hot_trusted(const struct hot *);
void hot_lose(struct hot *);
/* What was committed here is not in Redis: other instances hear of it. */
void hot_tell(struct hot *);
/* Readings may be in PostgreSQL that are not here: a new epoch once it is
 * there and no such can come any more. */
void hot_doubt_newest(struct hot *);
void hot_adopt(struct hot *, int64_t epoch);
void hot_recover_soon(struct hot *);
/* Sends buf[0..len). */
enum err hot_send(struct hot *, size_t len, redis_reply_cb *);
/* For the next write. */
uint64_t hot_word(struct hot *);
/* A timer, or NULL if it is that time (to the ms). */
struct loop_timer *hot_wait(struct hot *, int64_t until_us, loop_timer_cb *);
/* First thing when something under way has come; false: h is gone. */
bool hot_arrived(struct hot *);
int64_t hot_wall_us(void);
/* What the workers had noted, and whether that has been written. */
void hot_marks(const struct hot_mark *, uint64_t ret[static HOT_WORKERS]);
bool hot_marks_written(
    const struct hot_mark *, const uint64_t noted[static HOT_WORKERS]);

/* hot_read.c */
enum err hot_latest(void *self, const int32_t *series, size_t n, hot_cb *,
    void *arg, struct err_info *);
void hot_reads_fail(struct hot *);
/* Asks whether the copies are good still, with the next question at hand. */
void hot_ask(struct hot *);

/* hot_near.c */
bool hot_near_open(struct hot *);
void hot_near_done(struct hot *);
/* Of the question just answered: asked for then, the others' words were so. */
void hot_near_prove(struct hot *, int64_t asked_us, uint64_t words);
void hot_near_doubt(struct hot *);
/* Read from Redis behind the words of the last proof. */
void hot_near_put(struct hot *, const struct reading *);
bool hot_near(void *self, const int32_t *series, size_t n, struct reading *ret);

/* hot_write.c */
void hot_fill(void *self, const struct reading *, size_t n);
void hot_note(void *self, const struct reading *, size_t n);
void hot_writes_lost(struct hot *);
/* What this worker has yet to write is committed, so its readers see it.
 * `has`: Redis had a record, `whole`: of the newest. True if it is now. */
bool hot_overlay(const struct hot *, struct reading *, bool has, bool whole);
void dirty_done(struct dirty *);

/* hot_append.c */
bool hot_append_open(struct hot *);
void hot_append_done(struct hot *);
void hot_append_note(struct hot *, const struct reading *, size_t n);
void hot_append_lost(struct hot *);
void hot_forget(void *self, const int32_t *series, size_t n);
void hot_doubt(void *self);

/* hot_range.c */
void hot_ranges_poll(void *);
void hot_ranges_fail(struct hot *);

#endif
