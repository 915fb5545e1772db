#include "edge/conn.h"
#include "edge/tls.h"

#include "core/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include <kore/kore.h>

#define TURNS_MAX     64 /* reads before others get their turn */
#define LINGER_US     2000000
#define DRAIN_READ_US 1000000
#define AGAIN_MS      1
#define GRACE_US      2000000 /* before a body, or a wait, may yield */
#define POUR_LOW      65536   /* bytes; below it more is asked for */
#define TAKE_MIN      1024    /* bytes a second of an answer; slower is idle */

struct gate_limits conn_limits;
int64_t conn_header_timeout_us, conn_body_timeout_us;
void (*conn_handler)(struct exchange *);
bool conn_heads;

static size_t (*route_body_max)(enum method, const char *path);
static TAILQ_HEAD(, conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static TAILQ_HEAD(, conn) buried = TAILQ_HEAD_INITIALIZER(buried);
static unsigned nconns, nconns_max;
static int64_t keepalive_us;
static bool draining, again_due;

EDGE_EXPORT void edge_accept(struct connection *);
static void conn_pump(struct conn *);

void
conn_open(const struct edge_config *config, void (*handle)(struct exchange *))
{
	conn_limits.header_max = config->header_max;
	conn_limits.target_max = TARGET_MAX;
	conn_limits.body_max = config->body_max;
	conn_limits.headers_max = config->headers_max;
	keepalive_us = (int64_t)config->keepalive_s * 1000000;
	conn_header_timeout_us = (int64_t)config->header_timeout_s * 1000000;
	conn_body_timeout_us = (int64_t)config->body_timeout_s * 1000000;
	nconns_max = config->connections_max;
	route_body_max = config->route_body_max;
	conn_handler = handle;
	conn_heads = config->heads;
}

size_t
conn_body_max(const struct gate_head *h)
{
	size_t max = conn_limits.body_max, here = max;

	if (route_body_max != NULL)
		here = route_body_max(h->method, h->target.path);
	return (here < max ? here : max);
}

void
conn_expire_sending(struct conn *k)
{
	k->taken = 0;
	conn_expire_in(k, conn_body_timeout_us);
}

unsigned
conn_keepalive_s(void)
{
	return ((unsigned)(keepalive_us / 1000000));
}

bool
conn_draining(void)
{
	return (draining);
}

/* Kore closes the descriptor and frees ssl after its present batch. */
void
conn_close(struct conn *k)
{
	if (k->state != CLOSED)
		kore_connection_disconnect(k->c);
}

static void
on_disconnect(struct connection *c)
{
	struct conn *k = c->hdlr_extra;
	enum state was = k->state;

	c->hdlr_extra = NULL; /* Kore would kore_free() it */
	if (was == SHAKE)
		metric_count(COUNTER_TLS_FAILED, 1);
	k->state = CLOSED;
	nconns--;
	client_leave(k);
	TAILQ_REMOVE(&conns, k, list);
	TAILQ_INSERT_TAIL(&buried, k, list);
	/* Kore says close_notify, which would make a part look whole. */
	if (was == POUR || wire_kept(k) > 0)
		SSL_set_quiet_shutdown(k->ssl, 1);
	if ((was == BUSY || was == POUR || k->on_body != NULL) &&
	    k->x.on_gone != NULL)
		k->x.on_gone(&k->x);
	wire_in_drop(k);
	wire_out_drop(k);
}

void
conn_arm(struct conn *k)
{
	unsigned mask = 0;

	if (k->state == CLOSED)
		return;
	if (k->state != SEND && !k->deaf)
		mask |= EPOLLIN;
	if (wire_kept(k) > 0 || k->write_wanted || k->hungry || k->choked)
		mask |= EPOLLOUT;
	if (mask != k->armed) {
		k->armed = mask;
		kore_platform_event_schedule(k->c->fd, (int)mask, 0, k->c);
	}
}

/*
 * A close with unread input makes the kernel send RST, which may destroy the
 * answer on its way: say goodbye and wait for the client to hang up.
 */
static void
conn_linger(struct conn *k)
{
	wire_in_drop(k);
	k->state = LINGER;
	k->deaf = false;
	ERR_clear_error();
	(void)SSL_shutdown(k->ssl);
	(void)shutdown(k->c->fd, SHUT_WR);
	conn_expire_in(k, LINGER_US);
}

void
conn_next(struct conn *k)
{
	wire_out_drop(k);
	if (k->proxied)
		client_forget(k);
	if (k->closing || draining) {
		conn_linger(k);
		return;
	}
	wire_in_next(k);
	k->state = IDLE;
	k->deaf = false;
	conn_expire_in(k, keepalive_us);
	if (k->in_len > 0 || SSL_has_pending(k->ssl))
		conn_pump(k);
}

/* Who takes it too slowly holds a place for nothing. */
static void
conn_took(struct conn *k, size_t n)
{
	k->taken += n;
	if (k->taken >= (size_t)(conn_body_timeout_us / 1000000) * TAKE_MIN)
		conn_expire_sending(k);
}

static void
conn_flush(struct conn *k)
{
	size_t before = wire_kept(k);

	if (k->choked || !wire_flush(k)) {
		conn_close(k);
		return;
	}
	if (k->state == SEND && wire_kept(k) == 0) {
		conn_next(k);
		return;
	}
	if (k->state == POUR && wire_kept(k) == 0)
		k->deadline_us = 0;
	else if (k->state == POUR || k->state == SEND)
		conn_took(k, before - wire_kept(k));
	if (k->hungry && wire_kept(k) < POUR_LOW) {
		k->hungry = false;
		k->pull(&k->x);
	}
}

/* As wire_read(). */
static int
conn_fill(struct conn *k)
{
	bool plain = k->state == BODY && !k->head.chunked;
	size_t *len = plain ? &k->body_len : &k->in_len;
	char *to = k->body;
	size_t room = k->body_room - k->body_len;
	int n;

	if (!plain) {
		if (!wire_in_take(k))
			return (-1);
		to = k->in;
		room = CONN_IN_SIZE - 1 - k->in_len;
	}
	if ((n = wire_read(k, to + *len, room)) > 0)
		*len += (size_t)n;
	return (n);
}

static bool
conn_reads(const struct conn *k)
{
	return (k->state == IDLE || k->state == HEAD || k->state == BODY);
}

static void
pump_again(void *arg, u_int64_t now)
{
	struct conn *k;

	(void)arg;
	(void)now;
	again_due = false;
	/* A handler may close any of them, so begin anew after each; the one
	 * that had its turn goes last. */
	do {
		for (k = TAILQ_FIRST(&conns); k != NULL && !k->again;
		     k = TAILQ_NEXT(k, list))
			;
		if (k == NULL)
			break;
		k->again = false;
		TAILQ_REMOVE(&conns, k, list);
		TAILQ_INSERT_TAIL(&conns, k, list);
		/* An event may have completed its request in the meantime. */
		if (conn_reads(k))
			conn_pump(k);
	} while (!again_due);
}

void
conn_again(struct conn *k)
{
	k->again = true;
	if (!again_due)
		(void)kore_timer_add(
		    pump_again, AGAIN_MS, NULL, KORE_TIMER_ONESHOT);
	again_due = true;
	conn_arm(k);
}

/* The next request, or its begin, came with the one before. */
static bool
conn_has_next(const struct conn *k)
{
	return (k->state == IDLE && k->in_len > 0);
}

static void
conn_pump(struct conn *k)
{
	int turns = 0, n;

	if (k->pumping)
		return;
	k->pumping = true;
	do {
		if ((n = conn_has_next(k) ? 1 : conn_fill(k)) > 0)
			serve_advance(k);
		else if (n < 0)
			conn_close(k);
	} while (n > 0 && conn_reads(k) &&
	    (conn_has_next(k) || SSL_has_pending(k->ssl)) &&
	    ++turns < TURNS_MAX);
	k->pumping = false;
	if (k->state == IDLE && !conn_has_next(k))
		wire_in_drop(k);
	if (turns == TURNS_MAX)
		conn_again(k);
	else
		conn_arm(k);
}

static void
conn_shake(struct conn *k)
{
	int r;

	if (k->ssl == NULL && (k->ssl = tls_session_new(k->c->fd)) == NULL) {
		conn_close(k);
		return;
	}
	k->c->ssl = k->ssl; /* Kore frees it */
	ERR_clear_error();
	r = SSL_accept(k->ssl);
	if (r == 1) {
		k->write_wanted = false;
		k->x.client = tls_client_name(k->ssl);
		k->state = IDLE; /* and still within the time of SHAKE */
		conn_pump(k);
	} else if (wire_result(k, r) == 0) {
		k->write_wanted = SSL_want_write(k->ssl);
		conn_arm(k);
	} else
		conn_close(k);
}

static void
conn_discard(struct conn *k)
{
	static char sink[16384];
	ssize_t n = recv(k->c->fd, sink, sizeof(sink), 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		conn_close(k);
}

static void
on_event(void *arg, int error)
{
	struct connection *c = arg;
	struct conn *k = c->hdlr_extra;
	int ready = c->evt.flags;

	c->evt.flags = 0; /* Kore only ever sets them */
	if (k == NULL)
		return;
	if (error) {
		conn_close(k);
		return;
	}
	if ((ready & KORE_EVENT_WRITE) &&
	    (wire_kept(k) > 0 || k->hungry || k->choked)) {
		conn_flush(k);
		conn_arm(k);
	}
	if (k->state == SHAKE)
		conn_shake(k);
	else if (!(ready & KORE_EVENT_READ))
		conn_arm(k);
	else if (conn_reads(k))
		conn_pump(k);
	else if (k->state == LINGER)
		conn_discard(k);
	else {
		k->deaf = true;
		conn_arm(k);
	}
}

/* Nothing is under way for it, and it says nothing. */
static bool
idles(const struct conn *k)
{
	return (k->state == SHAKE || k->state == IDLE || k->state == HEAD ||
	    k->state == LINGER);
}

/* Of a proxy's or of the others; NULL: none may yield. */
static struct conn *
longest_silent(bool proxied)
{
	int64_t most = edge_monotonic_us() - GRACE_US;
	struct conn *k, *longest = NULL;

	for (k = TAILQ_FIRST(&conns); k != NULL; k = TAILQ_NEXT(k, list))
		if (k->proxied == proxied && idles(k) && k->waits_us <= most) {
			longest = k;
			most = k->waits_us - 1;
		}
	return (longest);
}

/* Keeps a place free: else a few addresses that hold what they may, and do
 * nothing with it, keep everybody out. A proxy has its own means against
 * those, and yields last. */
static void
make_place(void)
{
	struct conn *k;

	while (nconns >= nconns_max) {
		if ((k = longest_silent(false)) == NULL &&
		    (k = longest_silent(true)) == NULL)
			return;
		metric_count(COUNTER_EDGE_YIELDED, 1);
		conn_close(k);
	}
}

/* Kore calls it by name for each accepted connection. */
void
edge_accept(struct connection *c)
{
	struct conn *k = NULL;

	/* Kore's own timer would cut us off after 5 s. */
	c->idle_timer.length = UINT64_MAX;
	if (nconns < nconns_max && !draining)
		k = calloc(1, sizeof(*k));
	if (k != NULL)
		k->c = c;
	if (k == NULL || !client_enter(k)) {
		free(k);
		kore_connection_disconnect(c);
		return;
	}
	k->x.ops = &serve_ops;
	c->hdlr_extra = k;
	c->disconnect = on_disconnect;
	c->evt.handle = on_event;
	conn_expire_in(k, conn_header_timeout_us);
	TAILQ_INSERT_TAIL(&conns, k, list);
	nconns++;
	make_place();
}

static void
conn_expire(struct conn *k)
{
	struct err_info info = {.code = ERR_OK};

	if (k->state != HEAD && k->state != BODY) {
		conn_close(k);
		return;
	}
	(void)err_set(&info, ERR_TIMEOUT, NULL, "The %s took too long",
	    k->state == HEAD ? "header" : "body");
	serve_refuse(k, &info);
}

/* Bytes a second so far. */
static double
body_rate(const struct conn *k, int64_t now_us)
{
	return ((double)k->body_len * 1e6 / (double)(now_us - k->body_from_us));
}

bool
conn_make_room(const struct conn *but)
{
	struct err_info info = {.code = ERR_OK};
	int64_t now = edge_monotonic_us();
	struct conn *k, *slowest = NULL;

	for (k = TAILQ_FIRST(&conns); k != NULL; k = TAILQ_NEXT(k, list))
		if (k != but && k->state == BODY && k->body_owned &&
		    now - k->body_from_us >= GRACE_US &&
		    (slowest == NULL ||
			body_rate(k, now) < body_rate(slowest, now)))
			slowest = k;
	if (slowest == NULL)
		return (false);
	(void)err_set(&info, ERR_BUSY, NULL,
	    "Too much is being received, and this too slowly; try again");
	serve_refuse(slowest, &info);
	if (slowest->body_owned) /* the answer is stuck */
		conn_close(slowest);
	return (true);
}

void
conn_tick(void)
{
	int64_t now = edge_monotonic_us();
	struct conn *k, *next;

	for (k = TAILQ_FIRST(&conns); k != NULL; k = next) {
		next = TAILQ_NEXT(k, list);
		if (k->deadline_us != 0 && now >= k->deadline_us)
			conn_expire(k);
	}
	make_place();
	while ((k = TAILQ_FIRST(&buried)) != NULL) {
		TAILQ_REMOVE(&buried, k, list);
		free(k->x.client);
		free(k);
	}
}

void
conn_drain(void)
{
	int64_t soon = edge_monotonic_us() + DRAIN_READ_US;
	struct conn *k, *next;

	draining = true;
	for (k = TAILQ_FIRST(&conns); k != NULL; k = next) {
		next = TAILQ_NEXT(k, list);
		if (k->state == IDLE) {
			conn_linger(k);
			conn_arm(k);
		} else if (k->state == SHAKE)
			conn_close(k);
		else if (conn_reads(k) && k->deadline_us > soon)
			k->deadline_us = soon;
	}
}

unsigned
conn_active(void)
{
	const struct conn *k;
	unsigned n = 0;

	for (k = TAILQ_FIRST(&conns); k != NULL; k = TAILQ_NEXT(k, list))
		n += k->state == HEAD || k->state == BODY || k->state == BUSY ||
		    k->state == POUR || k->state == SEND;
	return (n);
}

void
conn_close_all(void)
{
	struct conn *k;

	while ((k = TAILQ_FIRST(&conns)) != NULL)
		conn_close(k);
	kore_connection_prune(KORE_CONNECTION_PRUNE_DISCONNECT);
}
