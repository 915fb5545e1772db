/* Readings written as a file of the archive come back as they were, from the
 * whole file and from each block behind the header; a file of which one byte is
 * another is refused before libavro sees it. */
#include "store/avro_day.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 20		   /* bytes of input for one run of readings */
#define MOST  (4 * AVRO_DAY_BLOCK) /* readings */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct reading readings[MOST];
static size_t nreadings;
static FILE *scratch;

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static struct avro_day_series
name(int32_t id, char buf[static 64])
{
	int len = id % 64;

	memset(buf, 'a' + id % 26, (size_t)len);
	buf[len] = '\0';
	return ((struct avro_day_series){id, buf, buf + len / 2, buf + len});
}

/* A run: step of the series, how many, their first values. */
static void
take_runs(const uint8_t *p, size_t len)
{
	int32_t id = 0;
	struct reading r;
	uint64_t value;
	size_t n, i;

	for (nreadings = 0; len >= CHUNK; p += CHUNK, len -= CHUNK) {
		id += 1 + p[0] % 8 * 1000;
		n = p[1] < 128 ? 1 + p[1]
			       : (size_t)(p[1] - 127) * (AVRO_DAY_BLOCK / 64);
		memcpy(&value, p + 2, 8);
		memcpy(&r.t_us, p + 10, 8);
		memcpy(&r.quality, p + 18, 2);
		for (i = 0; i < n && nreadings < MOST; i++, value += p[3]) {
			r.series = id;
			r.t_us = (int64_t)((uint64_t)r.t_us + p[2]);
			r.received_us = (int64_t) ~(uint64_t)r.t_us;
			memcpy(&r.value, &value, 8);
			readings[nreadings++] = r;
		}
	}
}

static void
write_file(FILE *f, struct avro_day_index *x)
{
	struct err_info info = {0};
	struct avro_day_series s;
	struct avro_day_writer *w;
	size_t from, to;
	char buf[64];

	require(avro_day_create(f, &w, &info) == ERR_OK);
	for (from = 0; from < nreadings; from = to) {
		for (to = from; to < nreadings &&
		     readings[to].series == readings[from].series;)
			to++;
		s = name(readings[from].series, buf);
		require(avro_day_series(w, &s, &info) == ERR_OK);
		require(avro_day_put(w, &readings[from], to - from, &info) ==
		    ERR_OK);
	}
	require(avro_day_finish(w, x, &info) == ERR_OK);
	require(x->readings == (int64_t)nreadings);
}

/* Until the end; returns behind the last one. */
static size_t
compare(struct avro_day_reader *reader, size_t at)
{
	struct avro_day_series s, wanted;
	struct err_info info = {0};
	struct reading r;
	char buf[64];
	bool more;

	for (;; at++) {
		require(avro_day_next(reader, &s, &r, &more, &info) == ERR_OK);
		if (!more)
			return (at);
		require(at < nreadings && r.series == readings[at].series &&
		    r.t_us == readings[at].t_us &&
		    r.received_us == readings[at].received_us &&
		    r.quality == readings[at].quality &&
		    memcmp(&r.value, &readings[at].value, 8) == 0);
		wanted = name(r.series, buf);
		require(s.id == wanted.id && strcmp(s.node, wanted.node) == 0 &&
		    strcmp(s.metric, wanted.metric) == 0 &&
		    strcmp(s.unit, wanted.unit) == 0);
	}
}

static size_t
read_bytes(const char *p, size_t len, const unsigned char *sha256, size_t at)
{
	struct avro_day_reader *reader = NULL;
	struct err_info info = {0};
	FILE *f = fmemopen((void *)(uintptr_t)p, len, "r");

	require(f != NULL &&
	    avro_day_open(f, "file", sha256, &reader, &info) == ERR_OK);
	at = compare(reader, at);
	avro_day_close(reader);
	(void)fclose(f);
	return (at);
}

static void
read_blocks(const char *p, const struct avro_day_index *x)
{
	size_t head = x->nblocks > 0 ? x->blocks[0].offset : x->bytes, at = 0;
	unsigned char sha256[AVRO_DAY_SHA];
	size_t len, i;
	char *q;

	for (i = 0; i < x->nblocks; i++) {
		const struct avro_day_block *b = &x->blocks[i];

		len = (i + 1 < x->nblocks ? b[1].offset : x->bytes) - b->offset;
		SHA256((const unsigned char *)p + b->offset, len, sha256);
		require(memcmp(sha256, b->sha256, sizeof(sha256)) == 0 &&
		    at < nreadings && b->series == readings[at].series &&
		    b->t_us == readings[at].t_us);
		require((q = malloc(head + len)) != NULL);
		memcpy(q, p, head);
		memcpy(q + head, p + b->offset, len);
		at = read_bytes(q, head + len, NULL, at);
		free(q);
	}
	require(at == nreadings);
}

static void
read_changed(char *p, const struct avro_day_index *x, uint32_t where)
{
	struct avro_day_reader *reader;
	struct err_info info = {0};
	FILE *f = fmemopen(p, x->bytes, "r");

	p[where % x->bytes] ^= (char)(1u << where % 8);
	require(f != NULL &&
	    avro_day_open(f, "file", x->sha256, &reader, &info) == ERR_INVALID);
	(void)fclose(f);
}

/* The first bytes say which byte becomes another. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct avro_day_index x;
	uint32_t where;
	char *p;

	if (len < sizeof(where))
		return (0);
	memcpy(&where, data, sizeof(where));
	take_runs(data + sizeof(where), len - sizeof(where));
	if (scratch == NULL)
		require((scratch = tmpfile()) != NULL);
	rewind(scratch);
	require(ftruncate(fileno(scratch), 0) == 0);
	write_file(scratch, &x);
	require((p = malloc(x.bytes)) != NULL);
	require(pread(fileno(scratch), p, x.bytes, 0) == (ssize_t)x.bytes);
	require(read_bytes(p, x.bytes, x.sha256, 0) == nreadings);
	read_blocks(p, &x);
	read_changed(p, &x, where);
	free(p);
	free(x.blocks);
	return (0);
}
