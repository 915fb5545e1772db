/*
 * leak_port: the areas whose inflow is judged for leaks, as the loop sees them
 * (mape/leaks.h). src/store implements it.
 *
 * Runs on: T, in a unit of work of decisions_port. Arrays that come back live
 * in the arena passed in. Units: m3/h, m3, µs UTC; hours of the wall count
 * from 1970-01-01T00 on the network's own clock.
 */
#ifndef PENSTOCK_CORE_LEAK_PORT_H
#define PENSTOCK_CORE_LEAK_PORT_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A leak that was told and is not mended. */
struct leak_open {
	int64_t since_us; /* INSTANT_NONE: there is none */
	bool growth;	  /* else a step */
	double size, largest;
	double fresh; /* of the size: what has not settled yet */
	double volume, confidence;
	double night, usual; /* NAN: not known */
	double band;	     /* the limit that was left; NAN: not known */
};

struct night_flow {
	int32_t day; /* since 1970, of the wall, in whose morning it ended */
	double least, mean;
};

struct leak_area {
	int32_t lead;	    /* the series that stands for it */
	const char *zone;   /* code, NULL: in none */
	const char *meters; /* JSON array of "node/metric" */
	const unsigned char *state;
	size_t state_len;     /* 0: it begins anew */
	int64_t from_us;      /* of the first hour to judge */
	const double *inflow; /* an hour each, NAN: missing */
	const int64_t *wall;  /* of each; rising, but when clocks go back */
	size_t n;
	struct leak_open open;
	bool dismissed;	      /* a person said: what was told last is none */
	const int64_t *ended; /* since when leaks were that are no more */
	size_t nended;
};

/* What may tell of a leak: a pressure of the zone, a neighbour's inflow, or what
 * one of the area's own meters adds to its inflow. */
enum leak_witness_kind { LEAK_PRESSURE, LEAK_NEIGHBOUR, LEAK_METER };

struct leak_witness {
	enum leak_witness_kind kind;
	const char *name;   /* node, zone */
	const char *metric; /* of a meter */
	const double *x;    /* an hour each, NAN: missing */
};

/* Hours [from_us, from_us + n hours) around an area. */
struct leak_look {
	int64_t from_us;
	size_t n;
	bool alone; /* its own meters only */
	/* What there is, all meters of the area among it. */
	struct leak_witness *list;
	size_t nlist;
	const int64_t *wall; /* of each hour */
};

struct leak_result {
	const unsigned char *state;
	size_t state_len;
	struct leak_open open;
	const struct night_flow *nights;
	size_t nnights;
};

struct leak_port {
	void *self;
	/* Areas with hours that ended before `ready_us` and are not judged
	 * yet, with no hour before `oldest_us`. *ret_n 0: there are none. */
	enum err (*take)(void *self, struct arena *, int64_t ready_us,
	    int64_t oldest_us, struct leak_area **ret, size_t *ret_n,
	    struct err_info *);
	/* All hours of the area are judged. */
	enum err (*save)(void *self, const struct leak_area *,
	    const struct leak_result *, struct err_info *);
	enum err (*witnesses)(void *self, struct arena *,
	    const struct leak_area *, struct leak_look *, struct err_info *);
	/* When an hour of the wall began that is at most 16 days before the
	 * first hour of the areas taken, or one of theirs. */
	int64_t (*instant)(void *self, int64_t wall);
};

#endif
