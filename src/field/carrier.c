#include "field/carrier.h"

#include "core/arena.h"
#include "domain/plan.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_MOST (1u << 20)

/* What goes to one gateway. */
struct batch {
	struct carrier *carrier;
	struct batch *next;
	struct arena arena; /* the commands and their strings */
	struct command *commands;
	struct gateway_reply *replies;
	size_t n, told;
	bool done, fresh; /* fresh: of the send() that waits */
};

struct carrier {
	struct carrier_config config;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t moved;
	struct batch *batches;
	size_t under_way;
};

struct carrier *
carrier_new(const struct carrier_config *config)
{
	struct carrier *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (c == NULL)
		return (NULL);
	c->config = *config;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->moved, &attr);
	pthread_condattr_destroy(&attr);
	return (c);
}

static void
batch_free(struct batch *b)
{
	arena_done(&b->arena);
	free(b);
}

static struct timespec
in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return (t);
}

/* What is under way for longer keeps its memory: the program ends. */
void
carrier_free(struct carrier *c)
{
	struct timespec end;
	struct batch *b;

	if (c == NULL)
		return;
	end = in_ms(c->config.linger_ms);
	pthread_mutex_lock(&c->lock);
	while (c->under_way > 0 &&
	    pthread_cond_timedwait(&c->moved, &c->lock, &end) == 0)
		continue;
	if (c->under_way > 0) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	while ((b = c->batches) != NULL) {
		c->batches = b->next;
		batch_free(b);
	}
	pthread_mutex_unlock(&c->lock);
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void *
carry(void *arg)
{
	struct batch *b = arg;
	struct carrier *c = b->carrier;

	c->config.send(c->config.arg, b->commands, b->n, b->replies);
	pthread_mutex_lock(&c->lock);
	b->done = true;
	c->under_way--;
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
	return (NULL);
}

static bool
copy(struct arena *a, struct command *to, const struct command *from)
{
	*to = *from;
	to->link = arena_strdup(a, from->link);
	to->gateway = arena_strdup(a, from->gateway);
	to->gateway_url = arena_strdup(a, from->gateway_url);
	to->action = arena_strdup(a, from->action);
	to->argument = arena_strdup(a, from->argument);
	return (to->link != NULL && to->gateway != NULL &&
	    to->gateway_url != NULL && to->action != NULL &&
	    to->argument != NULL);
}

/* Those of cmds, from `first` on, that go to the same gateway. */
static struct batch *
gather(struct carrier *c, const struct command *cmds, size_t n, size_t first)
{
	struct batch *b = calloc(1, sizeof(*b));
	bool ok;
	size_t i;

	if (b == NULL)
		return (NULL);
	b->carrier = c;
	arena_init(&b->arena, ARENA_MOST);
	b->commands = arena_calloc(&b->arena, n, sizeof(*b->commands));
	b->replies = arena_calloc(&b->arena, n, sizeof(*b->replies));
	ok = b->commands != NULL && b->replies != NULL;
	for (i = first; ok && i < n; i++)
		if (cmds[i].gateway_id == cmds[first].gateway_id)
			ok = copy(&b->arena, &b->commands[b->n++], &cmds[i]);
	if (ok)
		return (b);
	batch_free(b);
	return (NULL);
}

/* No signal of the program is for this thread. */
static bool
start(struct batch *b)
{
	sigset_t all, was;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, carry, b);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return (rc == 0);
}

static bool
goes_first(const struct command *cmds, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (cmds[j].gateway_id == cmds[i].gateway_id)
			return (false);
	return (true);
}

/* The lock is held. False: it did not leave. */
static bool
dispatch(struct carrier *c, const struct command *cmds, size_t n, size_t first)
{
	struct batch *b =
	    c->under_way < CARRIER_MOST ? gather(c, cmds, n, first) : NULL;

	if (b == NULL)
		return (false);
	c->under_way++;
	if (!start(b)) {
		c->under_way--;
		batch_free(b);
		return (false);
	}
	b->fresh = true;
	b->next = c->batches;
	c->batches = b;
	return (true);
}

static bool
is_same(const struct command *a, const struct command *b)
{
	return (a->id == b->id && a->ask == b->ask &&
	    a->attempts == b->attempts && strcmp(a->key, b->key) == 0);
}

/* What is said of it at the end of the carrier's patience; a batch of which
 * all was told is dropped. The lock is held. */
static void
tell(struct carrier *c, const struct command *cmd, struct gateway_reply *ret)
{
	struct batch **p, *b;
	size_t i;

	for (p = &c->batches; (b = *p) != NULL; p = &b->next) {
		for (i = 0; i < b->n; i++)
			if (is_same(&b->commands[i], cmd))
				break;
		if (i == b->n)
			continue;
		ret->outcome = GATEWAY_PENDING;
		if (!b->done)
			return;
		*ret = b->replies[i];
		if (++b->told == b->n) {
			*p = b->next;
			batch_free(b);
		}
		return;
	}
}

static void
send_all(
    void *self, const struct command *cmds, size_t n, struct gateway_reply *ret)
{
	struct carrier *c = self;
	struct timespec end = in_ms(c->config.patience_ms);
	struct batch *b;
	size_t i, waiting = 1;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < n; i++) {
		ret[i] = (struct gateway_reply){.outcome = GATEWAY_NOT_TAKEN};
		if (goes_first(cmds, i) && !dispatch(c, cmds, n, i))
			(void)snprintf(ret[i].detail, sizeof(ret[i].detail),
			    "too much is under way");
	}
	while (waiting > 0) {
		for (b = c->batches, waiting = 0; b != NULL; b = b->next)
			waiting += b->fresh && !b->done;
		if (waiting > 0 &&
		    pthread_cond_timedwait(&c->moved, &c->lock, &end) != 0)
			break;
	}
	for (b = c->batches; b != NULL; b = b->next)
		b->fresh = false;
	for (i = 0; i < n; i++)
		tell(c, &cmds[i], &ret[i]);
	pthread_mutex_unlock(&c->lock);
}

/* Batches that are done are told whole, as far as there is room. */
static size_t
collect(void *self, struct arena *a, struct gateway_late *ret, size_t max)
{
	struct carrier *c = self;
	struct batch **p, *b;
	size_t i, n = 0;
	bool ok = true;

	pthread_mutex_lock(&c->lock);
	for (p = &c->batches; (b = *p) != NULL;) {
		if (!b->done || n + b->n > max) {
			p = &b->next;
			continue;
		}
		for (i = 0; ok && i < b->n; i++) {
			ret[n].command = arena_alloc(a, sizeof(struct command));
			ok = ret[n].command != NULL &&
			    copy(a, ret[n].command, &b->commands[i]);
			ret[n].reply = b->replies[i];
			n += ok;
		}
		*p = b->next;
		batch_free(b);
	}
	pthread_mutex_unlock(&c->lock);
	return (n);
}

struct actuator_port
carrier_port(struct carrier *c)
{
	return ((struct actuator_port){c, send_all, collect});
}
