#include "core/loop.h"

#include "edge/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <kore/kore.h>

struct loop_watch {
	struct kore_event evt; /* Kore expects it first */
	/* A duplicate: libpq closes its socket by itself when the server is
	 * gone, and Kore ends the worker when epoll is told to forget a
	 * descriptor that is closed, or by then is another's. */
	int fd;
	loop_io_cb *cb; /* NULL: no longer watched */
	void *arg;
	struct loop_watch *next; /* in the graveyard */
};

struct loop_timer {
	struct kore_timer *kore; /* NULL while its callback runs */
	loop_timer_cb *cb;
	void *arg;
};

/* Kore's present batch of events may still point at these. */
static struct loop_watch *graveyard;

static void
on_event(void *arg, int error)
{
	struct loop_watch *w = arg;
	unsigned events = 0;

	if (w->evt.flags & KORE_EVENT_READ)
		events |= LOOP_READ;
	if (w->evt.flags & KORE_EVENT_WRITE)
		events |= LOOP_WRITE;
	if (error)
		events |= LOOP_ERROR;
	w->evt.flags = 0; /* Kore only ever sets them */
	if (w->cb != NULL)
		w->cb(w->arg, events);
}

static int
epoll_mask(unsigned events)
{
	return ((events & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0) |
	    (events & LOOP_WRITE ? EPOLLOUT : 0));
}

static void
loop_modify(struct loop *loop, struct loop_watch *w, unsigned events)
{
	(void)loop;
	kore_platform_event_schedule(w->fd, epoll_mask(events), 0, w);
}

static struct loop_watch *
loop_watch(
    struct loop *loop, int fd, unsigned events, loop_io_cb *cb, void *arg)
{
	struct loop_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return (NULL);
	if ((w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		free(w);
		return (NULL);
	}
	w->evt.handle = on_event;
	w->cb = cb;
	w->arg = arg;
	loop_modify(loop, w, events);
	return (w);
}

static void
loop_unwatch(struct loop *loop, struct loop_watch *w)
{
	(void)loop;
	kore_platform_disable_read(w->fd); /* EPOLL_CTL_DEL */
	close(w->fd);
	w->cb = NULL;
	w->next = graveyard;
	graveyard = w;
}

void
loop_bury(void)
{
	struct loop_watch *w;

	while ((w = graveyard) != NULL) {
		graveyard = w->next;
		free(w);
	}
}

static void
on_timer(void *arg, u_int64_t now)
{
	struct loop_timer *t = arg;

	(void)now;
	t->kore = NULL; /* a oneshot: Kore frees it after this */
	t->cb(t->arg);
	free(t);
}

static struct loop_timer *
timer_new(unsigned ms, loop_timer_cb *cb, void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return (NULL);
	t->cb = cb;
	t->arg = arg;
	t->kore = kore_timer_add(on_timer, ms, t, KORE_TIMER_ONESHOT);
	return (t);
}

static struct loop_timer *
loop_after(struct loop *loop, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)loop;
	/* One more for the part of a millisecond that is over already; a
	 * timer due at once would keep Kore in its timer loop. */
	return (timer_new(ms + 1, cb, arg));
}

/* Kore runs the timers that are due behind each batch of events. */
static struct loop_timer *
loop_soon(struct loop *loop, loop_timer_cb *cb, void *arg)
{
	(void)loop;
	return (timer_new(0, cb, arg));
}

static void
loop_cancel(struct loop *loop, struct loop_timer *t)
{
	(void)loop;
	/* Its own callback runs: on_timer frees it. */
	if (t->kore == NULL)
		return;
	kore_timer_remove(t->kore);
	free(t);
}

int64_t
edge_monotonic_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static int64_t
loop_monotonic_us(struct loop *loop)
{
	(void)loop;
	return (edge_monotonic_us());
}

static const struct loop_ops ops = {
    .watch = loop_watch,
    .modify = loop_modify,
    .unwatch = loop_unwatch,
    .after = loop_after,
    .soon = loop_soon,
    .cancel = loop_cancel,
    .monotonic_us = loop_monotonic_us,
};

struct loop *
edge_loop(void)
{
	static struct loop loop = {&ops};

	return (&loop);
}
