#include "auth/hook_key.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define MAC	crypto_auth_hmacsha256_BYTES
#define BASE64	sodium_base64_ENCODED_LEN(MAC, sodium_base64_VARIANT_ORIGINAL)
#define CONTEXT "penstock webhook %d %d"

static void
add(crypto_auth_hmacsha256_state *st, const char *s, size_t len)
{
	(void)crypto_auth_hmacsha256_update(
	    st, (const unsigned char *)s, (unsigned long long)len);
}

static void
derive(const char *service_secret, int32_t hook, int32_t version,
    unsigned char ret[static MAC])
{
	crypto_auth_hmacsha256_state st;
	char context[64];
	int n = snprintf(context, sizeof(context), CONTEXT, hook, version);

	(void)crypto_auth_hmacsha256_init(
	    &st, (const unsigned char *)service_secret, strlen(service_secret));
	add(&st, context, (size_t)n);
	(void)crypto_auth_hmacsha256_final(&st, ret);
}

void
hook_secret_text(const char *service_secret, int32_t hook, int32_t version,
    char ret[static HOOK_SECRET_TEXT])
{
	unsigned char secret[MAC];
	char text[BASE64];

	derive(service_secret, hook, version, secret);
	(void)sodium_bin2base64(text, sizeof(text), secret, sizeof(secret),
	    sodium_base64_VARIANT_ORIGINAL);
	(void)snprintf(ret, HOOK_SECRET_TEXT, "whsec_%s", text);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(text, sizeof(text));
}

static void
sign_by(const char *service_secret, const struct hook_message *m,
    int32_t version, char ret[static BASE64])
{
	crypto_auth_hmacsha256_state st;
	unsigned char secret[MAC], mac[MAC];
	char head[96];
	int n = snprintf(
	    head, sizeof(head), "%s.%lld.", m->id, (long long)m->time_s);

	derive(service_secret, m->hook, version, secret);
	(void)crypto_auth_hmacsha256_init(&st, secret, sizeof(secret));
	add(&st, head, (size_t)n);
	add(&st, m->body, m->len);
	(void)crypto_auth_hmacsha256_final(&st, mac);
	(void)sodium_bin2base64(
	    ret, BASE64, mac, sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&st, sizeof(st));
}

void
hook_sign(const char *service_secret, const struct hook_message *m,
    char ret[static HOOK_SIGNATURE])
{
	char now[BASE64], old[BASE64];

	sign_by(service_secret, m, m->version, now);
	(void)snprintf(ret, HOOK_SIGNATURE, "v1,%s", now);
	if (!m->old_too || m->version == 0)
		return;
	sign_by(service_secret, m, m->version - 1, old);
	(void)snprintf(ret, HOOK_SIGNATURE, "v1,%s v1,%s", now, old);
}
