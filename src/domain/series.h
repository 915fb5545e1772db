/*
 * series: a node's metric over time, and the rules by which it is judged.
 *
 * Runs on: C. Value types; strings are borrowed from the knowledge snapshot.
 * Units: canonical unit of the metric; durations in µs. Missing numbers are
 * NAN, missing durations 0 (= that rule is off).
 */
#ifndef PENSTOCK_DOMAIN_SERIES_H
#define PENSTOCK_DOMAIN_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum series_kind { SERIES_INSTANT, SERIES_TOTAL, SERIES_STATUS };
enum direction { DIRECTION_NONE, DIRECTION_HIGH, DIRECTION_LOW };
enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL };

#define SERIES_THRESHOLDS 8

struct threshold {
	int32_t id;
	enum direction direction;
	enum severity severity;
	double set, clear; /* set beyond `set`, cleared back past `clear` */
	int64_t on_delay_us, off_delay_us; /* event time */
};

struct series {
	int32_t id;
	int32_t node_id;
	const char *node;      /* business code */
	const char *node_type; /* junction tank reservoir meter dma plant ... */
	const char *zone;      /* "" if none */
	const char *metric;
	const char *unit;
	enum series_kind kind;
	int64_t cadence_us;	 /* 0: unknown, never silent */
	double max_rate_per_min; /* NAN: off */
	int64_t flatline_us;	 /* 0: off */
	double outlier_k;	 /* robust sigmas; 0: off */
	int64_t silence_us;	 /* default 3 cadences */
	bool unwatched;		 /* its own past does not judge it */
	struct threshold thresholds[SERIES_THRESHOLDS];
	size_t nthresholds;
};

const char *series_kind_name(enum series_kind);
const char *direction_name(enum direction);
const char *severity_name(enum severity);
/* -1 if the name is unknown. */
int series_kind_parse(const char *);
int direction_parse(const char *);
int severity_parse(const char *);

#endif
