/*
 * A connection is always in one state, and in all but BUSY it has a
 * deadline:
 *
 *	SHAKE -> IDLE -> HEAD -> BODY -> BUSY -> SEND -> IDLE
 *	                                          |-> LINGER -> closed
 *
 * HEAD and BODY may also go to SEND (refused). Kore's read and write paths
 * are not used: `struct connection` only carries descriptor, address and the
 * deferred free. One request at a time: while BUSY or SEND nothing is read.
 */
#include "core/log.h"
#include "core/metrics.h"
#include "core/problem.h"
#include "edge/answer.h"
#include "edge/gate.h"
#include "edge/internal.h"
#include "edge/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include <kore/kore.h>

/* Head and most bodies in one piece. */
#define IN_SIZE	       (EDGE_HEADER_MAX + 1024)
#define OUT_SIZE       (64 * 1024)
#define SPARES	       64
#define BODIES_MAX     ((size_t)256 << 20) /* bytes, of this worker */
#define TURNS_MAX      64	    /* reads before others get their turn */
#define WRITE_TURN_MAX (512 * 1024) /* bytes, the same */
#define LINGER_MS      2000
#define DRAIN_READ_MS  1000
#define AGAIN_MS       1

enum state { SHAKE, IDLE, HEAD, BODY, BUSY, SEND, LINGER, CLOSED };

struct conn {
	struct exchange x; /* first: the handler's pointer is ours */
	struct connection *c;
	SSL *ssl;
	enum state state;
	bool pumping;
	bool again; /* input waits in OpenSSL's buffer, epoll is silent */
	bool deaf;  /* the client talks while BUSY */
	bool write_wanted; /* by the handshake */
	bool closing;
	unsigned armed;	     /* epoll's mask */
	int64_t deadline_us; /* 0: none */
	char *in;
	size_t in_len;
	struct gate_scan scan;
	struct gate_head head;
	char *body; /* in `in`, or its own if owned */
	size_t body_len;
	bool body_owned;
	char *out; /* what the socket did not take yet */
	size_t out_len, out_at;
	TAILQ_ENTRY(conn) list;
};

static TAILQ_HEAD(, conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static TAILQ_HEAD(, conn) buried = TAILQ_HEAD_INITIALIZER(buried);
static unsigned nconns, nconns_max;
static struct gate_limits limits;
static int64_t keepalive_us, header_timeout_us, body_timeout_us;
static void (*handler)(struct exchange *);
static bool draining, again_due;
static size_t bodies; /* bytes */
static char *spares[SPARES];
static unsigned nspares;

EDGE_EXPORT void edge_accept(struct connection *);
static void conn_pump(struct conn *);

void
conn_open(const struct edge_config *config, void (*handle)(struct exchange *))
{
	limits.header_max = config->header_max;
	limits.target_max = EDGE_TARGET_MAX;
	limits.body_max = config->body_max;
	limits.headers_max = config->headers_max;
	keepalive_us = (int64_t)config->keepalive_s * 1000000;
	header_timeout_us = (int64_t)config->header_timeout_s * 1000000;
	body_timeout_us = (int64_t)config->body_timeout_s * 1000000;
	nconns_max = config->connections_max;
	handler = handle;
}

static void
expire_in(struct conn *k, int64_t us)
{
	k->deadline_us = edge_monotonic_us() + us;
}

static void
body_drop(struct conn *k)
{
	if (k->body_owned) {
		bodies -= k->head.content_length;
		free(k->body);
	}
	k->body = NULL;
	k->body_owned = false;
	k->body_len = 0;
}

static void
in_drop(struct conn *k)
{
	body_drop(k);
	if (k->in != NULL && nspares < SPARES)
		spares[nspares++] = k->in;
	else
		free(k->in);
	k->in = NULL;
	k->in_len = 0;
	memset(&k->scan, 0, sizeof(k->scan));
}

static bool
in_take(struct conn *k)
{
	if (k->in == NULL)
		k->in = nspares > 0 ? spares[--nspares] : malloc(IN_SIZE);
	return (k->in != NULL);
}

/* Kore closes the descriptor and frees ssl after its present batch. */
static void
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
	k->state = CLOSED;
	nconns--;
	TAILQ_REMOVE(&conns, k, list);
	TAILQ_INSERT_TAIL(&buried, k, list);
	if (was == BUSY && k->x.on_gone != NULL)
		k->x.on_gone(&k->x);
	in_drop(k);
	free(k->out);
	k->out = NULL;
}

static void
conn_arm(struct conn *k)
{
	unsigned mask = EPOLLRDHUP;

	if (k->state == CLOSED)
		return;
	if (k->state != SEND && !k->deaf)
		mask |= EPOLLIN;
	if (k->out != NULL || k->write_wanted)
		mask |= EPOLLOUT;
	if (mask != k->armed) {
		k->armed = mask;
		kore_platform_event_schedule(k->c->fd, (int)mask, 0, k->c);
	}
}

/* Bytes moved, 0 if it would block, -1 if the connection is over. */
static int
ssl_result(struct conn *k, int r)
{
	if (r > 0)
		return (r);
	switch (SSL_get_error(k->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return (0);
	default:
		return (-1);
	}
}

static int
ssl_read(struct conn *k, char *buf, size_t room)
{
	ERR_clear_error();
	return (ssl_result(k, SSL_read(k->ssl, buf, (int)room)));
}

/* *ret_at moves on as far as the socket takes it. False: over. */
static bool
ssl_write(struct conn *k, const char *buf, size_t len, size_t *ret_at)
{
	size_t start = *ret_at;
	int n;

	while (*ret_at < len && *ret_at - start < WRITE_TURN_MAX) {
		size_t left = len - *ret_at;

		ERR_clear_error();
		n = ssl_result(k,
		    SSL_write(k->ssl, buf + *ret_at,
			left > INT32_MAX ? INT32_MAX : (int)left));
		if (n < 0)
			return (false);
		if (n == 0)
			break;
		*ret_at += (size_t)n;
	}
	return (true);
}

/*
 * A close with unread input makes the kernel send RST, which may destroy the
 * answer on its way: say goodbye and wait for the client to hang up.
 */
static void
conn_linger(struct conn *k)
{
	in_drop(k);
	k->state = LINGER;
	k->deaf = false;
	ERR_clear_error();
	(void)SSL_shutdown(k->ssl);
	(void)shutdown(k->c->fd, SHUT_WR);
	expire_in(k, LINGER_MS * 1000);
}

/* The answer has left: the next request may come. */
static void
conn_next(struct conn *k)
{
	if (k->closing || draining) {
		conn_linger(k);
		return;
	}
	in_drop(k);
	k->state = IDLE;
	k->deaf = false;
	expire_in(k, keepalive_us);
	if (SSL_has_pending(k->ssl))
		conn_pump(k);
}

static void
conn_flush(struct conn *k)
{
	size_t before = k->out_at;

	if (!ssl_write(k, k->out, k->out_len, &k->out_at)) {
		conn_close(k);
		return;
	}
	if (k->out_at < k->out_len) {
		if (k->out_at > before && k->state == SEND)
			expire_in(k, body_timeout_us);
		return;
	}
	free(k->out);
	k->out = NULL;
	if (k->state == SEND)
		conn_next(k);
}

/* Appends to what waits already. */
static bool
out_keep(struct conn *k, const char *data, size_t len)
{
	size_t left = k->out == NULL ? 0 : k->out_len - k->out_at;
	char *out = malloc(left + len);

	if (out == NULL)
		return (false);
	if (left > 0)
		memcpy(out, k->out + k->out_at, left);
	memcpy(out + left, data, len);
	free(k->out);
	k->out = out;
	k->out_len = left + len;
	k->out_at = 0;
	return (true);
}

static void
conn_send(struct conn *k, const char *data, size_t len)
{
	size_t at = 0;

	if (k->out == NULL && !ssl_write(k, data, len, &at))
		conn_close(k);
	else if (at < len && !out_keep(k, data + at, len - at))
		conn_close(k);
}

static void
send_answer(struct conn *k, const char *head, size_t head_len, const void *body,
    size_t len)
{
	static char joined[OUT_SIZE]; /* one record, one write(2) */

	if (head_len + len <= sizeof(joined)) {
		memcpy(joined, head, head_len);
		if (len > 0)
			memcpy(joined + head_len, body, len);
		conn_send(k, joined, head_len + len);
	} else {
		conn_send(k, head, head_len);
		if (k->state != CLOSED)
			conn_send(k, body, len);
	}
	if (k->state == CLOSED)
		return;
	if (k->out == NULL)
		conn_next(k);
	else
		expire_in(k, body_timeout_us);
	if (!k->pumping)
		conn_arm(k);
}

static void
answer(struct conn *k, struct answer *a, const void *body)
{
	char head[ANSWER_HEAD_MAX];
	size_t n;

	k->closing |= k->head.close || draining;
	a->request_id = k->x.request_id;
	a->close = k->closing;
	a->keep_old = k->head.old;
	a->now = time(NULL);
	n = answer_head(head, sizeof(head), a);
	if (n == 0) {
		log_event(LOG_LEVEL_ERROR, "answer_head", "request_id", LOG_STR,
		    k->x.request_id, NULL);
		a->status = err_status(ERR_INTERNAL);
		a->nheaders = a->body_len = 0;
		n = answer_head(head, sizeof(head), a);
	}
	k->state = SEND;
	send_answer(k, head, n, body,
	    answer_has_body(a->status) && k->head.method != METHOD_HEAD
		? a->body_len
		: 0);
}

static void
on_reply(struct exchange *x, int status, const struct header *h, size_t nh,
    const void *body, size_t len)
{
	struct conn *k = (struct conn *)x;
	struct answer a = {
	    .status = status, .headers = h, .nheaders = nh, .body_len = len};

	assert(k->state == BUSY);
	answer(k, &a, body);
}

static const char *
on_header(struct exchange *x, const char *name)
{
	const struct gate_head *h = &((struct conn *)x)->head;

	for (unsigned i = 0; i < h->nheaders; i++)
		if (strcasecmp(h->headers[i].name, name) == 0)
			return (h->headers[i].value);
	return (NULL);
}

static const struct exchange_ops exchange_ops = {on_header, on_reply};

/* 16 random bytes in hex; one getrandom(2) serves many requests. */
static void
make_request_id(char *ret)
{
	static const char hex[] = "0123456789abcdef";
	static unsigned char pool[4096];
	static size_t used = sizeof(pool);

	if (used == sizeof(pool)) {
		if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
			fatal("getrandom: %s", errno_s);
		used = 0;
	}
	for (int i = 0; i < 16; i++, used++) {
		*ret++ = hex[pool[used] >> 4];
		*ret++ = hex[pool[used] & 15];
	}
	*ret = '\0';
}

static void
set_request_id(struct conn *k)
{
	if (k->head.request_id == NULL)
		make_request_id(k->x.request_id);
	else
		(void)snprintf(k->x.request_id, sizeof(k->x.request_id), "%s",
		    k->head.request_id);
}

static void
conn_refuse(struct conn *k, const struct err_info *info)
{
	static const struct header headers[] = {
	    {"Content-Type", PROBLEM_TYPE},
	    {"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
	};
	struct answer a = {
	    .status = err_status(info->code), .headers = headers};
	char buf[1024];
	struct text t;

	metric_count(COUNTER_EDGE_REFUSED, 1);
	set_request_id(k);
	text_init_fixed(&t, buf, sizeof(buf));
	problem_write(&t, info, k->x.request_id);
	log_event(LOG_LEVEL_DEBUG, "edge_refused", "request_id", LOG_STR,
	    k->x.request_id, "peer", LOG_STR, k->x.peer, "problem", LOG_STR,
	    err_slug(info->code), "detail", LOG_STR, info->detail, NULL);
	a.nheaders = info->code == ERR_METHOD ? 2 : 1;
	a.body_len = t.len;
	k->closing = true;
	answer(k, &a, buf);
}

static void
conn_dispatch(struct conn *k)
{
	struct exchange *x = &k->x;

	x->method = k->head.method;
	x->path = k->head.path;
	x->query = k->head.query;
	x->body = k->body;
	x->body_len = k->body_len;
	set_request_id(k);
	x->started_us = edge_monotonic_us();
	x->user = NULL;
	x->on_gone = NULL;
	k->state = BUSY;
	k->deadline_us = 0;
	handler(x);
}

static enum err
body_begin(struct conn *k, size_t end, struct err_info *info)
{
	size_t length = k->head.content_length, extra = k->in_len - end;

	if (extra > length || (extra == length && SSL_pending(k->ssl) > 0))
		return (err_set(info, ERR_BAD_REQUEST, NULL,
		    "Bytes follow the request; send one at a time"));
	k->body = k->in + end;
	k->body_len = extra;
	if (length >= IN_SIZE - end) {
		if (length > BODIES_MAX - bodies)
			return (err_set(info, ERR_BUSY, NULL,
			    "Too much is being received; try again"));
		if ((k->body = malloc(length + 1)) == NULL)
			return (err_set(info, ERR_NO_MEMORY, NULL, NULL));
		memcpy(k->body, k->in + end, extra);
		k->body_owned = true;
		bodies += length;
	}
	return (ERR_OK);
}

static enum err
take_head(struct conn *k, struct err_info *info)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t end;
	enum err e;

	if ((e = gate_scan(&k->scan, k->in, k->in_len, &limits, &end, info)) !=
	    ERR_OK)
		return (e);
	if (end == 0)
		return (ERR_OK);
	if ((e = gate_parse(k->in, end, &limits, &k->head, info)) != ERR_OK ||
	    (e = body_begin(k, end, info)) != ERR_OK)
		return (e);
	k->state = BODY;
	if (k->body_len < k->head.content_length) {
		expire_in(k, body_timeout_us);
		if (k->head.expect_continue)
			conn_send(k, go_on, sizeof(go_on) - 1);
	}
	return (ERR_OK);
}

/* What was just read may complete a head, a body, a request. */
static void
conn_advance(struct conn *k)
{
	struct err_info info = {.code = ERR_OK};

	if (k->state == IDLE) {
		k->state = HEAD;
		k->head.method = METHOD_GET;
		k->head.request_id = NULL;
		expire_in(k, header_timeout_us);
	}
	if (k->state == HEAD && take_head(k, &info) != ERR_OK) {
		conn_refuse(k, &info);
		return;
	}
	if (k->state != BODY || k->body_len < k->head.content_length)
		return;
	if (SSL_pending(k->ssl) > 0) {
		(void)err_set(&info, ERR_BAD_REQUEST, NULL,
		    "Bytes follow the body that Content-Length told of");
		conn_refuse(k, &info);
		return;
	}
	k->body[k->body_len] = '\0';
	conn_dispatch(k);
}

/* As ssl_read(). */
static int
conn_fill(struct conn *k)
{
	size_t *len = k->state == BODY ? &k->body_len : &k->in_len;
	char *to = k->body;
	size_t room = k->head.content_length - k->body_len;
	int n;

	if (k->state != BODY) {
		if (!in_take(k))
			return (-1);
		to = k->in;
		room = IN_SIZE - 1 - k->in_len;
	}
	if ((n = ssl_read(k, to + *len, room)) > 0)
		*len += (size_t)n;
	return (n);
}

static void
pump_again(void *arg, u_int64_t now)
{
	struct conn *k, *next;

	(void)arg;
	(void)now;
	again_due = false;
	for (k = TAILQ_FIRST(&conns); k != NULL; k = next) {
		next = TAILQ_NEXT(k, list);
		if (k->again) {
			k->again = false;
			conn_pump(k);
		}
	}
}

static bool
conn_reads(const struct conn *k)
{
	return (k->state == IDLE || k->state == HEAD || k->state == BODY);
}

static void
conn_pump(struct conn *k)
{
	int turns = 0, n;

	if (k->pumping)
		return;
	k->pumping = true;
	do {
		if ((n = conn_fill(k)) > 0)
			conn_advance(k);
		else if (n < 0)
			conn_close(k);
	} while (n > 0 && conn_reads(k) && SSL_has_pending(k->ssl) &&
	    ++turns < TURNS_MAX);
	k->pumping = false;
	if (turns == TURNS_MAX) {
		k->again = true;
		if (!again_due)
			(void)kore_timer_add(
			    pump_again, AGAIN_MS, NULL, KORE_TIMER_ONESHOT);
		again_due = true;
	}
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
		k->state = IDLE;
		expire_in(k, keepalive_us);
		conn_pump(k);
	} else if (ssl_result(k, r) == 0) {
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
	if ((ready & KORE_EVENT_WRITE) && k->out != NULL) {
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

static void
set_peer(struct conn *k)
{
	struct connection *c = k->c;
	const void *address = c->family == AF_INET6
	    ? (const void *)&c->addr.ipv6.sin6_addr
	    : (const void *)&c->addr.ipv4.sin_addr;

	if (inet_ntop(c->family, address, k->x.peer, sizeof(k->x.peer)) == NULL)
		k->x.peer[0] = '\0';
}

/* Kore calls it by name for each accepted connection. */
void
edge_accept(struct connection *c)
{
	struct conn *k;

	/* Kore's own timer would cut us off after 5 s. */
	c->idle_timer.length = UINT64_MAX;
	if (nconns >= nconns_max || draining ||
	    (k = calloc(1, sizeof(*k))) == NULL) {
		kore_connection_disconnect(c);
		return;
	}
	k->c = c;
	k->x.ops = &exchange_ops;
	set_peer(k);
	c->hdlr_extra = k;
	c->disconnect = on_disconnect;
	c->evt.handle = on_event;
	expire_in(k, header_timeout_us);
	TAILQ_INSERT_TAIL(&conns, k, list);
	nconns++;
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
	conn_refuse(k, &info);
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
	while ((k = TAILQ_FIRST(&buried)) != NULL) {
		TAILQ_REMOVE(&buried, k, list);
		free(k);
	}
}

void
conn_drain(void)
{
	int64_t soon = edge_monotonic_us() + DRAIN_READ_MS * 1000;
	struct conn *k, *next;

	draining = true;
	for (k = TAILQ_FIRST(&conns); k != NULL; k = next) {
		next = TAILQ_NEXT(k, list);
		if (k->state == IDLE)
			conn_linger(k);
		else if (k->state == SHAKE)
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

	TAILQ_FOREACH(k, &conns, list)
	n += k->state == HEAD || k->state == BODY || k->state == BUSY ||
	    k->state == SEND;
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
