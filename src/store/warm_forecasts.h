/*
 * warm_forecasts: models and forecasts of series, and the hours they are made
 * of, on a connection of `struct warm`.
 *
 * Runs on: T. Frees: nothing. Units: µs UTC; values in the metric's canonical
 * unit. Errors: as warm.h. What is put belongs into a unit of work of the
 * caller's: forecasts_begin() to forecasts_commit().
 */
#ifndef PENSTOCK_STORE_WARM_FORECASTS_H
#define PENSTOCK_STORE_WARM_FORECASTS_H

#include "store/warm.h"

#define FORECASTS_SHIFTS   32 /* of the clock, at most */
#define FORECASTS_DAYS	   16 /* that old forecasts are kept */
#define FORECASTS_OLD	   32 /* most of a series that are looked at */
#define FORECASTS_HOURS	   168
#define FORECASTS_MODEL	   16384 /* bytes of a model, at most */
#define FORECASTS_HOLIDAYS 4096

/* Connects if need be, and asks for the one lock of the one that fits. */
enum err forecasts_lead(struct warm *, bool *ret_leads, struct err_info *);

/* From since_us on the clock on the wall is so much ahead of UTC. */
struct forecasts_zone {
	size_t n;
	struct {
		int64_t since_us, ahead_us;
	} shifts[FORECASTS_SHIFTS];
};
enum err forecasts_zone(struct warm *, const char *zone, int64_t from_us,
    int64_t to_us, struct forecasts_zone *ret, struct err_info *);

/* As forecast.h has them. */
struct forecasts_calendar {
	size_t n;
	int32_t days[FORECASTS_HOLIDAYS], feasts[FORECASTS_HOLIDAYS];
};
enum err forecasts_calendar(
    struct warm *, struct forecasts_calendar *ret, struct err_info *);

/* id 0: none is to be at work now. */
struct forecasts_run {
	int64_t id, began_us;
	double left_s;
};
struct forecasts_plan {
	const char *zone, *at; /* at: "02:00" */
	double budget_s;
};
enum err forecasts_run(struct warm *, const struct forecasts_plan *,
    struct forecasts_run *ret, struct err_info *);
enum err
forecasts_end(struct warm *, const struct forecasts_run *, struct err_info *);

/* The next series: to learn, or else to forecast by their champions, of which
 * there may be some without a run. */
struct forecasts_due {
	bool learn;
	int32_t ids[256];
	size_t n;
};
enum err forecasts_next(struct warm *, const struct forecasts_run *,
    struct forecasts_due *, struct err_info *);
/* That work on the series begins: committed at once. */
enum err
forecasts_claim(struct warm *, int32_t series, bool learn, struct err_info *);

/* Adds what hours from from_us on hold to sum and good, n of each. */
struct forecasts_hours {
	int32_t series;
	int64_t from_us;
	size_t n;
	double *sum, *good;
};
enum err forecasts_hours(
    struct warm *, const struct forecasts_hours *, struct err_info *);

/* id 0: there is none. format: of the bytes. */
struct forecasts_model {
	int64_t id;
	int32_t format;
	size_t len;
	unsigned char bytes[FORECASTS_MODEL];
};
enum err forecasts_champion(struct warm *, int32_t series,
    struct forecasts_model *ret, struct err_info *);

/* A forecast that was made; what is not there is NaN. */
enum { FORECASTS_VALUE, FORECASTS_LOWER, FORECASTS_UPPER, FORECASTS_COLUMNS };
struct forecasts_made {
	int64_t model, origin_us;
	double points[FORECASTS_COLUMNS][FORECASTS_HOURS];
};
/* Those that are kept, up to FORECASTS_OLD of them. */
enum err forecasts_made(struct warm *, int32_t series, int64_t since_us,
    struct forecasts_made *ret, size_t *ret_n, struct err_info *);

enum err forecasts_begin(struct warm *, struct err_info *);
enum err forecasts_commit(struct warm *, struct err_info *);
/* Undoes what the unit of work did, if the connection still is. */
void forecasts_rollback(struct warm *);
enum err forecasts_put(struct warm *, int32_t series,
    const struct forecasts_made *, struct err_info *);

/* rival: NAN if there is none. */
struct forecasts_sums {
	int32_t hours, inside;
	double error, naive, rival;
};

struct forecasts_score {
	int64_t model, day_us;
	int32_t ahead; /* days, from 0 */
	struct forecasts_sums sums;
};
enum err forecasts_scores_put(
    struct warm *, const struct forecasts_score *, size_t n, struct err_info *);

struct forecasts_new {
	int32_t series;
	int64_t from_us, to_us; /* of what it learnt from */
	int32_t format, origins;
	const void *model;
	size_t len;
	struct forecasts_sums sums;
	int64_t rival; /* 0: none */
	bool wins;
};
enum err forecasts_model_put(struct warm *, const struct forecasts_new *,
    int64_t *ret_id, bool *ret_reigns, struct err_info *);

/* What /metrics tells; see fit_gauges.sql. */
struct forecasts_gauges {
	int64_t predicted, fitted, crowned, refused, waiting, began_us;
	int64_t fresh, bare, promoted;
	double night_s, oldest_s;
};
enum err forecasts_gauges(
    struct warm *, struct forecasts_gauges *ret, struct err_info *);

/* What came of a series: counted in the run, if there is one. */
struct forecasts_note {
	int32_t series;
	const char *refused; /* NULL: there is a new forecast */
	bool predicted, fitted, crowned, unfit;
};
enum err forecasts_note(struct warm *, const struct forecasts_run *,
    const struct forecasts_note *, struct err_info *);

#endif
