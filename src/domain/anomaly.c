#include "domain/anomaly.h"

#include <string.h>

#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

#define X(code, word, sensor) word,
static const char *const type_names[] = {ANOMALY_TYPES(X)};
#undef X
#define X(code, word, sensor) sensor,
static const bool sensor_faults[] = {ANOMALY_TYPES(X)};
#undef X

static const struct fsm_row rows[] = {
    {"A1", ANOMALY_OPEN, ANOMALY_CLEAR, ANOMALY_CLEARED},
    {"A2", ANOMALY_CLEARED, ANOMALY_REOPEN, ANOMALY_OPEN},
};
static const char *const states[] = {"open", "cleared"};
static const char *const events[] = {"clear", "reopen"};

const struct fsm anomaly_fsm = {
    .name = "anomaly",
    .rows = rows,
    .nrows = NELEMS(rows),
    .states = states,
    .nstates = NELEMS(states),
    .events = events,
    .nevents = NELEMS(events),
};

const char *
anomaly_type_name(enum anomaly_type type)
{
	return (type_names[type]);
}

int
anomaly_type_parse(const char *name)
{
	size_t i;

	for (i = 0; i < NELEMS(type_names); i++) {
		if (strcmp(type_names[i], name) == 0)
			return ((int)i);
	}
	return (-1);
}

bool
anomaly_is_sensor_fault(enum anomaly_type type)
{
	return (sensor_faults[type]);
}

bool
anomaly_needs_naming(enum anomaly_type type)
{
	return (sensor_faults[type] || type == ANOMALY_UNUSUAL ||
	    type == ANOMALY_JOINT || type == ANOMALY_MANIPULATION);
}
