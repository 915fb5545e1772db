#include "api/request_steps.h"

#include "auth/limits.h"
#include "core/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHED_S 3 /* Retry-After is 1 to this: not all come back at once */

/* RFC 9110 section 10.2.3; ten ms are a second, too. */
static unsigned
seconds(int64_t us)
{
	return ((unsigned)((us + 999999) / 1000000));
}

/* draft-ietf-httpapi-ratelimit-headers-11. `t`: until the next is there. */
void
limit_tell(const struct request *r, struct head *h)
{
	const struct limit *l = r->limit;
	int64_t wait_us;

	if (l == NULL || 2 * r->quota.left >= l->quota ||
	    h->n + 2 > HEAD_HEADERS)
		return;
	wait_us = r->quota.left == 0 ? r->quota.wait_us : l->rate.every_us;
	(void)snprintf(h->limit, sizeof(h->limit), "\"%s\";r=%" PRId64 ";t=%u",
	    l->name, r->quota.left, seconds(wait_us));
	(void)snprintf(h->policy, sizeof(h->policy),
	    "\"%s\";q=%" PRId64 ";w=%" PRId64, l->name, l->quota, l->window_s);
	h->headers[h->n++] = (struct header){"RateLimit", h->limit};
	h->headers[h->n++] = (struct header){"RateLimit-Policy", h->policy};
}

/* The one of which the smaller part is left. */
static bool
is_nearer(const struct request *r, const struct limit *l, int64_t left)
{
	return (r->limit == NULL ||
	    left * r->limit->quota < r->quota.left * l->quota);
}

static bool
draw(struct request *r, const struct limit *l, const void *who, size_t len)
{
	struct err_info info = {.code = ERR_OK};
	struct drawn d;
	bool ok;

	if (l->quota == 0 || r->api->limits->buckets == NULL)
		return (true);
	ok = limits_draw(r->api->limits, l, who, len, r->started_us, &d);
	if (!ok || is_nearer(r, l, d.left)) {
		r->limit = l;
		r->quota = d;
	}
	if (ok)
		return (true);
	(void)err_set(&info, ERR_TOO_MANY, NULL,
	    "limit %s: %" PRId64 " requests in %" PRId64 " s", l->name,
	    l->quota, l->window_s);
	info.reason = l->name;
	info.retry_s = seconds(d.wait_us);
	reply_problem(r, &info);
	return (false);
}

static bool
shed(struct request *r, enum pressure from, enum metric_counter counter)
{
	struct err_info info = {.code = ERR_OK};

	if (r->api->pressure == NULL || r->api->pressure(r->started_us) < from)
		return (true);
	metric_count(counter, 1);
	r->shed = true;
	(void)err_set(&info, ERR_BUSY, NULL,
	    "more comes in than can be served: try again");
	info.retry_s = 1 + (unsigned)(r->started_us % SHED_S);
	reply_problem(r, &info);
	return (false);
}

bool
limit_address(struct request *r)
{
	enum limit_class c = route_limit(r->match.route);
	const struct limits *ls = r->api->limits;

	if (c == LIMIT_NONE)
		return (true);
	if (c == LIMIT_INGEST && !shed(r, PRESSURE_INGEST, COUNTER_SHED_INGEST))
		return (false);
	if (ls == NULL)
		return (true);
	if (draw(r, &ls->of[c][LIMIT_ADDRESS], (const char *)&r->x->place,
		sizeof(r->x->place)))
		return (true);
	metric_count(COUNTER_LIMITED_ADDRESS, 1);
	return (false);
}

/* Whoever may change something may also see what to change. */
static bool
only_reads(enum role role)
{
	return (role == ROLE_VIEWER || role == ROLE_DEVICE);
}

static bool
draw_principal(struct request *r, enum limit_class c, const char *name)
{
	const struct limits *ls = r->api->limits;

	if (ls == NULL ||
	    draw(r, &ls->of[c][LIMIT_PRINCIPAL], name, strlen(name)))
		return (true);
	metric_count(COUNTER_LIMITED_PRINCIPAL, 1);
	return (false);
}

bool
limit_principal(struct request *r)
{
	enum limit_class c = route_limit(r->match.route);

	if (c == LIMIT_NONE || r->who.role == ROLE_ANONYMOUS)
		return (true);
	if (c == LIMIT_READ && only_reads(r->who.role) &&
	    !shed(r, PRESSURE_READ, COUNTER_SHED_READ))
		return (false);
	return (draw_principal(r, c, r->who.name));
}

bool
limit_login(struct request *r, const char *username)
{
	/* Who changes a password has been counted. */
	if (r->who.role != ROLE_ANONYMOUS)
		return (true);
	return (draw_principal(r, LIMIT_LOGIN, username));
}
