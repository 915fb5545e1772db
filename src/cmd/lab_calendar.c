#include "cmd/lab_calendar.h"

#include "cmd/feed_csv.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "domain/calendar.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool
digits(const char *s, const char *shape)
{
	for (; *shape != '\0'; s++, shape++)
		if (*shape == '0' ? !isdigit((unsigned char)*s) : *s != *shape)
			return (false);
	return (*s == '\0');
}

/* Day first, as most of those who write dates with strokes do. */
static bool
date(const char *s, int64_t *ret_us)
{
	char text[sizeof("2026-12-25T00:00:00Z")];
	int len;

	if (digits(s, "0000-00-00"))
		len = snprintf(text, sizeof(text), "%sT00:00:00Z", s);
	else if (digits(s, "00/00/0000"))
		len = snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT00:00:00Z",
		    s + 6, s + 3, s);
	else
		return (false);
	return (len > 0 && (size_t)len < sizeof(text) &&
	    instant_parse(text, (size_t)len, ret_us));
}

static bool
collect(struct csv *c, struct calendar_day *h, size_t *ret_n)
{
	enum csv_result r;
	int64_t t;

	while ((r = csv_next(c)) == CSV_OK) {
		if (!date(c->cells[0], &t)) {
			if (c->line == 1 &&
			    strpbrk(c->cells[0], "0123456789") == NULL)
				continue;
			tool_error(
			    "%s: line %zu: not a date", c->path, c->line);
			return (false);
		}
		if (*ret_n == LAB_HOLIDAYS_MOST) {
			tool_error("%s: line %zu: too many", c->path, c->line);
			return (false);
		}
		h[*ret_n].day = (int32_t)(t / US_PER_DAY);
		h[*ret_n].feast = calendar_feast(
		    c->ncells > 1 ? c->cells[1] : NULL, h[*ret_n].day);
		(*ret_n)++;
	}
	return (r == CSV_END);
}

static bool
keep(struct lab_calendar *c, const struct calendar_day *h, size_t n)
{
	size_t i;

	c->days = calloc(n + 1, sizeof(*c->days));
	c->feasts = calloc(n + 1, sizeof(*c->feasts));
	if (c->days == NULL || c->feasts == NULL) {
		tool_error("out of memory");
		lab_calendar_free(c);
		return (false);
	}
	for (i = 0; i < n; i++) {
		c->days[i] = h[i].day;
		c->feasts[i] = h[i].feast;
	}
	c->n = n;
	return (true);
}

bool
lab_calendar_read(struct lab_calendar *c, const char *path)
{
	struct calendar_day *h = calloc(LAB_HOLIDAYS_MOST, sizeof(*h));
	struct csv in;
	size_t n = 0;
	bool ok;

	*c = (struct lab_calendar){0};
	if (h == NULL || !csv_open(&in, path, ',')) {
		free(h);
		return (false);
	}
	ok = collect(&in, h, &n);
	csv_close(&in);
	ok = ok && keep(c, h, calendar_sort(h, n));
	free(h);
	return (ok);
}

void
lab_calendar_free(struct lab_calendar *c)
{
	free(c->days);
	free(c->feasts);
	*c = (struct lab_calendar){0};
}
