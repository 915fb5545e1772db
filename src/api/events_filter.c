#include "api/events_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned roles;
	bool whole; /* of the network: whatever zones were asked for */
} kinds[] = {
    {"anomaly", ALLOW_VIEWER, false},
    {"alarm", ALLOW_VIEWER, false},
    {"plan", ALLOW_VIEWER, false},
    {"command", ALLOW_VIEWER, false},
    {"loop", ALLOW_VIEWER, true},
    {"rule", ALLOW_VIEWER, true},
    {"webhook", ALLOW_ADMIN, true},
};

int
events_kind(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == len &&
		    memcmp(kinds[i].name, name, len) == 0)
			return ((int)i);
	return (-1);
}

/* "plan" or "plan.proposed" */
static bool
is_word(const char *s, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_.";
	const char *dot = memchr(s, '.', len);
	size_t kind = dot == NULL ? len : (size_t)(dot - s);

	return (len < EVENTS_WORD_MAX && strspn(s, letters) >= len &&
	    events_kind(s, kind) >= 0);
}

bool
events_filter_types(
    struct events_filter *f, const char *list, const char **ret_word)
{
	size_t len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (f->nwords == EVENTS_WORDS || !is_word(list, len)) {
			*ret_word = list;
			return (false);
		}
		memcpy(f->words[f->nwords], list, len);
		f->words[f->nwords++][len] = '\0';
		if (list[len] == '\0')
			return (true);
	}
}

bool
events_filter_zones(
    struct events_filter *f, struct arena *arena, const char *list)
{
	char *end;
	size_t n = 1;

	if ((f->all_zones = list == NULL))
		return (true);
	for (const char *s = list; *s != '\0'; s++)
		n += *s == ',';
	if ((f->zones = arena_calloc(arena, n, sizeof(*f->zones))) == NULL)
		return (false);
	while (*list != '\0') {
		f->zones[f->nzones++] = (int32_t)strtol(list, &end, 10);
		list = *end == ',' ? end + 1 : "";
	}
	return (true);
}

static bool
fits_zone(const struct events_filter *f, const struct event *e)
{
	if (f->all_zones || (e->kind >= 0 && kinds[e->kind].whole))
		return (true);
	for (size_t i = 0; i < f->nzones; i++)
		if (f->zones[i] == e->zone)
			return (true);
	return (false);
}

static bool
fits_type(const struct events_filter *f, const struct event *e)
{
	size_t n;

	for (size_t i = 0; i < f->nwords; i++) {
		n = strlen(f->words[i]);
		if (strncmp(e->type, f->words[i], n) == 0 &&
		    (e->type[n] == '\0' || e->type[n] == '.'))
			return (true);
	}
	return (f->nwords == 0);
}

bool
events_filter_fits(const struct events_filter *f, const struct event *e)
{
	unsigned roles = e->kind >= 0 ? kinds[e->kind].roles : ALLOW_ADMIN;

	return ((roles & ALLOW(f->role)) != 0 && fits_type(f, e) &&
	    fits_zone(f, e));
}
