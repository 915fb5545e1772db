/*
 * system_port: the zones whose signals are judged jointly, as the loop sees
 * them (mape/systems.h). src/store implements it.
 *
 * Runs on: T; due() outside of a unit of work of decisions_port, the rest in
 * one. Arrays that come back live in the arena passed in. Units: canonical,
 * µs UTC.
 */
#ifndef PENSTOCK_CORE_SYSTEM_PORT_H
#define PENSTOCK_CORE_SYSTEM_PORT_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct system_series {
	int32_t series;
	const char *node, *metric;
	bool status; /* its last value of a step counts; else their mean */
};

/* What was found and has not ended. */
struct system_open {
	int32_t lead; /* the series that it is of; 0: there is none */
	bool manipulation, warning;
	int64_t since_us;
	int32_t calm;		 /* steps in a row */
	int32_t sensor, process; /* steps that looked like a fault of one, or
				    like the water's doing */
};

struct system_zone {
	int32_t zone;
	int64_t learnt_us; /* tells one model from the next */
	const char *code;
	bool gone; /* too few of its signals are left in it: no steps */
	const struct system_series *signals;
	size_t n;
	int64_t step_us;
	const unsigned char *state; /* of the steps before from_us */
	size_t state_len;
	int64_t from_us, told_us; /* what was found before is told */
	const double *x;	  /* a row of n values a step, NAN: none */
	size_t steps;
	struct system_open open;
};

struct system_result {
	const unsigned char *state; /* of the steps before upto_us; NULL: as
				       it is */
	size_t state_len;
	int64_t upto_us, told_us;
	const char *newest; /* JSON object */
	struct system_open open;
};

struct system_port {
	void *self;
	/* Numbers of zones with steps to judge now, or that are gone, `most`
	 * of them. */
	enum err (*due)(void *self, int64_t now_us, int32_t *ret, size_t most,
	    size_t *ret_n, struct err_info *);
	/* A part of them, the oldest; no steps: it is no system any more. */
	enum err (*take)(void *self, struct arena *, int32_t zone,
	    int64_t now_us, struct system_zone *ret, struct err_info *);
	/* ERR_CONFLICT: it was learnt anew meanwhile. */
	enum err (*save)(void *self, const struct system_zone *,
	    const struct system_result *, struct err_info *);
	/* Its state is of another version, or it is gone: it is to be learnt
	 * anew. */
	enum err (*void_state)(
	    void *self, const struct system_zone *, struct err_info *);
};

#endif
