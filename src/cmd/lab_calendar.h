/*
 * lab_calendar: a file of holidays: a local date a line, 2026-12-25 or
 * 25/12/2026, and behind a comma a name if it has one; a first line without a
 * date is a head.
 *
 * Runs on: penstock-lab. Frees: lab_calendar_free(). Units: days since
 * 1970-01-01, each once, rising. Bounds: LAB_HOLIDAYS_MOST. Errors: told on
 * stderr with the line, then false.
 */
#ifndef PENSTOCK_CMD_LAB_CALENDAR_H
#define PENSTOCK_CMD_LAB_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_HOLIDAYS_MOST 10000

struct lab_calendar {
	int32_t *days;
	int32_t *feasts; /* alike: of one name, or without of one date */
	size_t n;
};

bool lab_calendar_read(struct lab_calendar *, const char *path);
void lab_calendar_free(struct lab_calendar *);

#endif
