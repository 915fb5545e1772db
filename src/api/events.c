#include "api/events_parts.h"

#include "api/handlers.h"
#include "api/stream.h"
#include "auth/revoked.h"
#include "core/loop.h"
#include "core/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS	    1000
#define RETRY_MS    2000 /* a client waits so long before it comes back */
#define NOTE_MAX    256
#define BEATS_MAX   128 /* a tick; the others have theirs in the next */
#define LAST_ID	    "Last-Event-ID"
#define FRAMES_ROOM (STREAM_PIECE + 4096)

static void serve(struct listener *);

static int64_t
now_us(const struct events *e)
{
	return (e->api->clocks.monotonic_us());
}

static void
forget(struct listener *l)
{
	struct events *e = l->feed;

	l->gone = true;
	if (e->turn == l)
		e->turn = TAILQ_NEXT(l, list);
	TAILQ_REMOVE(&e->listeners, l, list);
	metric_gauge_add(GAUGE_LISTENERS, -1);
	if (--e->nlisteners == 0)
		events_close(e);
}

static void
on_gone(struct request *r)
{
	forget(r->state);
}

static void
say(struct listener *l, const char *text, size_t len)
{
	l->wrote_us = now_us(l->feed);
	l->thirsty = false;
	stream_write(l->r, text, len);
}

/* The last that he hears; he is forgotten. */
static void
let_go(struct listener *l, const char *reason)
{
	char note[NOTE_MAX];
	int n = snprintf(note, sizeof(note),
	    "event: end\ndata: {\"reason\": \"%s\"}\n\n", reason);

	forget(l);
	stream_write(l->r, note, (size_t)n);
	stream_end(l->r, true);
}

/* What he could not be told any more: ids behind `at` up to `until`. */
static int
write_gap(char *note, struct listener *l, int64_t until)
{
	int n = snprintf(note, NOTE_MAX,
	    "id: %lld\nevent: gap\ndata: {\"after\": %lld, \"until\": "
	    "%lld}\n\n",
	    (long long)until, (long long)l->at, (long long)until);

	l->at = until;
	return (n);
}

static void
take_page(struct listener *l, const struct rows *rows)
{
	int64_t pruned = events_pruned(rows);
	char note[NOTE_MAX];
	struct event e;
	struct text t;
	uint64_t sent = 0;
	int n;

	text_init(&t, EVENTS_BYTES);
	if (pruned > l->at)
		text_add(&t, note, (size_t)write_gap(note, l, pruned));
	for (n = 0; n < rows->n && events_read(rows, n, &e); n++) {
		if (e.id > l->at && events_filter_fits(&l->filter, &e)) {
			text_add(&t, e.frame, e.len);
			sent++;
		}
		if (text_ok(&t) && e.id > l->at)
			l->at = e.id;
		free(e.frame);
	}
	if (l->at >= l->feed->base) {
		l->behind = false;
		l->place = events_place(l->feed, l->at);
	}
	metric_count(COUNTER_EVENTS_TOLD, sent);
	if (t.len > 0)
		say(l, t.s, t.len);
	text_done(&t);
}

static void
on_page(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct listener *l = arg;
	struct request *r = l->r;

	(void)info;
	l->asking = false;
	if (!l->gone && rows != NULL) {
		take_page(l, rows);
		serve(l);
	}
	request_release(r);
}

/* Not taken now: the tick tries again. */
static void
ask_page(struct listener *l)
{
	struct api *api = l->feed->api;
	struct param params[] = {{NULL, -1, false}, {EVENTS_PAGE, -1, false}};
	struct err_info info = {.code = ERR_OK};
	char at[24];

	if (l->asking)
		return;
	(void)snprintf(at, sizeof(at), "%lld", (long long)l->at);
	params[0].data = at;
	if (api->query.run(api->query.self,
		&(struct query){.statement = ST_events_after,
		    .lane = LANE_SLOW,
		    .params = params,
		    .nparams = 2,
		    .tag = l->r->request_id},
		on_page, l, &info) != ERR_OK)
		return;
	l->asking = true;
	request_hold(l->r);
}

static void
greet(struct listener *l)
{
	char note[2 * NOTE_MAX];
	int n;

	if (l->newest < l->at) /* of another database, or of one set back */
		n = write_gap(note, l, l->newest);
	else
		n = snprintf(note, NOTE_MAX, "id: %lld\n\n", (long long)l->at);
	n += snprintf(note + n, NOTE_MAX, "retry: %d\n\n", RETRY_MS);
	l->greeted = true;
	say(l, note, (size_t)n);
}

/* It carries on what he heard of what his filter left out. */
static void
beat(struct listener *l)
{
	char note[NOTE_MAX];
	int n =
	    snprintf(note, sizeof(note), ":\nid: %lld\n\n", (long long)l->at);

	say(l, note, (size_t)n);
}

/* Of what is kept, as much as one piece of his stream takes. */
static void
give(struct listener *l)
{
	static char frames[FRAMES_ROOM];
	struct events *e = l->feed;
	const struct event *event;
	size_t len = 0;
	uint64_t sent = 0;

	for (; l->place < e->next; l->place++) {
		event = events_at(e, l->place);
		if (event->id > l->at &&
		    events_filter_fits(&l->filter, event)) {
			if (len > 0 && len + event->len > sizeof(frames))
				break;
			if (event->len > sizeof(frames)) {
				say(l, event->frame, event->len);
				sent++;
				l->at = event->id;
				l->place++;
				break;
			}
			memcpy(frames + len, event->frame, event->len);
			len += event->len;
			sent++;
		}
		if (event->id > l->at)
			l->at = event->id;
	}
	metric_count(COUNTER_EVENTS_TOLD, sent);
	if (len > 0)
		say(l, frames, len);
}

/* May let him go. */
static void
serve(struct listener *l)
{
	if (!l->greeted && l->thirsty)
		greet(l);
	else if (!l->behind && l->place < l->feed->first)
		let_go(l, "too_slow");
	else if (!l->thirsty)
		return;
	else if (!l->follows && l->at >= l->newest)
		let_go(l, "caught_up");
	else if (l->behind)
		ask_page(l);
	else
		give(l);
}

static void
on_pull(struct request *r)
{
	struct listener *l = r->state;

	l->thirsty = true;
	serve(l);
}

/* Not all at once: requests of others come in between. */
static void
on_round(void *arg)
{
	struct events *e = arg;
	struct loop *loop = e->api->loop;
	struct listener *l;

	e->round = NULL;
	for (int i = 0; i < EVENTS_TURN && (l = e->turn) != NULL; i++) {
		e->turn = TAILQ_NEXT(l, list);
		serve(l);
	}
	if (e->turn == NULL && e->once_more) {
		e->once_more = false;
		e->turn = TAILQ_FIRST(&e->listeners);
	}
	if (e->turn != NULL)
		e->round = loop->ops->after(loop, 0, on_round, e);
}

/* Those who were served in this round already are served in the next. */
void
events_serve(struct events *e)
{
	struct loop *loop = e->api->loop;

	if (e->turn == NULL)
		e->turn = TAILQ_FIRST(&e->listeners);
	else
		e->once_more = true;
	if (e->round == NULL)
		e->round = loop->ops->soon(loop, on_round, e);
}

/* NULL: he may go on. */
static const char *
why_over(const struct listener *l)
{
	const struct api *api = l->feed->api;
	const struct principal *who = &l->r->who;

	if (api->draining != NULL && api->draining())
		return ("stopping");
	if (who->expires_us != 0 && api->clocks.now_us() >= who->expires_us)
		return ("token_expired");
	if (revoked_known(api->revoked) &&
	    revoked_has(api->revoked, &who->ends))
		return ("session_ended");
	return (NULL);
}

static void
on_tick(void *arg)
{
	struct events *e = arg;
	struct listener *l, *next;
	int64_t idle_since = now_us(e) - (int64_t)e->config.heartbeat_ms * 1000;
	const char *why;
	int beats = 0;

	e->tick = e->api->loop->ops->after(e->api->loop, TICK_MS, on_tick, e);
	for (l = TAILQ_FIRST(&e->listeners); l != NULL; l = next) {
		next = TAILQ_NEXT(l, list);
		if ((why = why_over(l)) != NULL)
			let_go(l, why);
		else if (l->thirsty && l->behind)
			serve(l);
		else if (l->thirsty && l->wrote_us <= idle_since &&
		    beats++ < BEATS_MAX)
			beat(l);
	}
	events_ask(e);
}

static void
listen_to(struct request *r, int64_t newest)
{
	struct listener *l = r->state;
	struct events *e = l->feed;

	l->newest = newest;
	if (!l->resumes)
		l->at = newest;
	l->wrote_us = now_us(e);
	TAILQ_INSERT_TAIL(&e->listeners, l, list);
	metric_gauge_add(GAUGE_LISTENERS, 1);
	if (e->nlisteners++ == 0) {
		events_open(e, newest);
		events_ask(e);
	}
	l->behind = l->at < e->base;
	l->place = events_place(e, l->at < newest ? l->at : newest);
}

static void
on_begun(struct request *r, const struct rows *rows)
{
	static const struct header headers[] = {
	    {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
	static const struct stream stream = {.status = 200,
	    .content_type = "text/event-stream",
	    .headers = headers,
	    .nheaders = 2,
	    .pull = on_pull,
	    .gone = on_gone};
	struct listener *l = r->state;
	const char *newest;
	int len;

	if (rows->n != 1 || (newest = rows->get(rows, 0, 0, &len)) == NULL)
		reply_error(r, ERR_INTERNAL, NULL, "no answer on events");
	else if (!events_filter_zones(
		     &l->filter, &r->arena, rows->get(rows, 0, 1, &len)))
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	else if (stream_begin(r, &stream))
		listen_to(r, strtoll(newest, NULL, 10));
}

static bool
has_room(struct request *r, const struct events *e)
{
	const struct listener *l;
	unsigned own = 0;

	TAILQ_FOREACH(l, &e->listeners, list)
	own += strcmp(l->r->who.name, r->who.name) == 0;
	if (r->api->draining != NULL && r->api->draining())
		reply_error(r, ERR_DRAINING, NULL, "the server is stopping");
	else if (own >= e->config.person_max)
		reply_error(
		    r, ERR_TOO_MANY, NULL, "you listen %u times already", own);
	else if (e->nlisteners >= e->config.listeners_max)
		reply_error(r, ERR_BUSY, NULL, "too many listen");
	else
		return (true);
	return (false);
}

/* Where he heard the last: a browser's header goes before the parameter, as
 * the URL stays what it was when he began. */
static bool
read_last(struct request *r, struct listener *l)
{
	const char *s = request_header(r, LAST_ID);
	size_t n;

	if (s == NULL || *s == '\0')
		s = request_query(r, "after");
	if (s == NULL)
		return (true);
	n = strspn(s, "0123456789");
	if (n == 0 || n > 18 || s[n] != '\0') {
		reply_error(
		    r, ERR_BAD_REQUEST, NULL, LAST_ID " is an event's id");
		return (false);
	}
	l->resumes = true;
	l->at = strtoll(s, NULL, 10);
	return (true);
}

static bool
read_types(struct request *r, struct listener *l)
{
	const char *list = request_query(r, "type"), *word;

	if (list == NULL || events_filter_types(&l->filter, list, &word))
		return (true);
	reply_error(r, ERR_INVALID, NULL,
	    "type: up to %d kinds (anomaly) or types (plan.proposed) with "
	    "commas, not \"%.*s\"",
	    EVENTS_WORDS, (int)(strcspn(word, ",") % 64), word);
	return (false);
}

void
stream_get(struct request *r)
{
	struct events *e = r->api->events;
	struct param params[] = {
	    {r->who.name, -1, false}, {request_query(r, "zone"), -1, false}};
	struct listener *l = arena_calloc(&r->arena, 1, sizeof(*l));
	const char *follow = request_query(r, "follow");

	if (l == NULL)
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
	else if (e == NULL)
		reply_error(r, ERR_BUSY, NULL, "events are not told here");
	else if (has_room(r, e) && read_last(r, l) && read_types(r, l)) {
		l->feed = e;
		l->r = r;
		l->follows = follow == NULL || strcmp(follow, "true") == 0;
		l->filter.role = r->who.role;
		r->state = l;
		request_ask(r,
		    &(struct query){.statement = ST_events_begin,
			.lane = LANE_FAST,
			.params = params,
			.nparams = 2},
		    on_begun);
	}
}

void
events_notified(struct events *e)
{
	if (e != NULL)
		events_ask(e);
}

struct events *
events_new(struct api *api, const struct events_config *config)
{
	struct events *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return (NULL);
	e->api = api;
	e->config = *config;
	TAILQ_INIT(&e->listeners);
	e->tick = api->loop->ops->after(api->loop, TICK_MS, on_tick, e);
	if (e->tick != NULL)
		return (e);
	free(e);
	return (NULL);
}

void
events_free(struct events *e)
{
	const struct loop_ops *ops;

	if (e == NULL)
		return;
	ops = e->api->loop->ops;
	while (!TAILQ_EMPTY(&e->listeners))
		let_go(TAILQ_FIRST(&e->listeners), "stopping");
	events_close(e);
	if (e->tick != NULL)
		ops->cancel(e->api->loop, e->tick);
	if (e->round != NULL)
		ops->cancel(e->api->loop, e->round);
	free(e);
}
