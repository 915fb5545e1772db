/*
 * The proof: a file is read back from where it lies, its bytes are those that
 * were written, and reading by reading it holds what the partition holds; the
 * roll-ups, summed again from the file, are the stored ones.
 */
#include "core/instant.h"
#include "store/cold_parts.h"
#include "store/warm_rollups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of the same doubles in another order differ by less, relative to the
 * root of n times the sum of squares, which bounds the sum of magnitudes. */
#define SUM_APART 1e-9

/* A file that is being read, and the readings of one series of it. */
struct source {
	const struct cold_file *file;
	FILE *bytes;
	struct avro_day_reader *reader;
	bool more; /* series and next hold what comes */
	struct avro_day_series series;
	char names[3][COLD_CODE];
	struct reading next;
	struct reading *readings;
	size_t n, size;
	int64_t all; /* readings so far */
};

static enum err
differs(const struct cold_file *f, const char *what, struct err_info *info)
{
	return (err_set(info, ERR_INVALID, NULL, "%s: %s", f->path, what));
}

enum err
cold_files(struct archiver *a, int32_t archive, struct cold_file **ret,
    size_t *ret_n, struct err_info *info)
{
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	struct cold_file *f;
	enum err e;
	int i, n;

	warm_i32(&q, archive);
	if ((e = warm_run(a->side, ST_archive_files_of, &q, &r, info)) !=
	    ERR_OK)
		return (e);
	n = PQntuples(r);
	if ((f = calloc((size_t)n + 1, sizeof(*f))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	for (i = 0; i < n; i++) {
		f[i].day_us = warm_get_time(r, i, 0);
		f[i].shard = warm_get_i32(r, i, 1);
		(void)snprintf(
		    f[i].path, sizeof(f[i].path), "%s", warm_get_text(r, i, 2));
		f[i].readings = warm_get_i64(r, i, 3);
		f[i].series = warm_get_i64(r, i, 4);
		f[i].first_us = warm_get_time(r, i, 5);
		f[i].last_us = warm_get_time(r, i, 6);
		f[i].bytes = warm_get_i64(r, i, 7);
		memcpy(f[i].sha256, PQgetvalue(r, i, 8), AVRO_DAY_SHA);
	}
	*ret = f;
	*ret_n = (size_t)n;
	return (ERR_OK);
}

static enum err
advance(struct source *s, struct err_info *info)
{
	return (avro_day_next(s->reader, &s->series, &s->next, &s->more, info));
}

static void
source_close(struct source *s)
{
	avro_day_close(s->reader);
	if (s->bytes != NULL)
		(void)fclose(s->bytes);
	free(s->readings);
}

static enum err
source_open(struct archiver *a, const struct cold_file *f, struct source *s,
    struct err_info *info)
{
	enum err e;

	*s = (struct source){.file = f};
	e = depot_open(
	    a->config.depot, f->path, (uint64_t)f->bytes, &s->bytes, info);
	if (e == ERR_OK)
		e = avro_day_open(
		    s->bytes, f->path, f->sha256, &s->reader, info);
	return (e == ERR_OK ? advance(s, info) : e);
}

static enum err
keep(struct source *s, struct err_info *info)
{
	size_t size = s->size == 0 ? 8192 : 2 * s->size;
	struct reading *p;

	if (s->n == s->size) {
		if (size > COLD_DAY_MOST)
			return (differs(s->file, "a series is too long", info));
		p = reallocarray(s->readings, size, sizeof(*p));
		if (p == NULL)
			return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
		s->readings = p;
		s->size = size;
	}
	s->readings[s->n++] = s->next;
	s->all++;
	return (ERR_OK);
}

/* Gathers the next series' readings and leaves its names. */
static enum err
next_series(struct source *s, struct err_info *info)
{
	const char *const names[] = {
	    s->series.node, s->series.metric, s->series.unit};
	int32_t id = s->series.id;
	int64_t last = INT64_MIN;
	enum err e = ERR_OK;
	int i;

	for (i = 0; i < 3; i++)
		(void)snprintf(
		    s->names[i], sizeof(s->names[i]), "%s", names[i]);
	for (s->n = 0; e == ERR_OK && s->more && s->next.series == id;) {
		if (s->next.t_us <= last)
			return (differs(s->file, "times do not rise", info));
		last = s->next.t_us;
		if ((e = keep(s, info)) == ERR_OK)
			e = advance(s, info);
	}
	if (e == ERR_OK && s->more && s->next.series < id)
		return (differs(s->file, "series do not rise", info));
	return (e);
}

static bool
near(double a, double b, double scale)
{
	return (a == b || fabs(a - b) <= SUM_APART * scale);
}

static bool
same_rollup(const struct rollup *a, const struct rollup *u)
{
	double size = sqrt((double)u->good * u->sumsq);

	return (a->width_s == u->width_s && a->bucket_us == u->bucket_us &&
	    a->count == u->count && a->good == u->good &&
	    near(a->sum, u->sum, size) && near(a->sumsq, u->sumsq, u->sumsq) &&
	    a->min == u->min && a->max == u->max &&
	    a->first_us == u->first_us && a->first == u->first &&
	    a->last_us == u->last_us && a->last == u->last);
}

/* A bucket of the day, or where the two lists part. */
static enum err
rollup_differs(const struct source *s, const struct rollup *u, bool more,
    struct err_info *info)
{
	char when[INSTANT_TEXT] = "";

	if (!more)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s: %s/%s has more roll-ups than readings", s->file->path,
		    s->names[0], s->names[1]));
	(void)instant_format(u->bucket_us, when);
	return (err_set(info, ERR_INVALID, NULL,
	    "%s: the roll-up of %s/%s, %d s from %s, is not what the readings "
	    "sum up to",
	    s->file->path, s->names[0], s->names[1], (int)u->width_s, when));
}

/* Those of the day, whether packed or not. */
static enum err
stored_rollups(struct archiver *a, const struct source *s, struct warm_pack *k,
    struct err_info *info)
{
	int32_t series = s->readings[0].series, width_s;
	int64_t day = s->file->day_us;
	struct warm_args q = {0};
	AUTO_RESULT r = NULL;
	struct rollup u;
	size_t i, n = 0;
	enum err e;
	int row;

	warm_i32(&q, series);
	warm_time(&q, day);
	warm_time(&q, day + US_PER_DAY);
	e = warm_run(a->side, ST_archive_rollups, &q, &r, info);
	for (row = 0; e == ERR_OK && row < PQntuples(r); row++) {
		width_s = warm_get_i32(r, row, 0);
		u = warm_get_rollup(r, row, 2);
		u.series = series;
		u.width_s = width_s;
		e = PQgetisnull(r, row, 1)
		    ? warm_pack_add(k, &u, 1, info)
		    : warm_pack_data(k, series, width_s, PQgetvalue(r, row, 1),
			  (size_t)PQgetlength(r, row, 1), info);
	}
	for (i = 0; e == ERR_OK && i < k->n; i++)
		if (k->u[i].bucket_us >= day &&
		    k->u[i].bucket_us < day + US_PER_DAY)
			k->u[n++] = k->u[i];
	k->n = rollup_join(k->u, n);
	return (e);
}

static enum err
check_rollups(struct archiver *a, const struct source *s, struct err_info *info)
{
	struct warm_pack stored = {0};
	struct rollup *sums;
	size_t n, days, i;
	enum err e;

	n = rollup_count(s->readings, s->n, &days);
	if ((sums = calloc(n + 1, sizeof(*sums))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	(void)rollup_readings(sums, s->readings, s->n);
	e = stored_rollups(a, s, &stored, info);
	for (i = 0; e == ERR_OK && i < n; i++)
		if (i == stored.n || !same_rollup(&stored.u[i], &sums[i]))
			e = rollup_differs(s, &sums[i], true, info);
	if (e == ERR_OK && stored.n > n)
		e = rollup_differs(s, NULL, false, info);
	warm_pack_done(&stored);
	free(sums);
	return (e);
}

static bool
same_reading(const struct reading *a, const struct reading *b)
{
	return (a->t_us == b->t_us && a->quality == b->quality &&
	    a->received_us == b->received_us &&
	    memcmp(&a->value, &b->value, sizeof(a->value)) == 0);
}

static enum err
compare(
    const struct source *s, const struct cold_rows *rows, struct err_info *info)
{
	size_t i;

	if (s->readings[0].series != rows->series.id || s->n != rows->n ||
	    strcmp(s->names[0], rows->series.node) != 0 ||
	    strcmp(s->names[1], rows->series.metric) != 0 ||
	    strcmp(s->names[2], rows->series.unit) != 0)
		return (differs(
		    s->file, "holds other series than the partition", info));
	for (i = 0; i < s->n; i++)
		if (!same_reading(&s->readings[i], &rows->readings[i]))
			return (differs(s->file,
			    "holds another reading than the partition", info));
	return (ERR_OK);
}

/* `rows` NULL: there is no partition to compare with. */
static enum err
check(struct archiver *a, struct source *s, struct cold_rows *rows,
    struct err_info *info)
{
	bool more = true;
	enum err e = ERR_OK;

	while (e == ERR_OK && s->more) {
		if (a->config.stopping())
			return (
			    err_set(info, ERR_DRAINING, NULL, "asked to stop"));
		if ((e = next_series(s, info)) == ERR_OK && rows != NULL) {
			e = cold_rows_next(rows, &more, info);
			if (e == ERR_OK && !more)
				e = differs(s->file,
				    "holds more than the partition", info);
			if (e == ERR_OK)
				e = compare(s, rows, info);
		}
		if (e == ERR_OK)
			e = check_rollups(a, s, info);
	}
	if (e == ERR_OK && rows != NULL) {
		e = cold_rows_next(rows, &more, info);
		if (e == ERR_OK && more)
			e = differs(
			    s->file, "holds less than the partition", info);
	}
	if (e == ERR_OK && s->all != s->file->readings)
		e = differs(s->file, "holds another number of readings", info);
	return (e);
}

enum err
cold_check_day(struct archiver *a, const struct cold_span *span,
    const struct cold_file *f, struct err_info *info)
{
	struct cold_rows rows;
	struct source s;
	enum err e;

	e = source_open(a, f, &s, info);
	if (e == ERR_OK) {
		e = cold_rows_begin(&rows, a->db, span, f->day_us, info);
		if (e == ERR_OK)
			e = check(a, &s, &rows, info);
		cold_rows_end(&rows);
	}
	source_close(&s);
	return (e);
}

static enum err
check_manifest(
    struct archiver *a, const struct cold_file *f, struct err_info *info)
{
	char path[COLD_PATH], sha256[2 * AVRO_DAY_SHA + 1], *text;
	enum err e;

	cold_manifest_path(f->path, path);
	cold_hex(f->sha256, sha256);
	e = depot_slurp(a->config.depot, path, COLD_MANIFEST_MOST, &text, info);
	if (e != ERR_OK)
		return (e);
	if (strstr(text, sha256) == NULL || strstr(text, a->home) == NULL)
		e = differs(f, "its manifest is of another file", info);
	free(text);
	return (e);
}

enum err
cold_check_file(
    struct archiver *a, const struct cold_file *f, struct err_info *info)
{
	struct source s;
	enum err e;

	if ((e = check_manifest(a, f, info)) != ERR_OK)
		return (e);
	e = source_open(a, f, &s, info);
	if (e == ERR_OK)
		e = check(a, &s, NULL, info);
	source_close(&s);
	return (e);
}
