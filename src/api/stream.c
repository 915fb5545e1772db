#include "api/stream.h"

#include "api/api.h"
#include "api/gzip.h"
#include "api/request_steps.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CODED_PIECE 16384

struct flow {
	int status;
	void (*pull)(struct request *);
	void (*gone)(struct request *);
	struct gzip *gzip; /* NULL: as it is */
	char *body;	   /* of stream_body() */
	size_t len, at;
};

static void
flow_done(struct request *r)
{
	struct flow *f = r->flow;

	gzip_free(f->gzip);
	free(f->body);
	r->flow = NULL;
	request_release(r);
}

static void
on_pull(struct exchange *x)
{
	struct request *r = x->user;

	((struct flow *)r->flow)->pull(r);
}

static void
on_gone(struct exchange *x)
{
	struct request *r = x->user;
	struct flow *f = r->flow;

	r->x = NULL;
	request_count(r, 0);
	if (f->gone != NULL)
		f->gone(r);
	flow_done(r);
}

static bool
begin(struct request *r, const struct flow *given, struct head *h)
{
	struct exchange *x = r->x;
	struct flow *f = arena_alloc(&r->arena, sizeof(*f));

	if (f == NULL)
		return (false);
	*f = *given;
	if (h->gzip && (f->gzip = gzip_new()) != NULL)
		head_coded(h);
	request_hold(r);
	r->flow = f;
	r->answered = true;
	x->on_gone = on_gone;
	x->ops->begin(x, f->status, h->headers, h->n, on_pull);
	return (true);
}

bool
stream_begin(struct request *r, const struct stream *s)
{
	struct header headers[HEAD_HEADERS] = {
	    {"Content-Type", s->content_type}};
	struct flow f = {s->status, s->pull, s->gone, NULL, NULL, 0, 0};
	struct head h;

	if (request_gone(r))
		return (false);
	assert(!r->answered && r->on_reply == NULL && s->nheaders <= 6);
	for (size_t i = 0; i < s->nheaders; i++)
		headers[i + 1] = s->headers[i];
	head_make(&h, r, s->status, headers, s->nheaders + 1, SIZE_MAX);
	if (!begin(r, &f, &h)) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return (false);
	}
	if (r->method != METHOD_HEAD)
		return (true);
	stream_end(r, true);
	return (false);
}

static void
write_coded(struct request *r, const void *data, size_t len, bool last)
{
	struct flow *f = r->flow;
	char coded[CODED_PIECE];
	size_t n;

	gzip_feed(f->gzip, data, len);
	do {
		gzip_read(f->gzip, last, coded, sizeof(coded), &n);
		/* Even of nothing: whoever wrote is to be asked again. */
		r->x->ops->write(r->x, coded, n);
	} while (n == sizeof(coded));
}

void
stream_write(struct request *r, const void *data, size_t len)
{
	struct flow *f = r->flow;

	if (r->x == NULL)
		return;
	if (f->gzip == NULL)
		r->x->ops->write(r->x, data, len);
	else
		write_coded(r, data, len, false);
}

void
stream_end(struct request *r, bool whole)
{
	struct flow *f = r->flow;
	struct exchange *x = r->x;

	if (x == NULL)
		return;
	if (whole && f->gzip != NULL)
		write_coded(r, NULL, 0, true);
	r->x = NULL;
	x->ops->end(x, whole);
	request_count(r, whole ? f->status : 0);
	flow_done(r);
}

static void
body_pull(struct request *r)
{
	struct flow *f = r->flow;
	size_t n = f->len - f->at;

	if (n > STREAM_PIECE)
		n = STREAM_PIECE;
	f->at += n;
	stream_write(r, f->body + f->at - n, n);
	if (f->at == f->len)
		stream_end(r, true);
}

void
stream_body(
    struct request *r, int status, struct head *h, const char *body, size_t len)
{
	struct exchange *x = r->x;
	struct flow f = {status, body_pull, NULL, NULL, malloc(len), len, 0};

	if (f.body != NULL) {
		memcpy(f.body, body, len);
		if (begin(r, &f, h))
			return;
		free(f.body);
	}
	r->x = NULL;
	exchange_reply(x, status, h->headers, h->n, body, len);
	request_count(r, status);
}
