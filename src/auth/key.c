#include "auth/key.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static void
hash_secret(const char *secret, unsigned char ret[static DIGEST_LEN])
{
	struct digest_part part = {secret, KEY_SECRET};

	digest(&part, 1, ret);
}

void
key_new(struct key *ret, char ret_text[static KEY_LEN + 1])
{
	unsigned char raw[32];
	char secret[KEY_SECRET + 1];

	for (int i = 0; i < KEY_ID; i++)
		ret->id[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
	ret->id[KEY_ID] = '\0';
	random_bytes(raw, sizeof(raw));
	base64url(raw, sizeof(raw), secret, sizeof(secret));
	hash_secret(secret, ret->sha);
	(void)snprintf(
	    ret_text, KEY_LEN + 1, KEY_PREFIX "%s_%s", ret->id, secret);
}

/* isalnum() in the C locale; strspn() makes a table of all bytes each time. */
static bool
is_id(const char *s)
{
	unsigned char c;

	for (int i = 0; i < KEY_ID; i++) {
		c = (unsigned char)s[i];
		if ((unsigned)(c - '0') > 9 &&
		    (unsigned)((c | 0x20) - 'a') > 25)
			return (false);
	}
	return (true);
}

bool
key_parse(const char *text, struct key *ret)
{
	const char *id = text + sizeof(KEY_PREFIX) - 1;

	if (strnlen(text, KEY_LEN + 1) != KEY_LEN ||
	    strncmp(text, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0 ||
	    !is_id(id) || id[KEY_ID] != '_')
		return (false);
	memcpy(ret->id, id, KEY_ID);
	ret->id[KEY_ID] = '\0';
	hash_secret(id + KEY_ID + 1, ret->sha);
	return (true);
}
