#include "app/logsink.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int file = -1;

/* A line that cannot be written is lost: a full log disk must not stop the
 * service. */
static void
write_line(enum log_level level, const char *line, size_t len)
{
	ssize_t n;

	(void)level;
	n = write(STDOUT_FILENO, line, len);
	if (file != -1)
		n = write(file, line, len);
	(void)n;
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
	log_open(write_line, (enum log_level)i);
	return (ERR_OK);
}
