/*
 * fake: the world of src/api in memory: exchange, database, log, hot tier,
 * threads and clocks. Nothing answers from inside a call; fake_turn() gives
 * every answer that is due.
 *
 * Runs on: tests. Frees: fake_done(). Errors: asserts.
 */
#ifndef TESTS_UNIT_API_FAKE_H
#define TESTS_UNIT_API_FAKE_H

#include "api/api.h"
#include "auth/revoked.h"
#include "auth/role.h"
#include "auth/token.h"
#include "domain/reading.h"

#include <stdbool.h>
#include <stddef.h>

#define FAKE_NOW_US  INT64_C(1795000000000000) /* 2026-11-18T11:06:40Z */
#define FAKE_HEADERS 12
#define FAKE_SESSION 77 /* of fake_bearer()'s tokens */
#define FAKE_PENDING 32
#define FAKE_PARAMS  8
#define FAKE_CELLS   40

struct fake_call { /* an exchange and the answer it got */
	struct exchange x;
	struct header headers[FAKE_HEADERS]; /* of the request */
	size_t nheaders;
	int answers, status;
	struct header got[FAKE_HEADERS]; /* copies */
	size_t ngot;
	char *body;
	size_t body_len;
	/* Of a streamed answer. */
	void (*pull)(struct exchange *);
	bool streamed, hungry, ended, cut;
	void (*on_body)(struct exchange *); /* once it was asked for */
};

/* What a statement gives when it is asked. */
struct fake_rows {
	enum statement statement;
	enum err error; /* instead of rows */
	const char *detail;
	int n, columns;
	const char *cells[FAKE_CELLS]; /* text; NULL is SQL NULL */
	const int *lens;	       /* of binary cells, NULL: text */
};

struct fake {
	struct api api;
	struct token_config trust;
	struct keyring keys;
	const struct fake_rows *rows; /* ends with columns 0 */
	enum err query_refuses;	      /* run() itself */
	/* The queries that were run, in order. */
	struct {
		enum statement statement;
		enum lane lane;
		int nparams;
		char params[FAKE_PARAMS][1024];
		int lens[FAKE_PARAMS]; /* -1: NULL */
		char origin[512];      /* "": none */
	} asked[FAKE_PENDING];
	size_t nasked;
	/* What the record of refusals was told, apart from these. */
	char refused[8][65536];
	size_t nrefused;
	/* The log. */
	struct reading logged[64];
	size_t nlogged, nlate; /* late: of them, by log_late */
	enum err log_refuses, log_fails;
	/* What is stored already, and the keys that were looked up. */
	struct reading stored[8], looked_up[64];
	size_t nstored, nlooked_up;
	enum err lookup_refuses, lookup_fails;
	/* The hot tier: what it holds, and whether it can be asked. */
	struct reading hot[16], filled[16];
	size_t nhot, nfilled;
	enum err hot_refuses;
	int64_t stale_since_us;
	enum err offload_refuses;
	int refreshes;
	bool refresh_fails;
	void (*on_refresh)(void);
	struct dependency dependencies[4];
	size_t ndependencies;
	bool draining;
	void *last_seen_memory;
};

extern struct fake fake;

void fake_init(void);
/* Other keys of tokens. */
void fake_keys(const char *secrets);
void fake_done(void);
/* Runs what waits, until nothing does. */
void fake_turn(void);
/* Runs the oldest of what waits. */
void fake_step(void);
size_t fake_waiting(void);

void
call_init(struct fake_call *, enum method, const char *path, const char *body);
void call_header(struct fake_call *, const char *name, const char *value);
/* Dispatches and turns until answered. */
void call_run(struct fake_call *);
/* The client of a streamed answer takes more, or leaves. */
void call_pull(struct fake_call *);
void call_leave(struct fake_call *);
void call_done(struct fake_call *);
/* Of the answer, NULL if absent. */
const char *call_got(const struct fake_call *, const char *name);
/* All of it at once; the caller runs call_done(). */
struct fake_call
ask(enum method, const char *path, const char *body, enum role);
/* The answer's body has that text; its header has that value. */
bool says(const struct fake_call *, const char *text);
bool got_is(const struct fake_call *, const char *name, const char *value);
/* A token of that role from the real issuer, in a static buffer. */
const char *fake_bearer(enum role);

#endif
