/*
 * Kore hands its tasks round to the threads whether they are busy or not,
 * so a short task may wait behind a long one. Hence each Kore thread gets
 * one task for life, which takes jobs from this one queue; the result comes
 * back over an eventfd.
 */
#include "edge/internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kore/kore.h>
#include <kore/tasks.h>

/* One place is kept for a job that goes first. */
#define JOBS (EDGE_OFFLOAD_QUEUE + EDGE_THREADS + 1)

struct job {
	void (*work)(void *);
	void (*done)(void *);
	void *arg;
};

struct ring {
	struct job jobs[JOBS];
	unsigned first, n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static struct ring waiting, finished; /* under lock */
static unsigned running;	      /* under lock */
static unsigned pending;	      /* of the loop alone */
static int wake_fd = -1;
static struct kore_task tasks[EDGE_THREADS];

static void
ring_put(struct ring *r, const struct job *j)
{
	r->jobs[(r->first + r->n++) % JOBS] = *j;
}

static void
ring_put_first(struct ring *r, const struct job *j)
{
	r->first = (r->first + JOBS - 1) % JOBS;
	r->jobs[r->first] = *j;
	r->n++;
}

static bool
ring_get(struct ring *r, struct job *ret)
{
	if (r->n == 0)
		return (false);
	*ret = r->jobs[r->first];
	r->first = (r->first + 1) % JOBS;
	r->n--;
	return (true);
}

static void
wake_loop(void)
{
	const uint64_t one = 1;

	/* It can only fail when the counter is full, and then it is set. */
	while (write(wake_fd, &one, sizeof(one)) == -1 && errno == EINTR)
		;
}

static int
thread_life(struct kore_task *task)
{
	struct job j;

	(void)task;
	(void)pthread_mutex_lock(&lock);
	for (;;) {
		while (!ring_get(&waiting, &j))
			(void)pthread_cond_wait(&wanted, &lock);
		running++;
		(void)pthread_mutex_unlock(&lock);
		j.work(j.arg);
		(void)pthread_mutex_lock(&lock);
		running--;
		ring_put(&finished, &j);
		wake_loop();
	}
	return (KORE_RESULT_OK);
}

static void
on_wake(void *arg, unsigned events)
{
	uint64_t n;
	struct job j;
	bool any;

	(void)arg;
	(void)events;
	(void)!read(wake_fd, &n, sizeof(n));
	do {
		(void)pthread_mutex_lock(&lock);
		any = ring_get(&finished, &j);
		(void)pthread_mutex_unlock(&lock);
		if (any) {
			pending--;
			j.done(j.arg);
		}
	} while (any);
}

/* The threads inherit the mask: signals are the main thread's. */
static void
threads_start(void)
{
	sigset_t all, old;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	for (int i = 0; i < EDGE_THREADS; i++) {
		kore_task_create(&tasks[i], thread_life);
		kore_task_run(&tasks[i]);
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
offload_open(void)
{
	struct loop *loop = edge_loop();

	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake_fd == -1 ||
	    loop->ops->watch(loop, wake_fd, LOOP_READ, on_wake, NULL) == NULL)
		fatal("edge_offload: %s", errno_s);
	threads_start();
}

static enum err
offload(const struct job *j, bool first)
{
	const unsigned places = first ? JOBS : JOBS - 1;
	bool full;

	if (wake_fd == -1)
		offload_open();
	(void)pthread_mutex_lock(&lock);
	/* Not waiting.n alone: `finished` must have room for all of them. */
	full = waiting.n + running + finished.n >= places;
	if (!full && first)
		ring_put_first(&waiting, j);
	else if (!full)
		ring_put(&waiting, j);
	(void)pthread_mutex_unlock(&lock);
	if (full)
		return (ERR_BUSY);
	pending++;
	(void)pthread_cond_signal(&wanted);
	return (ERR_OK);
}

enum err
edge_offload(void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	(void)self;
	return (offload(&(struct job){work, done, arg}, false));
}

enum err
edge_offload_first(
    void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	(void)self;
	return (offload(&(struct job){work, done, arg}, true));
}

unsigned
edge_offload_pending(void)
{
	return (pending);
}
