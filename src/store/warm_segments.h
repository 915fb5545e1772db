/*
 * warm_segments: rows of `segments` on the loop's connection: the lock, the
 * classes, partitions, and writing runs of readings by COPY. Inside
 * src/store/warm*.c only.
 *
 * Runs on: T. Frees: warm_segments_done(). Units: µs UTC. Errors: as
 * store/warm_conn.h.
 */
#ifndef PENSTOCK_STORE_WARM_SEGMENTS_H
#define PENSTOCK_STORE_WARM_SEGMENTS_H

#include "domain/reading.h"
#include "store/warm_conn.h"

/* Rows written by one COPY: kept together until `end` sends them. Those that
 * are not readings are put straight into `wire` and counted in `rows`. */
struct warm_copy {
	struct warm *warm;
	struct wire *wire;
	size_t rows;
};

void warm_segments_done(struct warm *);
/* Nobody else writes rows until the unit of work ends. */
enum err warm_segments_lock(struct warm *, struct err_info *);

/* Learns the retention class of each series that is not known yet. */
enum err warm_classes_need(
    struct warm *, const int32_t *series, size_t n, struct err_info *);
/* Of a series that was asked for above. */
int16_t warm_class(const struct warm *, int32_t series);

/* First instant of the month that holds t_us. */
int64_t warm_month(int64_t t_us);
/* Notes that the class and month need a partition, if there is none. */
enum err warm_segments_want(
    struct warm *, int16_t class, int64_t t_us, struct err_info *);
/*
 * Makes and commits what is wanted, whatever becomes of the unit of work, which
 * must hold the lock; then waits, a second at most, for statements that were
 * planned without it.
 */
enum err warm_segments_make(struct warm *, struct err_info *);

/* Readings of one series as one row or, beyond PACKED_MAX, several; strictly
 * rising in time and within one month. Memory that is out shows at the end. */
void warm_copy_init(struct warm_copy *, struct warm *, struct wire *);
void warm_copy_put(
    struct warm_copy *, int16_t class, const struct reading *, size_t n);
/* Sends them by this COPY, which can be neither prepared nor given
 * parameters. */
enum err warm_copy_end(struct warm_copy *, const char *sql, struct err_info *);
extern const char warm_copy_segments[];

/* Decodes packed bytes behind the `n` readings of w->decoded, which grows;
 * returns how many came, 0 and an error if the bytes are none. */
size_t warm_decode(struct warm *, const char *data, size_t len, int32_t series,
    size_t n, struct err_info *);

#endif
