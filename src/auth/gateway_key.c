#include "auth/gateway_key.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define CONTEXT "penstock gateway %s %d"

static void
add(crypto_auth_hmacsha256_state *st, const char *s, size_t len)
{
	(void)crypto_auth_hmacsha256_update(
	    st, (const unsigned char *)s, (unsigned long long)len);
}

static void
begin(crypto_auth_hmacsha256_state *st, const char *key)
{
	(void)crypto_auth_hmacsha256_init(
	    st, (const unsigned char *)key, strlen(key));
}

static void
finish(crypto_auth_hmacsha256_state *st, char ret[static GATEWAY_SECRET])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];

	(void)crypto_auth_hmacsha256_final(st, mac);
	(void)sodium_bin2hex(ret, GATEWAY_SECRET, mac, sizeof(mac));
	sodium_memzero(st, sizeof(*st));
}

void
gateway_secret(const char *service_secret, const char *code, int version,
    char ret[static GATEWAY_SECRET])
{
	crypto_auth_hmacsha256_state st;
	char context[128];
	int n = snprintf(context, sizeof(context), CONTEXT, code, version);

	begin(&st, service_secret);
	add(&st, context, (size_t)n);
	finish(&st, ret);
}

static void
sign_by(const char *secret, const struct signed_request *q,
    char ret[static GATEWAY_SECRET])
{
	crypto_auth_hmacsha256_state st;
	char time[24];
	int n = snprintf(time, sizeof(time), "%lld", (long long)q->time_s);

	begin(&st, secret);
	add(&st, q->method, strlen(q->method));
	add(&st, "\n", 1);
	add(&st, q->path, strlen(q->path));
	add(&st, "\n", 1);
	add(&st, time, (size_t)n);
	add(&st, "\n", 1);
	add(&st, q->body, q->len);
	finish(&st, ret);
}

static void
sign(const void *self, const struct signed_request *q,
    char ret[static SIGNATURE_TEXT])
{
	char secret[GATEWAY_SECRET], hex[2][GATEWAY_SECRET];

	gateway_secret(self, q->gateway, q->secret_version, secret);
	sign_by(secret, q, hex[0]);
	(void)snprintf(ret, SIGNATURE_TEXT, "v1=%s", hex[0]);
	if (q->secret_version > 0) {
		gateway_secret(self, q->gateway, q->secret_version - 1, secret);
		sign_by(secret, q, hex[1]);
		(void)snprintf(
		    ret, SIGNATURE_TEXT, "v1=%s,v1=%s", hex[0], hex[1]);
	}
	sodium_memzero(secret, sizeof(secret));
}

struct signer_port
gateway_signer(const char *service_secret)
{
	return ((struct signer_port){service_secret, sign});
}
