/*
 * What is stored at the keys of an import: one question per series and month,
 * answered by packed rows, and one to the log where it reaches so far back. The
 * log may be long: it is looked into before the lock is taken, and under it
 * only what came since.
 */
#include "core/instant.h"
#include "store/importer_parts.h"

#include <stdlib.h>
#include <string.h>

/* Groups per statement; the answer is read row by row. */
#define GROUPS 1000
/* Keys per question to the log: so many are hashed in memory. */
#define KEYS 100000

/* Keys [first, past): one series, one UTC month. */
struct group {
	size_t first, past;
};

struct asking {
	struct warm *warm;
	const struct reading *keys;
	struct import_known *known;
	size_t n;
	struct group groups[GROUPS];
	size_t ngroups;
};

static bool
log_rows_span(const struct log_rows *rows, int64_t t_us)
{
	return (t_us >= rows->lo_us && t_us <= rows->hi_us);
}

static void
log_rows_add(struct log_rows *rows, int64_t id, int64_t lo_us, int64_t hi_us)
{
	if (rows->n == 0 || lo_us < rows->lo_us)
		rows->lo_us = lo_us;
	if (rows->n == 0 || hi_us > rows->hi_us)
		rows->hi_us = hi_us;
	rows->ids[rows->n++] = id;
}

static void
mark(struct asking *q, const struct group *g, const struct reading *r, size_t n)
{
	size_t k = g->first, i = 0;

	while (k < g->past && i < n) {
		if (r[i].t_us < q->keys[k].t_us) {
			i++;
			continue;
		}
		if (r[i].t_us == q->keys[k].t_us)
			q->known[k] = (struct import_known){true, r[i].value};
		k++;
	}
}

static enum err
match(struct asking *q, const struct group *g, const PGresult *r,
    struct err_info *info)
{
	size_t n = warm_decode(q->warm, PQgetvalue(r, 0, 1),
	    (size_t)PQgetlength(r, 0, 1), q->keys[g->first].series, 0, info);

	if (n == 0)
		return (ERR_DATABASE);
	mark(q, g, q->warm->decoded, n);
	return (ERR_OK);
}

enum err
importer_args(
    struct warm_args *a, const struct wire *w, size_t n, struct err_info *info)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!wire_ok(&w[i]))
			return (err_set(info, ERR_NO_MEMORY, NULL, "keys"));
		warm_wired(a, &w[i]);
	}
	return (ERR_OK);
}

static void
put_group(struct asking *q, const struct group *g)
{
	const struct reading *head = &q->keys[g->first];
	struct wire *c = q->warm->wires;

	wire_put_i32(&c[0], head->series);
	wire_put_i16(&c[1], warm_class(q->warm, head->series));
	wire_put_time(&c[2], instant_month(head->t_us, 0));
	wire_put_time(&c[3], head->t_us);
	wire_put_time(&c[4], q->keys[g->past - 1].t_us);
}

static enum err
need_classes(const struct asking *q, struct err_info *info)
{
	int32_t ids[GROUPS];
	size_t i;

	for (i = 0; i < q->ngroups; i++)
		ids[i] = q->keys[q->groups[i].first].series;
	return (warm_classes_need(q->warm, ids, q->ngroups, info));
}

static enum err
ask(struct asking *q, struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_INT2, OID_TIMESTAMPTZ,
	    OID_TIMESTAMPTZ, OID_TIMESTAMPTZ};
	struct warm *w = q->warm;
	struct warm_args a = {0};
	size_t i;
	enum err e = need_classes(q, info);

	if (e != ERR_OK)
		return (e);
	for (i = 0; i < 5; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], oids[i], q->ngroups);
	}
	for (i = 0; i < q->ngroups; i++)
		put_group(q, &q->groups[i]);
	e = importer_args(&a, w->wires, 5, info);
	return (e == ERR_OK ? warm_send(w, ST_cycle_known, &a, info) : e);
}

static enum err
ask_groups(struct asking *q, struct err_info *info)
{
	enum err e = ask(q, info), m = ERR_OK;
	int64_t ord;

	while (e == ERR_OK) {
		AUTO_RESULT r = NULL;

		e = warm_next(q->warm, ST_cycle_known, &r, info);
		if (e != ERR_OK || r == NULL)
			break;
		ord = warm_get_i64(r, 0, 0);
		if (m == ERR_OK && ord >= 1 && (size_t)ord <= q->ngroups)
			m = match(q, &q->groups[ord - 1], r, info);
	}
	q->ngroups = 0;
	return (e == ERR_OK ? m : e);
}

static enum err
in_segments(struct asking *q, struct err_info *info)
{
	const struct reading *k = q->keys;
	int64_t month_end = 0;
	size_t i;
	enum err e = ERR_OK;

	for (i = 0; e == ERR_OK && i < q->n; i++) {
		if (i == 0 || k[i].series != k[i - 1].series ||
		    k[i].t_us >= month_end) {
			if (q->ngroups == GROUPS)
				e = ask_groups(q, info);
			month_end = instant_month(k[i].t_us, 1);
			q->groups[q->ngroups++].first = i;
		}
		q->groups[q->ngroups - 1].past = i + 1;
	}
	if (e == ERR_OK && q->ngroups > 0)
		e = ask_groups(q, info);
	return (e);
}

/* --- the log ------------------------------------------------------------ */

/* The key's place, or where it would be. */
static size_t
place(const struct asking *q, int32_t series, int64_t t_us)
{
	size_t lo = 0, hi = q->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (q->keys[mid].series < series ||
		    (q->keys[mid].series == series && q->keys[mid].t_us < t_us))
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

static void
mark_logged(struct asking *q, int32_t series, int64_t t_us, double value)
{
	size_t i = place(q, series, t_us);

	if (i < q->n && q->keys[i].series == series && q->keys[i].t_us == t_us)
		q->known[i] = (struct import_known){true, value};
}

/* The first that was logged comes last, and stays. */
static enum err
take_logged(struct asking *q, struct err_info *info)
{
	enum err e;

	for (;;) {
		AUTO_RESULT r = NULL;

		e = warm_next(q->warm, ST_import_logged, &r, info);
		if (e != ERR_OK || r == NULL)
			return (e);
		mark_logged(q, warm_get_i32(r, 0, 0), warm_get_time(r, 0, 1),
		    warm_get_f64(r, 0, 2));
	}
}

/* Keys from *at on whose time is within the rows', KEYS at most. */
static enum err
ask_log(struct asking *q, size_t *at, const struct log_rows *rows,
    struct err_info *info)
{
	struct wire *w = q->warm->wires;
	struct warm_args a = {0};
	const struct reading *k;
	size_t i, n = 0, end;
	enum err e;

	for (end = *at; end < q->n && n < KEYS; end++)
		n += log_rows_span(rows, q->keys[end].t_us);
	wire_reset(&w[0]);
	wire_reset(&w[1]);
	wire_reset(&w[2]);
	wire_array(&w[0], OID_INT4, n);
	wire_array(&w[1], OID_TIMESTAMPTZ, n);
	wire_array(&w[2], OID_INT8, rows->n);
	for (k = &q->keys[*at]; k < &q->keys[end]; k++) {
		if (!log_rows_span(rows, k->t_us))
			continue;
		wire_put_i32(&w[0], k->series);
		wire_put_time(&w[1], k->t_us);
	}
	for (i = 0; i < rows->n; i++)
		wire_put_i64(&w[2], rows->ids[i]);
	*at = end;
	if (n == 0)
		return (ERR_OK);
	e = importer_args(&a, w, 3, info);
	if (e == ERR_OK)
		e = warm_send(q->warm, ST_import_logged, &a, info);
	return (e == ERR_OK ? take_logged(q, info) : e);
}

static int
by_id(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return ((*x > *y) - (*x < *y));
}

/* The rows that may hold keys, without those of `seen`. */
static enum err
list_rows(const struct asking *q, const struct log_rows *seen,
    struct log_rows *ret, struct err_info *info)
{
	int64_t lo = q->keys[0].t_us, hi = lo, id;
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	size_t k;
	enum err e;
	int i;

	for (k = 1; k < q->n; k++) {
		lo = q->keys[k].t_us < lo ? q->keys[k].t_us : lo;
		hi = q->keys[k].t_us > hi ? q->keys[k].t_us : hi;
	}
	warm_time(&a, lo);
	warm_time(&a, hi);
	e = warm_run(q->warm, ST_import_log_rows, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	ret->ids = malloc(((size_t)PQntuples(r) + 1) * sizeof(*ret->ids));
	if (ret->ids == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "log rows"));
	for (i = 0; i < PQntuples(r); i++) {
		id = warm_get_i64(r, i, 0);
		if (seen->n == 0 ||
		    bsearch(&id, seen->ids, seen->n, sizeof(id), by_id) == NULL)
			log_rows_add(ret, id, warm_get_time(r, i, 1),
			    warm_get_time(r, i, 2));
	}
	return (ERR_OK);
}

/* Looks into all rows but those of `seen`; *ret has those it looked into, for
 * the caller to free. */
static enum err
in_log(struct asking *q, const struct log_rows *seen, struct log_rows *ret,
    struct err_info *info)
{
	size_t at = 0;
	enum err e;

	*ret = (struct log_rows){.ids = NULL};
	e = list_rows(q, seen, ret, info);
	while (e == ERR_OK && ret->n > 0 && at < q->n)
		e = ask_log(q, &at, ret, info);
	return (e);
}

void
importer_forget(struct importer *im)
{
	free(im->seen.ids);
	free(im->logged);
	im->seen = (struct log_rows){.ids = NULL};
	im->logged = NULL;
	im->nlogged = 0;
}

static enum err
keep_logged(struct importer *im, const struct asking *q, struct err_info *info)
{
	size_t i, n = 0;

	for (i = 0; i < q->n; i++)
		n += q->known[i].known;
	im->logged = malloc((n + 1) * sizeof(*im->logged));
	if (im->logged == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "log rows"));
	for (i = 0; i < q->n; i++) {
		if (!q->known[i].known)
			continue;
		im->logged[im->nlogged] = q->keys[i];
		im->logged[im->nlogged++].value = q->known[i].value;
	}
	return (ERR_OK);
}

enum err
importer_look(struct importer *im, const struct reading *keys, size_t n,
    struct err_info *info)
{
	static const struct log_rows none;
	struct asking q = {.warm = im->warm, .keys = keys, .n = n};
	enum err e;

	importer_forget(im);
	if (n == 0)
		return (ERR_OK);
	if ((q.known = calloc(n, sizeof(*q.known))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "keys"));
	e = in_log(&q, &none, &im->seen, info);
	if (e == ERR_OK)
		e = keep_logged(im, &q, info);
	free(q.known);
	if (e != ERR_OK)
		importer_forget(im);
	return (e);
}

/* What importer_look() found of these keys. */
static void
mark_seen(struct asking *q, const struct importer *im)
{
	struct asking all = {.keys = im->logged, .n = im->nlogged};
	const struct reading *last = &q->keys[q->n - 1], *r;
	size_t i = place(&all, q->keys[0].series, q->keys[0].t_us);

	for (; i < all.n; i++) {
		r = &im->logged[i];
		if (r->series > last->series ||
		    (r->series == last->series && r->t_us > last->t_us))
			return;
		mark_logged(q, r->series, r->t_us, r->value);
	}
}

enum err
importer_stored(void *self, const struct reading *keys, size_t n,
    struct import_known *ret, struct err_info *info)
{
	struct importer *im = self;
	struct asking q = {
	    .warm = im->warm, .keys = keys, .known = ret, .n = n};
	struct log_rows came;
	enum err e;

	memset(ret, 0, n * sizeof(*ret));
	if (n == 0)
		return (ERR_OK);
	/* What is merged was first: it goes over what is logged. */
	e = in_log(&q, &im->seen, &came, info);
	free(came.ids);
	mark_seen(&q, im);
	return (e == ERR_OK ? in_segments(&q, info) : e);
}
