/*
 * logsink: where log lines go: stdout and, if set, a file opened at start.
 *
 * Runs on: C; each line is one writev(2), with the time and the pid added, so lines
 * of several processes and threads do not mix.
 */
#ifndef PENSTOCK_APP_LOGSINK_H
#define PENSTOCK_APP_LOGSINK_H

#include "core/err.h"

/* level: "debug" … "error"; path "" for stdout alone. */
enum err logsink_open(const char *level, const char *path, struct err_info *);

#endif
