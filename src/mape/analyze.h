/*
 * analyze: judges new readings in the order of their event time and opens or
 * clears anomalies, each with the id of its rule and its evidence.
 *
 * Runs on: C, pure but for decisions.anomaly_raise and _clear and the
 * notifier. Frees: nothing; evidence lives in the arena. Units: canonical.
 * Errors: those of the ports, ERR_NO_MEMORY.
 *
 * Rule ids: "threshold:ID", "rate", "flatline", "silence", "outlier",
 * "unusual:drift" and the other rules of model/watch.h.
 * A reading not newer than the last judged one is stored and not judged, but
 * heard. The wall clock is used for silence alone, so history is judged like live data.
 */
#ifndef PENSTOCK_MAPE_ANALYZE_H
#define PENSTOCK_MAPE_ANALYZE_H

#include "core/ports.h"
#include "domain/reading.h"
#include "domain/series_state.h"

struct unusual;

struct analysis {
	const struct ports *ports;
	struct arena *arena;
	int64_t now_us;
	int64_t knowledge_version;
	int64_t raised, cleared; /* counted as it goes */
	int64_t judged, odd;	 /* readings; of those raised */
	struct err_info *info;
	int64_t awake_us;  /* since when cycles have run without a break */
	int64_t steady_us; /* the same, and the clock with them */
	/* What is in it already is judged by it; or NULL. */
	struct unusual *unusual;
};

/* `s` NULL: the series is retired; its state only moves on. Readings rise
 * strictly in time. */
enum err analyze_readings(struct analysis *, const struct series *s,
    struct series_state *, const struct reading *, size_t n);
/*
 * What needs no reading: silence, and conditions whose rule was taken away
 * while they were open. *ret_changed: the state has to be saved.
 */
enum err analyze_sweep(struct analysis *, const struct series *s,
    struct series_state *, bool *ret_changed);

#endif
