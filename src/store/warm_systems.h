/*
 * warm_systems: core/system_port.h on the loop's connection, from the roll-ups
 * of 5 minutes or an hour; and what a zone learns from, on that of who fits.
 *
 * Runs on: T. Frees: nothing; what comes back lives in the arena given. Units:
 * canonical, µs UTC. Errors: as store/warm.h.
 */
#ifndef PENSTOCK_STORE_WARM_SYSTEMS_H
#define PENSTOCK_STORE_WARM_SYSTEMS_H

#include "core/system_port.h"
#include "store/warm.h"

#define SYSTEMS_STEPS_MOST  1008 /* judged at once, whole hours of them */
#define SYSTEMS_SERIES_MOST 257	 /* one more than can be judged */

struct system_port warm_systems(struct warm *);

/* --- learning ------------------------------------------------------------- */

struct system_due {
	int32_t zone; /* 0: none is due */
	const char *code;
	int64_t systems; /* zones that may be such */
};
/* A zone to learn that was not tried since began_us; claimed at once. */
enum err warm_systems_next(struct warm *, int64_t began_us, struct arena *,
    struct system_due *ret, struct err_info *);

struct system_offer {
	struct system_series *series;
	int64_t *newest_us; /* INSTANT_NONE: never heard */
	size_t n;	    /* SYSTEMS_SERIES_MOST: too many */
};
enum err warm_system_offer(struct warm *, int32_t zone, struct arena *,
    struct system_offer *ret, struct err_info *);

struct system_control {
	const char *link, *node;
	bool open, above;
	double level; /* m */
};
enum err warm_system_controls(struct warm *, int32_t zone, struct arena *,
    struct system_control **ret, size_t *ret_n, struct err_info *);

struct system_span {
	int64_t from_us, to_us;
};
/* Of which it does not learn, and an empty one behind them. */
enum err
warm_system_odd(struct warm *, int32_t zone, const struct system_span *,
    struct arena *, struct system_span **ret, struct err_info *);

struct system_table {
	const struct system_series *series;
	size_t n, steps;
	int64_t from_us, step_us;
	double *x; /* a row of n per step; all NAN at first */
};
/* What there is of series `at`. */
enum err warm_system_column(
    struct warm *, struct system_table *, size_t at, struct err_info *);

struct system_learnt {
	int32_t zone;
	const struct system_offer *offered;
	const struct system_series *members;
	size_t n;
	int32_t step_s;
	struct system_span span;
	const unsigned char *state;
	size_t state_len;
};
/* Until when members may learn; INSTANT_NONE: nothing was heard of them. */
enum err warm_system_until(struct warm *, const struct system_learnt *,
    int64_t now_us, int64_t *ret_us, struct err_info *);
enum err warm_system_learnt(
    struct warm *, const struct system_learnt *, struct err_info *);
enum err warm_system_refused(struct warm *, int32_t zone,
    const struct system_offer *, const char *reason, struct err_info *);

#endif
