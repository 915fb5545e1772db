#include "auth/keyring.h"

#include "auth/digest.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 9 /* 12 characters */

static enum err
add_key(struct keyring *r, const char *s, size_t len, struct err_info *info)
{
	static const char label[] = "penstock kid";
	struct digest_part parts[] = {{label, sizeof(label)}, {s, len}};
	unsigned char sha[DIGEST_LEN];
	struct jws_key *k = &r->keys[r->n];

	if (len < KEYRING_SECRET)
		return (err_set(info, ERR_INVALID, NULL,
		    "each key has at least %d bytes", KEYRING_SECRET));
	if (r->n == KEYRING_MAX)
		return (err_set(info, ERR_INVALID, NULL,
		    "there are more than %d keys", KEYRING_MAX));
	*k = (struct jws_key){.alg = JWS_HS256, .secret_len = len};
	if ((k->secret = malloc(len)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "no memory"));
	memcpy(k->secret, s, len);
	digest(parts, sizeof(parts) / sizeof(*parts), sha);
	base64url(sha, NAME_BYTES, k->kid, sizeof(k->kid));
	r->n++;
	return (ERR_OK);
}

enum err
keyring_parse(const char *text, struct keyring *ret, struct err_info *info)
{
	struct keyring r = {.n = 0};
	enum err e = ERR_OK;
	size_t len;

	for (; *text != '\0' && e == ERR_OK; text += len) {
		len = strcspn(text, "\r\n");
		if (len > 0)
			e = add_key(&r, text, len, info);
		len += strspn(text + len, "\r\n");
	}
	if (e == ERR_OK && r.n == 0)
		e = err_set(info, ERR_INVALID, NULL, "there is no key");
	if (e != ERR_OK)
		keyring_done(&r);
	else
		*ret = r;
	return (e);
}

void
keyring_done(struct keyring *r)
{
	while (r->n > 0)
		jws_key_done(&r->keys[--r->n]);
}

const struct jws_key *
keyring_find(const struct keyring *r, const char *kid)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->keys[i].kid, kid) == 0)
			return (&r->keys[i]);
	return (NULL);
}

bool
keyring_same(const struct keyring *a, const struct keyring *b)
{
	if (a->n != b->n)
		return (false);
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->keys[i].kid, b->keys[i].kid) != 0)
			return (false);
	return (true);
}
