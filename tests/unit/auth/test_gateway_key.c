#include "auth/gateway_key.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define OWN "0123456789abcdef0123456789abcdef"

/* By Python's hmac module. */
#define SECRET0 \
	"f21a3a15d2f548e4f33be1d02a06de149e2ba31d6b76302e4396e404d5722d5c"
#define SIGNED0 \
	"86a22a749600f0ca5309a923fdf5f65bb71c99bd546dddc9bb3d23fe8786e5bd"
#define SIGNED1 \
	"840aa627e3bd0a8607fb5908ee3e9ad3400bc29a12fc783d61b997d86a017bec"

static struct signed_request request = {
    .gateway = "GW-1",
    .method = "POST",
    .path = "/commands",
    .time_s = 1795176000,
    .body = "{\"a\":1}",
    .len = 7,
};

static const char *
signature(int version)
{
	static char s[SIGNATURE_TEXT];
	struct signer_port port = gateway_signer(OWN);

	request.secret_version = version;
	port.sign(port.self, &request, s);
	return (s);
}

Test(gateway_key, a_secret_is_derived)
{
	char s[GATEWAY_SECRET], other[GATEWAY_SECRET];

	gateway_secret(OWN, "GW-1", 0, s);
	cr_assert_str_eq(s, SECRET0);
	gateway_secret(OWN, "GW-1", 1, other);
	cr_assert_str_neq(s, other);
	gateway_secret(OWN, "GW-2", 0, other);
	cr_assert_str_neq(s, other);
}

Test(gateway_key, a_request_is_signed_by_this_secret_and_the_one_before)
{
	cr_assert_str_eq(signature(0), "v1=" SIGNED0);
	cr_assert_str_eq(signature(1), "v1=" SIGNED1 ",v1=" SIGNED0);
}

Test(gateway_key, each_part_is_signed)
{
	char was[SIGNATURE_TEXT];

	(void)snprintf(was, sizeof(was), "%s", signature(0));
	request.method = "GET";
	cr_assert_str_neq(signature(0), was);
	request.method = "POST";
	request.path = "/commands/1";
	cr_assert_str_neq(signature(0), was);
	request.path = "/commands";
	request.time_s++;
	cr_assert_str_neq(signature(0), was);
	request.time_s--;
	request.len--;
	cr_assert_str_neq(signature(0), was);
	request.len++;
	cr_assert_str_eq(signature(0), was);
}
