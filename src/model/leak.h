/*
 * leak: new leaks in the inflow of one zone, hour by hour, without look-ahead.
 *
 *	u_t = x_t - P[hour of week] - offset
 *	e_h = u_h - trimmed mean of u at the same hour of six days before
 *	D_t = sum_h w_h e_h / sum_h w_h over the last day, w_h = 1 / noise_h^2
 *	step: D_t - mean D > k sigma_D, above all lately seen, above a share of
 *	x; there by night and by day, and still 18 hours after its onset
 *	onset = argmax_s (sum_{i=s..t} (u_i - ref))^2 / (t - s + 1)
 *	growth: mean night u of seven nights against those of weeks ago
 *
 * P is the shape of the week, learnt with the level taken out; sigma_D comes
 * from D itself, so the limit is the series' own. A step that stays moves the
 * offset, up (an alarm) or down (a repair, none). What falls without having
 * been told, or was told and ended within three days, is what the zone does
 * without a leak: for months only more than that is told. Growth is judged at night,
 * when legitimate use is least, for recurrence over nights; only what exceeds
 * the nights of weeks ago counts, so legitimate use is taken out by itself.
 * References: Page 1954, Biometrika 41 (step); Hinkley 1970, Biometrika 57(1)
 * (the onset); Puust et al. 2010, Urban Water J. 7(1) (night flow); IWA
 * practice for the window 02:00-05:00 of the wall's clock.
 * Runs on: C. Pure. Frees: nothing, a plain value of 7 KiB. Units: the
 * series' own flow; hours.
 */
#ifndef PENSTOCK_MODEL_LEAK_H
#define PENSTOCK_MODEL_LEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAK_WEEK   168
#define LEAK_MEMORY 192 /* hours of u that are kept */
#define LEAK_NIGHTS 35

/* Bytes of leak_pack(); the first tells the version. */
#define LEAK_BYTES 6705

/* LEAK_SETTLED: a step has lasted a day, its size is sure now: of one that was
 * told, or, below 0, of a repair. No alarm. */
enum leak_kind { LEAK_NONE, LEAK_STEP, LEAK_GROWTH, LEAK_SETTLED };

struct leak_alarm {
	enum leak_kind kind;
	int64_t onset;	     /* the hour, as given to leak_hour() */
	double size;	     /* flow */
	double confidence;   /* 0..1 */
	double night, usual; /* flow at night, now and before the onset */
	double volume;	     /* flow times hours since the onset */
	double limit; /* flow: what had to be left, by a day or by nights */
};

struct leak {
	double pattern[LEAK_WEEK], weight[LEAK_WEEK];
	double u[LEAK_MEMORY]; /* by hour mod LEAK_MEMORY, NaN: missing */
	double x[LEAK_MEMORY];
	double nights[LEAK_NIGHTS], raw[LEAK_NIGHTS];
	double offset;
	double noise[24];	       /* of u, by the clock's hour */
	double centre, sigma;	       /* of D lately */
	double peak, today, yesterday; /* largest D - centre */
	double event;		       /* largest D that was no leak */
	double fallen;		       /* what of the last fall was not told */
	double standing;	       /* sum of what was told and stays */
	double told_size, told_d;      /* of the last step that was told */
	double night_sum, night_raw;
	int night_n, growing;
	int64_t begun, seen; /* first and last hour, in hours of the wall */
	int64_t settle;	     /* an open step is settled at this hour */
	int64_t onset, told, fell;
	double before; /* mean u before it */
	size_t judged;
	bool started;
};

void leak_init(struct leak *);
/* Hours rise; those left out, and NaN, are missing. False: nothing new. */
bool
leak_hour(struct leak *, int64_t hour, double x, struct leak_alarm *ret_alarm);
/* What was told last was no leak: only more than that is told from now on. */
void leak_dismiss(struct leak *);
/* The least and the mean flow of the hours of the night before `hour`, which
 * was judged. False: hours of it are missing. */
bool leak_night(
    const struct leak *, int64_t hour, double *ret_least, double *ret_mean);
/* The first hour after the night of that day. */
int64_t leak_morning(int64_t hour);
void leak_pack(const struct leak *, unsigned char ret[LEAK_BYTES]);
/* False: not of this version. */
bool leak_unpack(struct leak *, const unsigned char *, size_t len);
const char *leak_kind_name(enum leak_kind);

#endif
