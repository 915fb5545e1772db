/*
 * plan: what Penstock proposes to do about an anomaly, and how it went; and
 * command: one action of a plan for one field gateway.
 *
 * Runs on: C. Value types; strings borrowed from the arena they came from.
 */
#ifndef PENSTOCK_DOMAIN_PLAN_H
#define PENSTOCK_DOMAIN_PLAN_H

#include "core/fsm.h"
#include "domain/anomaly.h"

#include <stdint.h>

enum plan_state {
	PLAN_PROPOSED,
	PLAN_APPROVED,	/* decided by a person; commands are queued */
	PLAN_EXECUTING, /* the first command was sent */
	PLAN_VERIFYING, /* all commands done; waiting for the effect */
	PLAN_WORKED,
	PLAN_NO_EFFECT,
	PLAN_WORSE,
	PLAN_NOT_PROVABLE,
	PLAN_REJECTED,
	PLAN_EXPIRED,
	PLAN_FAILED,
	PLAN_SUPERSEDED, /* a severer anomaly needs its links */
	PLAN_CANCELLED,	 /* a person stopped it */
	PLAN_UNDONE,	 /* another plan took back what it did */
	PLAN_STATE_COUNT
};
enum plan_event {
	PLAN_APPROVE,
	PLAN_REJECT,
	PLAN_EXPIRE,
	PLAN_SEND,
	PLAN_ALL_DONE,
	PLAN_COMMAND_FAILED,
	PLAN_REDRIVE, /* a person sends what failed on its way again */
	PLAN_JUDGED_WORKED,
	PLAN_JUDGED_NO_EFFECT,
	PLAN_JUDGED_WORSE,
	PLAN_JUDGED_NOT_PROVABLE,
	PLAN_ENDORSE, /* a person agrees, and another one must, too */
	PLAN_SUPERSEDE,
	PLAN_CANCEL,
	PLAN_UNDO,
	PLAN_EVENT_COUNT
};

enum command_state {
	COMMAND_PLANNED, /* waits for the plan's approval */
	COMMAND_QUEUED,
	COMMAND_SENT,	  /* an attempt is out, its result not recorded */
	COMMAND_ACCEPTED, /* the gateway has it and will act; it is asked */
	COMMAND_EXECUTED, /* the gateway said it was executed */
	COMMAND_VERIFIED, /* and the water did what the plan promised */
	COMMAND_UNKNOWN,  /* it may have acted or not; it is asked */
	COMMAND_FAILED,
	COMMAND_EXPIRED, /* not-after passed and it was surely not executed */
	COMMAND_CANCELLED,
	COMMAND_STATE_COUNT
};
enum command_event {
	COMMAND_APPROVE,
	COMMAND_SEND,
	COMMAND_ACK,	/* executed, by the gateway's word or a person's */
	COMMAND_RETRY,	/* surely not executed, or declared repeatable */
	COMMAND_REFUSE, /* gateway said no for good, or the guard did */
	COMMAND_EXPIRE,
	COMMAND_CANCEL,
	COMMAND_ACCEPT,
	COMMAND_LOSE,	 /* nobody can tell whether it was executed */
	COMMAND_GIVE_UP, /* asked long enough: a person has to settle it */
	COMMAND_VERIFY,
	COMMAND_REDRIVE, /* a person sends a dead letter on its way again */
	COMMAND_EVENT_COUNT
};

extern const struct fsm plan_fsm, command_fsm;

/* It says who must agree: low may run unasked, high takes two people. */
enum risk { RISK_LOW, RISK_MEDIUM, RISK_HIGH, RISK_COUNT };

/* One action of a template. */
struct template_action {
	int step;		 /* those of one step are done side by side */
	const char *action;	 /* "close_valve", "set_speed", ... */
	const char *target_type; /* link type: "valve", "pump" */
	const char *target_relation; /* "inlet": link into the anomaly's
	    node; "zone": a link into the anomaly's zone */
	const char *argument;	     /* JSON object */
	bool repeatable;	     /* doing it twice does no harm */
};

struct plan_template {
	int32_t id;
	const char *code;
	const char *metric;	  /* matched exactly */
	const char *anomaly_type; /* "" any */
	enum direction direction; /* DIRECTION_NONE: any */
	enum severity least_severity;
	const char *node_type;		 /* "" any */
	int priority;			 /* smaller first */
	const char *effect_metric;	 /* on the anomaly's node */
	bool effect_in_zone;		 /* or on the node of its zone */
	enum direction effect_direction; /* the way it must go */
	double effect_least;		 /* canonical units */
	int64_t effect_window_us;	 /* after the last command was done */
	int64_t expires_us;		 /* a proposal's life */
	int64_t command_life_us;	 /* not-after = approval + this */
	const struct template_action *actions;
	size_t nactions;
	enum risk risk;
	int trials, successes;	   /* as an engineer accepted them */
	const char *guard_metrics; /* the node must have them: codes with
	    commas; NULL: none */
	bool preapproved; /* protective, and agreed to for emergencies */
};

/* A link that a gateway can move. */
struct actuator {
	int32_t link_id;
	const char *link; /* business code */
	const char *type; /* "valve", "pump" */
	int32_t to_node_id;
	const char *to_zone;
	int32_t gateway_id;
	const char *gateway; /* business code */
};

struct plan {
	int64_t id;
	int64_t anomaly_id;
	int32_t template_id;
	enum plan_state state;
	int64_t proposed_us, expires_us;
	int64_t approved_us, executed_us; /* INSTANT_NONE until then */
	/* plans_in: of its first command, and the begin of its anomaly. */
	int64_t sent_us, began_us;
	int32_t effect_series;	/* 0: none, so not provable */
	int32_t control_series; /* 0: none */
	int64_t before_us;	/* 0: as long as the effect window */
	int64_t dwell_us;	/* after the last command, not judged */
	enum direction effect_direction;
	double effect_least;
	int64_t effect_window_us;
	bool anomaly_cleared; /* plans_in: its anomaly is no longer open */
	const char *reasons;  /* JSON: templates that fit and did not */
	enum risk risk;
	int64_t undoes;	  /* the plan it takes back, 0: none */
	bool preapproved; /* plans_in: as its template is now */
	int64_t knowledge_version;
};

struct command {
	int64_t id;
	int64_t plan_id;
	int step;
	enum command_state state;
	int32_t link_id, gateway_id;
	const char *link, *gateway, *gateway_url;
	const char *action;
	const char *argument; /* JSON object */
	char key[37];	      /* idempotency key, UUID text */
	int64_t not_after_us; /* INSTANT_NONE until approved */
	int64_t next_attempt_us;
	int64_t ask_until_us; /* INSTANT_NONE: not asked about yet */
	int attempts;	      /* times it was sent */
	int asked;	      /* in a row without a clear answer */
	bool repeatable;      /* may be sent again without asking */
	bool ask;	      /* this errand only asks what became of it */
	int secret_version;   /* of its gateway: which secret signs */
};

/* The link is moved only while the series is within; NAN: no bound. */
struct guard_limit {
	const char *name; /* of a template's guard; "": it bounds the link */
	int32_t series;	  /* 0: there is none */
	double low, high;
};

/* What is known of a command's link when it is about to leave. */
struct guard_asset {
	const char *hands_off; /* a zone or "everywhere"; NULL: they are on */
	const char *hands_off_by, *hands_off_why;
	const char *locked_by, *lock_why; /* NULL: it is not locked */
	int max_per_hour;		  /* 0: any number */
	int64_t min_interval_us;	  /* 0: none */
	int64_t moves;		/* by other commands, within the hour before */
	int64_t moved_us;	/* the newest of all; INSTANT_NONE: never */
	const char *exclusion;	/* group; NULL: none */
	const char *excluding;	/* a link of it that a live plan moves */
	int64_t excluding_plan; /* 0: none does */
	const struct guard_limit *limits;
	size_t nlimits;
};

const char *risk_name(enum risk);
/* -1: no risk is called so. */
int risk_parse(const char *);
const char *plan_state_name(enum plan_state);
const char *command_state_name(enum command_state);

#endif
