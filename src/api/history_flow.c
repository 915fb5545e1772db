/* Readings as lines, of any length: chunk by chunk, one series after the
 * other, never more in memory than a chunk and a piece of the answer. */
#include "api/history.h"

#include "api/api.h"
#include "api/range_walk.h"
#include "api/stream.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK	   8192 /* readings */
#define LINE_BYTES 1024 /* more than any line takes */
/* At once in a worker: each keeps a chunk, up to 2.5 MB, for as long as its
 * client takes. */
#define FLOWS_MAX 64

static const char csv_head[] =
    "node,metric,ts,value,unit,quality,received_at\n";

struct flow {
	struct history *h;
	struct range_walk walk;
	size_t at; /* series */
	/* A copy of the chunk, and what is not written of it. */
	struct reading *readings;
	size_t n, i, size;
	bool begun, headed;
	bool counted;
	bool waiting; /* for a chunk */
	bool wanted;  /* the client can take a piece */
};

static void
write_csv(struct text *t, const struct series_entry *s, const struct reading *v)
{
	char ts[INSTANT_TEXT];

	text_puts(t, s->node->name.s);
	text_add(t, ",", 1);
	text_puts(t, s->metric);
	text_add(t, ",", 1);
	text_add(t, ts, instant_format(v->t_us, ts));
	text_add(t, ",", 1);
	t->comma = false;
	json_double(t, NULL, v->value);
	text_add(t, ",", 1);
	text_puts(t, s->canonical);
	text_add(t, ",", 1);
	text_puts(t, quality_name(v->quality));
	text_add(t, ",", 1);
	text_add(t, ts, instant_format(v->received_us, ts));
	text_add(t, "\n", 1);
}

static void
write_ndjson(
    struct text *t, const struct series_entry *s, const struct reading *v)
{
	t->comma = false;
	json_object(t, NULL);
	json_string(t, "node", s->node->name.s);
	json_string(t, "metric", s->metric);
	json_instant(t, "ts", v->t_us);
	json_double(t, "value", v->value);
	json_string(t, "unit", s->canonical);
	json_string(t, "quality", quality_name(v->quality));
	json_instant(t, "received_at", v->received_us);
	json_object_end(t);
	text_add(t, "\n", 1);
}

static const struct {
	const char *content_type, *head;
	void (*write)(
	    struct text *, const struct series_entry *, const struct reading *);
} forms[] = {
    [FORMAT_CSV] = {"text/csv; charset=utf-8; header=present", csv_head,
	write_csv},
    [FORMAT_NDJSON] = {"application/x-ndjson", "", write_ndjson},
};

static unsigned flows;

static void
release(struct flow *f)
{
	flows -= f->counted;
	f->counted = false;
	free(f->readings);
	f->readings = NULL;
	f->n = f->i = f->size = 0;
}

static void
gone(struct request *r)
{
	struct history *h = r->state;

	release(h->job);
}

static void on_part(
    struct request *, const struct reading *, size_t, const struct err_info *);

/* Asks for what comes next; false if that was all. */
static bool
read_next(struct flow *f)
{
	struct history *h = f->h;

	if (range_walk_done(&f->walk)) {
		if (f->at == h->n)
			return (false);
		f->walk = (struct range_walk){.r = h->r,
		    .series = h->series[f->at++]->id,
		    .at_us = h->from_us,
		    .to_us = h->to_us,
		    .max = CHUNK,
		    .cb = on_part};
	}
	f->waiting = true;
	range_walk_next(&f->walk);
	return (true);
}

static void
end(struct flow *f, bool whole)
{
	release(f);
	stream_end(f->h->r, whole);
}

/* One piece of what has been read; the next chunk is asked for while the
 * client takes it. */
static void
write_piece(struct flow *f)
{
	struct request *r = f->h->r;
	char piece[STREAM_PIECE + LINE_BYTES];
	struct text t;

	text_init_fixed(&t, piece, sizeof(piece));
	if (!f->headed)
		text_puts(&t, forms[f->h->format].head);
	f->headed = true;
	for (; f->i < f->n && t.len < STREAM_PIECE; f->i++)
		forms[f->h->format].write(
		    &t, f->h->series[f->at - 1], &f->readings[f->i]);
	if (!text_ok(&t)) {
		end(f, false);
		return;
	}
	if (t.len > 0) {
		f->wanted = false;
		stream_write(r, t.s, t.len);
	}
	if (f->i == f->n && !read_next(f))
		end(f, true);
}

static void
pull(struct request *r)
{
	struct history *h = r->state;
	struct flow *f = h->job;

	f->wanted = true;
	if (!f->waiting)
		write_piece(f);
}

/* Only what was known then. */
static bool
keep(struct flow *f, const struct reading *readings, size_t n)
{
	struct reading *p;

	if (n > f->size) {
		if ((p = realloc(f->readings, n * sizeof(*p))) == NULL)
			return (false);
		f->readings = p;
		f->size = n;
	}
	f->i = f->n = 0;
	for (size_t i = 0; i < n; i++)
		if (readings[i].received_us <= f->h->known_us)
			f->readings[f->n++] = readings[i];
	return (true);
}

static void
fail(struct flow *f, const struct err_info *info)
{
	if (f->begun)
		end(f, false);
	else {
		release(f);
		reply_problem(f->h->r, info);
	}
}

static void
begin(struct flow *f)
{
	const struct stream stream = {.status = 200,
	    .content_type = forms[f->h->format].content_type,
	    .pull = pull,
	    .gone = gone};

	if (flows == FLOWS_MAX) {
		release(f);
		reply_error(f->h->r, ERR_BUSY, NULL,
		    "%d answers of this kind are under way", FLOWS_MAX);
		return;
	}
	f->begun = true;
	if (!stream_begin(f->h->r, &stream)) {
		release(f);
		return;
	}
	flows++;
	f->counted = true;
}

static void
on_part(struct request *r, const struct reading *readings, size_t n,
    const struct err_info *info)
{
	struct history *h = r->state;
	struct flow *f = h->job;
	struct err_info out = *info;

	f->waiting = false;
	if (out.code == ERR_OK && !keep(f, readings, n))
		(void)err_set(&out, ERR_NO_MEMORY, NULL, "readings");
	if (out.code != ERR_OK)
		fail(f, &out);
	else if (!f->begun)
		begin(f);
	else if (f->wanted)
		write_piece(f);
}

void
history_flow(struct history *h)
{
	struct flow *f = arena_calloc(&h->r->arena, 1, sizeof(*f));

	if (f == NULL) {
		reply_error(h->r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	h->job = f;
	f->h = h;
	if (!read_next(f))
		begin(f);
}
