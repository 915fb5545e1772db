/*
 * totaliser: what went through a meter, step by step, from the index of its
 * register and from what a person says happened to it.
 *
 *	V(a, b) = x(b) - x(a)			the register went on
 *	V(a, b) = (old - x(a)) + (x(b) - new)	an event between them: rollover
 *						(old is the width, new is 0),
 *						reset, or swap of the meter
 *	V(a, b) = width + x(b) - x(a)		a fall from the last tenth of
 *						the register into the first,
 *						without an event: derived
 *
 * Any other fall has no volume: nobody knows what was used, and nothing is
 * made up for it. (Water that flows back turns a register back, so it is such
 * a fall, too; it is not netted.) Left out is an index that contradicts its
 * neighbours on both sides while they agree with each other: a misread. A
 * rise has no volume if it is faster than the series' limit, or of more than
 * half the register with no event at its ends. An event within a day of an
 * unexplained fall, at whose own time the index did not fall, is taken for
 * that fall told late or early: it moves nothing, and the readings around its
 * time are one step of the register. If that comes out only later, the steps
 * that were given for it are taken back.
 *
 * What is not seen: a swap to a higher index, if no event tells of it, is a
 * rise as any other, but for the limits above.
 *
 * Reference: validation of interval meter data as utilities do it (VEE: sum,
 * spike and rollover checks, meter change).
 * Runs on: C. Pure. Frees: nothing; lives where the caller puts it. Units: m3
 * (the metric's canonical unit), m3/min, µs UTC. Errors: none; what has no
 * volume is NAN with the reason. Readings rise strictly in time; what arrived
 * late or twice is no matter here, as only what is stored counts.
 */
#ifndef PENSTOCK_DOMAIN_TOTALISER_H
#define PENSTOCK_DOMAIN_TOTALISER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reasons and remarks, bits. The words are totaliser_flags[]. */
#define TOTALISER_EVENT	      0x01u /* begins or ends at an event */
#define TOTALISER_ROLLOVER    0x02u /* derived, no event says so */
#define TOTALISER_FALL	      0x04u /* unexplained: no volume */
#define TOTALISER_UNKNOWN     0x08u /* the event has no index: no volume */
#define TOTALISER_IMPLAUSIBLE 0x10u /* too fast or too far: no volume */
#define TOTALISER_MISREAD     0x20u /* an index between was left out */
#define TOTALISER_MISPLACED   0x40u /* an event's time does not fit */
#define TOTALISER_FLAGS	      7
extern const char *const totaliser_flags[TOTALISER_FLAGS];

enum meter_event_type { METER_ROLLOVER, METER_RESET, METER_SWAP };
#define METER_EVENT_TYPES 3
extern const char *const meter_event_types[METER_EVENT_TYPES];

/* A reading at the event's very time is of the register after it. NAN: not
 * known. */
struct meter_event {
	int64_t at_us;
	enum meter_event_type type;
	double old_index, new_index;
	double width; /* of the register from then on; NAN: as before */
};

struct totaliser_step {
	int64_t t0_us, t1_us; /* t0 <= t1 */
	double x0, x1;	      /* NAN: not known */
	double volume;	      /* NAN: none */
	unsigned flags;
	bool undo; /* that very step was given before and is not true */
};
typedef void totaliser_cb(void *arg, const struct totaliser_step *);

struct totaliser {
	/* The caller's. */
	double width;			  /* NAN: never starts again */
	double max_rate_per_min;	  /* NAN: no limit */
	const struct meter_event *events; /* rising in time */
	size_t nevents;
	totaliser_cb *step; /* rising in time, but for what is undone */
	void *arg;
	/* Its own. */
	struct totaliser_point {
		int64_t t_us;
		double x;
	} from, next; /* counted up to `from`; `next` may be a misread */
	int points;
	size_t event;
	unsigned misread;
	int64_t fell_us; /* the last unexplained fall */
	bool fell;
	/* The last readings with one event between that did not fall. */
	struct totaliser_doubt {
		struct totaliser_point from, to;
		struct totaliser_step steps[2];
		int64_t at_us;
		unsigned n;
	} doubt;
};

/* The caller's members are set, the rest is 0. */
void totaliser_reading(struct totaliser *, int64_t t_us, double x);
/* There are no more readings. */
void totaliser_end(struct totaliser *);

#endif
