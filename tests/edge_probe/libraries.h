/*
 * libraries: a walk through every library's system calls.
 *
 * Runs on: T (blocking). Writes a JSON object of what worked to `ret`.
 */
#ifndef PENSTOCK_TESTS_LIBRARIES_H
#define PENSTOCK_TESTS_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>

void libraries_run(const char *url, char *ret, size_t size);
/* Makes a system call that no worker may. errno, 0 if it succeeded, -1: no such
 * name. */
int libraries_forbidden(const char *name);

#endif
