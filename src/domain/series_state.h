/*
 * series_state: what the detectors remember of one series between cycles.
 *
 * Runs on: C. Value type without pointers: copy it freely. Units: canonical
 * unit of the metric; times µs UTC, INSTANT_NONE for never.
 * Errors: decode() is false for bytes it does not know (another version, cut
 * short); the caller then starts from series_state_init().
 */
#ifndef PENSTOCK_DOMAIN_SERIES_STATE_H
#define PENSTOCK_DOMAIN_SERIES_STATE_H

#include "domain/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTLIER_WINDOW 31
/* Two directions by three severities: at most one threshold each. */
#define LEVEL_SLOTS 6
/* Room for any encoded state. */
#define SERIES_STATE_BYTES 640

enum level_phase {
	LEVEL_NORMAL,
	LEVEL_RISING, /* beyond `set`, on-delay running */
	LEVEL_SET,
	LEVEL_FALLING, /* back past `clear`, off-delay running */
	LEVEL_PHASE_COUNT
};

struct level_state {
	enum level_phase phase;
	int64_t since_us; /* event time at which the phase began */
};

struct series_state {
	int32_t series;
	int64_t last_us; /* event time of the newest judged reading */
	double last_value;
	int64_t heard_us;	       /* when that reading was received */
	int64_t longest_us, waited_us; /* of waits listened to; all of them */
	bool live;   /* once heard near its event time: may fall silent */
	bool silent; /* a silence anomaly is open */
	bool flat;
	enum direction rate, outlier; /* the one that is open, or none */
	int64_t flat_since_us; /* since when the value has been the same */
	struct level_state levels[LEVEL_SLOTS];
	/* Ring of the newest readings; the next goes to [outlier_head]. */
	uint8_t outlier_n, outlier_head;
	double outlier_values[OUTLIER_WINDOW];
};

void series_state_init(struct series_state *, int32_t series);
/* The slot of a threshold; direction is never DIRECTION_NONE. */
size_t series_state_level(enum direction, enum severity);
/* Returns the bytes used, at most SERIES_STATE_BYTES. */
size_t series_state_encode(
    const struct series_state *, unsigned char buf[static SERIES_STATE_BYTES]);
/* The series' number is the row's key and not in the bytes. */
bool series_state_decode(
    struct series_state *ret, int32_t series, const unsigned char *, size_t);

#endif
