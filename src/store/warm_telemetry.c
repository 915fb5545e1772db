#include "core/instant.h"
#include "core/log.h"
#include "core/text.h"
#include "domain/reading.h"
#include "store/warm_segments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows looked at per question: few at first, as a row may hold 20,000
 * readings. */
#define PAGE_FIRST 16
#define PAGE_MOST  1024
/* Rows held at once, 400 bytes each besides what they hold. */
#define ROWS_MOST 250000
/* Beyond it sums of squares would overflow and no merge would succeed. */
#define VALUE_MOST 1e100

struct log_row {
	int64_t id, received_us;
	struct wire_view series, ts, value, quality;
	const char *bad; /* why it cannot be merged whole, or NULL */
};

/* What take() gathers: rows point into the results. */
struct haul {
	PGresult **pages;
	struct log_row *rows;
	size_t npages, nrows, rows_size, readings;
	int64_t last_id;
	bool more;
};

static void
haul_done(struct haul *h)
{
	size_t i;

	for (i = 0; i < h->npages; i++)
		PQclear(h->pages[i]);
	free(h->pages);
	free(h->rows);
}

static bool
column(struct wire_view *ret, const PGresult *r, int row, int col, uint32_t oid,
    size_t width)
{
	return (wire_view(ret, PQgetvalue(r, row, col),
	    (size_t)PQgetlength(r, row, col), oid, width));
}

static struct log_row
row_of(const PGresult *r, int i)
{
	struct log_row row = {.id = warm_get_i64(r, i, 0)};

	row.received_us = warm_get_time(r, i, 1);
	if (!column(&row.series, r, i, 2, OID_INT4, 4) ||
	    !column(&row.ts, r, i, 3, OID_TIMESTAMPTZ, 8) ||
	    !column(&row.value, r, i, 4, OID_FLOAT8, 8) ||
	    !column(&row.quality, r, i, 5, OID_INT2, 2))
		row.bad = "an array has a NULL or more than one dimension";
	else if (row.ts.n != row.series.n || row.value.n != row.series.n ||
	    row.quality.n != row.series.n)
		row.bad = "arrays differ in length";
	else if (row.received_us == INSTANT_NONE)
		row.bad = "received_at is no instant";
	if (row.bad != NULL)
		row.series.n = 0;
	return (row);
}

static enum err
haul_page(struct haul *h, PGresult *page, struct err_info *info)
{
	size_t n = (size_t)PQntuples(page), size;
	void *p;
	int i;

	p = realloc(h->pages, (h->npages + 1) * sizeof(*h->pages));
	if (p == NULL) {
		PQclear(page);
		return (err_set(info, ERR_NO_MEMORY, NULL, "log page"));
	}
	h->pages = p;
	h->pages[h->npages++] = page;
	if (h->nrows + n > h->rows_size) {
		size = (h->nrows + n) * 2;
		if ((p = realloc(h->rows, size * sizeof(*h->rows))) == NULL)
			return (err_set(info, ERR_NO_MEMORY, NULL, "log rows"));
		h->rows = p;
		h->rows_size = size;
	}
	for (i = 0; i < (int)n; i++) {
		h->rows[h->nrows] = row_of(page, i);
		h->readings += h->rows[h->nrows].series.n;
		h->last_id = h->rows[h->nrows++].id;
	}
	return (ERR_OK);
}

static int64_t
page_rows(const struct haul *h, size_t max)
{
	size_t rows;

	if (h->nrows == 0)
		return (PAGE_FIRST);
	rows = (max - h->readings) / (h->readings / h->nrows + 1) + 1;
	return (rows < PAGE_MOST ? (int64_t)rows : PAGE_MOST);
}

/* The owned ones as an array's text; NULL if there is but one shard. */
static const char *
shards(const struct warm *w, struct text *t)
{
	int i;

	if (w->nshards <= 1)
		return (NULL);
	for (i = 0; i < w->nshards; i++)
		if (w->owned >> i & 1)
			text_printf(t, "%c%d", t->len == 0 ? '{' : ',', i);
	text_puts(t, t->len == 0 ? "{}" : "}");
	return (t->s);
}

static enum err
haul_in(struct warm *w, size_t max, struct haul *h, struct err_info *info)
{
	struct warm_args a;
	char buf[256];
	struct text t;
	const char *list;
	PGresult *page;
	int64_t rows;
	enum err e;

	text_init_fixed(&t, buf, sizeof(buf));
	list = shards(w, &t);
	h->more = true;
	while (h->more && h->readings < max && h->nrows < ROWS_MOST) {
		rows = page_rows(h, max);
		a = (struct warm_args){0};
		warm_i64(&a, h->last_id);
		warm_i64(&a, rows);
		warm_i64(&a, (int64_t)(max - h->readings));
		warm_text(&a, list);
		e = warm_run(w, ST_cycle_log_take, &a, &page, info);
		if (e != ERR_OK)
			return (e);
		h->more = PQntuples(page) == rows;
		if ((e = haul_page(h, page, info)) != ERR_OK)
			return (e);
	}
	h->more |= h->readings >= max;
	return (ERR_OK);
}

/* Good readings of a row; sets row->bad if it holds others. */
static size_t
decode(struct log_row *row, struct reading *to)
{
	struct reading r = {.received_us = row->received_us};
	size_t i, n = 0;

	for (i = 0; i < row->series.n; i++) {
		r.series = wire_get_i32(wire_at(&row->series, i));
		r.value = wire_get_f64(wire_at(&row->value, i));
		r.quality = wire_get_i16(wire_at(&row->quality, i));
		if (!wire_get_time(wire_at(&row->ts, i), &r.t_us) ||
		    !(fabs(r.value) <= VALUE_MOST))
			row->bad = "a value or an instant is out of range";
		else
			to[n++] = r;
	}
	return (n);
}

static enum err
set_aside(struct warm *w, const struct log_row *row, struct err_info *info)
{
	struct warm_args a = {0};

	log_event(LOG_LEVEL_ERROR, "log_row_aside", "id", LOG_INT, row->id,
	    "why", LOG_STR, row->bad, NULL);
	warm_i64(&a, row->id);
	warm_text(&a, row->bad);
	return (warm_run_one(w, ST_cycle_log_aside, &a, info));
}

static enum err
unload(struct warm *w, struct haul *h, struct reading *to, size_t *ret_n,
    struct err_info *info)
{
	size_t i, n = 0;
	enum err e;

	for (i = 0; i < h->nrows; i++) {
		n += decode(&h->rows[i], to + n);
		if (h->rows[i].bad == NULL)
			w->taken[w->ntaken++] = h->rows[i].id;
		else if ((e = set_aside(w, &h->rows[i], info)) != ERR_OK)
			return (e);
	}
	*ret_n = n;
	return (ERR_OK);
}

static enum err
room_for_ids(struct warm *w, size_t n, struct err_info *info)
{
	void *p;

	w->ntaken = 0;
	if (n <= w->taken_size)
		return (ERR_OK);
	if ((p = realloc(w->taken, n * sizeof(*w->taken))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "log ids"));
	w->taken = p;
	w->taken_size = n;
	return (ERR_OK);
}

static enum err
take(void *self, struct arena *arena, size_t max, struct reading **ret,
    size_t *ret_n, bool *ret_more, struct err_info *info)
{
	struct warm *w = self;
	struct haul h = {.last_id = INT64_MIN};
	struct reading *to;
	size_t n;
	enum err e = haul_in(w, max, &h, info);

	if (e == ERR_OK)
		e = room_for_ids(w, h.nrows, info);
	if (e == ERR_OK &&
	    (to = arena_alloc(arena, h.readings * sizeof(*to))) == NULL)
		e = err_set(
		    info, ERR_NO_MEMORY, NULL, "%zu readings", h.readings);
	if (e == ERR_OK)
		e = unload(w, &h, to, &n, info);
	if (e == ERR_OK) {
		w->row_mean = h.nrows == 0
		    ? w->row_mean
		    : (double)h.readings / (double)h.nrows;
		*ret = to;
		*ret_n = n;
		*ret_more = h.more;
	}
	haul_done(&h);
	return (e);
}

/* `variance` holds the sum of squares about the mean (Welford 1962). */
static void
window_add(struct window_stats *s, int64_t ends[2], const struct reading *r)
{
	double off;

	if (s->count == 0)
		*s = (struct window_stats){
		    .min = r->value, .max = r->value, .bad = s->bad};
	if (s->count == 0 || r->t_us < ends[0]) {
		ends[0] = r->t_us;
		s->first = r->value;
	}
	if (s->count == 0 || r->t_us > ends[1]) {
		ends[1] = r->t_us;
		s->last = r->value;
	}
	off = r->value - s->mean;
	s->mean += off / (double)++s->count;
	s->variance += off * (r->value - s->mean);
	s->min = fmin(s->min, r->value);
	s->max = fmax(s->max, r->value);
}

static enum err
window_rows(struct warm *w, const PGresult *r, int64_t from_us, int64_t to_us,
    struct window_stats *s, struct err_info *info)
{
	int64_t ends[2] = {0};
	const struct reading *p;
	size_t i, n;
	int row;

	for (row = 0; row < PQntuples(r); row++) {
		n = warm_decode(w, PQgetvalue(r, row, 0),
		    (size_t)PQgetlength(r, row, 0), 0, 0, info);
		if (n == 0)
			return (ERR_DATABASE);
		for (i = 0, p = w->decoded; i < n; i++, p++)
			if (p->t_us < from_us || p->t_us >= to_us)
				continue;
			else if (p->quality == QUALITY_GOOD)
				window_add(s, ends, p);
			else
				s->bad++;
	}
	return (ERR_OK);
}

static enum err
window(void *self, int32_t series, int64_t from_us, int64_t to_us,
    struct window_stats *ret, struct err_info *info)
{
	struct window_stats s = {0, NAN, NAN, NAN, NAN, NAN, NAN, 0};
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e = warm_classes_need(self, &series, 1, info);

	if (e != ERR_OK)
		return (e);
	warm_i32(&a, series);
	warm_i16(&a, warm_class(self, series));
	warm_time(&a, from_us);
	warm_time(&a, to_us);
	if ((e = warm_run(self, ST_cycle_window, &a, &r, info)) != ERR_OK ||
	    (e = window_rows(self, r, from_us, to_us, &s, info)) != ERR_OK)
		return (e);
	s.variance = s.count < 2 ? NAN : s.variance / (double)(s.count - 1);
	*ret = s;
	return (ERR_OK);
}

struct telemetry_port
warm_telemetry(struct warm *w)
{
	return ((struct telemetry_port){w, take, warm_known, warm_store, window,
	    warm_moved, warm_owns, warm_newest});
}
