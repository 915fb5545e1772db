/*
 * silence: a series that was alive and no longer speaks. The only detector on
 * the wall clock.
 *
 *	silent:  now - (receive time of its newest reading) > limit
 *
 * Only for a series that was heard live at least once: with a reading that
 * came within max(limit, 1 h) of its own time. A series never heard from, or
 * one that so far only had its history fed, is not silent. A late batch with
 * newer readings than known ends the silence, and so does an older one that
 * is younger than the limit (a clock that was ahead hides nothing). Who was
 * away himself has to listen for min(limit, 1 h) before he may say so.
 * Who never said how long is too long is told of by the waits between two
 * readings that were listened to:
 *
 *	silent:  unheard > max(1 h, k longest),  k = max(3, sqrt(2 / (a weeks)))
 *
 * The newest of n waits that are all alike in law is the longest with
 * probability 1/n, whatever the law, so once a week after so many weeks
 * 1 / weeks times; and it is k times as long as the one before k^-2 as often if
 * its tail falls no slower than x^-2, where the variance ends. So that comes to
 * a/2 a week, of a alarms to be borne with: the other half is the readings'.
 * Never sooner than 3 longest, which are no less than 3 usual ones, as where
 * people said the cadence.
 * References: Renyi 1962, "Theorie des elements saillants d'une suite
 * d'observations" (records); Pareto tails as in Pickands 1975, Ann. Statist. 3.
 * Runs on: C. Units: µs. Errors: none.
 */
#ifndef PENSTOCK_MODEL_SILENCE_H
#define PENSTOCK_MODEL_SILENCE_H

#include "domain/series_state.h"

/* Takes note of the series' newest reading. */
void silence_heard(
    int64_t limit_us, struct series_state *, int64_t t_us, int64_t received_us);
/* The same of a reading that is not the newest; false: it proves nothing. */
bool silence_heard_late(
    int64_t limit_us, struct series_state *, int64_t t_us, int64_t received_us);
/* awake_us: since when readings would have been heard. */
bool silence_judge(int64_t limit_us, const struct series_state *,
    int64_t awake_us, int64_t now_us);
/* From when on it is so if nothing is heard; INT64_MAX: never. */
int64_t
silence_due(int64_t limit_us, const struct series_state *, int64_t awake_us);

/* A wait that was listened to. */
void silence_waited(struct series_state *, int64_t wait_us);
/* The limit by its own waits, a_week > 0; 0 until it was waited for as long as
 * `least_us`. */
int64_t
silence_usual(const struct series_state *, double a_week, int64_t least_us);
/* As silence_due(), of that limit. Who was away listens for an hour or, if
 * that is longer, as long as it ever took. */
int64_t silence_usual_due(
    int64_t limit_us, const struct series_state *, int64_t awake_us);

#endif
