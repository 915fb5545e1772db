#include "support/poll_loop.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define WATCHES_MAX 64

struct loop_watch {
	int fd;
	unsigned events;
	loop_io_cb *cb;
	void *arg;
	struct loop_watch *next;
	bool dead;
};

struct loop_timer {
	int64_t due_us;
	loop_timer_cb *cb;
	void *arg;
	struct loop_timer *next;
	bool dead;
};

struct poll_loop {
	struct loop loop; /* first, so that both addresses are one */
	struct loop_watch *watches;
	struct loop_timer *timers;
};

static int64_t
monotonic_us(struct loop *loop)
{
	struct timespec ts;

	(void)loop;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static struct loop_watch *
watch(struct loop *loop, int fd, unsigned events, loop_io_cb *cb, void *arg)
{
	struct poll_loop *p = (struct poll_loop *)loop;
	struct loop_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return (NULL);
	*w = (struct loop_watch){fd, events, cb, arg, p->watches, false};
	p->watches = w;
	return (w);
}

static void
modify(struct loop *loop, struct loop_watch *w, unsigned events)
{
	(void)loop;
	w->events = events;
}

static void
unwatch(struct loop *loop, struct loop_watch *w)
{
	(void)loop;
	w->dead = true;
}

static struct loop_timer *
after(struct loop *loop, unsigned ms, loop_timer_cb *cb, void *arg)
{
	struct poll_loop *p = (struct poll_loop *)loop;
	struct loop_timer *t = calloc(1, sizeof(*t)), **at = &p->timers;

	if (t == NULL)
		return (NULL);
	*t = (struct loop_timer){
	    monotonic_us(loop) + (int64_t)ms * 1000, cb, arg, NULL, false};
	while (*at != NULL && (*at)->due_us <= t->due_us)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	return (t);
}

static struct loop_timer *
soon(struct loop *loop, loop_timer_cb *cb, void *arg)
{
	return (after(loop, 0, cb, arg));
}

static void
cancel(struct loop *loop, struct loop_timer *t)
{
	(void)loop;
	t->dead = true;
}

static const struct loop_ops ops = {
    watch, modify, unwatch, after, soon, cancel, monotonic_us};

struct loop *
poll_loop_new(void)
{
	struct poll_loop *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return (NULL);
	p->loop.ops = &ops;
	return (&p->loop);
}

static void
sweep(struct poll_loop *p)
{
	struct loop_watch **w = &p->watches, *dead_w;
	struct loop_timer **t = &p->timers, *dead_t;

	while (*w != NULL) {
		if (!(*w)->dead) {
			w = &(*w)->next;
			continue;
		}
		dead_w = *w;
		*w = dead_w->next;
		free(dead_w);
	}
	while (*t != NULL) {
		if (!(*t)->dead) {
			t = &(*t)->next;
			continue;
		}
		dead_t = *t;
		*t = dead_t->next;
		free(dead_t);
	}
}

void
poll_loop_free(struct loop *loop)
{
	struct poll_loop *p = (struct poll_loop *)loop;
	struct loop_watch *w;
	struct loop_timer *t;

	for (w = p->watches; w != NULL; w = w->next)
		w->dead = true;
	for (t = p->timers; t != NULL; t = t->next)
		t->dead = true;
	sweep(p);
	free(p);
}

static void
run_timers(struct poll_loop *p)
{
	int64_t now = monotonic_us(&p->loop);
	struct loop_timer *t;

	for (t = p->timers; t != NULL; t = t->next) {
		if (t->dead || t->due_us > now)
			continue;
		t->dead = true;
		t->cb(t->arg);
	}
}

static int
wait_ms(struct poll_loop *p, unsigned ms)
{
	int64_t left;

	if (p->timers == NULL)
		return ((int)ms);
	left = (p->timers->due_us - monotonic_us(&p->loop) + 999) / 1000;
	if (left < 0)
		left = 0;
	return (left < (int64_t)ms ? (int)left : (int)ms);
}

static void
run_watches(struct loop_watch **list, const struct pollfd *fds, nfds_t n)
{
	unsigned events;
	nfds_t i;

	for (i = 0; i < n; i++) {
		events = 0;
		if (fds[i].revents & POLLIN)
			events |= LOOP_READ;
		if (fds[i].revents & POLLOUT)
			events |= LOOP_WRITE;
		if (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL))
			events |= LOOP_ERROR;
		if (events != 0 && !list[i]->dead)
			list[i]->cb(list[i]->arg, events);
	}
}

void
poll_loop_turn(struct loop *loop, unsigned ms)
{
	struct poll_loop *p = (struct poll_loop *)loop;
	struct loop_watch *list[WATCHES_MAX], *w;
	struct pollfd fds[WATCHES_MAX];
	nfds_t n = 0;

	sweep(p);
	for (w = p->watches; w != NULL && n < WATCHES_MAX; w = w->next) {
		list[n] = w;
		fds[n].fd = w->fd;
		fds[n].events = (short)(((w->events & LOOP_READ) ? POLLIN : 0) |
		    ((w->events & LOOP_WRITE) ? POLLOUT : 0));
		fds[n++].revents = 0;
	}
	if (poll(fds, n, wait_ms(p, ms)) > 0)
		run_watches(list, fds, n);
	run_timers(p);
	sweep(p);
}

bool
poll_loop_until(struct loop *loop, const bool *done, unsigned ms)
{
	int64_t end = monotonic_us(loop) + (int64_t)ms * 1000;

	while (!*done && monotonic_us(loop) < end)
		poll_loop_turn(loop, 20);
	return (*done);
}

void
poll_loop_run(struct loop *loop, unsigned ms)
{
	int64_t end = monotonic_us(loop) + (int64_t)ms * 1000;

	while (monotonic_us(loop) < end)
		poll_loop_turn(loop, 10);
}
