/*
 * clock_shift: LD_PRELOAD for a service whose wall clock a test sets. The
 * file named by CLOCK_SHIFT holds an int64, microseconds to add, in this
 * machine's byte order; it is mapped, so that a change counts at once and no
 * system call is made behind the sandbox. The monotonic clock stays.
 * (libfaketime cannot do it: it adds to the environment, and Kore, whose
 * processes change their title, takes the last string there for the end of
 * the stack.)
 *
 * Runs on: C.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS INT64_C(1000000000)

static const volatile int64_t *shift_us;

static void __attribute__((constructor)) map_shift(void)
{
	const char *path = getenv("CLOCK_SHIFT");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *p;

	if (fd == -1)
		abort();
	p = mmap(NULL, sizeof(*shift_us), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	shift_us = p;
	close(fd);
}

static int64_t
shifted_ns(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return (t.tv_sec * NS + t.tv_nsec + *shift_us * 1000);
}

__attribute__((visibility("default"))) int
clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t ns;

	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return ((int)syscall(SYS_clock_gettime, id, t));
	ns = shifted_ns();
	*t = (struct timespec){ns / NS, ns % NS};
	return (0);
}

__attribute__((visibility("default"))) int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	int64_t ns = shifted_ns();

	(void)zone;
	*tv = (struct timeval){ns / NS, ns % NS / 1000};
	return (0);
}

__attribute__((visibility("default"))) time_t
time(time_t *ret)
{
	time_t now = (time_t)(shifted_ns() / NS);

	if (ret != NULL)
		*ret = now;
	return (now);
}
