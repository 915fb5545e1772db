/*
 * metrics: counters, gauges and histograms in one block of memory that all
 * workers share; each worker adds atomically, /metrics sums by reading.
 *
 * Runs on: C. The block is made by src/app before the workers fork
 * (metrics_open on shared memory); before that, calls do nothing.
 */
#ifndef PENSTOCK_CORE_METRICS_H
#define PENSTOCK_CORE_METRICS_H

#include "core/text.h"

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define METRIC_COUNTERS(X) \
	X(READINGS_ACCEPTED,  "penstock_readings_total", "result=\"accepted\"", "Readings by result") \
	X(READINGS_DUPLICATE, "penstock_readings_total", "result=\"duplicate\"", NULL) \
	X(READINGS_REJECTED,  "penstock_readings_total", "result=\"rejected\"", NULL) \
	X(IMPORT_ACCEPTED,    "penstock_import_rows_total", "result=\"accepted\"", "Rows of imports by result") \
	X(IMPORT_DUPLICATE,   "penstock_import_rows_total", "result=\"duplicate\"", NULL) \
	X(IMPORT_REJECTED,    "penstock_import_rows_total", "result=\"rejected\"", NULL) \
	X(LOGINS_TAKEN,       "penstock_logins_total", "result=\"taken\"", "Passwords tried, by result") \
	X(LOGINS_REFUSED,     "penstock_logins_total", "result=\"refused\"", NULL) \
	X(LOGINS_HELD,        "penstock_logins_total", "result=\"held\"", NULL) \
	X(REFUSALS_KEPT,      "penstock_refusals_total", "record=\"kept\"", "Refused attempts, by whether each is a row of the record") \
	X(REFUSALS_COUNTED,   "penstock_refusals_total", "record=\"counted\"", NULL) \
	X(REFUSALS_LOST,      "penstock_refusals_total", "record=\"lost\"", NULL) \
	X(LOG_ROWS,           "penstock_log_rows_total", "", "Log rows committed") \
	X(LOG_FAILED,         "penstock_log_rows_failed_total", "", "Log rows not committed") \
	X(HOT_WRITES,         "penstock_hot_writes_total", "", "Values sent to Redis") \
	X(HOT_LOST,           "penstock_hot_lost_total", "", "Values that Redis did not take") \
	X(HOT_HITS,           "penstock_hot_reads_total", "result=\"hit\"", "Reads of the hot tier") \
	X(HOT_MISSES,         "penstock_hot_reads_total", "result=\"miss\"", NULL) \
	X(HOT_APPENDED,       "penstock_hot_hours_appended_total", "", "Readings appended to the hours in Redis") \
	X(HOT_HOLES,          "penstock_hot_hours_holes_total", "", "Times the hours in Redis were given up for want of certainty") \
	X(HOT_BAD,            "penstock_hot_hours_wrong_total", "", "Hours in Redis that were not as written") \
	X(HOT_BUILT,          "penstock_hot_hours_built_total", "", "Series whose last hours were read from PostgreSQL into Redis") \
	X(HOT_RANGE_HITS,     "penstock_hot_ranges_total", "result=\"hit\"", "Ranges asked of the hot tier") \
	X(HOT_RANGE_MISSES,   "penstock_hot_ranges_total", "result=\"miss\"", NULL) \
	X(PG_RECONNECTS,      "penstock_postgresql_reconnects_total", "", "Connections made to PostgreSQL") \
	X(REDIS_RECONNECTS,   "penstock_redis_reconnects_total", "", "Connections made to Redis") \
	X(EDGE_REFUSED,       "penstock_edge_refused_total", "", "Requests refused by the gate") \
	X(TLS_FAILED,         "penstock_tls_failed_total", "", "Connections that ended or ran out of time in their handshake") \
	X(EDGE_CROWDED,       "penstock_edge_crowded_total", "", "Connections closed at once, too many being open from their address") \
	X(EDGE_YIELDED,       "penstock_edge_yielded_total", "", "Connections closed while they were silent, for new ones, as a worker had all it may") \
	X(LIMITED_PRINCIPAL,  "penstock_limited_total", "by=\"principal\"", "Requests over a limit, by whose limit it was") \
	X(LIMITED_ADDRESS,    "penstock_limited_total", "by=\"address\"", NULL) \
	X(SHED_INGEST,        "penstock_shed_total", "what=\"ingest\"", "Requests refused so that others are served") \
	X(SHED_READ,          "penstock_shed_total", "what=\"read\"", NULL) \
	X(TLS_LOADED,         "penstock_tls_reloads_total", "result=\"loaded\"", "Times a worker read the certificate again, by result") \
	X(TLS_KEPT,           "penstock_tls_reloads_total", "result=\"kept\"", NULL) \
	X(EVENTS_TOLD,        "penstock_events_told_total", "", "Events sent to listeners, each as often as it was sent") \
	X(HOOKS_TAKEN,        "penstock_webhook_posts_total", "result=\"taken\"", "Events sent to webhooks, by result") \
	X(HOOKS_FAILED,       "penstock_webhook_posts_total", "result=\"failed\"", NULL) \
	X(WORKER_STARTS,      "penstock_worker_starts_total", "", "Worker processes started") \
	X(CYCLES,             "penstock_loop_cycles_total", "result=\"ok\"", "Loop cycles by result") \
	X(CYCLES_FAILED,      "penstock_loop_cycles_total", "result=\"failed\"", NULL) \
	X(READINGS_MERGED,    "penstock_loop_readings_merged_total", "", "Readings moved from log to segments") \
	X(READINGS_LATE,      "penstock_loop_readings_late_total", "", "Readings too old to be judged in order") \
	X(UNUSUAL_JUDGED,     "penstock_unusual_readings_judged_total", "", "Readings judged by what their series did before") \
	X(UNUSUAL_RAISED,     "penstock_unusual_raised_total", "", "Anomalies of type unusual raised") \
	X(UNUSUAL_VOID,       "penstock_unusual_states_void_total", "", "Series learnt anew, as what was known of them is another version's") \
	X(ANOMALIES_RAISED,   "penstock_anomalies_total", "event=\"raised\"", "Anomalies raised and cleared") \
	X(ANOMALIES_CLEARED,  "penstock_anomalies_total", "event=\"cleared\"", NULL) \
	X(COMMANDS_SENT,      "penstock_commands_total", "result=\"sent\"", "Command attempts by result") \
	X(COMMANDS_DONE,      "penstock_commands_total", "result=\"executed\"", NULL) \
	X(COMMANDS_FAILED,    "penstock_commands_total", "result=\"failed\"", NULL)

#define METRIC_GAUGES(X) \
	X(QUEUE_READINGS, "penstock_log_queue_readings", "", "Readings waiting for their commit") \
	X(LOG_BACKLOG,    "penstock_loop_backlog_readings", "", "Readings the last cycle left in the log") \
	X(UNUSUAL_STATES, "penstock_unusual_states", "", "Series of which this instance knows how they usually go") \
	X(HOT_WHOLE,      "penstock_hot_series", "whole=\"true\"", "Series by whether Redis holds their last hours whole") \
	X(HOT_NOT_WHOLE,  "penstock_hot_series", "whole=\"false\"", NULL) \
	X(LISTENERS,      "penstock_listeners", "", "Who listens to events now") \
	X(AUDIT_ID,       "penstock_audit_id", "", "Newest row of the record of changes") \
	X(CYCLE_AT_US,    "penstock_loop_cycle_time_us", "", "When the last cycle ended, us since 1970") \
	X(ARCHIVE_AT_US,  "penstock_archive_run_time_us", "", "When the archive's last run was heard of, us since 1970") \
	X(ARCHIVE_OK,     "penstock_archive_run_ok", "", "1: the archive's last run went well or is at work") \
	X(ARCHIVE_READINGS, "penstock_archive_run_readings", "", "Readings written by the archive's last run") \
	X(TLS_EXPIRES_US, "penstock_tls_certificate_expires_time_us", "", "When the certificate in use expires, us since 1970") \
	X(ANOMALIES_INFO, "penstock_anomalies_open", "severity=\"info\"", "Open anomalies by severity") \
	X(ANOMALIES_WARNING, "penstock_anomalies_open", "severity=\"warning\"", NULL) \
	X(ANOMALIES_CRITICAL, "penstock_anomalies_open", "severity=\"critical\"", NULL) \
	X(BREAKERS_OPEN,  "penstock_breakers_open", "", "Gateways whose circuit breaker is open") \
	X(PLANS_PROPOSED, "penstock_plans", "state=\"proposed\"", "Plans by state") \
	X(PLANS_APPROVED, "penstock_plans", "state=\"approved\"", NULL) \
	X(PLANS_EXECUTING, "penstock_plans", "state=\"executing\"", NULL) \
	X(PLANS_VERIFYING, "penstock_plans", "state=\"verifying\"", NULL) \
	X(PLANS_WORKED, "penstock_plans", "state=\"worked\"", NULL) \
	X(PLANS_NO_EFFECT, "penstock_plans", "state=\"no_effect\"", NULL) \
	X(PLANS_WORSE, "penstock_plans", "state=\"worse\"", NULL) \
	X(PLANS_NOT_PROVABLE, "penstock_plans", "state=\"not_provable\"", NULL) \
	X(PLANS_REJECTED, "penstock_plans", "state=\"rejected\"", NULL) \
	X(PLANS_EXPIRED, "penstock_plans", "state=\"expired\"", NULL) \
	X(PLANS_FAILED, "penstock_plans", "state=\"failed\"", NULL) \
	X(PLANS_SUPERSEDED, "penstock_plans", "state=\"superseded\"", NULL) \
	X(PLANS_CANCELLED, "penstock_plans", "state=\"cancelled\"", NULL) \
	X(PLANS_UNDONE, "penstock_plans", "state=\"undone\"", NULL) \
	X(FIT_PREDICTED, "penstock_fit_night_series", "did=\"predicted\"", "Series of the newest night of forecasts, by what was done") \
	X(FIT_FITTED, "penstock_fit_night_series", "did=\"fitted\"", NULL) \
	X(FIT_CROWNED, "penstock_fit_night_series", "did=\"crowned\"", NULL) \
	X(FIT_REFUSED, "penstock_fit_night_series", "did=\"refused\"", NULL) \
	X(FIT_WAITING, "penstock_fit_night_series", "did=\"waiting\"", NULL) \
	X(FIT_BEGAN_US, "penstock_fit_night_time_us", "", "When that night began, us since 1970") \
	X(FIT_NIGHT_MS, "penstock_fit_night_ms", "", "How long the last whole night took") \
	X(FORECASTS_FRESH, "penstock_forecast_series", "fresh=\"true\"", "Series that forecasts are made of, by whether one of the last 36 hours is there") \
	X(FORECASTS_BARE, "penstock_forecast_series", "fresh=\"false\"", NULL) \
	X(MODELS_OLDEST_S, "penstock_models_oldest_seconds", "", "Age of the oldest model that forecasts") \
	X(MODELS_PROMOTED, "penstock_models_promoted", "", "Models that forecast because a person said so") \
	X(ALARMS_UNACKED, "penstock_alarms_unacknowledged", "", "Alarms that nobody acknowledged") \
	X(ALARMS_STALE, "penstock_alarms_stale", "", "Alarms that stand as they are for a day, acknowledged or not") \
	X(ALARMS_RAISED, "penstock_alarms_raised_10_min", "", "Alarms raised within 10 minutes") \
	X(ALARMS_FLOOD, "penstock_alarms_in_flood", "", "1: more than 10 were raised within 10 minutes") \
	X(REVIEWS_OPEN, "penstock_after_reviews_open", "", "Plans carried out without their approvals that nobody answered for yet")

#define METRIC_HISTOGRAMS(X) \
	X(COMMIT_TIME,  "penstock_log_commit_seconds", 1e-6, "Time from sending a log row to its commit") \
	X(BATCH_SIZE,   "penstock_log_row_readings", 1, "Readings per log row") \
	X(CYCLE_TIME,   "penstock_loop_cycle_seconds", 1e-6, "Loop cycle") \
	X(MONITOR_TIME, "penstock_loop_monitor_seconds", 1e-6, "Monitor phase") \
	X(ANALYZE_TIME, "penstock_loop_analyze_seconds", 1e-6, "Analyze phase") \
	X(PLAN_TIME,    "penstock_loop_plan_seconds", 1e-6, "Plan phase") \
	X(EXECUTE_TIME, "penstock_loop_execute_seconds", 1e-6, "Execute phase, verification included")
/* clang-format on */

#define X(name, ...) COUNTER_##name,
enum metric_counter { METRIC_COUNTERS(X) COUNTER_COUNT };
#undef X
#define X(name, ...) GAUGE_##name,
enum metric_gauge { METRIC_GAUGES(X) GAUGE_COUNT };
#undef X
#define X(name, ...) HISTOGRAM_##name,
enum metric_histogram { METRIC_HISTOGRAMS(X) HISTOGRAM_COUNT };
#undef X

#define METRIC_ROUTES  192
#define METRIC_WORKERS 64

size_t metrics_size(void);
/* `block` is zeroed shared memory of metrics_size() bytes. */
void metrics_open(void *block);
void metric_count(enum metric_counter, uint64_t add);
/* What this process adds to gauges from now on is that worker's; what one
 * that died left there goes with it. */
void metrics_worker(size_t worker);
void metric_gauge_set(enum metric_gauge, int64_t);
/* The worker's part of a gauge that is the sum over the workers. */
void metric_gauge_add(enum metric_gauge, int64_t);
int64_t metric_gauge_get(enum metric_gauge);
/* In the histogram's own small unit (µs, or readings). */
void metric_observe(enum metric_histogram, int64_t);
/* `route` is the index in the route table; status 0: the client left. */
void metric_route(size_t route, int status, int64_t took_us);
/* Resident memory of this worker, bytes. */
void metric_worker_memory(int64_t bytes);
/* Prometheus text format 0.0.4; route_name(i) labels route i. */
void
metrics_write(struct text *, const char *(*route_name)(size_t), size_t nroutes);

#endif
