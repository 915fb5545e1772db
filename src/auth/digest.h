/*
 * digest: SHA-256 (FIPS 180-4), random bytes, base64url (RFC 4648 section 5),
 * and comparison in constant time.
 *
 * Runs on: C. Frees: nothing. Errors: none.
 */
#ifndef PENSTOCK_AUTH_DIGEST_H
#define PENSTOCK_AUTH_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_LEN 32

/* Parts are hashed one after the other, as if joined. */
struct digest_part {
	const void *data;
	size_t len;
};
void digest(
    const struct digest_part *, size_t n, unsigned char ret[static DIGEST_LEN]);
bool digest_equal(const unsigned char *, const unsigned char *);
void random_bytes(void *, size_t);
/* Without padding; `ret` takes 4 * ceil(len / 3) + 1 bytes. */
void base64url(const void *, size_t len, char *ret, size_t size);

#endif
