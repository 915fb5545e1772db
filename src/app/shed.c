#include "app/shed.h"

#include "core/log.h"

#include <limits.h>
#include <stdlib.h>

#define LOOK_US	    (SHED_LOOK_MS * 1000)
#define LAG_MOST_US INT64_C(3600000000)
#define HOLD_US	    1000000 /* pressure stays for, so that it does not flicker */

struct shed {
	struct shed_config config;
	struct loop_timer *timer;
	enum pressure level;
	int64_t looked_us, until_us;
};

enum pressure
shed_judge(const struct shed_signals *s, const char **ret_why)
{
	/* From where on: readings are refused; reads, too. A quarter of each
	 * lane is so kept for those who operate. */
	const struct {
		const char *name;
		unsigned value, ingest, read;
	} rows[] = {
	    {"log", s->log, 750, UINT_MAX},
	    {"lookup", s->lanes[LANE_LOOKUP], 500, UINT_MAX},
	    {"fast", s->lanes[LANE_FAST], 500, 750},
	    {"slow", s->lanes[LANE_SLOW], 500, 750},
	    {"loop", s->lag, 1000, 4000},
	};
	enum pressure most = PRESSURE_NONE, p;

	*ret_why = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		p = rows[i].value >= rows[i].read     ? PRESSURE_READ
		    : rows[i].value >= rows[i].ingest ? PRESSURE_INGEST
						      : PRESSURE_NONE;
		if (p <= most)
			continue;
		most = p;
		*ret_why = rows[i].name;
	}
	return (most);
}

static void
set(struct shed *s, enum pressure level, const char *why)
{
	static const char *const words[] = {"none", "ingest", "reads"};

	if (level != s->level)
		log_event(LOG_LEVEL_WARN, "shedding", "what", LOG_STR,
		    words[level], "because", LOG_STR, why != NULL ? why : "",
		    NULL);
	s->level = level;
}

/* Per mille of what is too much. */
static unsigned
lag(const struct shed *s, int64_t now_us)
{
	int64_t us = now_us - s->looked_us - LOOK_US;

	if (us <= 0)
		return (0);
	return ((unsigned)((us < LAG_MOST_US ? us : LAG_MOST_US) * 1000 /
	    s->config.lag_max_us));
}

static void
look(void *arg)
{
	struct shed *s = arg;
	struct loop *loop = s->config.loop;
	struct shed_signals signals = {0};
	enum pressure level;
	const char *why;
	int64_t now = loop->ops->monotonic_us(loop);

	s->config.look(&signals);
	signals.lag = lag(s, now);
	level = shed_judge(&signals, &why);
	if (level > PRESSURE_NONE && level >= s->level)
		s->until_us = now + HOLD_US;
	if (level >= s->level || now >= s->until_us)
		set(s, level, why);
	s->looked_us = now;
	s->timer = loop->ops->after(loop, SHED_LOOK_MS, look, s);
}

struct shed *
shed_new(const struct shed_config *config)
{
	struct shed *s = calloc(1, sizeof(*s));
	struct loop *loop = config->loop;

	if (s == NULL)
		return (NULL);
	s->config = *config;
	/* A worker that begins is not behind: it waits for its first turn. */
	s->looked_us = INT64_MAX / 2;
	s->timer = loop->ops->after(loop, SHED_LOOK_MS, look, s);
	return (s);
}

void
shed_free(struct shed *s)
{
	if (s == NULL)
		return;
	if (s->timer != NULL)
		s->config.loop->ops->cancel(s->config.loop, s->timer);
	free(s);
}

enum pressure
shed_now(const struct shed *s, int64_t now_us)
{
	const struct shed_signals behind = {.lag = lag(s, now_us)};
	const char *why;
	enum pressure now;

	if (behind.lag == 0)
		return (s->level);
	now = shed_judge(&behind, &why);
	return (now > s->level ? now : s->level);
}
