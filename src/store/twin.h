/*
 * twin: all of core/ports.h in memory, for tests: units of work that roll
 * back, the same refusals as the database, a clock that stands still, and
 * faults at any port call. What must never happen is noted in `violation`.
 *
 * Runs on: C, one thread. Frees: twin_free(); everything handed out by the
 * tables lives until then. Units: as core/ports.h. Errors: once memory was out
 * or a table full every call of a port fails: ERR_NO_MEMORY, ERR_DATABASE.
 */
#ifndef PENSTOCK_STORE_TWIN_H
#define PENSTOCK_STORE_TWIN_H

#include "core/ports.h"
#include "domain/alarm.h"
#include "domain/plan.h"
#include "domain/reading.h"
#include "domain/rule_state.h"
#include "domain/series_state.h"

#define TWIN_SERIES    1024
#define TWIN_ROLLUPS   8192 /* per series */
#define TWIN_ANOMALIES 16384
#define TWIN_PLANS     1024
#define TWIN_COMMANDS  4096
#define TWIN_BREAKERS  16
#define TWIN_LATE      16
#define TWIN_HOLDS     16
#define TWIN_RULES     16
#define TWIN_FINDINGS  1024
#define TWIN_STATE     4096 /* bytes of how a series usually goes */
#define TWIN_TAIL      1024

struct twin_series {
	int32_t id;
	struct reading *readings; /* in the order they were stored */
	size_t n, cap;
	int64_t newest_us;
	struct rollup *rollups;
	size_t nrollups;
	size_t newest[3]; /* by width */
	struct reading latest;
	unsigned char state[SERIES_STATE_BYTES];
	size_t state_len; /* 0: none stored */
};

struct twin_anomaly {
	struct anomaly anomaly;
	enum anomaly_state state;
	int64_t cleared_us;
	const char *planning; /* NULL: no outcome yet */
	const char *reasons;
	struct alarm alarm;
	enum alarm_state walked; /* where its moves have led */
};

/* A span of quiet for a series, a node or a zone; the rest 0 or NULL. */
struct twin_hold {
	bool out_of_service, ended;
	int32_t series, node;
	const char *zone;
	int64_t from_us, to_us; /* INSTANT_NONE: without an end */
	int64_t turn_us;	/* the twin's own */
	int64_t held;
};

#define TWIN_APPROVERS 2

struct twin_plan {
	struct plan plan;
	const char *verdict;
	/* Who agreed, different people. */
	const char *approvers[TWIN_APPROVERS];
	int64_t agreed_us[TWIN_APPROVERS];
	size_t napprovers;
	bool unasked; /* a policy agreed */
};

struct twin_command {
	struct command command;
	const char *error;
	int64_t approved_us; /* INSTANT_NONE: no person agreed */
	int sends, asks;
	bool dead; /* ended unexecuted, or given up */
	bool may_have_acted;
	int64_t sent_us; /* INSTANT_NONE: never */
};

struct twin_row {
	struct reading *readings;
	size_t n;
};

struct twin_rule {
	struct rule_row row;
	unsigned char state[RULE_STATE_BYTES];
};

struct twin_watch {
	struct watch_row row; /* series 0: none */
	unsigned char state[TWIN_STATE], tail[TWIN_TAIL];
};

enum twin_fault {
	TWIN_FAULT_NONE,
	TWIN_FAULT_FAIL, /* the call does nothing and fails */
	TWIN_FAULT_LATE, /* as FAIL, but a commit has happened */
};

/* One command's way through the field; fills the reply. */
typedef void
twin_gateway(void *arg, const struct command *, struct gateway_reply *);

struct twin {
	int64_t now_us;
	uint64_t random;
	struct knowledge knowledge; /* the test's own; version counts */
	bool paused, emergency;
	int64_t commit_takes_us; /* the clock moves on with each commit */
	twin_gateway *gateway;
	void *gateway_arg;

	struct twin_row *log;
	size_t nlog, log_cap, log_head, log_taken;
	struct twin_series *series;
	size_t nseries;
	uint16_t series_at[TWIN_SERIES]; /* one more, by id; 0: search */
	/* Those before first_ are over: nothing looks at them. */
	struct twin_anomaly *anomalies;
	size_t nanomalies, first_anomaly;
	struct twin_plan *plans;
	size_t nplans, first_plan;
	struct twin_command *commands;
	size_t ncommands, first_command;
	struct move *transitions;
	size_t ntransitions, transitions_cap;
	struct guard_asset asset; /* of every link, but for its moves */
	/* Replies that are pending: executed, once they are let go. */
	struct command late[TWIN_LATE];
	size_t nlate;
	bool hold_late;
	struct breaker_state breakers[TWIN_BREAKERS];
	size_t nbreakers;
	struct alarm_class classes[3]; /* by severity */
	struct twin_hold holds[TWIN_HOLDS];
	size_t nholds;
	struct twin_rule rules[TWIN_RULES];
	size_t nrules;
	struct twin_watch *watches;    /* by id, below TWIN_SERIES */
	struct rule_finding *findings; /* of rules in shadow */
	size_t nfindings;
	char system_state[16];
	int64_t reports, notes;

	struct arena texts;
	unsigned char *undo; /* (address, size, bytes)*, newest last */
	size_t undo_len, undo_cap;
	bool in_unit;
	int64_t calls;	   /* port calls so far */
	int64_t fail_at;   /* the call with this number fails, */
	int64_t fail_more; /* and so many after it */
	enum twin_fault fault;
	enum err broken; /* ERR_OK: all that was said is kept */
	int64_t memory;	 /* the allocation with this number fails; 0: none */
	struct twin_series nowhere; /* of whom the table has no room for */
	char violation[200];	    /* "" if all is well */
};

/* NULL: no memory. */
struct twin *twin_new(int64_t now_us, uint64_t seed);
void twin_free(struct twin *);
void twin_ports(struct twin *, struct ports *);
/* One row of the log. */
void twin_log(struct twin *, const struct reading *, size_t n);
/* What people do; false if the plan is not proposed any more. A high risk is
 * agreed to by two. */
bool twin_approve(struct twin *, int64_t plan_id);
/* One person alone; false if he agreed to it before, too. An approval that is
 * older than TWIN_APPROVAL_US does not count. */
#define TWIN_APPROVAL_US (1800 * INT64_C(1000000))
bool twin_approve_by(struct twin *, int64_t plan_id, const char *who);
bool twin_reject(struct twin *, int64_t plan_id);
/* False if it is neither approved nor executing. */
bool twin_cancel(struct twin *, int64_t plan_id);
/* A failed one goes on its way again: false if another plan is on a link of it,
 * or it lacks people who agree to it now. */
bool twin_redrive(struct twin *, int64_t plan_id, const char *who);
/* The plan that was made, doing `action` with the same links; 0: none. */
int64_t twin_undo(struct twin *, int64_t plan_id, const char *action);
/* Acknowledges, resolves, unshelves, ...: false if no row allows it. */
bool twin_alarm(struct twin *, int64_t anomaly_id, enum alarm_event);
bool twin_shelve(struct twin *, int64_t anomaly_id, int64_t until_us);
struct twin_hold *twin_hold(struct twin *, const struct twin_hold *);
struct twin_series *twin_find_series(struct twin *, int32_t id);
/* Between two units of work: lets go of older readings and roll-ups, and of
 * what was over by then, so that a long run costs by what lives. */
void twin_forget(struct twin *, int64_t before_us);
/* NULL if there is none open. */
struct twin_anomaly *twin_find_open(struct twin *, const struct condition *);

/* For the twin's own files. */
enum err
twin_enter(struct twin *, const char *what, bool writes, struct err_info *);
void twin_touch(struct twin *, void *, size_t);
void twin_break(struct twin *, enum err);
/* What realloc(3) and the arena say, and the twin is broken if that is NULL. */
void *twin_grow(struct twin *, void *, size_t);
void *twin_list(struct twin *, struct arena *, size_t n, size_t size);
/* Zeroed. */
void *twin_table(struct twin *, size_t n, size_t size);
void twin_undo_all(struct twin *);
void twin_violate(struct twin *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
const char *twin_text(struct twin *, const char *);
void twin_decisions(struct twin *, struct ports *);
enum err twin_guard_asset(void *, struct arena *, const struct command *,
    int64_t now_us, struct guard_asset *ret, struct err_info *);
void twin_field(struct twin *, struct ports *);
struct twin_command *twin_find_command(struct twin *, int64_t id);
void twin_rules(struct ports *);
/* NULL: no room. */
struct twin_watch *twin_find_watch(struct twin *, int32_t series);
void twin_watches(struct ports *);
struct twin_plan *twin_find_plan(struct twin *, int64_t id);
bool twin_is_final(enum plan_state);
void twin_add_command(struct twin *, int64_t plan_id, const struct command *);
void twin_undone(struct twin *, int64_t plan_id);
/* One without anything if there is none. */
const struct plan_template *twin_template(const struct twin *, int32_t id);
enum err twin_plan_unasked(
    void *, int64_t plan_id, const char *policy, bool *ret, struct err_info *);
void twin_alarms_init(struct twin *);
void twin_alarms(struct ports *);
void twin_move(struct twin *, const struct move *);

#endif
