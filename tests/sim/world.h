/*
 * world: the simulated district behind the loop's ports: each tick moves the
 * water, logs one reading per series and runs one cycle.
 *
 * Runs on: tests. Frees: world_done().
 */
#ifndef PENSTOCK_TESTS_SIM_WORLD_H
#define PENSTOCK_TESTS_SIM_WORLD_H

#include "mape/loop.h"
#include "model/district.h"
#include "store/twin.h"

enum gateway_mode {
	GATEWAY_WORKS,
	GATEWAY_SILENT,	 /* neither acts nor answers */
	GATEWAY_BROKEN,	 /* 500; does nothing, and says so when asked */
	GATEWAY_AWAY,	 /* cannot be reached */
	GATEWAY_MUTE,	 /* acts, and never answers */
	GATEWAY_LATE,	 /* acts, and its answer comes in a later cycle */
	GATEWAY_ACCEPTS, /* acts, and says so when asked */
	GATEWAY_SAYS_NO, /* 409 and the like */
	GATEWAY_DROPS,	 /* acts, and the first answer is lost */
	GATEWAY_MODES
};

#define WORLD_KEPT 512

struct world {
	struct district district;
	struct twin *twin;
	struct ports ports;
	struct loop_ctx loop;
	struct loop_figures figures;
	struct series series[DISTRICT_SERIES];
	struct template_action action;
	struct plan_template template;
	struct actuator actuators[DISTRICT_LINKS];
	enum gateway_mode mode;
	const enum gateway_mode *script; /* of the first exchanges, or NULL */
	size_t nscript, exchanges;
	int executed, received, asked;	   /* by the gateway */
	unsigned char acts[TWIN_COMMANDS]; /* by command: times executed */
	double off[DISTRICT_SERIES];	   /* what its sensor adds to it */
	struct reading kept[WORLD_KEPT];   /* measured, and not sent yet */
	size_t nkept;
	int64_t logged, failed_cycles;
	char failure[64]; /* the last failed cycle's */
};

void
world_init(struct world *, uint64_t seed, int64_t t0_us, int64_t cadence_us);
void world_done(struct world *);
/* One cadence on: water, readings, cycle. The cycle's error. */
enum err world_tick(struct world *);
void world_ticks(struct world *, int n);
/* The same at that time, and a cycle at that time without readings. */
enum err world_tick_at(struct world *, int64_t t_us);
enum err world_cycle_at(struct world *, int64_t t_us);
/* What silent sensors kept comes in at once. */
void world_upload(struct world *);
/* The open anomaly of a series, or NULL. */
struct twin_anomaly *world_open(struct world *, const char *node,
    const char *metric, enum anomaly_type, enum direction, enum severity);
/* The plan proposed last, NULL if there is none. */
struct twin_plan *world_last_plan(struct world *);

#endif
