#include "app/logsink.h"

#include "core/instant.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int file = -1;

/* The tail of a line: when, and which process. */
static int
write_tail(char *buf, size_t size)
{
	char when[INSTANT_TEXT];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	instant_format(
	    (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000, when);
	return (snprintf(buf, size, ",\"time\":\"%s\",\"pid\":%ld}\n", when,
	    (long)getpid()));
}

/* A line that cannot be written is lost: a full log disk must not stop the
 * service. */
static void
write_line(enum log_level level, const char *line, size_t len)
{
	char tail[80];
	struct iovec parts[2];
	ssize_t n;

	(void)level;
	if (len == 0)
		return;
	parts[0].iov_base = (void *)(uintptr_t)line;
	parts[0].iov_len = len - 1; /* the closing brace comes with the tail */
	parts[1].iov_base = tail;
	parts[1].iov_len = (size_t)write_tail(tail, sizeof(tail));
	n = writev(STDOUT_FILENO, parts, 2);
	if (file != -1)
		n = writev(file, parts, 2);
	(void)n;
}

/* Nor may a reader of a pipe who stands still: lines are shorter than
 * PIPE_BUF, so they go whole or not at all. */
static void
never_wait(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags != -1 && fstat(fd, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

enum err
logsink_open(const char *level, const char *path, struct err_info *info)
{
	static const char *const words[] = {"debug", "info", "warn", "error"};
	size_t i;

	for (i = 0; i < 4 && strcmp(words[i], level) != 0; i++)
		continue;
	if (i == 4)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_LOG_LEVEL must be debug, info, warn or error"));
	if (path[0] != '\0' &&
	    (file = open(
		 path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640)) == -1)
		return (err_set(info, ERR_INVALID, NULL,
		    "PENSTOCK_LOG_FILE: cannot open %s: %s", path,
		    strerror(errno)));
	never_wait(STDOUT_FILENO);
	if (file != -1)
		never_wait(file);
	log_open(write_line, (enum log_level)i);
	return (ERR_OK);
}
