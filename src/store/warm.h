/*
 * warm: PostgreSQL as the loop sees it: telemetry, knowledge, decisions and
 * notifier of core/ports.h on one blocking libpq connection of its own.
 *
 * Runs on: T, one thread at a time; warm_cancel() on C. Frees: warm_free().
 * Units: as core/ports.h. Errors: a lost connection is ERR_DATABASE; nothing
 * of the open unit of work was kept; warm_lead() connects again.
 */
#ifndef PENSTOCK_STORE_WARM_H
#define PENSTOCK_STORE_WARM_H

#include "core/ports.h"
#include "domain/plan.h"

struct warm;

/* Does not connect yet. NULL if memory is out. */
struct warm *warm_new(const char *conninfo, const char *application_name);
void warm_free(struct warm *);
/* Connects if need be, and asks for nothing. */
enum err warm_open(struct warm *, struct err_info *);
/*
 * Connects if need be and asks for the one lock that makes a loop the loop of
 * this database. The lock lives as long as the connection.
 */
enum err warm_lead(struct warm *, bool *ret_leader, struct err_info *);
/* Names the connection "<application_name> <id>", as pg_stat_activity and
 * the server's log show it. */
enum err warm_name(struct warm *, const char *cycle_id, struct err_info *);
/* Fills telemetry, knowledge, decisions and notifier. */
void warm_ports(struct warm *, struct ports *);

struct warm_gauges {
	int64_t backlog; /* readings in the log, by row count times mean */
	int64_t open[3]; /* anomalies by severity */
	int64_t breakers;
	int64_t unacknowledged, stale, raised; /* alarms */
	int64_t reviews;		       /* open after-reviews */
	int64_t plans[PLAN_STATE_COUNT];
};
enum err warm_gauges(struct warm *, struct warm_gauges *, struct err_info *);
/*
 * Some steps of joining the many small segments that cycles leave, in hours,
 * days and months that are over, and partitions made ahead; outside a unit of
 * work, a quarter of a second or one step. Tells how many it joined.
 */
enum err warm_tidy(
    struct warm *, int64_t now_us, int64_t *ret_joined, struct err_info *);
/*
 * Tells the database that instance `id` lives, and how many others do; of one
 * that has ended all are told by a notification ("instances").
 */
enum err warm_instances(
    struct warm *, int32_t id, int64_t *ret_others, struct err_info *);
/* The newest time of each series that anybody stored readings of in the last
 * `lately_s` seconds. */
enum err warm_seen(struct warm *, double lately_s,
    void (*fn)(void *arg, int32_t series, int64_t t_us), void *arg,
    struct err_info *);
/*
 * Takes this instance's part of the log's shards, as many others there are.
 * If it changed, what the loop kept is void.
 */
enum err warm_shards(
    struct warm *, int64_t others, bool *ret_changed, struct err_info *);
/* Whether there is anything for this instance's loop to watch. */
bool warm_watches(const struct warm *);
/* Makes the running statement fail, so that a stop need not wait for it. */
void warm_cancel(struct warm *);

#endif
