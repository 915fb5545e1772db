/*
 * redis_sync: one blocking connection to Redis, for threads and programs.
 * A command is put together word by word, sent, and answered in order.
 *
 * Runs on: T. Frees: redis_sync_close(); replies by AUTO_REPLY. Errors:
 * ERR_CACHE: away, silent for a second, or (fail) not to be used further; the
 * connection is closed, and opened by the next command.
 */
#ifndef PENSTOCK_STORE_REDIS_SYNC_H
#define PENSTOCK_STORE_REDIS_SYNC_H

#include "core/err.h"

#include <hiredis/hiredis.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNC_WORDS 256
#define SYNC_TEXT  40u

struct redis_sync {
	const char *address; /* as of redis_config; borrowed */
	redisContext *c;
	const char *argv[SYNC_WORDS];
	size_t lens[SYNC_WORDS];
	int argc;
	char texts[SYNC_WORDS][SYNC_TEXT];
};

static inline void
redis_sync_clear(redisReply **r)
{
	freeReplyObject(*r);
}
#define AUTO_REPLY __attribute__((cleanup(redis_sync_clear))) redisReply *

void redis_sync_init(struct redis_sync *, const char *address);
void redis_sync_close(struct redis_sync *);
enum err
redis_sync_fail(struct redis_sync *, const char *why, struct err_info *);

void redis_sync_start(struct redis_sync *, const char *command);
void redis_sync_eval(struct redis_sync *, const char *script, size_t nkeys);
/* Borrowed until it is sent. */
void redis_sync_arg(struct redis_sync *, const void *, size_t);
void redis_sync_text(struct redis_sync *, const char *);
void redis_sync_number(struct redis_sync *, int64_t);
/* SYNC_TEXT bytes for the next word, to be followed by redis_sync_arg(). */
char *redis_sync_place(struct redis_sync *);

enum err redis_sync_push(struct redis_sync *, struct err_info *);
/* An error reply is one of the caller's: of a key of the wrong type, say. */
enum err redis_sync_pull(struct redis_sync *, redisReply **, struct err_info *);
/* Both. */
enum err redis_sync_ask(struct redis_sync *, redisReply **, struct err_info *);
/* Of a script that returns 1 if it did what it was asked. */
enum err redis_sync_ask_bool(struct redis_sync *, bool *, struct err_info *);

#endif
