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

struct importer {
	struct warm *warm;
	bool placed; /* holds the place, as long as the connection lives */
};

/* importer_known.c: the arrays as parameters; ERR_NO_MEMORY if one grew no
 * more. */
enum err importer_args(
    struct warm_args *, const struct wire *, size_t n, struct err_info *);
/* importer_known.c: core/import_port.h stored(). */
enum err importer_stored(void *self, const struct reading *, size_t n,
    struct import_known *ret, struct err_info *);
/* importer_store.c: core/import_port.h prepare(). */
enum err importer_prepare(
    void *self, const struct reading *, size_t n, struct err_info *);
/* importer_store.c: core/import_port.h store(). */
enum err
importer_store(void *self, const struct reading *, size_t n, struct err_info *);

#endif
