#include "auth/digest.h"

#include <sodium.h>

void
digest(const struct digest_part *parts, size_t n,
    unsigned char ret[static DIGEST_LEN])
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	for (size_t i = 0; i < n; i++)
		if (parts[i].len > 0)
			crypto_hash_sha256_update(
			    &st, parts[i].data, parts[i].len);
	crypto_hash_sha256_final(&st, ret);
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
