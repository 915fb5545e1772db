/*
 * cold_parts: what the archiver's files share. Inside src/store/cold_*.c only.
 *
 * Runs on: T. Units: µs UTC.
 */
#ifndef PENSTOCK_STORE_COLD_PARTS_H
#define PENSTOCK_STORE_COLD_PARTS_H

#include "domain/reading.h"
#include "store/avro_day.h"
#include "store/cold_archive.h"
#include "store/warm_conn.h"

#define COLD_CODE  64
#define COLD_PATH  200
#define COLD_SHARD 0
/* Most readings of one series and day: more could not be held. */
#define COLD_DAY_MOST ((size_t)16 << 20)

struct archiver {
	struct archiver_config config;
	struct warm *db;
	struct warm *side; /* asked while db gives rows */
	char home[40];	   /* the database's id */
	int32_t run;	   /* of archive_runs; 0: none */
};

/* A partition, and its archive. */
struct cold_span {
	int32_t archive, class;
	char code[COLD_CODE], state[16];
	int64_t from_us, to_us;
};

/* One day's file. */
struct cold_file {
	int64_t day_us;
	int32_t shard;
	char path[COLD_PATH];
	int64_t readings, series, first_us, last_us, bytes;
	unsigned char sha256[AVRO_DAY_SHA];
};

/* A day's readings of a partition, series by series. */
struct cold_rows {
	struct warm *db;
	int64_t from_us, to_us;
	struct avro_day_series series; /* texts are in `names` */
	char names[3][COLD_CODE];
	struct reading *readings, *scratch; /* n of them, in time order */
	size_t n, size;
	PGresult *row; /* of the series after this one */
};

/* "2026-11-20" */
void cold_day(int64_t t_us, char ret[static 11]);
void cold_tell(struct archiver *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Asks on db; waits, within bounds, for who holds what it needs. */
enum err cold_ask(struct archiver *, enum statement, const struct warm_args *,
    PGresult **ret, struct err_info *);

/* cold_rows.c */
enum err cold_rows_begin(struct cold_rows *, struct warm *,
    const struct cold_span *, int64_t day_us, struct err_info *);
/* *ret_more false: there was no further series. */
enum err cold_rows_next(struct cold_rows *, bool *ret_more, struct err_info *);
/* Also after an error, so that the connection is free again. */
void cold_rows_end(struct cold_rows *);

/* cold_write.c: *ret_readings 0: the day has none, so no file. */
enum err cold_write_day(struct archiver *, const struct cold_span *,
    int64_t day_us, int64_t *ret_readings, struct err_info *);
#define COLD_MANIFEST_MOST 4096
/* Of the text beside a file. */
void cold_manifest_path(const char *path, char ret[static COLD_PATH]);
void cold_hex(const unsigned char sha256[static AVRO_DAY_SHA],
    char ret[static 2 * AVRO_DAY_SHA + 1]);

/* cold_check.c */
enum err cold_files(struct archiver *, int32_t archive, struct cold_file **ret,
    size_t *ret_n, struct err_info *);
/* The file holds what the partition holds, and the roll-ups say the same. */
enum err cold_check_day(struct archiver *, const struct cold_span *,
    const struct cold_file *, struct err_info *);
/* The file holds what its record, its manifest and the roll-ups say. */
enum err
cold_check_file(struct archiver *, const struct cold_file *, struct err_info *);

/* cold_runs.c: what /ready tells of a run. due: of all that is due. at: what
 * was written last, NULL: as before. */
enum err cold_run_begin(struct archiver *, bool due, struct err_info *);
void cold_run_say(
    struct archiver *, const char *at, int64_t readings, int32_t months);
void cold_run_end(struct archiver *, const struct err_info *failed);

/* cold_restore.c */
enum err
cold_restore(struct archiver *, const struct cold_span *, struct err_info *);

#endif
