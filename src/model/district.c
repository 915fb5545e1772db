#include "model/district.h"

#include "core/instant.h"

#include <math.h>
#include <string.h>

enum { SOURCE, PUMP, TANK, J1, NORTH, N1, N2, SOUTH, S1, S2, WEST, W1 };

#define TANK_AREA_M2	  150.0
#define PUMP_M3H	  190.0
#define PUMP_ON_LEVEL_M	  3.0
#define PUMP_OFF_LEVEL_M  4.5
#define TANK_TOP_M	  5.0
#define BURST_COEFFICIENT 9.0 /* m3/h per sqrt(m) */
#define SOLVE_ROUNDS	  12
#define GRAVITY		  9.81
#define PUMP_EFFICIENCY	  0.7

/* Elevation, mean demand, the upstream node and the resistance to it. */
static const struct {
	double elevation_m, demand_m3h;
	size_t upstream;
	double resistance;
} pipes[DISTRICT_NODES] = {
    [SOURCE] = {20, 0, SOURCE, 0},
    [PUMP] = {20, 0, SOURCE, 0},
    [TANK] = {65, 0, PUMP, 0},
    [J1] = {25, 4, TANK, 2.0e-4},
    [NORTH] = {26, 0, J1, 3.0e-4},
    [N1] = {28, 30, NORTH, 8.0e-4},
    [N2] = {32, 15, N1, 2.0e-3},
    [SOUTH] = {22, 0, J1, 3.0e-4},
    [S1] = {20, 35, SOUTH, 8.0e-4},
    [S2] = {18, 20, S1, 2.0e-3},
    [WEST] = {24, 0, J1, 1.0e-3},
    [W1] = {22, 18, WEST, 2.0e-3},
};

/* Share of the mean demand by hour of the day: two peaks and a quiet night. */
static const double pattern[24] = {0.45, 0.40, 0.38, 0.38, 0.42, 0.60, 1.00,
    1.45, 1.50, 1.30, 1.15, 1.10, 1.20, 1.25, 1.10, 1.00, 1.00, 1.10, 1.30,
    1.45, 1.40, 1.15, 0.85, 0.60};

/* Marsaglia 2003, "Xorshift RNGs", triple (13, 7, 17). */
static double
uniform(struct district *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return ((double)(d->random >> 11) * 0x1p-53);
}

/* About normal with unit variance, and bounded by 3.5. */
static double
noise(struct district *d)
{
	double sum = 0;
	int i;

	for (i = 0; i < 4; i++)
		sum += uniform(d);
	return ((sum - 2) * sqrt(3));
}

static double
demand_factor(int64_t t_us)
{
	double hour, share;
	int i;

	hour = (double)(t_us - instant_floor(t_us, US_PER_DAY)) /
	    (double)US_PER_HOUR;
	i = (int)hour;
	share = hour - i;
	return (pattern[i] * (1 - share) + pattern[(i + 1) % 24] * share);
}

static size_t
upstream(const struct district *d, size_t node)
{
	return (
	    node == W1 && !d->west_open ? (size_t)S1 : pipes[node].upstream);
}

static void
solve_flows(struct district *d)
{
	size_t i;

	for (i = J1; i < DISTRICT_NODES; i++)
		d->inflow_m3h[i] = d->demand_m3h[i];
	if (d->west_open)
		d->inflow_m3h[WEST] += d->burst_m3h;
	for (i = DISTRICT_NODES - 1; i > J1; i--) {
		if (i == WEST && !d->west_open)
			continue;
		d->inflow_m3h[upstream(d, i)] += d->inflow_m3h[i];
	}
	if (!d->west_open)
		d->inflow_m3h[WEST] = 0;
}

static void
solve_heads(struct district *d)
{
	double q;
	size_t i;

	for (i = J1; i < DISTRICT_NODES; i++) {
		if (i == WEST && !d->west_open) {
			if (d->faults[DISTRICT_BURST])
				d->head_m[i] = pipes[i].elevation_m;
			continue;
		}
		q = d->inflow_m3h[i];
		d->head_m[i] = d->head_m[upstream(d, i)] -
		    pipes[i].resistance * pow(q, 1.852);
	}
}

/* The leak depends on the pressure and the pressure on the leak: halfway to
 * the new value each round. */
static void
solve(struct district *d)
{
	double p, leak;
	int i;

	d->head_m[TANK] = pipes[TANK].elevation_m + d->tank_level_m;
	for (i = 0; i < SOLVE_ROUNDS; i++) {
		p = d->head_m[WEST] - pipes[WEST].elevation_m;
		leak = d->faults[DISTRICT_BURST] && d->west_open
		    ? BURST_COEFFICIENT * sqrt(fmax(p, 0))
		    : 0;
		d->burst_m3h += (leak - d->burst_m3h) / 2;
		solve_flows(d);
		solve_heads(d);
	}
}

static void
move_tank(struct district *d, double hours)
{
	double net = (d->pump_on ? PUMP_M3H : 0) - d->inflow_m3h[J1];

	d->tank_level_m += net * hours / TANK_AREA_M2;
	d->tank_level_m = fmin(fmax(d->tank_level_m, 0), TANK_TOP_M);
	if (d->tank_level_m < PUMP_ON_LEVEL_M)
		d->pump_on = true;
	if (d->tank_level_m > PUMP_OFF_LEVEL_M)
		d->pump_on = false;
	d->inflow_m3h[PUMP] = d->pump_on ? PUMP_M3H : 0;
	d->head_m[PUMP] =
	    pipes[TANK].elevation_m + d->tank_level_m + (d->pump_on ? 4 : 0);
}

static double
quality_of_water(struct district *d, size_t node, const char *metric)
{
	double warm = demand_factor(d->t_us);

	if (strcmp(metric, "temperature") == 0)
		return (14 + 0.5 * warm + 0.1 * (double)node + 0.02 * noise(d));
	if (strcmp(metric, "chlorine") == 0)
		return (0.50 - 0.01 * (double)node + 0.01 * noise(d));
	return (0.20 + 0.01 * noise(d)); /* turbidity */
}

static double
measure(struct district *d, const struct district_series *s)
{
	double q = d->inflow_m3h[s->node];

	if (s->kind == SERIES_TOTAL)
		return (d->volume_m3[s->node]);
	if (s->kind == SERIES_STATUS)
		return (d->pump_on);
	if (strcmp(s->metric, "flow") == 0) {
		if (s->node == TANK)
			q = d->inflow_m3h[J1];
		return (q > 0 ? fmax(q + (0.1 + 0.01 * q) * noise(d), 0) : 0);
	}
	if (strcmp(s->metric, "pressure") == 0)
		return (d->head_m[s->node] - pipes[s->node].elevation_m +
		    0.15 * noise(d));
	if (strcmp(s->metric, "level") == 0)
		return (
		    (s->node == TANK ? d->tank_level_m : 6) + 0.005 * noise(d));
	if (strcmp(s->metric, "power") == 0)
		return (q * GRAVITY * (d->head_m[PUMP] - 20) / 3600 /
		    PUMP_EFFICIENCY);
	if (strcmp(s->metric, "opening") == 0)
		return (d->west_open ? 100 : 0);
	return (quality_of_water(d, s->node, s->metric));
}

static void
measure_all(struct district *d)
{
	const struct district_series *s;
	double value;
	size_t i;

	for (i = 0; i < DISTRICT_SERIES; i++) {
		s = &district_series[i];
		value = measure(d, s);
		if (d->faults[DISTRICT_FROZEN] && s->node == N1 &&
		    strcmp(s->metric, "pressure") == 0)
			continue;
		d->values[i] = value;
	}
}

void
district_init(
    struct district *d, uint64_t seed, int64_t t0_us, int64_t cadence_us)
{
	double hours;

	memset(d, 0, sizeof(*d));
	d->random = seed != 0 ? seed : 1;
	d->t_us = t0_us;
	d->cadence_us = cadence_us;
	d->west_open = true;
	d->tank_level_m = 3.8;
	d->head_m[SOURCE] = 26;
	/* Counters as if they had run since 2020: a restart never resets. */
	hours = (double)(t0_us - instant_from_civil(2020, 1, 1, 0)) /
	    (double)US_PER_HOUR;
	d->volume_m3[NORTH] = fmax(hours, 0) * 45;
	d->volume_m3[SOUTH] = fmax(hours, 0) * 55;
	d->volume_m3[WEST] = fmax(hours, 0) * 18;
	district_step(d, t0_us);
}

void
district_step(struct district *d, int64_t t_us)
{
	int64_t gap = t_us - d->t_us;
	double hours;
	size_t i;

	if (gap < 0)
		return;
	if (gap > US_PER_HOUR)
		gap = US_PER_HOUR;
	hours = (double)gap / (double)US_PER_HOUR;
	d->t_us = t_us;
	for (i = J1; i < DISTRICT_NODES; i++)
		d->demand_m3h[i] = pipes[i].demand_m3h * demand_factor(t_us) *
		    (1 + 0.03 * noise(d));
	move_tank(d, hours);
	solve(d);
	for (i = 0; i < DISTRICT_NODES; i++)
		d->volume_m3[i] += d->inflow_m3h[i] * hours;
	measure_all(d);
}

double
district_read(const struct district *d, size_t series)
{
	if (d->faults[DISTRICT_SILENCE] && district_series[series].node == S2)
		return (NAN);
	return (d->values[series]);
}

bool
district_valve_set(struct district *d, const char *link, bool open)
{
	if (strcmp(link, "DEMO-V1") != 0)
		return (false);
	d->west_open = open;
	solve(d);
	return (true);
}

void
district_inject(struct district *d, enum district_fault fault, bool on)
{
	d->faults[fault] = on;
}

int
district_fault_parse(const char *name)
{
	static const char *const names[DISTRICT_FAULT_COUNT] = {
	    "burst", "frozen", "silence"};
	int i;

	for (i = 0; i < DISTRICT_FAULT_COUNT; i++) {
		if (strcmp(names[i], name) == 0)
			return (i);
	}
	return (-1);
}

int
district_find(const char *node, const char *metric)
{
	const struct district_series *s;
	size_t i;

	for (i = 0; i < DISTRICT_SERIES; i++) {
		s = &district_series[i];
		if (strcmp(s->metric, metric) == 0 &&
		    strcmp(district_nodes[s->node].code, node) == 0)
			return ((int)i);
	}
	return (-1);
}
