/*
 * reading: one value of one series at one event time.
 *
 * Runs on: C. A value type. Units: the series' metric's canonical unit.
 * (series, t_us) is the key; the first value stays (D5).
 */
#ifndef PENSTOCK_DOMAIN_READING_H
#define PENSTOCK_DOMAIN_READING_H

#include <stdint.h>

/* Bits; 0 is good. Stored as int2. */
#define QUALITY_GOOD	    0
#define QUALITY_CLOCK_AHEAD 1 /* event time ahead of our clock, within 5 min */

struct reading {
	int32_t series;
	int16_t quality;
	double value;
	int64_t t_us;	     /* event time */
	int64_t received_us; /* our clock */
};

/* Words for the reply: "good" or "suspect". */
const char *quality_name(int quality);

#endif
