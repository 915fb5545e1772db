#include "cmd/gateway_check.h"

#include "cmd/tool.h"
#include "core/instant.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
expected(const char *secret, const struct gateway_claim *q, char ret[68])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state st;
	const struct {
		const char *s;
		size_t len;
	} parts[] = {{q->method, strlen(q->method)}, {"\n", 1},
	    {q->path, strlen(q->path)}, {"\n", 1}, {q->time, strlen(q->time)},
	    {"\n", 1}, {q->body, q->len}};
	size_t i;

	(void)crypto_auth_hmacsha256_init(
	    &st, (const unsigned char *)secret, strlen(secret));
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		(void)crypto_auth_hmacsha256_update(
		    &st, (const unsigned char *)parts[i].s, parts[i].len);
	(void)crypto_auth_hmacsha256_final(&st, mac);
	memcpy(ret, "v1=", 3);
	(void)sodium_bin2hex(ret + 3, 65, mac, sizeof(mac));
}

bool
gateway_check(
    const char *secret, const struct gateway_claim *q, const char **ret_why)
{
	const char *p = q->signature;
	long long age;
	char want[68];
	size_t len;

	if (q->time == NULL || p == NULL) {
		*ret_why = "it is not signed";
		return (false);
	}
	age = tool_now_us() / US_PER_SECOND - strtoll(q->time, NULL, 10);
	if (age > GATEWAY_CHECK_WINDOW || age < -GATEWAY_CHECK_WINDOW) {
		*ret_why = "it was signed at another time";
		return (false);
	}
	expected(secret, q, want);
	for (; *p != '\0'; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		if (len == strlen(want) && sodium_memcmp(p, want, len) == 0)
			return (true);
	}
	*ret_why = "the signature is wrong";
	return (false);
}
