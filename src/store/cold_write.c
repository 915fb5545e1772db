/*
 * A day to its file: written beside its place, put there whole, then told to
 * the database. Doing it again overwrites it.
 */
#include "core/instant.h"
#include "core/text.h"
#include "store/cold_parts.h"

#include <endian.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
cold_day(int64_t t_us, char ret[static 11])
{
	char text[INSTANT_TEXT];

	(void)instant_format(t_us, text);
	memcpy(ret, text, 10);
	ret[10] = '\0';
}

static void
set_path(const struct cold_span *s, int64_t day_us, char ret[static COLD_PATH])
{
	char day[11];

	cold_day(day_us, day);
	(void)snprintf(ret, COLD_PATH,
	    "readings/class=%s/day=%s/shard=%d/readings.avro", s->code, day,
	    COLD_SHARD);
}

/* The underscore: tools that load the folder pass over it. */
void
cold_manifest_path(const char *path, char ret[static COLD_PATH])
{
	(void)snprintf(ret, COLD_PATH, "%.*s_manifest.json",
	    (int)(strrchr(path, '/') + 1 - path), path);
}

void
cold_hex(const unsigned char sha256[static AVRO_DAY_SHA],
    char ret[static 2 * AVRO_DAY_SHA + 1])
{
	size_t i;

	for (i = 0; i < AVRO_DAY_SHA; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", sha256[i]);
}

/* NULL if memory is out; the caller frees. */
static char *
make_manifest(const struct archiver *a, const struct cold_span *s,
    const struct cold_file *f)
{
	char day[11], sha256[2 * AVRO_DAY_SHA + 1];
	struct text t;

	cold_day(f->day_us, day);
	cold_hex(f->sha256, sha256);
	text_init(&t, COLD_MANIFEST_MOST);
	json_object(&t, NULL);
	json_string(&t, "database", a->home);
	json_string(&t, "class", s->code);
	json_string(&t, "day", day);
	json_int(&t, "shard", f->shard);
	json_string(&t, "file", strrchr(f->path, '/') + 1);
	json_string(&t, "format", "avro");
	json_int(&t, "schema_version", AVRO_DAY_VERSION);
	json_string(&t, "software", "penstock " PENSTOCK_VERSION);
	json_int(&t, "rows", f->readings);
	json_int(&t, "series", f->series);
	json_instant(&t, "first", f->first_us);
	json_instant(&t, "last", f->last_us);
	json_int(&t, "bytes", f->bytes);
	json_string(&t, "sha256", sha256);
	json_object_end(&t);
	text_puts(&t, "\n");
	if (!text_ok(&t)) {
		text_done(&t);
		return (NULL);
	}
	return (text_take(&t, NULL));
}

/* A manifest of another database's: that one's only copy may lie there.
 * *ret_rows: how many readings lie at path, 0 if there is no file. */
static enum err
check_ours(struct archiver *a, const char *path, int64_t *ret_rows,
    struct err_info *info)
{
	static const char key[] = "\"rows\":";
	const char *rows;
	char manifest[COLD_PATH], *text;
	struct err_info why = {0};
	enum err e;
	bool ours;

	cold_manifest_path(path, manifest);
	e = depot_slurp(
	    a->config.depot, manifest, COLD_MANIFEST_MOST, &text, &why);
	*ret_rows = 0;
	if (e == ERR_NOT_FOUND)
		return (ERR_OK);
	if (e != ERR_OK)
		return (err_set(info, e, NULL, "%s", why.detail));
	ours = strstr(text, a->home) != NULL;
	if ((rows = strstr(text, key)) != NULL)
		*ret_rows = strtoll(rows + strlen(key), NULL, 10);
	free(text);
	return (ours ? ERR_OK
		     : err_set(info, ERR_CONFLICT, NULL,
			   "%s is another database's: give this one a folder "
			   "or bucket of its own",
			   manifest));
}

static enum err
put_manifest(struct archiver *a, const struct cold_span *s,
    const struct cold_file *f, struct err_info *info)
{
	char path[COLD_PATH], *text = make_manifest(a, s, f);
	unsigned char sha256[AVRO_DAY_SHA];
	struct depot_file to;
	enum err e;
	size_t len;

	if (text == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "manifest"));
	len = strlen(text);
	cold_manifest_path(f->path, path);
	SHA256((const unsigned char *)text, len, sha256);
	e = depot_begin(a->config.depot, path, &to, info);
	if (e == ERR_OK) {
		(void)fwrite(text, 1, len, to.file);
		e = depot_commit(a->config.depot, &to, len, sha256, info);
	}
	free(text);
	return (e);
}

/* The form that archive_locate() searches. */
static void
put_blocks(struct wire *w, const struct avro_day_index *x)
{
	const struct avro_day_block *b;
	size_t i;

	if (!wire_room(w, x->nblocks * 52))
		return;
	for (i = 0; i < x->nblocks; i++) {
		b = &x->blocks[i];
		wire_i32(w, b->series);
		wire_i64(w, b->t_us ^ INT64_MIN);
		wire_i64(w, (int64_t)b->offset);
		wire_bytes(w, b->sha256, sizeof(b->sha256));
	}
}

static enum err
add_file(struct archiver *a, const struct cold_span *s,
    const struct cold_file *f, const struct wire *header,
    const struct avro_day_index *x, struct err_info *info)
{
	struct wire sha256 = {0}, blocks = {0};
	struct warm_args q = {0};
	enum err e;

	wire_bytes(&sha256, f->sha256, sizeof(f->sha256));
	put_blocks(&blocks, x);
	if (!wire_ok(&sha256) || !wire_ok(&blocks) || !wire_ok(header)) {
		e = err_set(info, ERR_NO_MEMORY, NULL, "archive");
	} else {
		warm_i32(&q, s->archive);
		warm_time(&q, f->day_us);
		warm_i32(&q, f->shard);
		warm_text(&q, f->path);
		warm_i64(&q, f->readings);
		warm_i64(&q, f->series);
		warm_time(&q, f->first_us);
		warm_time(&q, f->last_us);
		warm_i64(&q, f->bytes);
		warm_wired(&q, &sha256);
		warm_wired(&q, header);
		warm_wired(&q, &blocks);
		e = warm_run_one(a->db, ST_archive_file_add, &q, info);
	}
	wire_done(&sha256);
	wire_done(&blocks);
	return (e);
}

/* The bytes before the first block. */
static enum err
read_header(FILE *f, const struct avro_day_index *x, struct wire *ret,
    struct err_info *info)
{
	size_t len = (size_t)x->blocks[0].offset;

	if (!wire_room(ret, len))
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	if (pread(fileno(f), ret->p, len, 0) != (ssize_t)len)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "archive: %s", strerror(errno)));
	ret->len = len;
	return (ERR_OK);
}

/* Puts the written file and its manifest where they belong. */
static enum err
place(struct archiver *a, const struct cold_span *s, struct cold_file *f,
    struct depot_file *to, struct avro_day_index *x, struct err_info *info)
{
	struct wire header = {0};
	enum err e;

	f->readings = x->readings;
	f->series = x->series;
	f->first_us = x->first_us;
	f->last_us = x->last_us;
	f->bytes = (int64_t)x->bytes;
	memcpy(f->sha256, x->sha256, sizeof(f->sha256));
	e = read_header(to->file, x, &header, info);
	if (e != ERR_OK)
		depot_abandon(to);
	else
		e = depot_commit(
		    a->config.depot, to, x->bytes, x->sha256, info);
	if (e == ERR_OK)
		e = put_manifest(a, s, f, info);
	if (e == ERR_OK)
		e = add_file(a, s, f, &header, x, info);
	wire_done(&header);
	return (e);
}

static enum err
copy_rows(struct archiver *a, struct cold_rows *rows, struct avro_day_writer *w,
    struct err_info *info)
{
	bool more = true;
	enum err e = ERR_OK;

	while (e == ERR_OK && more) {
		if ((e = avro_day_series(w, &rows->series, info)) != ERR_OK ||
		    (e = avro_day_put(w, rows->readings, rows->n, info)) !=
			ERR_OK)
			return (e);
		if (a->config.stopping())
			return (
			    err_set(info, ERR_DRAINING, NULL, "asked to stop"));
		e = cold_rows_next(rows, &more, info);
	}
	return (e);
}

static enum err
write_file(struct archiver *a, const struct cold_span *s, struct cold_file *f,
    struct cold_rows *rows, struct err_info *info)
{
	struct avro_day_writer *w = NULL;
	struct avro_day_index x = {0};
	struct depot_file to;
	int64_t there;
	enum err e;

	if ((e = check_ours(a, f->path, &there, info)) != ERR_OK ||
	    (e = depot_begin(a->config.depot, f->path, &to, info)) != ERR_OK)
		return (e);
	if ((e = avro_day_create(to.file, &w, info)) == ERR_OK &&
	    (e = copy_rows(a, rows, w, info)) == ERR_OK) {
		e = avro_day_finish(w, &x, info);
		w = NULL;
	}
	avro_day_drop(w);
	/* Readings are never taken away: this database was set back. */
	if (e == ERR_OK && x.readings < there)
		e = err_set(info, ERR_CONFLICT, NULL,
		    "%s holds %lld readings, the database but %lld of that "
		    "day: move the file away",
		    f->path, (long long)there, (long long)x.readings);
	if (e == ERR_OK)
		e = place(a, s, f, &to, &x, info);
	else
		depot_abandon(&to);
	free(x.blocks);
	return (e);
}

enum err
cold_write_day(struct archiver *a, const struct cold_span *s, int64_t day_us,
    int64_t *ret_readings, struct err_info *info)
{
	struct cold_file f = {.day_us = day_us, .shard = COLD_SHARD};
	struct cold_rows rows;
	bool more = false;
	enum err e;

	set_path(s, day_us, f.path);
	e = cold_rows_begin(&rows, a->db, s, day_us, info);
	if (e == ERR_OK)
		e = cold_rows_next(&rows, &more, info);
	if (e == ERR_OK && more)
		e = write_file(a, s, &f, &rows, info);
	cold_rows_end(&rows);
	if (e == ERR_OK)
		*ret_readings = f.readings;
	return (e);
}
