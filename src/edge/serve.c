#include "edge/conn.h"

#include "core/log.h"
#include "core/metrics.h"
#include "core/problem.h"
#include "edge/answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define OUT_SIZE      (64 * 1024)
#define DRAIN_BODY_US 1000000 /* for a body that stopping finds on its way */

static void
send_answer(struct conn *k, const char *head, size_t head_len, const void *body,
    size_t len)
{
	static char joined[OUT_SIZE]; /* one record, one write(2) */

	if (head_len + len <= sizeof(joined)) {
		memcpy(joined, head, head_len);
		if (len > 0)
			memcpy(joined + head_len, body, len);
		wire_send(k, joined, head_len + len);
	} else {
		wire_send(k, head, head_len);
		if (k->state != CLOSED)
			wire_send(k, body, len);
	}
	if (k->state == CLOSED)
		return;
	if (wire_kept(k) == 0)
		conn_next(k);
	else
		conn_expire_sending(k);
	if (!k->pumping)
		conn_arm(k);
}

static size_t
make_head(struct conn *k, struct answer *a, char head[static ANSWER_HEAD_MAX])
{
	size_t n;

	k->closing |= k->head.close || conn_draining() || a->end == END_CLOSE ||
	    k->x.body_waits;
	a->request_id = k->x.request_id;
	a->close = k->closing;
	a->keep_old_s = k->head.old ? conn_keepalive_s() : 0;
	a->now = time(NULL);
	n = answer_head(head, ANSWER_HEAD_MAX, a);
	if (n == 0) {
		log_event(LOG_LEVEL_ERROR, "answer_head", "request_id", LOG_STR,
		    k->x.request_id, NULL);
		a->status = err_status(ERR_INTERNAL);
		a->nheaders = a->body_len = 0;
		n = answer_head(head, ANSWER_HEAD_MAX, a);
	}
	return (n);
}

static void
answer(struct conn *k, struct answer *a, const void *body)
{
	char head[ANSWER_HEAD_MAX];
	size_t n = make_head(k, a, head);

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

	/* Letters differ in that bit alone; names are tokens. */
	for (unsigned i = 0; i < h->nheaders; i++)
		if (((h->headers[i].name[0] ^ name[0]) & ~0x20) == 0 &&
		    strcasecmp(h->headers[i].name, name) == 0)
			return (h->headers[i].value);
	return (NULL);
}

/* From here on nothing is sent but by epoll's word, so that no call of the
 * handler's finds its client gone. */
static void
pour(struct conn *k, const char *data, size_t len)
{
	if (wire_kept(k) == 0)
		conn_expire_sending(k);
	k->choked |= !wire_keep(k, data, len);
}

static void
on_begin(struct exchange *x, int status, const struct header *h, size_t nh,
    void (*pull)(struct exchange *))
{
	struct conn *k = (struct conn *)x;
	struct answer a = {.status = status,
	    .headers = h,
	    .nheaders = nh,
	    .end = k->head.old ? END_CLOSE : END_CHUNK};
	char head[ANSWER_HEAD_MAX];
	size_t n;

	assert(k->state == BUSY && answer_has_body(status));
	n = make_head(k, &a, head);
	k->state = POUR;
	k->chunked = a.end == END_CHUNK;
	k->pull = pull;
	k->hungry = true;
	pour(k, head, n);
	if (!k->pumping)
		conn_arm(k);
}

static void
on_write(struct exchange *x, const void *data, size_t len)
{
	struct conn *k = (struct conn *)x;
	char size[24]; /* RFC 9112 section 7.1 */
	int n;

	assert(k->state == POUR);
	k->hungry = true;
	if (len > 0 && k->head.method != METHOD_HEAD) {
		if (k->chunked) {
			n = snprintf(size, sizeof(size), "%zx\r\n", len);
			pour(k, size, (size_t)n);
		}
		pour(k, data, len);
		if (k->chunked)
			pour(k, "\r\n", 2);
	}
	if (!k->pumping)
		conn_arm(k);
}

static void
on_end(struct exchange *x, bool whole)
{
	struct conn *k = (struct conn *)x;

	assert(k->state == POUR);
	k->hungry = false;
	x->on_gone = NULL;
	if (!whole || k->choked) {
		conn_close(k);
		return;
	}
	if (k->chunked && k->head.method != METHOD_HEAD)
		pour(k, "0\r\n\r\n", 5);
	k->state = SEND;
	if (wire_kept(k) == 0)
		conn_next(k);
	if (!k->pumping)
		conn_arm(k);
}

/* The head is good, its body is wanted. */
static void
start_body(struct conn *k)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	conn_expire_in(
	    k, conn_draining() ? DRAIN_BODY_US : conn_body_timeout_us);
	/* RFC 9110 section 10.1.1: not once the body has begun. */
	if (k->head.expect_continue && !k->begun)
		wire_send(k, go_on, sizeof(go_on) - 1);
}

static void
on_take(struct exchange *x, void (*on_body)(struct exchange *))
{
	struct conn *k = (struct conn *)x;

	assert(k->state == BUSY && x->body_waits);
	k->state = BODY;
	k->on_body = on_body;
	k->deaf = false;
	start_body(k);
	if (k->state != CLOSED && !k->pumping)
		conn_again(k);
}

const struct exchange_ops serve_ops = {
    on_header, on_reply, on_begin, on_write, on_end, on_take};

/* 16 random bytes in hex; one getrandom(2) serves many requests. */
static void
make_request_id(char *ret)
{
	static const char hex[] = "0123456789abcdef";
	static unsigned char pool[4096];
	static size_t used = sizeof(pool);

	if (used == sizeof(pool)) {
		if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
			abort();
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

/* Whoever waits for the body need not any more. */
static void
drop_handler(struct conn *k)
{
	k->on_body = NULL;
	if (k->x.on_gone != NULL)
		k->x.on_gone(&k->x);
}

void
serve_refuse(struct conn *k, const struct err_info *info)
{
	struct header headers[2] = {{"Content-Type", PROBLEM_TYPE}};
	struct answer a = {.status = err_status(info->code),
	    .headers = headers,
	    .nheaders = 2};
	char buf[1024];
	struct text t;

	metric_count(COUNTER_EDGE_REFUSED, 1);
	if (k->on_body == NULL)
		set_request_id(k);
	else
		drop_handler(k);
	text_init_fixed(&t, buf, sizeof(buf));
	problem_write(&t, info, k->x.request_id);
	log_event(LOG_LEVEL_DEBUG, "edge_refused", "request_id", LOG_STR,
	    k->x.request_id, "peer", LOG_STR, k->x.peer, "problem", LOG_STR,
	    err_slug(info->code), "detail", LOG_STR, info->detail, NULL);
	if (a.status == 405)
		headers[1] = (struct header){
		    "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"};
	else if (a.status == 429 || a.status == 503)
		headers[1] = (struct header){"Retry-After", "1"};
	else
		a.nheaders = 1;
	a.body_len = t.len;
	k->closing = true;
	answer(k, &a, buf);
}

static bool
body_is_whole(const struct conn *k)
{
	return (k->head.chunked ? chunk_done(&k->coding)
				: k->body_len == k->head.content_length);
}

static void
show_body(struct conn *k)
{
	k->under = k->body[k->body_len];
	k->body[k->body_len] = '\0';
	k->x.body = k->body;
	k->x.body_len = k->body_len;
	k->x.body_waits = false;
}

static void
dispatch(struct conn *k)
{
	struct exchange *x = &k->x;

	x->method = k->head.method;
	x->path = k->head.target.path;
	x->query = k->head.target.query;
	x->body = "";
	x->body_len = 0;
	x->body_waits = true;
	if (body_is_whole(k))
		show_body(k);
	set_request_id(k);
	x->started_us = edge_monotonic_us();
	x->user = NULL;
	x->on_gone = NULL;
	k->state = BUSY;
	k->deadline_us = 0;
	conn_handler(x);
}

/* To whoever knows the head already. */
static void
hand_over(struct conn *k)
{
	void (*on_body)(struct exchange *) = k->on_body;

	k->on_body = NULL;
	k->state = BUSY;
	k->deadline_us = 0;
	show_body(k);
	on_body(&k->x);
}

/* RFC 9112 section 2.2: one empty line before a request is forgiven. */
static void
skip_empty_line(struct conn *k)
{
	if (k->skipped || k->in_len < 2 || memcmp(k->in, "\r\n", 2) != 0)
		return;
	k->skipped = true;
	k->in_len -= 2;
	k->scanned = 0;
	memmove(k->in, k->in + 2, k->in_len);
}

static enum err
limit_body(struct conn *k, struct err_info *info)
{
	const struct gate_head *h = &k->head;

	k->body_max = h->content_length;
	if (!h->chunked && h->content_length <= EDGE_BODY_ANY)
		return (ERR_OK);
	k->body_max = conn_body_max(h);
	if (h->content_length > k->body_max)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "The body may have %zu bytes", k->body_max));
	if (!h->chunked)
		k->body_max = h->content_length;
	return (ERR_OK);
}

static enum err
take_head(struct conn *k, struct err_info *info)
{
	size_t end;
	enum err e;

	skip_empty_line(k);
	if ((e = gate_scan(&k->scanned, k->in, k->in_len, &conn_limits, &end,
		 info)) != ERR_OK)
		return (e);
	if (end == 0)
		return (ERR_OK);
	k->begun = k->in_len > end;
	k->opened = false;
	if ((e = gate_parse(k->in, end, &conn_limits, &k->head, info)) !=
		ERR_OK ||
	    (e = client_request(k, info)) != ERR_OK ||
	    (e = limit_body(k, info)) != ERR_OK ||
	    (e = wire_body_take(k, end, info)) != ERR_OK)
		return (e);
	k->state = BODY;
	return (ERR_OK);
}

static enum err
take_body(struct conn *k, struct err_info *info)
{
	if (k->head.chunked)
		return (wire_body_decode(k, info));
	if (body_is_whole(k))
		return (ERR_OK);
	return (wire_body_grow(k, info));
}

/* With what there is of the body by now. */
static void
go_on(struct conn *k)
{
	bool whole = body_is_whole(k), first = !k->opened;

	k->opened = true;
	if (whole && k->on_body != NULL)
		hand_over(k);
	else if (whole || (first && conn_heads))
		dispatch(k);
	else if (first)
		start_body(k);
}

void
serve_advance(struct conn *k)
{
	struct err_info info = {.code = ERR_OK};

	if (k->state == IDLE) {
		skip_empty_line(k);
		if (k->in_len == 0)
			return;
		k->state = HEAD;
		k->head.method = METHOD_GET;
		k->head.request_id = NULL;
		conn_expire_in(k, conn_header_timeout_us);
	}
	if ((k->state == HEAD && take_head(k, &info) != ERR_OK) ||
	    (k->state == BODY && take_body(k, &info) != ERR_OK)) {
		serve_refuse(k, &info);
		return;
	}
	if (k->state == BODY)
		go_on(k);
}
