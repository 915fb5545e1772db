#include "store/avro_day.h"

#include <avro.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A block ends with the series that fills it so far, at the latest when it is
 * full. */
#define BLOCK_WANTED (AVRO_DAY_BLOCK / 2)
/* Room for a full block of the longest records: three texts of 64 bytes, five
 * numbers of 10. */
#define BLOCK_BYTES ((size_t)AVRO_DAY_BLOCK * 256)

enum {
	F_NODE,
	F_METRIC,
	F_UNIT,
	F_TS,
	F_VALUE,
	F_QUALITY,
	F_RECEIVED,
	F_SERIES,
	FIELDS
};

#define MICROS "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"
const char avro_day_schema[] =
    "{\"type\":\"record\",\"name\":\"reading\",\"namespace\":\"penstock\","
    "\"fields\":["
    "{\"name\":\"node\",\"type\":\"string\",\"doc\":\"Business code\"},"
    "{\"name\":\"metric\",\"type\":\"string\",\"doc\":\"Business code\"},"
    "{\"name\":\"unit\",\"type\":\"string\",\"doc\":\"Unit of value\"},"
    "{\"name\":\"ts\",\"type\":" MICROS ",\"doc\":\"Event time, UTC\"},"
    "{\"name\":\"value\",\"type\":\"double\"},"
    "{\"name\":\"quality\",\"type\":\"int\",\"doc\":\"Bits; 0 is good\"},"
    "{\"name\":\"received_at\",\"type\":" MICROS
    ",\"doc\":\"When the service had it, UTC\"},"
    "{\"name\":\"series\",\"type\":\"int\",\"doc\":\"Row id in the database "
    "it came from\"}]}";

/* One record of the schema, its fields at hand. */
struct record {
	avro_schema_t schema;
	avro_value_iface_t *class;
	avro_value_t value, field[FIELDS];
};

struct avro_day_writer {
	FILE *file;
	avro_file_writer_t out;
	struct record record;
	struct avro_day_index index;
	size_t size;	 /* of index.blocks, in elements */
	size_t in_block; /* readings */
	int32_t series;
};

struct avro_day_reader {
	avro_file_reader_t in;
	struct record record;
};

static enum err
avro_failed(const char *what, struct err_info *info)
{
	return (err_set(
	    info, ERR_INTERNAL, NULL, "Avro %s: %s", what, avro_strerror()));
}

static void
record_done(struct record *r)
{
	if (r->value.iface != NULL)
		avro_value_decref(&r->value);
	if (r->class != NULL)
		avro_value_iface_decref(r->class);
	if (r->schema != NULL)
		avro_schema_decref(r->schema);
}

static enum err
record_init(struct record *r, struct err_info *info)
{
	size_t i;

	memset(r, 0, sizeof(*r));
	if (avro_schema_from_json_length(
		avro_day_schema, strlen(avro_day_schema), &r->schema) != 0 ||
	    (r->class = avro_generic_class_from_schema(r->schema)) == NULL ||
	    avro_generic_value_new(r->class, &r->value) != 0)
		return (avro_failed("schema", info));
	for (i = 0; i < FIELDS; i++)
		if (avro_value_get_by_index(&r->value, i, &r->field[i], NULL) !=
		    0)
			return (avro_failed("schema", info));
	return (ERR_OK);
}

void
avro_day_drop(struct avro_day_writer *w)
{
	if (w == NULL)
		return;
	if (w->out != NULL)
		(void)avro_file_writer_close(w->out);
	record_done(&w->record);
	free(w->index.blocks);
	free(w);
}

static void
put_long(FILE *f, int64_t v)
{
	uint64_t z = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);

	for (; z > 0x7f; z >>= 7)
		(void)putc((int)(z | 0x80) & 0xff, f);
	(void)putc((int)z, f);
}

static void
put_text(FILE *f, const char *s)
{
	size_t n = strlen(s);

	put_long(f, (int64_t)n);
	(void)fwrite(s, 1, n, f);
}

/*
 * The container's header (Avro 1.11 specification, "Object Container Files"):
 * magic, a map of metadata, the sync marker. libavro would write one too, but
 * leaves the logical types out of the schema.
 */
static enum err
put_header(FILE *f, struct err_info *info)
{
	static const char *const meta[][2] = {{"avro.codec", "deflate"},
	    {"avro.schema", avro_day_schema},
	    {"penstock.software", PENSTOCK_VERSION}};
	const size_t n = sizeof(meta) / sizeof(meta[0]);
	unsigned char sync[16];
	size_t i;

	if (RAND_bytes(sync, sizeof(sync)) != 1)
		return (err_set(info, ERR_INTERNAL, NULL, "no randomness"));
	(void)fwrite("Obj\1", 1, 4, f);
	put_long(f, (int64_t)n);
	for (i = 0; i < n; i++) {
		put_text(f, meta[i][0]);
		put_text(f, meta[i][1]);
	}
	put_long(f, 0);
	(void)fwrite(sync, 1, sizeof(sync), f);
	if (fflush(f) != 0 || ferror(f) != 0)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "archive: %s", strerror(errno)));
	return (ERR_OK);
}

/* libavro takes a file on by its name only. */
static enum err
open_writer(struct avro_day_writer *w, struct err_info *info)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(w->file));
	if (avro_file_writer_open_bs(path, &w->out, BLOCK_BYTES) != 0)
		return (avro_failed("writer", info));
	return (ERR_OK);
}

enum err
avro_day_create(FILE *file, struct avro_day_writer **ret, struct err_info *info)
{
	struct avro_day_writer *w = calloc(1, sizeof(*w));
	enum err e;

	if (w == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	w->file = file;
	w->index.first_us = INT64_MAX;
	w->index.last_us = INT64_MIN;
	e = record_init(&w->record, info);
	if (e == ERR_OK)
		e = put_header(file, info);
	if (e == ERR_OK)
		e = open_writer(w, info);
	if (e != ERR_OK) {
		avro_day_drop(w);
		return (e);
	}
	*ret = w;
	return (ERR_OK);
}

/* Ends the block; the next begins where the file now does. */
static enum err
end_block(struct avro_day_writer *w, struct err_info *info)
{
	if (w->in_block == 0)
		return (ERR_OK);
	w->in_block = 0;
	if (avro_file_writer_flush(w->out) != 0)
		return (avro_failed("block", info));
	return (ERR_OK);
}

enum err
avro_day_series(struct avro_day_writer *w, const struct avro_day_series *s,
    struct err_info *info)
{
	struct record *r = &w->record;

	w->series = s->id;
	w->index.series++;
	if (avro_value_set_string(&r->field[F_NODE], s->node) != 0 ||
	    avro_value_set_string(&r->field[F_METRIC], s->metric) != 0 ||
	    avro_value_set_string(&r->field[F_UNIT], s->unit) != 0 ||
	    avro_value_set_int(&r->field[F_SERIES], s->id) != 0)
		return (avro_failed("series", info));
	return (w->in_block >= BLOCK_WANTED ? end_block(w, info) : ERR_OK);
}

static enum err
begin_block(
    struct avro_day_writer *w, const struct reading *r, struct err_info *info)
{
	struct avro_day_index *x = &w->index;
	size_t size = w->size == 0 ? 256 : 2 * w->size;
	struct avro_day_block *more;
	struct stat st;

	if (x->nblocks == w->size) {
		more = reallocarray(x->blocks, size, sizeof(*more));
		if (more == NULL)
			return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
		x->blocks = more;
		w->size = size;
	}
	if (fstat(fileno(w->file), &st) == -1)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "archive: %s", strerror(errno)));
	x->blocks[x->nblocks++] = (struct avro_day_block){.series = w->series,
	    .t_us = r->t_us,
	    .offset = (uint64_t)st.st_size};
	return (ERR_OK);
}

static enum err
put_one(
    struct avro_day_writer *w, const struct reading *r, struct err_info *info)
{
	struct record *c = &w->record;

	if (avro_value_set_long(&c->field[F_TS], r->t_us) != 0 ||
	    avro_value_set_double(&c->field[F_VALUE], r->value) != 0 ||
	    avro_value_set_int(&c->field[F_QUALITY], r->quality) != 0 ||
	    avro_value_set_long(&c->field[F_RECEIVED], r->received_us) != 0 ||
	    avro_file_writer_append_value(w->out, &c->value) != 0)
		return (avro_failed("reading", info));
	w->in_block++;
	w->index.readings++;
	if (r->t_us < w->index.first_us)
		w->index.first_us = r->t_us;
	if (r->t_us > w->index.last_us)
		w->index.last_us = r->t_us;
	return (ERR_OK);
}

enum err
avro_day_put(struct avro_day_writer *w, const struct reading *r, size_t n,
    struct err_info *info)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; e == ERR_OK && i < n; i++) {
		if (w->in_block == AVRO_DAY_BLOCK)
			e = end_block(w, info);
		if (e == ERR_OK && w->in_block == 0)
			e = begin_block(w, &r[i], info);
		if (e == ERR_OK)
			e = put_one(w, &r[i], info);
	}
	return (e);
}

/* Hashes each block and the whole from what the file now holds. */
static enum err
hash(FILE *f, struct avro_day_index *x, struct err_info *info)
{
	const unsigned char *p;
	uint64_t end;
	size_t i;
	struct stat st;

	if (fstat(fileno(f), &st) == -1 ||
	    (p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
		 fileno(f), 0)) == MAP_FAILED)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "archive: %s", strerror(errno)));
	x->bytes = (uint64_t)st.st_size;
	SHA256(p, x->bytes, x->sha256);
	for (i = 0; i < x->nblocks; i++) {
		end = i + 1 < x->nblocks ? x->blocks[i + 1].offset : x->bytes;
		SHA256(p + x->blocks[i].offset, end - x->blocks[i].offset,
		    x->blocks[i].sha256);
	}
	(void)munmap((void *)(uintptr_t)p, x->bytes);
	return (ERR_OK);
}

enum err
avro_day_finish(struct avro_day_writer *w, struct avro_day_index *ret,
    struct err_info *info)
{
	enum err e = end_block(w, info);

	if (e == ERR_OK)
		e = hash(w->file, &w->index, info);
	if (e == ERR_OK) {
		*ret = w->index;
		w->index.blocks = NULL;
	}
	avro_day_drop(w);
	return (e);
}

void
avro_day_close(struct avro_day_reader *r)
{
	if (r == NULL)
		return;
	if (r->in != NULL)
		(void)avro_file_reader_close(r->in);
	record_done(&r->record);
	free(r);
}

static bool
read_hash(FILE *f, unsigned char ret[static AVRO_DAY_SHA])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char buf[65536];
	size_t n;
	bool ok =
	    ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	while (ok && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		ok = EVP_DigestUpdate(ctx, buf, n) == 1;
	ok = ok && ferror(f) == 0 && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return (ok);
}

static enum err
check_hash(FILE *f, const char *name, const unsigned char wanted[AVRO_DAY_SHA],
    struct err_info *info)
{
	unsigned char sha256[AVRO_DAY_SHA];

	if (!read_hash(f, sha256))
		return (
		    err_set(info, ERR_ARCHIVE, NULL, "%s: not readable", name));
	if (memcmp(sha256, wanted, sizeof(sha256)) != 0)
		return (err_set(info, ERR_INVALID, NULL,
		    "%s: its SHA-256 is not the one recorded", name));
	rewind(f);
	return (ERR_OK);
}

/* The writer's schema must be ours: values are read as they lie. */
enum err
avro_day_open(FILE *file, const char *name,
    const unsigned char sha256[AVRO_DAY_SHA], struct avro_day_reader **ret,
    struct err_info *info)
{
	struct avro_day_reader *r;
	avro_schema_t theirs;
	enum err e;

	if (sha256 != NULL &&
	    (e = check_hash(file, name, sha256, info)) != ERR_OK)
		return (e);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "archive"));
	e = record_init(&r->record, info);
	if (e == ERR_OK && avro_file_reader_fp(file, name, 0, &r->in) != 0)
		e = avro_failed("header", info);
	if (e == ERR_OK) {
		theirs = avro_file_reader_get_writer_schema(r->in);
		if (!avro_schema_equal(theirs, r->record.schema))
			e = err_set(info, ERR_INTERNAL, NULL,
			    "Avro header: another schema than version %d",
			    AVRO_DAY_VERSION);
		avro_schema_decref(theirs);
	}
	if (e != ERR_OK) {
		avro_day_close(r);
		return (e);
	}
	*ret = r;
	return (ERR_OK);
}

enum err
avro_day_next(struct avro_day_reader *r, struct avro_day_series *s,
    struct reading *ret, bool *ret_more, struct err_info *info)
{
	avro_value_t *f = r->record.field;
	int quality, rc = avro_file_reader_read_value(r->in, &r->record.value);
	size_t len;

	*ret_more = rc == 0;
	if (rc == EOF)
		return (ERR_OK);
	if (rc != 0 || avro_value_get_string(&f[F_NODE], &s->node, &len) != 0 ||
	    avro_value_get_string(&f[F_METRIC], &s->metric, &len) != 0 ||
	    avro_value_get_string(&f[F_UNIT], &s->unit, &len) != 0 ||
	    avro_value_get_int(&f[F_SERIES], &s->id) != 0 ||
	    avro_value_get_long(&f[F_TS], &ret->t_us) != 0 ||
	    avro_value_get_double(&f[F_VALUE], &ret->value) != 0 ||
	    avro_value_get_int(&f[F_QUALITY], &quality) != 0 ||
	    avro_value_get_long(&f[F_RECEIVED], &ret->received_us) != 0)
		return (avro_failed("reading", info));
	ret->series = s->id;
	ret->quality = (int16_t)quality;
	return (ERR_OK);
}
