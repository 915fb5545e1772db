/*
 * importer_parts: what the importer's files share. Inside src/store only.
 *
 * Runs on: T. Frees: the importer.
 */
#ifndef PENSTOCK_STORE_IMPORTER_PARTS_H
#define PENSTOCK_STORE_IMPORTER_PARTS_H

#include "core/ports.h"
#include "domain/reading.h"
#include "store/importer.h"
#include "store/warm_segments.h"

/* Rows of the log, rising by id, and the times they span. */
struct log_rows {
	int64_t *ids;
	size_t n;
	int64_t lo_us, hi_us;
};

struct importer {
	struct warm *warm;
	bool placed; /* holds the place, as long as the connection lives */
	/* What importer_look() looked into, and found of the part's keys. */
	struct log_rows seen;
	struct reading *logged;
	size_t nlogged;
};

/* importer_known.c: the arrays as parameters; ERR_NO_MEMORY if one grew no
 * more. */
enum err importer_args(
    struct warm_args *, const struct wire *, size_t n, struct err_info *);
/* importer_known.c: looks for the part's keys in the log as it is, so that
 * stored() has to look only into what comes later. */
enum err importer_look(
    struct importer *, const struct reading *, size_t n, struct err_info *);
void importer_forget(struct importer *);
/* importer_known.c: core/import_port.h stored(). */
enum err importer_stored(void *self, const struct reading *, size_t n,
    struct import_known *ret, struct err_info *);
/* importer_rollups.c: those whose span is over go to `over`, the others, how
 * many it returns, stay. */
size_t importer_open_rollups(struct rollup *, size_t n, struct rollup *over,
    size_t *nover, int64_t now_us);
/* importer_rollups.c: stores those that are over, span by span. */
enum err importer_pack(
    struct warm *, const struct rollup *, size_t n, struct err_info *);
/* importer_store.c: core/import_port.h prepare(). */
enum err importer_prepare(
    void *self, const struct reading *, size_t n, struct err_info *);
/* importer_store.c: core/import_port.h store(). */
enum err
importer_store(void *self, const struct reading *, size_t n, struct err_info *);

#endif
