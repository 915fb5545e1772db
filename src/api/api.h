/*
 * api: the HTTP API as one function from exchange to answer, given the ports.
 *
 * Runs on: L. One struct api per worker, filled by src/app, never freed.
 */
#ifndef PENSTOCK_API_API_H
#define PENSTOCK_API_API_H

#include "core/backtest_port.h"
#include "core/exchange.h"
#include "core/import_port.h"
#include "core/ingest_port.h"
#include "core/query.h"
#include "core/range_port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;     /* ingest/registry.h */
struct last_seen;    /* ingest/last_seen.h */
struct token_cache;  /* auth/token_cache.h */
struct token_config; /* auth/token.h */
struct revoked;	     /* auth/revoked.h */
struct limits;	     /* auth/limits.h */
struct text;
struct events; /* events.h */
struct loop;   /* core/loop.h */

/* Work that must not run on the loop (password hashing). */
struct offload_port {
	void *self;
	/* Runs work(arg) on a thread, then done(arg) on the loop. ERR_BUSY
	 * if too many wait. */
	enum err (*run)(
	    void *self, void (*work)(void *), void (*done)(void *), void *arg);
};

struct clocks {
	int64_t (*now_us)(void); /* UTC */
	int64_t (*monotonic_us)(void);
};

/* How much of what comes this worker can still serve. */
enum pressure {
	PRESSURE_NONE,
	PRESSURE_INGEST, /* no readings and imports for now */
	PRESSURE_READ	 /* nor reads by those who can change nothing */
};

/* One dependency of /ready. */
struct dependency {
	const char *name; /* "postgresql" */
	bool ok;
	bool required;	/* false: degraded, still ready */
	char state[96]; /* words */
	double age_s;	/* of what is known, NAN if nothing */
};

struct api {
	struct query_port query;
	struct log_port log;
	/* For batches with readings that are late, so that rows of live ones
	 * span little time and a look-up passes them over. Not there: log. */
	struct log_port log_late;
	struct lookup_port lookup;
	struct hot_port hot;
	/* Redis, PostgreSQL, archive; self NULL: there is no such tier. */
	struct range_port range_hot, range_warm, range_cold;
	struct import_port import;
	struct backtest_port backtest; /* self NULL: there is none */
	/* The rules of a network file as a JSON array; on a thread. */
	enum err (*controls)(
	    const char *inp, size_t len, struct text *ret, struct err_info *);
	struct offload_port offload;
	struct events *events; /* NULL: nobody can listen */
	struct loop *loop;     /* NULL: nothing is put off (tests) */
	struct clocks clocks;
	struct registry *registry;
	struct last_seen *last_seen;
	struct token_cache *tokens; /* made at first use if NULL */
	/* What tokens are made and checked by; it may change between two
	 * steps, and the cache is cleared then. */
	const struct token_config *trust;
	const char *gateway_secret; /* theirs are derived from it; NULL: none */
	const char *webhook_secret; /* the same of webhooks */
	struct revoked *revoked;
	/* Fetches the keys of the identity provider anew, unless that was
	 * done a moment ago; NULL: there is none. */
	enum err (*keys_refresh)(void (*done)(void *), void *arg);
	/* Loads what changed since; done() runs after a load that started
	 * after this call. */
	enum err (*registry_refresh)(void (*done)(void *), void *arg);
	/* The last load succeeded, so what is unknown is not there. NULL:
	 * always. */
	bool (*registry_fresh)(void);
	/* Fills up to max dependencies, returns how many. */
	size_t (*dependencies)(struct dependency *, size_t max);
	/* Appends the Prometheus text of /metrics. */
	void (*metrics)(struct text *);
	bool (*draining)(void);
	const struct limits *limits; /* NULL: none */
	/* At that monotonic time; NULL: never any. */
	enum pressure (*pressure)(int64_t now_us);
	/* Settings. */
	int login_tries; /* wrong passwords at once, 5 */
	int session_life_s, session_idle_s;
	size_t batch_max;	 /* readings per POST, 5000 */
	int64_t future_us;	 /* how far ahead a reading may be, 5 min */
	int64_t oldest_us;	 /* older event times are refused */
	const char *cors_origin; /* some, with blanks between; NULL: none */
};

/* The one entry: src/edge hands every accepted request to it. */
void api_dispatch(struct api *, struct exchange *);
/* Most bytes that a body for it may have. */
size_t api_body_max(enum method, const char *path);

#endif
