/*
 * loop: one cycle of Monitor, Analyze, Plan and Execute over the ports.
 *
 * Runs on: C, one thread at a time per context. Frees: loop_done().
 * Errors: those of the ports. After any error everything that was not
 * committed is rolled back, the context has forgotten what it kept, and the
 * next cycle starts from what is stored.
 *
 * A cycle is one unit of work for Monitor, Analyze and Plan, then small ones
 * for Execute and Verify. Paused: no Plan, no Execute and no Verify; Monitor
 * and Analyze never stop. The context keeps the knowledge snapshot and the
 * detectors' states between cycles; it is right with neither.
 *
 * Several loops may share one database, each with series of its own
 * (telemetry.owns): each monitors and analyzes those, one alone plans,
 * executes and reports; the others watch only.
 */
#ifndef PENSTOCK_MAPE_LOOP_H
#define PENSTOCK_MAPE_LOOP_H

#include "core/arena.h"
#include "core/instant.h"
#include "core/ports.h"
#include "mape/memory.h"
#include "mape/rules.h"
#include "mape/unusual.h"

/*
 * Readings taken per cycle. Much of a cycle's cost is by series, not by
 * reading, so a backlog is worked off with ever larger bites, as long as a
 * cycle stays so short that commands do not wait long behind it.
 */
#define LOOP_READINGS_FIRST 200000
#define LOOP_READINGS_MAX   4000000
#define LOOP_SHORT_US	    (5 * US_PER_SECOND)
#define LOOP_LONG_US	    (10 * US_PER_SECOND)
#define LOOP_ASK_US	    (300 * US_PER_SECOND)
#define LOOP_LOST_US	    (10 * US_PER_SECOND) /* and the time-out */
#define LOOP_BREAK_US	    (30 * US_PER_MINUTE)
#define LOOP_ARENA_MAX	    ((size_t)512 << 20)

/* Of commands. */
struct loop_rules {
	int64_t ask_us;	 /* after not-after: so long is it asked about */
	int64_t lost_us; /* no result so long after an attempt: it is lost */
	bool low_risk;	 /* plans of low risk run unasked */
};

struct loop_ctx {
	struct loop_rules rules;
	struct arena cycle;   /* emptied each cycle */
	struct arena lasting; /* the knowledge snapshot */
	bool have_knowledge;
	struct knowledge knowledge;
	struct memory memory;
	rule_reader *read_rule; /* the caller's; NULL: rules are not judged */
	struct rules people;
	struct unusual unusual; /* a_week: the caller's; 0 at first */
	int64_t awake_us; /* the first of the cycles since; or INSTANT_NONE */
	/* The first since time has gone on as it should: where two cycles are
	 * more than LOOP_BREAK_US apart the clock was set or the machine stood.
	 */
	int64_t steady_us, cycle_us;
	int64_t sweep_us; /* nothing can fall silent before */
	size_t take_max;
	bool watch_only;
	int64_t moved; /* mark of what others stored, as far as it is known */
};

enum loop_phase {
	LOOP_MONITOR,
	LOOP_ANALYZE,
	LOOP_PLAN,
	LOOP_EXECUTE, /* Verify included */
	LOOP_PHASE_COUNT
};

struct loop_figures {
	bool more; /* the log held more: run again at once */
	bool paused;
	const char *system_state; /* "normal", "alert", "emergency" */
	int64_t merged, duplicates, late;
	int64_t raised, cleared, proposed;
	int64_t judged;	    /* readings, by what their series did before */
	int64_t odd;	    /* unusual readings raised */
	int64_t begun_anew; /* what was known of so many series is void */
	int64_t sent, done, failed; /* command attempts and their ends */
	int64_t verified;
	int64_t open[3]; /* anomalies by severity */
	int64_t phase_us[LOOP_PHASE_COUNT];
	size_t memory; /* bytes of the cycle's arena */
};

void loop_init(struct loop_ctx *);
void loop_done(struct loop_ctx *);
/* Drops all that was kept between cycles. loop_cycle() does so itself when
 * it fails; for a caller that lost its connection or its lock. */
void loop_forget(struct loop_ctx *);
/* ret is filled as far as the cycle came, also on errors. */
enum err loop_cycle(struct loop_ctx *, const struct ports *,
    struct loop_figures *ret, struct err_info *);

#endif
