#include "auth/refresh.h"

#include <stdio.h>
#include <string.h>

#define HANDLE_BYTES 16
#define SECRET_BYTES 32
#define PREFIX_LEN   (sizeof(REFRESH_PREFIX) - 1)

static void
hash_parts(const char *text, struct refresh *ret)
{
	struct digest_part handle = {text + PREFIX_LEN, REFRESH_HANDLE};
	struct digest_part secret = {
	    text + PREFIX_LEN + REFRESH_HANDLE, REFRESH_SECRET};

	digest(&handle, 1, ret->handle);
	digest(&secret, 1, ret->secret);
}

static void
put_secret(char text[static REFRESH_LEN + 1])
{
	unsigned char raw[SECRET_BYTES];

	random_bytes(raw, sizeof(raw));
	base64url(raw, sizeof(raw), text + PREFIX_LEN + REFRESH_HANDLE,
	    REFRESH_SECRET + 1);
}

void
refresh_new(struct refresh *ret, char ret_text[static REFRESH_LEN + 1])
{
	unsigned char raw[HANDLE_BYTES];

	memcpy(ret_text, REFRESH_PREFIX, PREFIX_LEN);
	random_bytes(raw, sizeof(raw));
	base64url(raw, sizeof(raw), ret_text + PREFIX_LEN, REFRESH_HANDLE + 1);
	put_secret(ret_text);
	hash_parts(ret_text, ret);
}

void
refresh_next(const char *text, struct refresh *ret,
    char ret_text[static REFRESH_LEN + 1])
{
	memcpy(ret_text, text, REFRESH_LEN + 1);
	put_secret(ret_text);
	hash_parts(ret_text, ret);
}

bool
refresh_parse(const char *text, struct refresh *ret)
{
	if (strnlen(text, REFRESH_LEN + 1) != REFRESH_LEN ||
	    strncmp(text, REFRESH_PREFIX, PREFIX_LEN) != 0)
		return (false);
	hash_parts(text, ret);
	return (true);
}
