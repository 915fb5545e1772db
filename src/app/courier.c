#include "app/courier.h"

#include "auth/hook_key.h"
#include "core/instant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "field/poster.h"
#include "store/warm_deliveries.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNDER_WAY  32
#define AILING	   8 /* of them at most to hooks whose last one failed */
#define LOOK_MS	   1000
#define TIDY_US	   (10 * US_PER_SECOND)
#define LEASE_MORE 30 /* s, beyond the time that a delivery may take */
#define LINE_MOST  160
#define NETS	   "PENSTOCK_WEBHOOK_NETS"

struct courier {
	struct courier_config config;
	struct warm *warm;
	struct poster *poster;
	pthread_t thread;
	atomic_bool stopping, woken;
	/* The thread's. */
	struct delivery way[UNDER_WAY]; /* event 0: free */
	size_t nway;
	int64_t looked_us, tidied_us;
	bool failing; /* the database; told once */
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

static void
tell(struct courier *c, const struct err_info *info)
{
	if (!c->failing)
		log_event(LOG_LEVEL_ERROR, "courier_waits", "why", LOG_STR,
		    info->detail, NULL);
	c->failing = true;
}

static void
on_done(void *self, void *arg, int status, const char *error)
{
	struct courier *c = self;
	struct delivery *d = arg;
	struct err_info info = {0};
	const struct outcome o = {
	    error == NULL, status, error, c->config.life_s};

	metric_count(
	    error == NULL ? COUNTER_HOOKS_TAKEN : COUNTER_HOOKS_FAILED, 1);
	if (error != NULL)
		log_event(LOG_LEVEL_WARN, "webhook_failed", "webhook", LOG_INT,
		    (int64_t)d->hook, "event_id", LOG_INT, d->event, "attempt",
		    LOG_INT, (int64_t)d->attempt, "why", LOG_STR, error, NULL);
	if (deliveries_settle(c->warm, d, &o, &info) != ERR_OK)
		tell(c, &info); /* due again when the lease is over */
	delivery_done(d);
	c->nway--;
	c->looked_us = 0; /* the next one may go */
}

static bool
send_one(struct courier *c, struct delivery *d)
{
	char id[64], lines[3][LINE_MOST], signature[HOOK_SIGNATURE];
	const char *const headers[] = {lines[0], lines[1], lines[2],
	    "Content-Type: application/json", "User-Agent: penstock",
	    "Expect:"};
	struct hook_message m = {.hook = d->hook,
	    .version = d->version,
	    .old_too = d->old_too,
	    .id = id,
	    .time_s = time(NULL),
	    .body = d->body,
	    .len = strlen(d->body)};
	struct post post = {.url = d->url,
	    .headers = headers,
	    .nheaders = sizeof(headers) / sizeof(headers[0]),
	    .body = d->body,
	    .len = m.len,
	    .arg = d};

	(void)snprintf(
	    id, sizeof(id), "msg_%d_%lld", d->hook, (long long)d->event);
	hook_sign(c->config.secret, &m, signature);
	(void)snprintf(lines[0], LINE_MOST, "webhook-id: %s", id);
	(void)snprintf(lines[1], LINE_MOST, "webhook-timestamp: %lld",
	    (long long)m.time_s);
	(void)snprintf(lines[2], LINE_MOST, "webhook-signature: %s", signature);
	return (poster_add(c->poster, &post));
}

static struct delivery *
place(struct courier *c)
{
	struct delivery *d = c->way;

	while (d->event != 0)
		d++;
	return (d);
}

/* The places that are free; busy has room for all that are not. */
static struct delivery_room
room(const struct courier *c, int32_t busy[static UNDER_WAY])
{
	struct delivery_room r = {.most = UNDER_WAY - c->nway,
	    .ailing = AILING,
	    .busy = busy,
	    .lease_s = c->config.timeout_ms / 1e3 + LEASE_MORE};
	size_t i;

	for (i = 0; i < UNDER_WAY; i++) {
		if (c->way[i].event == 0)
			continue;
		busy[r.nbusy++] = c->way[i].hook;
		r.ailing -= c->way[i].ailing;
	}
	return (r);
}

static enum err
send_due(struct courier *c, struct err_info *info)
{
	struct delivery got[UNDER_WAY], *d;
	int32_t busy[UNDER_WAY];
	struct delivery_room r = room(c, busy);
	size_t i, n = 0;
	enum err e;

	if (c->config.secret == NULL || c->nway == UNDER_WAY)
		return (ERR_OK);
	e = deliveries_claim(c->warm, &r, got, &n, info);
	for (i = 0; e == ERR_OK && i < n; i++) {
		d = place(c);
		*d = got[i];
		c->nway++;
		if (!send_one(c, d))
			on_done(c, d, 0, "no memory");
	}
	return (e);
}

static enum err
tidy(struct courier *c, int64_t now, struct err_info *info)
{
	bool more = false;
	enum err e;

	if (now < c->tidied_us + TIDY_US)
		return (ERR_OK);
	e = deliveries_tidy(c->warm, c->config.keep_s, &more, info);
	if (e == ERR_OK && !more)
		c->tidied_us = now;
	return (e);
}

static void
look(struct courier *c)
{
	struct err_info info = {0};
	int64_t now = now_us();

	if (!atomic_exchange(&c->woken, false) &&
	    now < c->looked_us + LOOK_MS * 1000)
		return;
	c->looked_us = now;
	if (deliveries_connect(c->warm, &info) != ERR_OK ||
	    send_due(c, &info) != ERR_OK || tidy(c, now, &info) != ERR_OK)
		tell(c, &info);
	else
		c->failing = false;
}

static void *
life(void *arg)
{
	struct courier *c = arg;

	while (!atomic_load(&c->stopping)) {
		look(c);
		poster_turn(c->poster, LOOK_MS);
	}
	return (NULL);
}

void
courier_wake(struct courier *c)
{
	if (c == NULL)
		return;
	atomic_store(&c->woken, true);
	poster_wake(c->poster);
}

void
courier_free(struct courier *c)
{
	size_t i;

	if (c == NULL)
		return;
	atomic_store(&c->stopping, true);
	poster_wake(c->poster);
	warm_cancel(c->warm);
	(void)pthread_join(c->thread, NULL);
	poster_free(c->poster);
	warm_free(c->warm);
	for (i = 0; i < UNDER_WAY; i++)
		delivery_done(&c->way[i]);
	free(c);
}

/* Signals are the main thread's. */
static bool
start(struct courier *c)
{
	sigset_t all, old;
	bool started;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	started = pthread_create(&c->thread, NULL, life, c) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return (started);
}

struct courier *
courier_new(const struct courier_config *config)
{
	struct courier *c = calloc(1, sizeof(*c));
	struct poster_config pc = {.timeout_ms = (long)config->timeout_ms,
	    .ca_path = config->ca_path,
	    .nets = NETS,
	    .done = on_done,
	    .self = c};
	struct err_info info = {0};

	if (c == NULL)
		return (NULL);
	c->config = *config;
	(void)address_rules_parse(config->nets, &pc.rules, &info);
	c->warm = warm_new(config->database_url, "penstock courier");
	c->poster = poster_new(&pc);
	if (c->warm != NULL && c->poster != NULL && start(c))
		return (c);
	poster_free(c->poster);
	warm_free(c->warm);
	free(c);
	return (NULL);
}
