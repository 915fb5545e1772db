/*
 * Files back to segments: into a table beside them, a row per series and day,
 * which then becomes the partition in one short step.
 */
#include "core/instant.h"
#include "domain/packed.h"
#include "store/cold_parts.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH (1u << 20)

/* COPY can be neither prepared nor given parameters. */
static const char copy_restored[] =
    "COPY segments_restored (series, class, t0, t1, n, data) "
    "FROM STDIN (FORMAT binary)";

/* Readings on their way into the table. */
struct sink {
	struct archiver *archiver;
	const struct cold_span *span;
	struct reading *readings; /* PACKED_MAX of one series */
	size_t n;
	char *packed;
	struct wire wire;
	int64_t all;
};

static enum err
flush(struct sink *k, size_t above, struct err_info *info)
{
	struct wire *b = &k->wire;

	if (!wire_ok(b))
		return (err_set(info, ERR_NO_MEMORY, NULL, "restore"));
	if (b->len <= above)
		return (ERR_OK);
	if (PQputCopyData(k->archiver->db->conn, b->p, (int)b->len) != 1)
		return (warm_error(k->archiver->db, NULL, "restore", info));
	wire_reset(b);
	return (ERR_OK);
}

static enum err
put_row(struct sink *k, struct err_info *info)
{
	const struct reading *r = k->readings;
	size_t len;

	if (k->n == 0)
		return (ERR_OK);
	len = packed_encode(r, k->n, k->packed);
	if (!wire_room(&k->wire, 128 + len))
		return (err_set(info, ERR_NO_MEMORY, NULL, "restore"));
	wire_i16(&k->wire, 6);
	wire_put_i32(&k->wire, r[0].series);
	wire_put_i16(&k->wire, (int16_t)k->span->class);
	wire_put_time(&k->wire, r[0].t_us);
	wire_put_time(&k->wire, r[k->n - 1].t_us);
	wire_put_i32(&k->wire, (int32_t)k->n);
	wire_i32(&k->wire, (int32_t)len);
	wire_bytes(&k->wire, k->packed, len);
	k->all += (int64_t)k->n;
	k->n = 0;
	return (flush(k, FLUSH, info));
}

static enum err
put(struct sink *k, const struct reading *r, struct err_info *info)
{
	enum err e = ERR_OK;

	if (k->n == PACKED_MAX ||
	    (k->n > 0 && k->readings[0].series != r->series))
		e = put_row(k, info);
	if (e == ERR_OK)
		k->readings[k->n++] = *r;
	return (e);
}

static enum err
copy_file(struct sink *k, FILE *bytes, const struct cold_file *f,
    struct err_info *info)
{
	struct avro_day_reader *reader = NULL;
	struct avro_day_series series;
	struct reading r;
	bool more = true;
	enum err e;

	e = avro_day_open(bytes, f->path, f->sha256, &reader, info);
	if (e != ERR_OK)
		return (e);
	k->all = 0;
	while (e == ERR_OK && more) {
		e = avro_day_next(reader, &series, &r, &more, info);
		if (e == ERR_OK && more)
			e = put(k, &r, info);
		if (e == ERR_OK && k->archiver->config.stopping())
			e = err_set(info, ERR_DRAINING, NULL, "asked to stop");
	}
	if (e == ERR_OK)
		e = put_row(k, info);
	if (e == ERR_OK && k->all != f->readings)
		e = err_set(info, ERR_INVALID, NULL,
		    "%s: holds another number of readings", f->path);
	avro_day_close(reader);
	return (e);
}

static enum err
copy_begin(struct sink *k, struct err_info *info)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
	struct warm *db = k->archiver->db;
	AUTO_RESULT r = PQexec(db->conn, copy_restored);

	if (PQresultStatus(r) != PGRES_COPY_IN)
		return (warm_error(db, r, "restore", info));
	wire_reset(&k->wire);
	wire_bytes(&k->wire, head, 19);
	return (ERR_OK);
}

/* Ends the COPY, by a failure if there was one, so that nothing of it stays. */
static enum err
copy_end(struct sink *k, enum err e, struct err_info *info)
{
	struct warm *db = k->archiver->db;
	PGresult *rest;
	AUTO_RESULT r = NULL;

	if (e == ERR_OK) {
		wire_i16(&k->wire, -1);
		e = flush(k, 0, info);
	}
	(void)PQputCopyEnd(db->conn, e == ERR_OK ? NULL : "given up");
	r = PQgetResult(db->conn);
	while ((rest = PQgetResult(db->conn)) != NULL)
		PQclear(rest);
	if (e == ERR_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
		e = warm_error(db, r, "restore", info);
	return (e);
}

static enum err
restore_file(struct sink *k, const struct cold_file *f, struct err_info *info)
{
	FILE *bytes;
	char day[11];
	enum err e;

	e = depot_open(k->archiver->config.depot, f->path, (uint64_t)f->bytes,
	    &bytes, info);
	if (e != ERR_OK)
		return (e);
	k->n = 0;
	if ((e = copy_begin(k, info)) == ERR_OK)
		e = copy_end(k, copy_file(k, bytes, f, info), info);
	(void)fclose(bytes);
	cold_day(f->day_us, day);
	if (e == ERR_OK)
		cold_tell(k->archiver, "%s %s restored, %lld readings",
		    k->span->code, day, (long long)f->readings);
	return (e);
}

static enum err
restore_files(struct sink *k, struct err_info *info)
{
	struct cold_file *files = NULL;
	size_t n = 0, i;
	enum err e;

	e = cold_files(k->archiver, k->span->archive, &files, &n, info);
	for (i = 0; e == ERR_OK && i < n; i++)
		e = restore_file(k, &files[i], info);
	free(files);
	return (e);
}

enum err
cold_restore(
    struct archiver *a, const struct cold_span *s, struct err_info *info)
{
	struct sink k = {.archiver = a, .span = s};
	struct warm_args q = {0};
	enum err e;

	k.readings = calloc(PACKED_MAX, sizeof(*k.readings));
	k.packed = malloc(packed_bound(PACKED_MAX));
	warm_i32(&q, s->archive);
	if (k.readings == NULL || k.packed == NULL)
		e = err_set(info, ERR_NO_MEMORY, NULL, "restore");
	else
		e = cold_ask(a, ST_archive_restore_begin, &q, NULL, info);
	if (e == ERR_OK)
		e = restore_files(&k, info);
	if (e == ERR_OK)
		e = cold_ask(a, ST_archive_restore_end, &q, NULL, info);
	free(k.readings);
	free(k.packed);
	wire_done(&k.wire);
	return (e);
}
