/* Tokens: any text; and, so that claims are reached, any claims under a good
 * signature. Who gets in must have been let in by the rules. */
#include "auth/jwks.h"
#include "auth/token.h"
#include "core/instant.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define NOW INT64_C(1795000000000000)

/* RFC 7515 appendices A.2 and A.3. */
static const char set[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":\""
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPC"
    "JrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soM"
    "Zo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2C"
    "apHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NA"
    "co9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}";

static struct keyring ring;
static struct token_foreign foreign = {.issuer = "i",
    .audience = "a",
    .role_claim = "/x/roles",
    .zones_claim = "/x/zones",
    .life_s = 86400};
static struct token_config config = {&ring, "i", "a", 900, &foreign};

static void
make(void)
{
	foreign.keys = jwks_parse(set, sizeof(set) - 1, NULL);
	if (foreign.keys == NULL ||
	    token_roles_parse("viewer=v,admin=a", &foreign.roles, NULL) !=
		ERR_OK ||
	    keyring_parse("0123456789abcdef0123456789abcdef\n"
			  "another key of at least 32 bytes",
		&ring, NULL) != ERR_OK)
		abort();
}

static void
check(const char *text, bool signature_is_ours)
{
	struct token t = {.role = ROLE_COUNT};
	struct err_info info = {.code = ERR_OK};
	enum err e = token_verify(&config, text, NOW, &t, &info);

	if (e == ERR_OK) {
		if (!signature_is_ours || t.role <= ROLE_ANONYMOUS ||
		    t.role >= ROLE_COUNT || t.session <= 0 ||
		    t.expires_us <= NOW || strlen(t.subject) == 0 ||
		    strlen(t.subject) >= TOKEN_SUBJECT)
			abort();
	} else if (info.code == ERR_OK || info.detail[0] == '\0' ||
	    t.role != ROLE_COUNT)
		abort();
}

/* The first byte says how the rest is meant. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[TOKEN_MAX + 2], token[TOKEN_MAX];

	if (ring.n == 0)
		make();
	if (len == 0 || len > TOKEN_MAX)
		return (0);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] != 'c')
		check(text, false);
	else if (jws_sign(&ring.keys[1], text, token, NULL) == ERR_OK)
		check(token, true);
	return (0);
}
