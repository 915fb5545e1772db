/*
 * cold_depot: where archived files lie: a folder, or a bucket of S3. A file
 * is there whole or not at all.
 *
 * Runs on: T. Frees: the caller closes the FILEs. Paths are relative, of
 * letters, digits and "/=-_.". Errors: ERR_NOT_FOUND if there is no such
 * file, ERR_FORBIDDEN, ERR_ARCHIVE (the store cannot answer now), ERR_INTERNAL.
 */
#ifndef PENSTOCK_STORE_COLD_DEPOT_H
#define PENSTOCK_STORE_COLD_DEPOT_H

#include "core/err.h"
#include "store/s3.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

struct depot {
	const char *dir; /* NULL: s3 */
	struct s3 s3;
};

struct depot_file {
	FILE *file;			     /* read and write */
	char path[PATH_MAX], made[PATH_MAX]; /* "" where nameless */
};

/* A new file, not yet to be seen at its path. */
enum err depot_begin(const struct depot *, const char *path,
    struct depot_file *ret, struct err_info *);
/* It is at its path now, and stays there over a loss of power. sha256 is of
 * its len bytes. The file is closed either way. */
enum err depot_commit(const struct depot *, struct depot_file *, uint64_t len,
    const unsigned char sha256[static 32], struct err_info *);
void depot_abandon(struct depot_file *);

/* Exactly these bytes; ret has room for one more. */
enum err depot_read(const struct depot *, const char *path, uint64_t from,
    uint64_t len, void *ret, struct err_info *);
/* The whole file of len bytes, from its start. */
enum err depot_open(const struct depot *, const char *path, uint64_t len,
    FILE **ret, struct err_info *);
/* What is shorter or longer than max: ERR_INTERNAL. *ret is malloc'd, with a
 * NUL behind it. */
enum err depot_slurp(const struct depot *, const char *path, size_t max,
    char **ret, struct err_info *);

#endif
