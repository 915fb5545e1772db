#include "api/audit.h"

#include "api/api.h"
#include "auth/buckets.h"
#include "auth/key.h"
#include "auth/role.h"
#include "core/instant.h"
#include "core/loop.h"
#include "core/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ITEM_MAX  2048 /* bytes of one refusal as JSON */
#define BATCH_MAX 100
#define PLACES	  1024
#define COUNTED	  8 /* addresses named in a row of what was counted */

/* --- origin --------------------------------------------------------------- */

static void
add_string(struct text *t, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		json_string(t, name, value);
}

/* Path parameters, with '/' between: a series is a node and a metric. */
static void
add_target(struct text *t, const struct request *r)
{
	char target[ROUTE_PARAMS * sizeof(r->match.params[0].value) + 1];
	size_t n = 0, i, len;

	for (i = 0; i < r->match.nparams; i++) {
		len = strlen(r->match.params[i].value);
		if (i > 0)
			target[n++] = '/';
		memcpy(target + n, r->match.params[i].value, len);
		n += len;
	}
	if (n > 0)
		json_stringn(t, "target", target, n);
}

/* What both kinds of rows have. */
static void
add_origin(struct text *t, const struct request *r)
{
	const struct principal *who = &r->who;
	const char *peer = r->x != NULL ? r->x->peer : r->peer;

	add_string(t, "actor", who->name);
	if (who->role != ROLE_ANONYMOUS)
		json_string(t, "role", role_name(who->role));
	add_string(t, "address", peer);
	if (who->session != 0)
		json_int(t, "session", who->session);
	json_string(t, "request_id", r->request_id);
	json_string(t, "action",
	    r->match.route != NULL ? r->match.route->name : "none");
	add_target(t, r);
}

void
audit_begin(struct request *r)
{
	const struct route *route = r->match.route;
	char buf[ITEM_MAX];
	struct text t;

	/* A body of its own and no resource: readings, of which there is no
	 * record. */
	if (route->method == METHOD_GET ||
	    (route->body_own && route->resource == NULL))
		return;
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	add_origin(&t, r);
	if (r->who.zones != NULL)
		json_raw(&t, "zones", r->who.zones, strlen(r->who.zones));
	json_object_end(&t);
	r->peer = arena_strdup(&r->arena, r->x->peer);
	r->origin = text_ok(&t) ? arena_strdup(&r->arena, t.s)
				: "{\"action\": \"too long\"}";
}

/* --- how many ------------------------------------------------------------- */

static struct {
	char buf[BATCH_MAX * ITEM_MAX];
	struct text items; /* of a JSON array that is not closed yet */
	unsigned n, in_flight;
	bool timed, sum_timed;
	int64_t full_us, places[PLACES]; /* buckets, by the address's hash */
	/* What was counted only. */
	uint64_t counted, others;
	struct {
		char address[48];
		uint64_t n;
	} by[COUNTED];
} waiting;

static int64_t *
place(const char *address)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *address != '\0'; address++)
		h = (h ^ (unsigned char)*address) * 16777619u;
	return (&waiting.places[h % PLACES]);
}

static bool
may_keep(struct request *r, const char *address)
{
	static const struct rate one = {US_PER_SECOND, AUDIT_BURST},
				 all = {US_PER_SECOND / AUDIT_PER_S,
				     AUDIT_BURST_ALL};
	int64_t now_us = r->api->clocks.monotonic_us();

	return (waiting.n < BATCH_MAX &&
	    bucket_draw(place(address), &one, now_us) &&
	    bucket_draw(&waiting.full_us, &all, now_us));
}

static void
count_address(const char *address)
{
	size_t i;

	for (i = 0; i < COUNTED && waiting.by[i].n > 0; i++)
		if (strcmp(waiting.by[i].address, address) == 0)
			break;
	if (i == COUNTED)
		waiting.others++;
	else if (waiting.by[i].n++ == 0)
		(void)snprintf(waiting.by[i].address,
		    sizeof(waiting.by[i].address), "%s", address);
}

/* --- batches -------------------------------------------------------------- */

static void flush(void *);

static void
flush_within(struct api *api, bool *timed, unsigned ms, void (*run)(void *))
{
	if (*timed)
		return;
	*timed = api->loop != NULL &&
	    api->loop->ops->after(api->loop, ms, run, api) != NULL;
	if (!*timed)
		run(api);
}

/* arg: how many there were. */
static void
on_stored(void *arg, const struct rows *rows, const struct err_info *info)
{
	uint64_t n = (uintptr_t)arg;

	(void)rows;
	waiting.in_flight--;
	metric_count(info->code == ERR_OK ? COUNTER_REFUSALS_KEPT
					  : COUNTER_REFUSALS_LOST,
	    n);
	if (info->code != ERR_OK) {
		waiting.counted += n;
		waiting.others += n;
	}
}

static void
flush(void *arg)
{
	struct api *api = arg;
	struct err_info info = {.code = ERR_OK};
	void *n = (void *)(uintptr_t)waiting.n;

	waiting.timed = false;
	if (waiting.n == 0)
		return;
	json_array_end(&waiting.items);
	waiting.n = 0;
	waiting.in_flight++;
	if (api->query.run(api->query.self,
		&(struct query){
		    .statement = ST_audit_refuse,
		    .lane = LANE_SLOW,
		    .params = &(struct param){waiting.items.s,
			(int)waiting.items.len, false},
		    .nparams = 1,
		},
		on_stored, n, &info) != ERR_OK)
		on_stored(n, NULL, &info);
}

static void
add_item(struct api *api, const char *item)
{
	if (waiting.n == 0) {
		text_init_fixed(
		    &waiting.items, waiting.buf, sizeof(waiting.buf));
		json_array(&waiting.items, NULL);
	}
	json_raw(&waiting.items, NULL, item, strlen(item));
	waiting.n++;
	flush_within(api, &waiting.timed, AUDIT_WAIT_MS, flush);
}

static void
sum_up(void *arg)
{
	struct api *api = arg;
	char item[ITEM_MAX], detail[COUNTED * 80 + 160];
	struct text t, d;
	size_t i;

	waiting.sum_timed = false;
	if (waiting.counted == 0 || waiting.n >= BATCH_MAX)
		return;
	text_init_fixed(&d, detail, sizeof(detail));
	text_printf(&d, "%" PRIu64 " more refusals:", waiting.counted);
	for (i = 0; i < COUNTED && waiting.by[i].n > 0; i++)
		text_printf(&d, " %s %" PRIu64 ",", waiting.by[i].address,
		    waiting.by[i].n);
	text_printf(&d, " others %" PRIu64, waiting.others);
	text_init_fixed(&t, item, sizeof(item));
	json_object(&t, NULL);
	json_string(&t, "action", "refusals");
	json_string(&t, "detail", d.s);
	json_object_end(&t);
	memset(waiting.by, 0, sizeof(waiting.by));
	waiting.counted = waiting.others = 0;
	add_item(api, t.s);
}

/* --- refusals ------------------------------------------------------------- */

/* Of a key its id is no secret. */
static void
add_claims(struct text *t, const struct request *r)
{
	const char *h = request_header(r, "Authorization");
	struct key key;

	if (r->who.name[0] != '\0')
		return;
	add_string(t, "claimed", r->claimed);
	if (h != NULL && strncasecmp(h, "Bearer ", 7) == 0 &&
	    key_parse(h + 7 + strspn(h + 7, " "), &key))
		json_string(t, "key", key.id);
}

/* Without a credential nothing was attempted. Where anybody may call, the
 * body holds it. */
static bool
is_refusal(const struct request *r, int status)
{
	const struct route *route = r->match.route;

	if (status == 401)
		return (request_header(r, "Authorization") != NULL ||
		    (route != NULL &&
			(route->roles & ALLOW(ROLE_ANONYMOUS)) != 0));
	return (status == 403 || status == 429);
}

void
audit_refused(struct request *r, int status, const char *detail)
{
	const char *address = r->x != NULL ? r->x->peer : r->peer;
	char item[ITEM_MAX];
	struct text t;

	if (!is_refusal(r, status))
		return;
	if (address == NULL)
		address = "";
	if (!may_keep(r, address)) {
		metric_count(COUNTER_REFUSALS_COUNTED, 1);
		waiting.counted++;
		count_address(address);
		flush_within(r->api, &waiting.sum_timed, AUDIT_SUM_MS, sum_up);
		return;
	}
	text_init_fixed(&t, item, sizeof(item));
	json_object(&t, NULL);
	add_origin(&t, r);
	add_claims(&t, r);
	json_int(&t, "status", status);
	json_string(&t, "detail", detail);
	json_object_end(&t);
	if (text_ok(&t))
		add_item(r->api, t.s);
}

bool
audit_idle(void)
{
	return (waiting.n == 0 && waiting.in_flight == 0);
}
