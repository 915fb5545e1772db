#include "api/range_walk.h"

#include "api/api.h"
#include "core/instant.h"
#include "core/range_port.h"

#include <assert.h>

#define HOT_WINDOW_US (48 * US_PER_HOUR) /* design D6 */

static void on_part(void *, const struct range_part *, const struct err_info *);

const char *
range_tiers_name(unsigned tiers)
{
	static const char *const names[] = {
	    [0] = "warm",
	    [TIER_HOT] = "hot",
	    [TIER_WARM] = "warm",
	    [TIER_COLD] = "cold",
	};

	return (tiers < sizeof(names) / sizeof(*names) && names[tiers] != NULL
		? names[tiers]
		: "mixed");
}

/* Which tier to ask for what comes next, and how far. */
static unsigned
choose(const struct range_walk *w, int64_t *ret_to_us)
{
	const struct api *api = w->r->api;
	const struct range_port *cold = &api->range_cold;
	int64_t end = w->to_us;
	bool only = cold->self != NULL && cold->only != NULL &&
	    cold->only(cold->self, w->series, w->at_us, &end);

	*ret_to_us = end > w->at_us && end < w->to_us ? end : w->to_us;
	if (only)
		return (TIER_COLD);
	if (api->range_hot.self != NULL && !w->not_hot &&
	    w->at_us >= api->clocks.now_us() - HOT_WINDOW_US)
		return (TIER_HOT);
	return (TIER_WARM);
}

static const struct range_port *
port_of(const struct api *api, unsigned tier)
{
	return (tier == TIER_HOT    ? &api->range_hot
		: tier == TIER_COLD ? &api->range_cold
				    : &api->range_warm);
}

void
range_walk_next(struct range_walk *w)
{
	struct range range = {.series = w->series,
	    .from_us = w->at_us,
	    .max = w->max,
	    .tag = w->r->request_id};
	const struct range_port *port;
	struct err_info info;

	do {
		w->asked = choose(w, &range.to_us);
		port = port_of(w->r->api, w->asked);
		info = (struct err_info){.code = ERR_OK};
		request_hold(w->r);
		if (port->read(port->self, &range, on_part, w, &info) == ERR_OK)
			return;
		/* The last hold is the caller's. */
		request_release(w->r);
		w->not_hot |= w->asked == TIER_HOT;
	} while (w->asked == TIER_HOT);
	w->cb(w->r, NULL, 0, &info);
}

/* A hot tier that does not hold it all is not asked again. */
static void
on_part(void *arg, const struct range_part *part, const struct err_info *info)
{
	struct range_walk *w = arg;
	struct request *r = w->r;

	if (request_gone(r)) {
		request_release(r);
		return;
	}
	if (info->code != ERR_OK && w->asked == TIER_HOT) {
		w->not_hot = true;
		range_walk_next(w);
	} else if (info->code != ERR_OK)
		w->cb(r, NULL, 0, info);
	else {
		assert(part->complete_to_us > w->at_us);
		w->tiers |= w->asked;
		w->at_us = part->complete_to_us;
		w->cb(r, part->readings, part->n, info);
	}
	request_release(r);
}
