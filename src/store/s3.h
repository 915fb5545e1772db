/*
 * s3: whole objects of one bucket of an S3-compatible server, path style,
 * signed by Signature Version 4 (AWS General Reference), which libcurl makes.
 *
 * Runs on: T. curl_global_init() was called. Frees: nothing is kept. Errors:
 * ERR_NOT_FOUND for 404, ERR_FORBIDDEN for 401 and 403, else ERR_ARCHIVE: the
 * store cannot answer now. What may be sent again is, a few times.
 */
#ifndef PENSTOCK_STORE_S3_H
#define PENSTOCK_STORE_S3_H

#include "core/err.h"

#include <stdint.h>
#include <stdio.h>

/* Strings are borrowed and outlive every call. */
struct s3 {
	const char *endpoint; /* https://s3.eu-south-1.amazonaws.com */
	const char *bucket, *region;
	const char *access_key, *secret_key;
	const char *ca_path; /* NULL: the system's certificates */
};

/* The file from its start; its SHA-256 is signed, so the server checks it. */
enum err s3_put(const struct s3 *, const char *key, FILE *, uint64_t len,
    const unsigned char sha256[static 32], struct err_info *);
/* Bytes [from, from + len) of the object, exactly, appended to the file. */
enum err s3_get(const struct s3 *, const char *key, uint64_t from, uint64_t len,
    FILE *to, struct err_info *);
enum err s3_size(
    const struct s3 *, const char *key, uint64_t *ret_len, struct err_info *);

#endif
