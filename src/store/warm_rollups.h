/*
 * warm_rollups: roll-ups of spans that are over, packed. Inside src/store
 * only.
 *
 * Runs on: T. Frees: warm_pack_done(). Units: µs UTC. Errors: as
 * store/warm_conn.h.
 */
#ifndef PENSTOCK_STORE_WARM_ROLLUPS_H
#define PENSTOCK_STORE_WARM_ROLLUPS_H

#include "domain/rollup.h"
#include "store/warm_segments.h"

/* Parts of roll-ups come span by span, and are written as one row each. */
struct warm_pack {
	struct warm_copy copy;
	struct rollup *u; /* of the span at work */
	size_t n, size;
};

void warm_pack_init(struct warm_pack *, struct warm *);
void warm_pack_done(struct warm_pack *);
enum err warm_pack_add(
    struct warm_pack *, const struct rollup *, size_t n, struct err_info *);
/* What rollups_packed has of the span. */
enum err warm_pack_data(struct warm_pack *, int32_t series, int32_t width_s,
    const char *data, size_t len, struct err_info *);
/* That was the span: one series, one width. */
enum err warm_pack_span(struct warm_pack *, struct err_info *);
/* Writes what was packed. */
enum err warm_pack_end(struct warm_pack *, struct err_info *);

/* A row's columns from bucket on, in the order of the table. */
struct rollup warm_get_rollup(const PGresult *, int row, int column);

/* Spans [from_us, to_us) of segment_spans are over; packs what is fresh in
 * them, and what has gathered in the month or year they are of, of the next
 * `most` series after the id. Adds the rows it took. Holds the lock. */
struct warm_rollups_step {
	int32_t series;
	int64_t most, from_us, to_us, now_us;
	bool monthly;
};
enum err warm_rollups_tidy(struct warm *, const struct warm_rollups_step *,
    int64_t *rows, struct err_info *);

#endif
