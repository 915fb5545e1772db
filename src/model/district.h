/*
 * district: the physics of a small simulated water network, and the tables
 * that describe it to Penstock. A pump fills a tank; three metered branches
 * draw from it; a burst at the west meter stops when its inlet valve closes,
 * and the west stays supplied from the south through a rider main.
 *
 * Runs on: C; no clock: the caller says what time it is. Frees: nothing.
 * Units: canonical (m3/h, m, ...); times µs UTC. Everything that depends on
 * how often it is read is counted in steps: one step is one cadence.
 * Head loss: Hazen-Williams form h = r q^1.852; leak: emitter q = C sqrt(p)
 * (EPANET 2.2 User Manual, sections 3.1 and 3.2).
 */
#ifndef PENSTOCK_MODEL_DISTRICT_H
#define PENSTOCK_MODEL_DISTRICT_H

#include "domain/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISTRICT_NODES	 12
#define DISTRICT_LINKS	 12
#define DISTRICT_SERIES	 30
#define DISTRICT_ZONE	 "DEMO"
#define DISTRICT_GATEWAY "DEMO-GATEWAY"

struct district_node {
	const char *code, *name, *type;
	double latitude, longitude;
};

struct district_link {
	const char *code, *type; /* a valve or pump is on the gateway */
	size_t from, to;	 /* indices of nodes */
};

struct district_threshold {
	enum direction direction;
	enum severity severity;
	double set, clear;
	int on_steps, off_steps;
};

struct district_series {
	size_t node;
	const char *metric, *unit;
	enum series_kind kind;
	double max_step;    /* greatest change in one step; 0: rule off */
	int flatline_steps; /* 0: rule off */
	double outlier_k;   /* 0: rule off */
	struct district_threshold thresholds[2];
	size_t nthresholds;
};

/* The one plan template of the demo; one action, step 1. */
struct district_template {
	const char *code, *name, *metric, *anomaly_type, *node_type;
	enum direction direction;
	enum severity least_severity;
	const char *effect_metric;
	enum direction effect_direction;
	double effect_least;
	int effect_window_steps;
	double expires_s, command_life_s;
	const char *action, *target_type, *target_relation;
};

extern const struct district_node district_nodes[DISTRICT_NODES];
extern const struct district_link district_links[DISTRICT_LINKS];
extern const struct district_series district_series[DISTRICT_SERIES];
extern const struct district_template district_template;

enum district_fault {
	DISTRICT_BURST,	  /* a leak at the west meter */
	DISTRICT_FROZEN,  /* the north pressure repeats its last value */
	DISTRICT_SILENCE, /* the south's far end sends nothing */
	DISTRICT_FAULT_COUNT
};

struct district {
	uint64_t random; /* state of xorshift64 */
	int64_t t_us, cadence_us;
	bool pump_on, west_open;
	bool faults[DISTRICT_FAULT_COUNT];
	double tank_level_m, burst_m3h;
	double demand_m3h[DISTRICT_NODES];
	double inflow_m3h[DISTRICT_NODES]; /* through the link into it */
	double head_m[DISTRICT_NODES];
	double volume_m3[DISTRICT_NODES];
	double values[DISTRICT_SERIES]; /* as measured, with noise */
};

/* `seed` 0 is taken as 1. The first step is at t0_us. */
void district_init(
    struct district *, uint64_t seed, int64_t t0_us, int64_t cadence_us);
/* Moves the water to t_us and measures all series; earlier times do not move
 * it, and a gap of more than an hour counts as an hour. */
void district_step(struct district *, int64_t t_us);
/* NAN: the sensor says nothing. */
double district_read(const struct district *, size_t series);
/* False if there is no such valve. */
bool district_valve_set(struct district *, const char *link, bool open);
void district_inject(struct district *, enum district_fault, bool on);
/* The word used on the wire ("burst", "frozen", "silence"); -1 unknown. */
int district_fault_parse(const char *);
/* Index of a series by node code and metric, -1 if there is none. */
int district_find(const char *node, const char *metric);

#endif
