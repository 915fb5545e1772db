/*
 * backtest_port: what a rule would have found in readings of the past, and
 * what would have been proposed: the loop itself, on a world in memory.
 *
 * Runs on: L; the work on a thread. done() runs exactly once, never from
 * inside run(), unless run() returned an error, in which case never. What is
 * handed in lives until then. Units: µs UTC.
 */
#ifndef PENSTOCK_CORE_BACKTEST_PORT_H
#define PENSTOCK_CORE_BACKTEST_PORT_H

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

#define BACKTEST_READINGS 200000
#define BACKTEST_SPAN_US  (INT64_C(31) * 86400 * 1000000)

struct reading;

struct backtest {
	const char *code, *body; /* of the rule; JSON */
	int32_t version;	 /* 0: of none that is kept */
	int64_t from_us, to_us;
	const int32_t *series; /* it is about; rising */
	size_t nseries;
	/* Of all its series; their order is lost. */
	struct reading *readings;
	size_t n;
	/* What came of it: info.code, and if that is ERR_OK a JSON object,
	 * the caller's to free(). */
	struct err_info info;
	char *json;
	size_t len;
};

struct backtest_port {
	void *self;
	/* ERR_BUSY: one is at work. */
	enum err (*run)(
	    void *self, struct backtest *, void (*done)(void *arg), void *arg);
};

#endif
