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

#endif
