/*
 * anomaly: one condition of one series that is not as it should be, from its
 * first reading to its clearing. At most one is open per condition; the
 * condition is (series, type, direction, severity, rule).
 *
 * Runs on: C. Value type.
 */
#ifndef PENSTOCK_DOMAIN_ANOMALY_H
#define PENSTOCK_DOMAIN_ANOMALY_H

#include "core/fsm.h"
#include "domain/series.h"

#include <stdint.h>

/* type, its word, and whether it speaks of the sensor rather than the water */
#define ANOMALY_TYPES(X)                           \
	X(ANOMALY_THRESHOLD, "threshold", false)   \
	X(ANOMALY_RATE, "rate", false)             \
	X(ANOMALY_FLATLINE, "flatline", true)      \
	X(ANOMALY_SILENCE, "silence", true)        \
	X(ANOMALY_OUTLIER, "outlier", false)       \
	X(ANOMALY_RULE, "rule", false)             \
	X(ANOMALY_BURST, "burst", false)           \
	X(ANOMALY_LEAK, "leak", false)             \
	X(ANOMALY_QUALITY, "water_quality", false) \
	X(ANOMALY_EQUIPMENT, "equipment", false)   \
	X(ANOMALY_UNUSUAL, "unusual", false)       \
	X(ANOMALY_JOINT, "joint", false)           \
	X(ANOMALY_MANIPULATION, "manipulation", false)

#define X(code, word, sensor) code,
enum anomaly_type { ANOMALY_TYPES(X) ANOMALY_TYPE_COUNT };
#undef X

enum anomaly_state { ANOMALY_OPEN, ANOMALY_CLEARED };
/* It is opened again only while its alarm waits for it: see alarm.h. */
enum anomaly_event { ANOMALY_CLEAR, ANOMALY_REOPEN };

extern const struct fsm anomaly_fsm;

struct condition {
	int32_t series;
	enum anomaly_type type;
	enum direction direction;
	enum severity severity;
	int32_t rule; /* number of a rule of people's; 0: none of them */
};

struct anomaly {
	int64_t id; /* 0 until stored */
	struct condition condition;
	const char *rule_id;	   /* "threshold:17", "flatline", "R:code@3" */
	int64_t first_us, last_us; /* event time of first and newest evidence */
	double value, limit;	   /* newest value and the limit it broke */
	const char *evidence; /* JSON object: readings, limit, unit, rule */
	int64_t knowledge_version;
};

const char *anomaly_type_name(enum anomaly_type);
int anomaly_type_parse(const char *); /* -1 unknown */
bool anomaly_is_sensor_fault(enum anomaly_type);
/* Only plans made for that type answer it: it may not be the water's. */
bool anomaly_needs_naming(enum anomaly_type);

#endif
