#include "auth/password.h"

#include "auth/digest.h"

#include <sodium.h>
#include <string.h>

/* UTF-8 takes up to 4 bytes a character. */
#define BYTES_MAX (4 * PASSWORD_MAX)

_Static_assert(crypto_pwhash_STRBYTES <= PASSWORD_HASH, "a hash fits");

/* Of a random password that was thrown away; same limits as a real one. */
static const char nobody[] =
    "$argon2id$v=19$m=65536,t=2,p=1$vV0CXZJLXVSwiI5Hm/QLEw$"
    "zx9l5rfvWCr2uAW7f82RJJ4Qf5Z5N3wlONBr315188Y";

enum err
password_hash(
    const char *password, char ret[static PASSWORD_HASH], struct err_info *info)
{
	size_t len = strlen(password);
	char hash[crypto_pwhash_STRBYTES];

	if (len < PASSWORD_MIN || len > BYTES_MAX)
		return (err_set(info, ERR_INVALID, "/password",
		    "a password has %d to %d bytes", PASSWORD_MIN, BYTES_MAX));
	if (sodium_init() < 0 ||
	    crypto_pwhash_str(hash, password, len,
		crypto_pwhash_OPSLIMIT_INTERACTIVE,
		crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return (err_set(
		    info, ERR_NO_MEMORY, NULL, "no memory to hash a password"));
	memcpy(ret, hash, sizeof(hash));
	return (ERR_OK);
}

bool
password_verify(const char *hash, const char *password)
{
	bool same;

	if (sodium_init() < 0)
		return (false);
	same = crypto_pwhash_str_verify(hash != NULL ? hash : nobody, password,
		   strnlen(password, BYTES_MAX + 1)) == 0;
	return (same && hash != NULL);
}

void
password_random(char ret[static PASSWORD_RANDOM])
{
	unsigned char raw[18];

	random_bytes(raw, sizeof(raw));
	base64url(raw, sizeof(raw), ret, PASSWORD_RANDOM);
}
