/*
 * feed_send: gathers readings into batches and posts them until they are
 * stored. Sending a batch twice is safe: the second time all are duplicates.
 *
 * Runs on: penstock-feed. Frees: sender_done(). Errors: told on stderr; after
 * a false nothing more can be sent.
 */
#ifndef PENSTOCK_CMD_FEED_SEND_H
#define PENSTOCK_CMD_FEED_SEND_H

#include "cmd/client.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENDER_BATCH   5000		 /* the API's own limit */
#define SENDER_BODY    (2 * 1024 * 1024) /* the API's own limit */
#define SENDER_REASONS 32

struct sender_config {
	struct client *client;
	const char *key;
	size_t batch;
	int64_t patience_ms; /* how long to try when nothing answers */
	size_t show;	     /* rejections told one by one */
};

struct sender_item {
	const char *node, *metric, *ts;
	const char *value;   /* a JSON number, or NULL: it is none */
	const char *unit;    /* NULL: the series' own */
	size_t line, column; /* of the file, from 1 */
};

struct sender_reason {
	char word[40];
	uint64_t count;
};

struct sender {
	struct sender_config conf;
	struct text body;
	size_t n;
	size_t lines[SENDER_BATCH], columns[SENDER_BATCH];
	uint64_t sent, accepted, duplicates, rejected, shown, retries;
	struct sender_reason reasons[SENDER_REASONS];
	size_t nreasons;
};

struct sender *sender_new(const struct sender_config *);
void sender_free(struct sender *);
bool sender_add(struct sender *, const struct sender_item *);
/* Sends what is gathered; call it once more at the end. */
bool sender_flush(struct sender *);
/* Counts something that was never sent. */
void sender_reject(struct sender *, size_t line, size_t column,
    const char *reason, const char *detail);

#endif
