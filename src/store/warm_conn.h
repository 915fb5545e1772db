/*
 * warm_conn: the loop's connection: statements by name, prepared when first
 * used, parameters and results in binary. Inside src/store/warm*.c only.
 *
 * Runs on: T. Frees: results by AUTO_RESULT; the rest by warm_free().
 * Units: instants in µs since 1970, INSTANT_NONE and NAN are SQL NULL.
 * Errors: SQLSTATE to enum err; a lost connection is closed at once.
 */
#ifndef PENSTOCK_STORE_WARM_CONN_H
#define PENSTOCK_STORE_WARM_CONN_H

#include "core/statement.h"
#include "store/warm.h"
#include "store/warm_wire.h"

#include <libpq-fe.h>
#include <pthread.h>

#define WARM_ARGS   13
#define WARM_EVENTS 64
#define WARM_PARTS  64
#define WARM_DAYS   64

struct warm_event {
	char what[40];
	int64_t id;
};

/* Where joining segments has come to; to_us 0: between two spans. */
struct warm_tidying {
	int64_t next_ahead_us, next_rewrite_us, next_hour_us, from_us, to_us;
	int64_t most; /* series per step */
	int32_t series;
	bool listed, monthly; /* a row of segment_spans; else an hour */
};

/* A partition of segments, and a series' class; class 0: no entry. */
struct warm_part {
	int64_t month_us;
	int16_t class;
};
struct warm_class {
	int32_t series;
	int16_t class;
};

struct warm {
	char *conninfo, *name;
	char instance[96];
	PGconn *conn; /* NULL: none */
	bool leader;
	bool prepared[ST_COUNT];
	pthread_mutex_t cancel_lock;
	PGcancel *cancel;
	struct wire wires[WARM_ARGS]; /* array parameters, kept for reuse */
	/* The unit of work: rows taken, notifications to log if it commits,
	 * partitions it found or made and those it lacks, days it marked, the
	 * lock it took. */
	int64_t *taken;
	size_t ntaken, taken_size;
	double row_mean; /* readings per log row, of the last take */
	struct warm_event events[WARM_EVENTS];
	size_t nevents, nmore; /* in events; beyond them */
	struct warm_part parts[WARM_PARTS], wanted[WARM_PARTS];
	int64_t days[WARM_DAYS];
	size_t nparts, nwanted, ndays;
	bool locked, careful;
	uint32_t rollups_oid, latest_oid, open_oid; /* of their row types */
	struct warm_class *classes;		    /* a hash table */
	size_t nclasses, classes_size;
	struct reading *decoded; /* kept for reuse */
	size_t decoded_size;
	int64_t version; /* last seen, -1 before */
	int nshards;	 /* of the log; 0: not asked yet */
	uint64_t owned;	 /* a bit each; of no meaning if there is one */
	struct warm_tidying tidying;
};

struct warm_args {
	int n;
	bool text_result;
	const char *value[WARM_ARGS];
	int length[WARM_ARGS], format[WARM_ARGS];
	char scratch[WARM_ARGS][8];
};

static inline void
warm_clear(PGresult **r)
{
	PQclear(*r);
}
#define AUTO_RESULT __attribute__((cleanup(warm_clear))) PGresult *

void warm_i16(struct warm_args *, int16_t);
void warm_i32(struct warm_args *, int32_t);
void warm_i64(struct warm_args *, int64_t);
void warm_f64(struct warm_args *, double);
void warm_time(struct warm_args *, int64_t t_us);
/* Text, jsonb and uuid; NULL is SQL NULL. */
void warm_text(struct warm_args *, const char *);
void warm_wired(struct warm_args *, const struct wire *);

/* If there is no connection. */
enum err warm_connect(struct warm *, struct err_info *);
/* args and ret may be NULL; *ret is the caller's to clear. */
enum err warm_run(struct warm *, enum statement, const struct warm_args *,
    PGresult **ret, struct err_info *);
/* Row by row: send, then next until *ret is NULL, also after an error of the
 * caller's own, so that the connection is free again. */
enum err warm_send(
    struct warm *, enum statement, const struct warm_args *, struct err_info *);
enum err
warm_next(struct warm *, enum statement, PGresult **ret, struct err_info *);
/* ERR_CONFLICT unless exactly one row was written. */
enum err warm_run_one(
    struct warm *, enum statement, const struct warm_args *, struct err_info *);
/* A command without parameters: BEGIN and the like. */
enum err warm_command(
    struct warm *, const char *sql, const char *tag, struct err_info *);
/* The error of a result or, if NULL, of the connection. */
enum err warm_error(
    struct warm *, const PGresult *, const char *what, struct err_info *);
/* What a unit of work gathered is void. */
void warm_forget(struct warm *);

int32_t warm_get_i32(const PGresult *, int row, int column);
int64_t warm_get_i64(const PGresult *, int row, int column);
bool warm_get_bool(const PGresult *, int row, int column);
/* NAN for NULL. */
double warm_get_f64(const PGresult *, int row, int column);
/* INSTANT_NONE for NULL and for what is no instant. */
int64_t warm_get_time(const PGresult *, int row, int column);
/* Seconds to µs, 0 for NULL. */
int64_t warm_get_span(const PGresult *, int row, int column);
/* Borrowed from the result; "" for NULL. */
const char *warm_get_text(const PGresult *, int row, int column);
/* Copied; NULL if the arena is full. */
const char *
warm_dup_text(struct arena *, const PGresult *, int row, int column);

/* Of the parts. */
enum err warm_known(
    void *self, const struct reading *, size_t n, bool *ret, struct err_info *);
enum err warm_store(void *self, const struct merge *, struct err_info *);
enum err warm_moved(void *self, struct arena *, int64_t *mark,
    struct reading **ret, size_t *ret_n, struct err_info *);
enum err warm_plans_in(void *self, struct arena *, int state, struct plan **ret,
    size_t *ret_n, struct err_info *);
enum err warm_commands_of(void *self, struct arena *, int64_t plan_id,
    struct command **ret, size_t *ret_n, struct err_info *);
enum err warm_guard_asset(void *self, struct arena *, const struct command *,
    int64_t now_us, struct guard_asset *, struct err_info *);
enum err warm_commands_due(void *self, struct arena *, int64_t now_us,
    size_t max, struct command **ret, size_t *ret_n, struct err_info *);
enum err warm_breakers(void *self, struct arena *, struct breaker_state **ret,
    size_t *ret_n, struct err_info *);
enum err warm_holds_turn(void *self, int64_t now_us, struct err_info *);
enum err warm_alarms_due(void *self, struct arena *, int64_t now_us,
    struct alarm **ret, size_t *ret_n, struct err_info *);
enum err warm_alarms_put(void *self, const struct alarm *, size_t n,
    const struct alarm_move *, size_t nmoves, struct err_info *);
enum err warm_alarms_group(void *self, int64_t now_us, struct err_info *);
enum err warm_rules_load(void *self, struct arena *, struct rule_row **ret,
    size_t *ret_n, struct err_info *);
enum err warm_rules_save(
    void *self, const struct rule_row *, size_t n, struct err_info *);
enum err
warm_rule_found(void *self, const struct rule_finding *, struct err_info *);
enum err warm_watches_load(void *self, struct arena *, const int32_t *ids,
    size_t n, struct watch_row **ret, size_t *ret_n, struct err_info *);
enum err warm_watches_save(
    void *self, const struct watch_row *, size_t n, struct err_info *);
bool warm_owns(void *self, int32_t series);
enum err warm_newest(void *self, struct arena *, const int32_t *ids, size_t n,
    struct reading **ret, size_t *ret_n, struct err_info *);
struct telemetry_port warm_telemetry(struct warm *);
struct knowledge_port warm_knowledge(struct warm *);
struct decisions_port warm_decisions(struct warm *);

#endif
