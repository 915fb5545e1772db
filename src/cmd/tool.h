/*
 * tool: what the command-line programs share: complaints, numbers, secrets,
 * the way to end.
 *
 * Runs on: the programs of src/cmd. Frees: the caller, where said. Errors:
 * told on stderr with the program's name, then false or NULL.
 */
#ifndef PENSTOCK_CMD_TOOL_H
#define PENSTOCK_CMD_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a program ends with. */
enum { TOOL_OK, TOOL_FAILED, TOOL_USAGE };

void tool_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A plain line on stdout with the time before it. */
void tool_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An option's whole number within [min, max]. */
bool tool_number(const char *option, const char *text, int64_t min, int64_t max,
    int64_t *ret);
/* The whole file, with a NUL behind it; the caller frees. */
char *tool_slurp(const char *path, size_t max, size_t *ret_len);
/* The file's first line. */
bool tool_secret(const char *path, char *buf, size_t size);

/* SIGINT and SIGTERM set the flag; SIGPIPE is ignored. */
void tool_catch_signals(void);
bool tool_stopping(void);
/* Ends early, with false, when asked to stop. */
bool tool_sleep_ms(int64_t);
/* UTC, microseconds. */
int64_t tool_now_us(void);
int64_t tool_monotonic_ms(void);

#endif
