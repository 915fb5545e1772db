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
#define EC(kid)                                                  \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"" kid "\"," \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define RSA(kid)                                                       \
	"{\"kty\":\"RSA\",\"kid\":\"" kid "\",\"e\":\"AQAB\",\"n\":\"" \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26"        \
	"mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2"        \
	"lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg"        \
	"0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB"        \
	"EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5I"        \
	"hlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kz"        \
	"k2PAcDTW9gb54h4FRWyuXpoQ\"}"
static const char set[] = "{\"keys\":[" EC("e") "," EC("f") "," RSA("r") "]}";

static struct keyring ring;
static struct token_foreign foreign = {.issuer = "i",
    .audience = "a",
    .role_claim = "/x/roles",
    .zones_claim = "/x/zones",
    .life_s = 86400};
/* Of the foreign set, and with a secret here: so that it signs. */
static struct jws_key *hers;
static struct token_config config = {&ring, "i", "a", 900, &foreign};

static void
make(void)
{
	foreign.keys = jwks_parse(set, sizeof(set) - 1, NULL);
	if (foreign.keys == NULL ||
	    token_roles_parse("viewer=v,operator=o,admin=a", &foreign.roles,
		NULL) != ERR_OK ||
	    keyring_parse("0123456789abcdef0123456789abcdef\n"
			  "another key of at least 32 bytes",
		&ring, NULL) != ERR_OK)
		abort();
	hers = (struct jws_key *)(uintptr_t)jwks_find(foreign.keys, "f");
	hers->alg = JWS_HS256;
	hers->secret = ring.keys[0].secret;
	hers->secret_len = ring.keys[0].secret_len;
}

enum whose { NOBODYS, OURS, HERS };

static bool
is_right(const struct token *t, enum whose whose)
{
	if (t->role <= ROLE_ANONYMOUS || t->role >= ROLE_COUNT ||
	    t->expires_us <= NOW || strlen(t->subject) == 0 ||
	    strlen(t->subject) >= TOKEN_SUBJECT)
		return (false);
	if (whose == OURS)
		return (t->session > 0 && t->ends.keys[0] == t->session &&
		    t->zones[0] == '\0');
	return (whose == HERS && t->session == 0 && t->ends.keys[0] < 0 &&
	    t->ends.keys[1] <= 0 && t->ends.issued_us > 0 &&
	    t->expires_us - t->ends.issued_us <=
		foreign.life_s * US_PER_SECOND &&
	    strncmp(t->subject, TOKEN_FOREIGN, strlen(TOKEN_FOREIGN)) == 0 &&
	    memchr(t->zones, '\0', sizeof(t->zones)) != NULL &&
	    (t->zones[0] == '[') == (t->role == ROLE_OPERATOR));
}

static void
check(const char *text, enum whose whose)
{
	struct token t = {.role = ROLE_COUNT};
	struct err_info info = {.code = ERR_OK};
	enum err e = token_verify(&config, text, NOW, &t, &info);

	if (e == ERR_OK) {
		if (!is_right(&t, whose))
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
	if (data[0] == 'c' &&
	    jws_sign(&ring.keys[1], text, token, NULL) == ERR_OK)
		check(token, OURS);
	else if (data[0] == 'f' && jws_sign(hers, text, token, NULL) == ERR_OK)
		check(token, HERS);
	else if (data[0] != 'c' && data[0] != 'f')
		check(text, NOBODYS);
	return (0);
}
