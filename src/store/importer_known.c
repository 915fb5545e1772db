/*
 * What is stored at the keys of an import: one question per series and month,
 * answered by packed rows, and one to the log where it reaches so far back.
 */
#include "core/instant.h"
#include "store/importer_parts.h"

#include <stdlib.h>
#include <string.h>

/* Groups per statement; the answer is read row by row. */
#define GROUPS 1000
/* Keys per question to the log. */
#define KEYS 50000

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

/* The key's place, or n. */
static size_t
find(const struct asking *q, int32_t series, int64_t t_us)
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
	if (lo < q->n &&
	    (q->keys[lo].series != series || q->keys[lo].t_us != t_us))
		return (q->n);
	return (lo);
}

/* The first that was logged comes last, and stays. */
static enum err
take_logged(struct asking *q, struct err_info *info)
{
	enum err e = ERR_OK;
	int64_t t;
	size_t i;

	for (;;) {
		AUTO_RESULT r = NULL;

		e = warm_next(q->warm, ST_import_logged, &r, info);
		if (e != ERR_OK || r == NULL)
			return (e);
		t = warm_get_time(r, 0, 1);
		i = find(q, warm_get_i32(r, 0, 0), t);
		if (i < q->n)
			q->known[i] =
			    (struct import_known){true, warm_get_f64(r, 0, 2)};
	}
}

/* Keys from *at on whose time is within [lo, hi], KEYS at most. */
static enum err
ask_log(
    struct asking *q, size_t *at, int64_t lo, int64_t hi, struct err_info *info)
{
	struct warm *w = q->warm;
	struct warm_args a = {0};
	struct reading *some;
	size_t n = 0, i;
	enum err e;

	if ((some = malloc(KEYS * sizeof(*some))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "keys"));
	for (; *at < q->n && n < KEYS; (*at)++)
		if (q->keys[*at].t_us >= lo && q->keys[*at].t_us <= hi)
			some[n++] = q->keys[*at];
	wire_reset(&w->wires[0]);
	wire_reset(&w->wires[1]);
	wire_array(&w->wires[0], OID_INT4, n);
	wire_array(&w->wires[1], OID_TIMESTAMPTZ, n);
	for (i = 0; i < n; i++) {
		wire_put_i32(&w->wires[0], some[i].series);
		wire_put_time(&w->wires[1], some[i].t_us);
	}
	free(some);
	if (n == 0)
		return (ERR_OK);
	e = importer_args(&a, w->wires, 2, info);
	warm_time(&a, lo);
	warm_time(&a, hi);
	if (e == ERR_OK)
		e = warm_send(w, ST_import_logged, &a, info);
	return (e == ERR_OK ? take_logged(q, info) : e);
}

static enum err
in_log(struct asking *q, struct err_info *info)
{
	struct warm *w = q->warm;
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	int64_t lo = q->keys[0].t_us, hi = lo;
	size_t i, at = 0;
	enum err e;

	for (i = 1; i < q->n; i++) {
		lo = q->keys[i].t_us < lo ? q->keys[i].t_us : lo;
		hi = q->keys[i].t_us > hi ? q->keys[i].t_us : hi;
	}
	warm_time(&a, lo);
	warm_time(&a, hi);
	if ((e = warm_run(w, ST_import_log_span, &a, &r, info)) != ERR_OK)
		return (e);
	if (PQgetisnull(r, 0, 0))
		return (ERR_OK);
	lo = warm_get_time(r, 0, 0);
	hi = warm_get_time(r, 0, 1);
	while (e == ERR_OK && at < q->n)
		e = ask_log(q, &at, lo, hi, info);
	return (e);
}

enum err
importer_stored(void *self, const struct reading *keys, size_t n,
    struct import_known *ret, struct err_info *info)
{
	struct importer *im = self;
	struct asking q = {
	    .warm = im->warm, .keys = keys, .known = ret, .n = n};
	enum err e;

	memset(ret, 0, n * sizeof(*ret));
	if (n == 0)
		return (ERR_OK);
	/* What is merged was first: it goes over what is logged. */
	e = in_log(&q, info);
	return (e == ERR_OK ? in_segments(&q, info) : e);
}
