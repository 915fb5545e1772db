/*
 * ports: the world as the MAPE-K loop sees it. src/mape calls these and
 * nothing else; src/store and src/field implement them, an in-memory twin
 * (src/store/twin.h) does so for tests. Types of src/domain are only named.
 *
 * Runs on: T (implementations may block) and in tests. Every function returns
 * ERR_OK or the error it also put into `info`; after any error the cycle
 * rolls back and ends, and the next cycle starts from what was committed.
 * Arrays that come back live in the arena passed in. Times: µs UTC.
 *
 * One cycle is two kinds of unit of work (decisions.begin … commit):
 * (1) Monitor + Analyze + Plan: log rows are taken, segments, roll-ups,
 *     detector states, anomalies and proposals are written, the log rows
 *     removed, all in one transaction: exactly once across any crash;
 * (2) Execute and Verify: each command attempt is recorded before it is sent
 *     and its result after, in transactions of their own.
 */
#ifndef PENSTOCK_CORE_PORTS_H
#define PENSTOCK_CORE_PORTS_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reading;
struct series;
struct condition;
struct anomaly;
struct alarm;
struct fsm_row;
struct plan;
struct plan_template;
struct actuator;
struct command;
struct guard_asset;
struct rule_text;
struct rule_row;
struct rule_finding;
struct series_state; /* domain/series_state.h: the detectors' memory */

struct clock_port {
	void *self;
	int64_t (*now_us)(void *self);
};

struct entropy_port {
	void *self;
	void (*fill)(void *self, void *buf, size_t len);
};

/* A run of one series' readings, strictly rising in time, within one UTC
 * day: one row of `segments`. Points into the merge's arrays. */
struct segment {
	int32_t series;
	const struct reading *readings;
	size_t n;
};

/* What the readings of one merge add to one roll-up bucket. */
struct rollup {
	int32_t series;
	int32_t width_s; /* 300, 3600, 86400 */
	int64_t bucket_us;
	int64_t count, good;
	double sum, min, max, sumsq;
	int64_t first_us, last_us;
	double first, last;
};

struct merge {
	const struct segment *segments;
	size_t nsegments;
	/* What the newest 5 minutes of a series add, to each of the widths:
	 * at most one a series, and of readings that `rollups` leaves out. */
	const struct rollup *open;
	size_t nopen;
	const struct rollup *rollups;
	const bool *fresh; /* surely nothing is stored of the bucket yet */
	size_t nrollups;
	const struct reading *latest; /* newest per touched series */
	size_t nlatest;
};

struct window_stats {
	int64_t count;
	double mean, min, max;
	double first, last;
	double variance; /* unbiased; NAN below two readings */
	int64_t bad;	 /* readings besides, that are not good */
};

struct telemetry_port {
	void *self;
	/* Log rows, oldest first, whole rows, until about `max` readings; in
	 * the order they were logged. *ret_more: the log held more. */
	enum err (*take)(void *self, struct arena *, size_t max,
	    struct reading **ret, size_t *ret_n, bool *ret_more,
	    struct err_info *);
	/* ret[i] = (series, t_us) of q[i] is already in segments. */
	enum err (*known)(void *self, const struct reading *q, size_t n,
	    bool *ret, struct err_info *);
	/* Writes the merge and removes exactly the log rows of take(). */
	enum err (*store)(void *self, const struct merge *, struct err_info *);
	/* Good readings with from <= t < to. count 0: what is of them is NAN. */
	enum err (*window)(void *self, int32_t series, int64_t from_us,
	    int64_t to_us, struct window_stats *ret, struct err_info *);
	/* Nobody else writes segments until the end of the unit of work. Tells
	 * the newest reading of each series that others (imports) stored after
	 * *mark, rising by series, and moves *mark on. NULL: nobody does. */
	enum err (*moved)(void *self, struct arena *, int64_t *mark,
	    struct reading **ret, size_t *ret_n, struct err_info *);
	/* Whether this loop watches the series: take() gives its readings,
	 * and nobody else judges them. NULL: it watches all. */
	bool (*owns)(void *self, int32_t series);
	/* The newest readings that whoever watches these series has stored,
	 * rising by series as the ids do. NULL: nobody else watches any. */
	enum err (*newest)(void *self, struct arena *, const int32_t *ids,
	    size_t n, struct reading **ret, size_t *ret_n, struct err_info *);
};

struct knowledge {
	int64_t version;
	const struct series *series; /* sorted by id; retired ones left out */
	size_t nseries;
	const struct plan_template *templates; /* by priority */
	size_t ntemplates;
	const struct actuator *actuators;
	size_t nactuators;
	const struct rule_text *rules; /* domain/rule.h; by number */
	size_t nrules;
};

/* What is remembered of one version of a rule. */
struct rule_row {
	int32_t rule, version;
	bool shadow;		    /* one of each a rule */
	const unsigned char *state; /* domain/rule_state.h */
	size_t len;		    /* 0: nothing, take the row away */
};

/* What is remembered of how a series usually goes: a state (mape/unusual.h)
 * and the readings after it. */
struct watch_row {
	int32_t series;
	int32_t version;	    /* of the state's bytes */
	const unsigned char *state; /* NULL: as it is stored */
	size_t len;		    /* 0: of a series just begun */
	const unsigned char *tail;
	size_t tail_len;
	int64_t upto_us;    /* the newest reading taken in */
	int32_t open, calm; /* odd: an anomaly of it is open */
	int64_t since_us;
};

/* What a rule in shadow would have raised, or cleared. */
struct rule_finding {
	int32_t rule, version, series;
	bool clear;
	int severity;
	int64_t at_us;	      /* of the first evidence, or of its end */
	const char *evidence; /* JSON object; of what is raised */
};

struct knowledge_port {
	void *self;
	enum err (*version)(void *self, int64_t *ret, struct err_info *);
	enum err (*load)(void *self, struct arena *, struct knowledge *ret,
	    struct err_info *);
	/* ids sorted; a series without a stored state gets a fresh one. */
	enum err (*states_load)(void *self, const int32_t *ids, size_t n,
	    struct series_state *ret, struct err_info *);
	enum err (*states_save)(void *self, const struct series_state *,
	    size_t n, struct err_info *);
	enum err (*paused)(void *self, bool *ret, struct err_info *);
	/* Somebody declared one; the derived system state is another thing. */
	enum err (*emergency)(void *self, bool *ret, struct err_info *);
	/* "normal", "alert" or "emergency", with the cycle's figures. */
	enum err (*report)(void *self, const char *system_state,
	    const char *figures_json, struct err_info *);
	/* Of all rules, by number. */
	enum err (*rules_load)(void *self, struct arena *,
	    struct rule_row **ret, size_t *ret_n, struct err_info *);
	enum err (*rules_save)(
	    void *self, const struct rule_row *, size_t n, struct err_info *);
	enum err (*rule_found)(
	    void *self, const struct rule_finding *, struct err_info *);
	/* Rising by series as the ids do, without those of which nothing is
	 * stored. ids NULL: all with something open. */
	enum err (*watches_load)(void *self, struct arena *, const int32_t *ids,
	    size_t n, struct watch_row **ret, size_t *ret_n, struct err_info *);
	enum err (*watches_save)(
	    void *self, const struct watch_row *, size_t n, struct err_info *);
};

/* A move of an anomaly, plan or command: written beside its row id. */
struct move {
	const char *subject; /* "anomaly", "plan", "command" */
	int64_t id;
	const char *row_id;    /* of the transition table */
	const char *from, *to; /* state words */
	int64_t at_us;
	const char *facts; /* JSON object */
	int64_t knowledge_version;
};

/* A move of an alarm, by a row of alarm_fsm. */
struct alarm_move {
	int64_t id, at_us;
	const struct fsm_row *row;
	const char *facts; /* JSON object */
};

struct plan_holder {
	int64_t plan_id; /* 0: none */
	int state;	 /* enum plan_state */
	int severity;	 /* of its anomaly */
	int64_t undoes;	 /* 0: no other plan */
};

struct breaker_state {
	int32_t gateway_id;
	int failures;	       /* in a row */
	int64_t open_until_us; /* INSTANT_NONE: closed */
};

struct decisions_port {
	void *self;
	enum err (*begin)(void *self, struct err_info *);
	enum err (*commit)(void *self, struct err_info *);
	void (*rollback)(void *self);
	/* Opens it, or, if its condition is open already, moves last_us,
	 * value and evidence forward. *ret_new tells which. */
	enum err (*anomaly_raise)(void *self, const struct anomaly *,
	    int64_t *ret_id, bool *ret_new, struct err_info *);
	/* Clears the open anomaly of the condition, if there is one. */
	enum err (*anomaly_clear)(void *self, const struct condition *,
	    const struct move *, struct err_info *);
	/* Whether something else than an unusual reading was open on the
	 * series at that time of readings. */
	enum err (*anomaly_told)(void *self, int32_t series, int64_t at_us,
	    bool *ret, struct err_info *);
	/* Open and due for planning, the severest first: without an outcome;
	 * or, if its evidence is not older than fresh_us: held back because it
	 * was history, or by a link (reasons "history", "link") that no live
	 * plan holds now, or all its plans expired or failed. */
	enum err (*anomalies_unplanned)(void *self, struct arena *,
	    int64_t fresh_us, struct anomaly **ret, size_t *ret_n,
	    struct err_info *);
	/* Open ones, for the system state: counts by severity [3]. */
	enum err (*anomalies_open)(
	    void *self, int64_t ret[3], struct err_info *);
	/* outcome: "proposed", "no_plan_fits", "plan_open". */
	enum err (*anomaly_planned)(void *self, int64_t anomaly_id,
	    const char *outcome, const char *reasons_json, struct err_info *);
	/* Stores the plan with its commands in state planned. */
	enum err (*plan_propose)(void *self, const struct plan *,
	    const struct command *, size_t n, int64_t *ret_id,
	    struct err_info *);
	/* The plan that is not final yet whose commands touch this link; one
	 * that was agreed to before any that is proposed. */
	enum err (*plan_open_on)(void *self, int32_t link_id,
	    struct plan_holder *ret, struct err_info *);
	/* A policy ("low-risk", "emergency") agrees to a proposal. False: it
	 * may not, or another plan is on its way on a link of it. */
	enum err (*plan_unasked)(void *self, int64_t plan_id,
	    const char *policy, bool *ret, struct err_info *);
	enum err (*plans_in)(void *self, struct arena *, int state,
	    struct plan **ret, size_t *ret_n, struct err_info *);
	enum err (*commands_of)(void *self, struct arena *, int64_t plan_id,
	    struct command **ret, size_t *ret_n, struct err_info *);
	/* next_attempt_us <= now and either queued, its earlier steps
	 * executed; or sent, accepted or unknown, and not given up. No more
	 * than `each` of one gateway. */
	enum err (*commands_due)(void *self, struct arena *, int64_t now_us,
	    size_t each, struct command **ret, size_t *ret_n,
	    struct err_info *);
	/* Fails with ERR_CONFLICT if the subject is not in `from`. A plan that
	 * undoes another and is verifying now has undone it. */
	enum err (*move)(void *self, const struct move *, struct err_info *);
	/* attempts, asked, and the times but not_after_us of a command. */
	enum err (*command_attempt)(void *self, const struct command *,
	    const char *error, struct err_info *);
	/* What the guards of a command look at. */
	enum err (*guard_asset)(void *self, struct arena *,
	    const struct command *, int64_t now_us, struct guard_asset *ret,
	    struct err_info *);
	enum err (*breakers_load)(void *self, struct arena *,
	    struct breaker_state **ret, size_t *ret_n, struct err_info *);
	enum err (*breaker_save)(
	    void *self, const struct breaker_state *, struct err_info *);
	/* Spans of quiet that begin or end by now do so; what they are about
	 * is due. */
	enum err (*holds_turn)(void *self, int64_t now_us, struct err_info *);
	/* Alarms whose due time has come or whose condition turned, by id;
	 * nobody else changes them until the end of the unit of work. */
	enum err (*alarms_due)(void *self, struct arena *, int64_t now_us,
	    struct alarm **ret, size_t *ret_n, struct err_info *);
	/* What became of them, and each move, in order. */
	enum err (*alarms_put)(void *self, const struct alarm *, size_t n,
	    const struct alarm_move *, size_t nmoves, struct err_info *);
	/* Groups what was raised at now_us with what was raised near it in the
	 * network, and closes groups of which nothing is left. */
	enum err (*alarms_group)(void *self, int64_t now_us, struct err_info *);
};

enum gateway_outcome {
	GATEWAY_EXECUTED,
	GATEWAY_ACCEPTED,  /* it has it and will act before its not-after */
	GATEWAY_REFUSED,   /* it will not act, now or later */
	GATEWAY_EXPIRED,   /* it did not act, and its time has passed */
	GATEWAY_NEVER_HAD, /* asked: no command of that key ever came */
	GATEWAY_NOT_TAKEN, /* it surely did not take it: try again */
	GATEWAY_NO_ANSWER, /* time-out, 5xx, garbage: it may have acted */
	GATEWAY_PENDING,   /* under way: collect() will tell */
};

struct gateway_reply {
	enum gateway_outcome outcome;
	int http_status; /* 0 if none */
	char detail[200];
	int64_t took_us;
};

/* What came of an errand of an earlier send(). */
struct gateway_late {
	struct command *command; /* as it was sent */
	struct gateway_reply reply;
};

struct actuator_port {
	void *self;
	/* All at once, one bound on the whole call; replies in order. One
	 * with `ask` is not sent: its gateway is asked what became of it. */
	void (*send)(void *self, const struct command *, size_t n,
	    struct gateway_reply *ret);
	/* Of those that were pending, up to `max`. NULL: none ever is. */
	size_t (*collect)(
	    void *self, struct arena *, struct gateway_late *ret, size_t max);
};

/* A request that its gateway can tell to be ours. */
struct signed_request {
	const char *gateway; /* business code */
	int secret_version;
	const char *method, *path; /* as on the wire */
	int64_t time_s;		   /* since 1970 */
	const char *body;
	size_t len;
};

#define SIGNATURE_TEXT 140

struct signer_port {
	const void *self; /* NULL: nothing is signed */
	void (*sign)(const void *self, const struct signed_request *,
	    char ret[static SIGNATURE_TEXT]);
};

struct notifier_port {
	void *self;
	/* what: "anomaly_opened", "plan_proposed", "plan_worked", ... */
	void (*notify)(
	    void *self, const char *what, int64_t id, const char *detail_json);
};

struct ports {
	struct clock_port clock;
	struct entropy_port entropy;
	struct telemetry_port telemetry;
	struct knowledge_port knowledge;
	struct decisions_port decisions;
	struct actuator_port actuator;
	struct notifier_port notifier;
};

#endif
