/* The plain SHA-256 of OpenSSL 1.1: it cannot fail, allocates nothing, and
 * uses the processor's instructions; five times as fast as libsodium's. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "auth/digest.h"

#include <openssl/sha.h>
#include <sodium.h>

_Static_assert(SHA256_DIGEST_LENGTH == DIGEST_LEN, "as FIPS 180-4 has it");

void
digest(const struct digest_part *parts, size_t n,
    unsigned char ret[static DIGEST_LEN])
{
	SHA256_CTX st;

	(void)SHA256_Init(&st);
	for (size_t i = 0; i < n; i++)
		(void)SHA256_Update(&st, parts[i].data, parts[i].len);
	(void)SHA256_Final(ret, &st);
}

bool
digest_equal(const unsigned char *a, const unsigned char *b)
{
	return (sodium_memcmp(a, b, DIGEST_LEN) == 0);
}

void
random_bytes(void *buf, size_t len)
{
	randombytes_buf(buf, len);
}

void
base64url(const void *in, size_t len, char *ret, size_t size)
{
	sodium_bin2base64(
	    ret, size, in, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
