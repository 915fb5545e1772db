#include "cmd/tool.h"

#include "core/instant.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

static atomic_bool stopping; /* lock-free: a signal handler may set it */

/* Each program has a secret in its memory sooner or later: no core files, no
 * foreign eyes, no new privileges. LeakSanitizer traces its own process. */
__attribute__((constructor)) static void
harden(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) == -1 ||
#ifndef __SANITIZE_ADDRESS__
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
#endif
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		tool_error("cannot give up core files: %s", strerror(errno));
		exit(TOOL_FAILED);
	}
}

/* libpq's messages end with a line feed already. */
void
tool_error(const char *fmt, ...)
{
	char buf[2048];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	for (n = strlen(buf); n > 0 && buf[n - 1] == '\n'; n--)
		buf[n - 1] = '\0';
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, buf);
}

void
tool_log(const char *fmt, ...)
{
	char when[INSTANT_TEXT];
	va_list ap;

	instant_format(tool_now_us() / US_PER_SECOND * US_PER_SECOND, when);
	flockfile(stdout);
	printf("%s ", when);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
}

bool
tool_number(const char *option, const char *text, int64_t min, int64_t max,
    int64_t *ret)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
		tool_error("%s must be a whole number from %lld to %lld, "
			   "not \"%s\"",
		    option, (long long)min, (long long)max, text);
		return (false);
	}
	*ret = n;
	return (true);
}

char *
tool_slurp(const char *path, size_t max, size_t *ret_len)
{
	FILE *f;
	char *s;
	size_t n;
	bool bad;

	if ((f = fopen(path, "re")) == NULL) {
		tool_error("%s: %s", path, strerror(errno));
		return (NULL);
	}
	if ((s = malloc(max + 1)) == NULL) {
		tool_error("%s: out of memory", path);
		fclose(f);
		return (NULL);
	}
	n = fread(s, 1, max + 1, f);
	bad = ferror(f) != 0;
	fclose(f);
	if (bad || n > max) {
		tool_error("%s: %s", path, bad ? "cannot be read" : "too long");
		free(s);
		return (NULL);
	}
	s[n] = '\0';
	if (ret_len != NULL)
		*ret_len = n;
	return (s);
}

bool
tool_secret(const char *path, char *buf, size_t size)
{
	char *s = tool_slurp(path, 64 * 1024, NULL);
	size_t n;

	if (s == NULL)
		return (false);
	n = strcspn(s, "\r\n");
	if (n == 0 || n >= size) {
		tool_error("%s: its first line is %s", path,
		    n == 0 ? "empty" : "too long");
		free(s);
		return (false);
	}
	memcpy(buf, s, n);
	buf[n] = '\0';
	free(s);
	return (true);
}

static void
on_signal(int sig)
{
	(void)sig;
	stopping = true;
}

void
tool_catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool
tool_stopping(void)
{
	return (stopping);
}

bool
tool_sleep_ms(int64_t ms)
{
	int64_t end = tool_monotonic_ms() + ms, left;
	struct timespec ts;

	while (!stopping && (left = end - tool_monotonic_ms()) > 0) {
		if (left > 500) /* a signal just before is not seen */
			left = 500;
		ts = (struct timespec){.tv_nsec = left * 1000000};
		nanosleep(&ts, NULL);
	}
	return (!stopping);
}

int64_t
tool_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000);
}

int64_t
tool_monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000);
}
