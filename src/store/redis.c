#include "store/redis.h"

#include "core/log.h"
#include "core/metrics.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 50u
#define BACKOFF_LAST_MS	 1000u

struct command {
	redis_reply_cb *cb; /* NULL: our own AUTH */
	void *arg;
	int64_t deadline_us;
};

struct redis {
	struct loop *loop;
	char host[128]; /* address, or socket path */
	int port;	/* 0: host is a path */
	char *password;
	unsigned deadline_ms, connect_ms;

	redisAsyncContext *ac;
	int fd;
	struct loop_watch *watch;
	unsigned mask;
	struct loop_timer *retry, *deadline;
	int64_t deadline_at_us, since_us;
	bool connected, closed;
	bool writing; /* we write ourselves: no need to wait for epoll */
	unsigned backoff_ms;
	uint64_t random;

	struct command *ring;
	size_t head, count, size;
	char error[200];
	bool news; /* it was another one before, worth a line in the log */
	redis_state_cb *state;
	void *state_arg;
};

static void connect_start(void *);

static int64_t
now_us(const struct redis *r)
{
	return (r->loop->ops->monotonic_us(r->loop));
}

static void
timer_stop(struct redis *r, struct loop_timer **timer)
{
	if (*timer != NULL)
		r->loop->ops->cancel(r->loop, *timer);
	*timer = NULL;
}

static unsigned
backoff_next(struct redis *r)
{
	unsigned ms = r->backoff_ms;

	r->random ^= r->random << 13; /* xorshift64, Marsaglia 2003 */
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	r->backoff_ms = ms * 2 < BACKOFF_LAST_MS ? ms * 2 : BACKOFF_LAST_MS;
	return (ms / 2 + (unsigned)(r->random % (ms / 2 + 1)));
}

static void
on_io(void *arg, unsigned events)
{
	struct redis *r = arg;
	redisAsyncContext *ac = r->ac;

	if (events & (LOOP_READ | LOOP_ERROR))
		redisAsyncHandleRead(ac);
	if (r->ac == ac && (events & LOOP_WRITE))
		redisAsyncHandleWrite(ac);
}

static void
set_mask(struct redis *r, unsigned mask)
{
	if (mask == r->mask)
		return;
	if (mask == 0) {
		r->loop->ops->unwatch(r->loop, r->watch);
		r->watch = NULL;
	} else if (r->watch == NULL) {
		r->watch = r->loop->ops->watch(r->loop, r->fd, mask, on_io, r);
		if (r->watch == NULL)
			mask = 0; /* the deadline ends it */
	} else
		r->loop->ops->modify(r->loop, r->watch, mask);
	r->mask = mask;
}

static void
add_read(void *arg)
{
	struct redis *r = arg;

	set_mask(r, r->mask | LOOP_READ);
}

static void
del_read(void *arg)
{
	struct redis *r = arg;

	set_mask(r, r->mask & ~LOOP_READ);
}

static void
add_write(void *arg)
{
	struct redis *r = arg;

	if (!r->writing)
		set_mask(r, r->mask | LOOP_WRITE);
}

static void
del_write(void *arg)
{
	struct redis *r = arg;

	set_mask(r, r->mask & ~LOOP_WRITE);
}

static void
keep_error(struct redis *r, const char *why)
{
	char error[sizeof(r->error)];

	snprintf(error, sizeof(error), "%s", why);
	r->news |= strcmp(error, r->error) != 0;
	memcpy(r->error, error, sizeof(error));
}

static void
retry_later(struct redis *r)
{
	unsigned ms = backoff_next(r);

	log_event(r->news ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "redis_lost",
	    "error", LOG_STR, r->error, "retry_ms", LOG_INT, (int64_t)ms, NULL);
	r->news = false;
	timer_stop(r, &r->retry);
	if (!r->closed)
		r->retry = r->loop->ops->after(r->loop, ms, connect_start, r);
}

/* hiredis calls this once per context, its replies given, the descriptor
 * still open. */
static void
cleanup(void *arg)
{
	struct redis *r = arg;
	bool was = r->connected;

	if (r->ac->errstr != NULL && r->ac->errstr[0] != '\0')
		keep_error(r, r->ac->errstr);
	set_mask(r, 0);
	timer_stop(r, &r->deadline);
	r->ac = NULL;
	r->connected = false;
	if (was)
		r->since_us = now_us(r);
	r->news |= was;
	retry_later(r);
	if (was && r->state != NULL)
		r->state(r->state_arg, false);
}

static void
drop(struct redis *r, const char *why)
{
	keep_error(r, why);
	redisAsyncFree(r->ac);
}

static void
on_deadline(void *arg)
{
	struct redis *r = arg;
	int64_t now = now_us(r), first;

	r->deadline = NULL;
	if (r->count == 0)
		return;
	first = r->ring[r->head].deadline_us; /* all have the same time */
	if (first <= now) {
		drop(r, "a command was over its deadline");
		return;
	}
	r->deadline = r->loop->ops->after(
	    r->loop, (unsigned)((first - now) / 1000 + 1), on_deadline, r);
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
	struct redis *r = arg;
	struct command c = r->ring[r->head];
	const redisReply *answer = reply;

	r->head = (r->head + 1) % r->size;
	r->count--;
	if (c.cb != NULL)
		c.cb(c.arg, answer);
	else if (answer != NULL && answer->type == REDIS_REPLY_ERROR) {
		keep_error(r, answer->str);
		redisAsyncDisconnect(ac);
	}
}

/* What the socket does not take now, or an error, is for the loop. */
static void
write_now(struct redis *r)
{
	int done = 0;

	if (redisBufferWrite(&r->ac->c, &done) != REDIS_OK || !done)
		set_mask(r, r->mask | LOOP_WRITE);
}

static enum err
queue_command(struct redis *r, const char *command, size_t len,
    redis_reply_cb *cb, void *arg)
{
	int64_t at_us = now_us(r) + (int64_t)r->deadline_ms * 1000;
	int rc;

	r->ring[(r->head + r->count) % r->size] =
	    (struct command){cb, arg, at_us};
	r->writing = true;
	rc = redisAsyncFormattedCommand(r->ac, on_reply, r, command, len);
	r->writing = false;
	if (rc != REDIS_OK)
		return (ERR_CACHE);
	r->count++;
	return (ERR_OK);
}

static void
send_queued(struct redis *r)
{
	write_now(r);
	if (r->deadline == NULL)
		r->deadline = r->loop->ops->after(
		    r->loop, r->deadline_ms + 1, on_deadline, r);
}

static void
send_auth(struct redis *r)
{
	char *command;
	int len = asprintf(&command, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n",
	    strlen(r->password), r->password);

	if (len < 0)
		return;
	if (queue_command(r, command, (size_t)len, NULL, NULL) == ERR_OK)
		send_queued(r);
	free(command);
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct redis *r = ac->ev.data;

	if (status != REDIS_OK)
		return; /* cleanup() follows */
	timer_stop(r, &r->retry);
	r->connected = true;
	r->since_us = now_us(r);
	r->backoff_ms = BACKOFF_FIRST_MS;
	metric_count(COUNTER_REDIS_RECONNECTS, 1);
	log_event(LOG_LEVEL_INFO, "redis_connected", NULL);
	if (r->password != NULL)
		send_auth(r);
	if (r->state != NULL)
		r->state(r->state_arg, true);
}

static void
on_connect_deadline(void *arg)
{
	struct redis *r = arg;

	r->retry = NULL;
	drop(r, "no connection within the deadline");
}

static void
attach(struct redis *r, redisAsyncContext *ac)
{
	r->ac = ac;
	r->fd = ac->c.fd;
	r->mask = 0;
	r->watch = NULL;
	ac->ev.data = r;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	redisAsyncSetConnectCallback(ac, on_connect); /* asks for WRITE */
}

static void
connect_start(void *arg)
{
	struct redis *r = arg;
	redisAsyncContext *ac;

	r->retry = NULL;
	ac = r->port == 0 ? redisAsyncConnectUnix(r->host)
			  : redisAsyncConnect(r->host, r->port);
	if (ac == NULL || ac->err != 0) {
		keep_error(r, ac == NULL ? "out of memory" : ac->errstr);
		if (ac != NULL)
			redisAsyncFree(ac);
		retry_later(r);
		return;
	}
	r->retry =
	    r->loop->ops->after(r->loop, r->connect_ms, on_connect_deadline, r);
	attach(r, ac);
}

enum err
redis_send(struct redis *r, const char *command, size_t len, redis_reply_cb *cb,
    void *arg)
{
	return (redis_send_many(r, command, &len, 1, cb, arg));
}

enum err
redis_send_many(struct redis *r, const char *commands, const size_t *len,
    size_t n, redis_reply_cb *cb, void *arg)
{
	size_t i;

	if (!r->connected)
		return (ERR_CACHE);
	if (r->count + n >= r->size) /* one place is AUTH's */
		return (ERR_BUSY);
	/* hiredis refuses on its way down, so the first of them or none. */
	for (i = 0; i < n; commands += len[i++])
		if (queue_command(r, commands, len[i], cb, arg) != ERR_OK)
			break;
	if (i == n)
		send_queued(r);
	return (i == n ? ERR_OK : ERR_CACHE);
}

/* "/path", "address:port" or "[address]:port". */
static bool
parse_address(struct redis *r, const char *s)
{
	const char *colon = strrchr(s, ':');
	size_t len = strlen(s);
	char *end;
	long port;

	if (s[0] == '/') {
		if (len >= sizeof(r->host))
			return (false);
		memcpy(r->host, s, len + 1);
		return (true);
	}
	if (colon == NULL || colon == s)
		return (false);
	port = strtol(colon + 1, &end, 10);
	if (*end != '\0' || end == colon + 1 || port < 1 || port > 65535)
		return (false);
	len = (size_t)(colon - s);
	if (s[0] == '[' && colon[-1] == ']') {
		s++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(r->host) ||
	    strspn(s, "0123456789abcdefABCDEF.:") < len)
		return (false);
	memcpy(r->host, s, len);
	r->port = (int)port;
	return (true);
}

static struct redis *
redis_alloc(const struct redis_config *cf)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return (NULL);
	r->size = (cf->queue_max != 0 ? cf->queue_max : 256) + 1;
	r->ring = calloc(r->size, sizeof(r->ring[0]));
	if (cf->password != NULL && cf->password[0] != '\0')
		r->password = strdup(cf->password);
	if (r->ring == NULL ||
	    (cf->password != NULL && cf->password[0] != '\0' &&
		r->password == NULL)) {
		free(r->ring);
		free(r->password);
		free(r);
		return (NULL);
	}
	return (r);
}

struct redis *
redis_new(
    struct loop *loop, const struct redis_config *cf, struct err_info *info)
{
	struct redis *r = redis_alloc(cf);

	if (r == NULL) {
		err_set(info, ERR_NO_MEMORY, NULL, "redis");
		return (NULL);
	}
	r->loop = loop;
	r->deadline_ms = cf->deadline_ms != 0 ? cf->deadline_ms : 1000;
	r->connect_ms = cf->connect_ms != 0 ? cf->connect_ms : 2000;
	r->backoff_ms = BACKOFF_FIRST_MS;
	r->since_us = now_us(r);
	r->random = ((uint64_t)r->since_us << 20 ^ (uint64_t)getpid()) | 1;
	if (!parse_address(r, cf->address)) {
		err_set(info, ERR_INVALID, NULL,
		    "%s: not a socket path or address:port", cf->address);
		redis_free(r);
		return (NULL);
	}
	r->retry = loop->ops->after(loop, 0, connect_start, r);
	return (r);
}

void
redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	r->closed = true;
	if (r->ac != NULL)
		redisAsyncFree(r->ac);
	timer_stop(r, &r->retry);
	timer_stop(r, &r->deadline);
	free(r->ring);
	free(r->password);
	free(r);
}

void
redis_on_state(struct redis *r, redis_state_cb *cb, void *arg)
{
	r->state = cb;
	r->state_arg = arg;
}

void
redis_state(const struct redis *r, struct redis_state *ret)
{
	ret->connected = r->connected;
	ret->since_us = r->since_us;
	ret->in_flight = r->count;
	memcpy(ret->error, r->error, sizeof(ret->error));
}
