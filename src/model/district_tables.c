#include "model/district.h"

/* Order matters to the physics: every link's upstream end comes first. */
const struct district_node district_nodes[DISTRICT_NODES] = {
    {"DEMO-SOURCE", "Spring (simulated)", "reservoir", 39.2400, 9.1000},
    {"DEMO-PUMP", "Pumping station (simulated)", "plant", 39.2385, 9.1040},
    {"DEMO-TANK", "Hill tank (simulated)", "tank", 39.2360, 9.1095},
    {"DEMO-J1", "Tank outlet (simulated)", "junction", 39.2330, 9.1120},
    {"DEMO-NORTH", "North meter (simulated)", "meter", 39.2345, 9.1170},
    {"DEMO-N1", "North centre (simulated)", "junction", 39.2362, 9.1215},
    {"DEMO-N2", "North end (simulated)", "junction", 39.2380, 9.1265},
    {"DEMO-SOUTH", "South meter (simulated)", "meter", 39.2295, 9.1145},
    {"DEMO-S1", "South centre (simulated)", "junction", 39.2262, 9.1170},
    {"DEMO-S2", "South end (simulated)", "junction", 39.2228, 9.1200},
    {"DEMO-WEST", "West meter (simulated)", "meter", 39.2305, 9.1075},
    {"DEMO-W1", "West end (simulated)", "junction", 39.2270, 9.1040},
};

const struct district_link district_links[DISTRICT_LINKS] = {
    {"DEMO-PU1", "pump", 0, 1},
    {"DEMO-RISING", "pipe", 1, 2},
    {"DEMO-OUTLET", "pipe", 2, 3},
    {"DEMO-NORTH-IN", "pipe", 3, 4},
    {"DEMO-NORTH-1", "pipe", 4, 5},
    {"DEMO-NORTH-2", "pipe", 5, 6},
    {"DEMO-SOUTH-IN", "pipe", 3, 7},
    {"DEMO-SOUTH-1", "pipe", 7, 8},
    {"DEMO-SOUTH-2", "pipe", 8, 9},
    {"DEMO-V1", "valve", 3, 10},
    {"DEMO-WEST-1", "pipe", 10, 11},
    {"DEMO-RIDER", "pipe", 8, 11},
};

#define LOW_PRESSURE {{DIRECTION_LOW, SEVERITY_WARNING, 15, 18, 3, 3}}, 1
#define PLAIN(node, metric, unit, kind)                  \
	{                                                \
		node, metric, unit, kind, 0, 0, 0, {}, 0 \
	}
#define INSTANT(node, metric, unit) PLAIN(node, metric, unit, SERIES_INSTANT)
#define PRESSURE(node)                                                         \
	{                                                                      \
		node, "pressure", "m", SERIES_INSTANT, 0, 20, 12, LOW_PRESSURE \
	}

const struct district_series district_series[DISTRICT_SERIES] = {
    INSTANT(0, "level", "m"),
    INSTANT(1, "flow", "m3/h"),
    INSTANT(1, "pressure", "m"),
    INSTANT(1, "power", "kW"),
    PLAIN(1, "status", "1", SERIES_STATUS),
    {2, "level", "m", SERIES_INSTANT, 0.3, 0, 0,
	{{DIRECTION_LOW, SEVERITY_CRITICAL, 1.0, 1.2, 3, 3},
	    {DIRECTION_HIGH, SEVERITY_WARNING, 4.9, 4.8, 3, 3}},
	2},
    INSTANT(2, "flow", "m3/h"),
    INSTANT(2, "temperature", "degC"),
    {2, "chlorine", "mg/L", SERIES_INSTANT, 0, 0, 12,
	{{DIRECTION_LOW, SEVERITY_WARNING, 0.2, 0.25, 5, 5}}, 1},
    PRESSURE(3),
    INSTANT(4, "flow", "m3/h"),
    PRESSURE(4),
    PLAIN(4, "volume", "m3", SERIES_TOTAL),
    PRESSURE(5),
    INSTANT(5, "chlorine", "mg/L"),
    PRESSURE(6),
    INSTANT(6, "temperature", "degC"),
    INSTANT(7, "flow", "m3/h"),
    PRESSURE(7),
    PLAIN(7, "volume", "m3", SERIES_TOTAL),
    PRESSURE(8),
    INSTANT(8, "chlorine", "mg/L"),
    INSTANT(8, "turbidity", "NTU"),
    PRESSURE(9),
    INSTANT(9, "temperature", "degC"),
    {10, "flow", "m3/h", SERIES_INSTANT, 0, 0, 0,
	{{DIRECTION_HIGH, SEVERITY_CRITICAL, 45, 35, 1, 1}}, 1},
    INSTANT(10, "pressure", "m"),
    PLAIN(10, "volume", "m3", SERIES_TOTAL),
    INSTANT(10, "opening", "%"),
    PRESSURE(11),
};

const struct district_template district_template = {
    .code = "isolate-burst",
    .name = "Close the inlet valve of a meter whose flow is far too high",
    .metric = "flow",
    .anomaly_type = "threshold",
    .node_type = "meter",
    .direction = DIRECTION_HIGH,
    .least_severity = SEVERITY_CRITICAL,
    .effect_metric = "flow",
    .effect_direction = DIRECTION_LOW,
    .effect_least = 20,
    .effect_window_steps = 10,
    .expires_s = 3600,
    .command_life_s = 300,
    .action = "close_valve",
    .target_type = "valve",
    .target_relation = "inlet",
};
