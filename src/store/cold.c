#include "store/cold.h"

#include "core/instant.h"
#include "domain/reading.h"
#include "store/avro_day.h"
#include "store/warm_wire.h"

#include <endian.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of one chunk: 65,536 readings of some 10 bytes at most. */
#define BLOCKS	    4
#define ENTRY	    52 /* see archive_files in the migration */
#define METRIC_MOST 64

struct span {
	char metric[METRIC_MOST];
	int64_t from_us, to_us;
};

/* Sorted by metric and time; spans that touch are one. */
struct spans {
	struct span *at;
	size_t n, size;
	int64_t end_us; /* of the last */
};

struct cold {
	struct cold_config config;
	struct spans now, coming;
};

/* One read(): what was asked, where it lies, what came. */
struct job {
	struct cold *cold; /* on L alone: a thread may outlive it */
	struct depot depot;
	struct range range;
	range_cb *cb;
	void *arg;
	char class[METRIC_MOST], day[16], path[256];
	uint64_t bytes; /* of the file */
	unsigned char *header;
	size_t header_len, nblocks;
	struct avro_day_block blocks[BLOCKS + 1]; /* the last: what follows */
	bool follows;
	struct reading *readings;
	size_t n;
	int64_t complete_to_us;
	struct err_info info;
};

struct cold *
cold_new(const struct cold_config *config)
{
	struct cold *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->config = *config;
	return (c);
}

void
cold_free(struct cold *c)
{
	if (c == NULL)
		return;
	free(c->now.at);
	free(c->coming.at);
	free(c);
}

void
cold_spans_begin(struct cold *c)
{
	c->coming.n = 0;
	c->coming.end_us = INT64_MIN;
}

enum err
cold_span_put(
    struct cold *c, const char *metric, int64_t from_us, int64_t to_us)
{
	struct spans *s = &c->coming;
	struct span *last = s->n > 0 ? &s->at[s->n - 1] : NULL, *more;
	size_t size = s->size == 0 ? 64 : 2 * s->size;

	if (to_us > s->end_us)
		s->end_us = to_us;
	if (last != NULL && strcmp(last->metric, metric) == 0 &&
	    last->to_us == from_us) {
		last->to_us = to_us;
		return (ERR_OK);
	}
	if (s->n == s->size) {
		more = reallocarray(s->at, size, sizeof(*more));
		if (more == NULL)
			return (ERR_NO_MEMORY);
		s->at = more;
		s->size = size;
	}
	last = &s->at[s->n++];
	(void)snprintf(last->metric, sizeof(last->metric), "%s", metric);
	last->from_us = from_us;
	last->to_us = to_us;
	return (ERR_OK);
}

void
cold_spans_end(struct cold *c)
{
	struct spans old = c->now;

	c->now = c->coming;
	c->coming = old;
}

/* Few spans: archived months that touch are one, and metrics some dozens; yet
 * every reading that is sent asks, and is newer than all of them. */
static bool
only(void *self, int32_t series, int64_t t_us, int64_t *ret_end_us)
{
	struct cold *c = self;
	const char *metric;
	const struct span *s;
	size_t i;

	*ret_end_us = INT64_MAX;
	if (c->now.n == 0 || t_us >= c->now.end_us ||
	    (metric = c->config.metric(c->config.metric_arg, series)) == NULL)
		return (false);
	for (i = 0; i < c->now.n; i++) {
		s = &c->now.at[i];
		if (t_us >= s->to_us || strcmp(s->metric, metric) != 0)
			continue;
		*ret_end_us = t_us < s->from_us ? s->from_us : s->to_us;
		return (t_us >= s->from_us);
	}
	return (false);
}

static void
job_free(struct job *j)
{
	free(j->header);
	free(j->readings);
	free(j);
}

static void
answer(void *arg)
{
	struct job *j = arg;
	struct range_part part = {j->readings, j->n, j->complete_to_us};

	j->cb(j->arg, j->info.code == ERR_OK ? &part : NULL, &j->info);
	job_free(j);
}

/* The blocks' bytes, checked, behind the header's: a small container file. */
static char *
fetch(struct job *j, size_t *ret_len, struct err_info *why)
{
	uint64_t from = j->blocks[0].offset, end, at;
	unsigned char sha256[AVRO_DAY_SHA];
	char *p;
	size_t i;

	end = j->follows ? j->blocks[j->nblocks].offset : j->bytes;
	*ret_len = j->header_len + (size_t)(end - from);
	if ((p = malloc(*ret_len + 1)) == NULL) {
		(void)err_set(why, ERR_NO_MEMORY, NULL, "no memory");
		return (NULL);
	}
	memcpy(p, j->header, j->header_len);
	if (depot_read(&j->depot, j->path, from, end - from, p + j->header_len,
		why) != ERR_OK) {
		free(p);
		return (NULL);
	}
	for (i = 0; i < j->nblocks; i++) {
		at = j->blocks[i].offset;
		end = i + 1 < j->nblocks || j->follows ? j->blocks[i + 1].offset
						       : j->bytes;
		SHA256((unsigned char *)p + j->header_len + (at - from),
		    end - at, sha256);
		if (memcmp(sha256, j->blocks[i].sha256, sizeof(sha256)) != 0) {
			(void)err_set(why, ERR_ARCHIVE, NULL,
			    "its bytes are not those that were written");
			free(p);
			return (NULL);
		}
	}
	return (p);
}

/* A block's readings are at most as many as the writer put into it. */
static enum err
take(struct job *j, struct avro_day_reader *reader, struct err_info *why)
{
	const size_t most = j->nblocks * AVRO_DAY_BLOCK;
	struct avro_day_series series;
	struct reading r;
	bool more = true;
	enum err e;

	if ((j->readings = calloc(most, sizeof(*j->readings))) == NULL)
		return (err_set(why, ERR_NO_MEMORY, NULL, "no memory"));
	for (;;) {
		e = avro_day_next(reader, &series, &r, &more, why);
		if (e != ERR_OK || !more || r.series > j->range.series)
			return (e);
		if (r.series == j->range.series && r.t_us >= j->range.from_us &&
		    r.t_us < j->complete_to_us && j->n < most)
			j->readings[j->n++] = r;
	}
}

static enum err
load(struct job *j, struct err_info *why)
{
	struct avro_day_reader *reader = NULL;
	FILE *f = NULL;
	size_t len;
	char *bytes = fetch(j, &len, why);
	enum err e;

	if (bytes == NULL)
		return (why->code);
	if ((f = fmemopen(bytes, len, "r")) == NULL)
		e = err_set(why, ERR_NO_MEMORY, NULL, "no memory");
	else if ((e = avro_day_open(f, j->path, NULL, &reader, why)) == ERR_OK)
		e = take(j, reader, why);
	avro_day_close(reader);
	if (f != NULL)
		(void)fclose(f);
	free(bytes);
	return (e);
}

/* On a thread. Whatever is wrong with a file is the archive's failure, never
 * an empty answer. */
static void
work(void *arg)
{
	struct job *j = arg;
	struct err_info why = {0};
	enum err e = load(j, &why);

	if (e != ERR_OK)
		(void)err_set(&j->info, e == ERR_NO_MEMORY ? e : ERR_ARCHIVE,
		    NULL, "the archive of class %s, day %s: %s", j->class,
		    j->day, why.detail);
}

static int64_t
sortable(const char *p)
{
	return (wire_get_i64(p) ^ INT64_MIN);
}

/* The blocks to read, and the one behind them, whose first reading says how
 * far what was read is whole. */
static enum err
take_blocks(struct job *j, const char *p, int len)
{
	size_t n = (size_t)len / ENTRY, i;
	struct avro_day_block *b;

	if (n == 0 || n > BLOCKS + 1 || len % ENTRY != 0)
		return (err_set(&j->info, ERR_INTERNAL, NULL,
		    "the archive of class %s, day %s: no such blocks", j->class,
		    j->day));
	for (i = 0; i < n; i++, p += ENTRY) {
		b = &j->blocks[i];
		b->series = wire_get_i32(p);
		b->t_us = sortable(p + 4);
		b->offset = (uint64_t)wire_get_i64(p + 12);
		memcpy(b->sha256, p + 20, sizeof(b->sha256));
		if (b->offset >= j->bytes ||
		    (i > 0 && b->offset <= b[-1].offset))
			return (err_set(&j->info, ERR_INTERNAL, NULL,
			    "the archive of class %s, day %s: no such blocks",
			    j->class, j->day));
	}
	b = &j->blocks[n - 1];
	j->follows = n > 1 &&
	    (n == BLOCKS + 1 || b->series > j->range.series ||
		(b->series == j->range.series && b->t_us >= j->range.to_us));
	j->nblocks = j->follows ? n - 1 : n;
	if (j->follows && b->series == j->range.series &&
	    b->t_us < j->complete_to_us)
		j->complete_to_us = b->t_us;
	return (ERR_OK);
}

static void
copy_text(const struct rows *rows, int column, char *ret, size_t size)
{
	int len;
	const char *p = rows->get(rows, 0, column, &len);

	(void)snprintf(
	    ret, size, "%.*s", p != NULL ? len : 0, p != NULL ? p : "");
}

/* False: there is nothing to read, or info says why not. */
static bool
take_place(struct job *j, const struct rows *rows)
{
	const char *p;
	int len;

	if (rows->n == 0) {
		(void)err_set(&j->info, ERR_CACHE, NULL,
		    "the time asked for is not archived");
		return (false);
	}
	p = rows->get(rows, 0, 6, &len);
	if (p == NULL || !wire_get_time(p, &j->complete_to_us)) {
		(void)err_set(&j->info, ERR_INTERNAL, NULL, "archive_locate");
		return (false);
	}
	copy_text(rows, 0, j->class, sizeof(j->class));
	copy_text(rows, 1, j->day, sizeof(j->day));
	copy_text(rows, 2, j->path, sizeof(j->path));
	if (j->path[0] == '\0')
		return (false);
	p = rows->get(rows, 0, 3, &len);
	j->bytes = (uint64_t)wire_get_i64(p);
	p = rows->get(rows, 0, 4, &len);
	if ((j->header = malloc((size_t)len)) == NULL) {
		(void)err_set(&j->info, ERR_NO_MEMORY, NULL, "archive");
		return (false);
	}
	memcpy(j->header, p, (size_t)len);
	j->header_len = (size_t)len;
	p = rows->get(rows, 0, 5, &len);
	return (take_blocks(j, p, len) == ERR_OK);
}

static void
on_place(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct job *j = arg;
	const struct cold_config *c = &j->cold->config;
	enum err e;

	if (rows == NULL) {
		j->info = *info;
	} else if (take_place(j, rows)) {
		if (c->depot.dir == NULL && c->depot.s3.bucket == NULL)
			e = err_set(&j->info, ERR_ARCHIVE, NULL,
			    "the archive of class %s, day %s: neither "
			    "PENSTOCK_ARCHIVE_DIR nor PENSTOCK_S3_BUCKET is "
			    "set",
			    j->class, j->day);
		else if ((e = c->offload(NULL, work, answer, j)) != ERR_OK)
			(void)err_set(
			    &j->info, e, NULL, "too many wait for the archive");
		if (e == ERR_OK)
			return;
	}
	answer(j);
}

static void
put_key(char ret[static 12], int32_t series, int64_t t_us)
{
	uint32_t id = htobe32((uint32_t)series);
	uint64_t t = htobe64((uint64_t)(t_us ^ INT64_MIN));

	memcpy(ret, &id, sizeof(id));
	memcpy(ret + 4, &t, sizeof(t));
}

static enum err
read_range(void *self, const struct range *r, range_cb *cb, void *arg,
    struct err_info *info)
{
	struct cold *c = self;
	struct job *j = calloc(1, sizeof(*j));
	char id[12], from[INSTANT_TEXT], to[INSTANT_TEXT], most[12];
	char since[12], until[12];
	enum err e;

	if (j == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	*j = (struct job){.cold = c,
	    .depot = c->config.depot,
	    .range = *r,
	    .cb = cb,
	    .arg = arg};
	(void)snprintf(id, sizeof(id), "%" PRId32, r->series);
	(void)snprintf(most, sizeof(most), "%d", BLOCKS);
	(void)instant_format(r->from_us, from);
	(void)instant_format(r->to_us, to);
	put_key(since, r->series, r->from_us);
	put_key(until, r->series, r->to_us);
	e = c->config.query.run(c->config.query.self,
	    &(struct query){.statement = ST_archive_locate,
		.lane = LANE_SLOW,
		.params = (struct param[]){{id, -1, false}, {from, -1, false},
		    {to, -1, false}, {since, 12, true}, {until, 12, true},
		    {most, -1, false}},
		.nparams = 6,
		.binary_result = true,
		.tag = r->tag},
	    on_place, j, info);
	if (e != ERR_OK)
		job_free(j);
	return (e);
}

struct range_port
cold_port(struct cold *c)
{
	return (struct range_port){c, read_range, only};
}
