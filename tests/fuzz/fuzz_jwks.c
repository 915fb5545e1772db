/* Any JWK set; its keys are then used on a token, which none of them may have
 * signed. */
#include "auth/jwks.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Ten names that the corpus uses, too. */
static const char names[] = "0123456789";

static void
use(const struct jws_key *k)
{
	/* {"alg":"ES256"} or {"alg":"RS256"}, {}, and as much as a signature */
	bool ec = k->alg == JWS_ES256;
	char text[512], sig[343] = "";
	struct jws t;

	if (k->alg == JWS_HS256 || k->key == NULL || k->key_len == 0 ||
	    k->kid[0] == '\0' || strlen(k->kid) > JWS_KID)
		abort();
	memset(sig, 'A', ec ? 86 : 342);
	(void)snprintf(text, sizeof(text), "eyJhbGciOiJ%sI1NiJ9.e30.%s",
	    ec ? "FUz" : "SUz", sig);
	if (jws_parse(text, &t, NULL) != ERR_OK || jws_verify(&t, k))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err_info info = {.code = ERR_OK};
	struct jwks *set = jwks_parse((const char *)data, len, &info);
	const struct jws_key *k;

	if ((set == NULL) == (info.code == ERR_OK))
		abort();
	if (set == NULL)
		return (0);
	if (jwks_count(set) == 0 || jwks_count(set) > JWKS_KEYS ||
	    !jwks_same(set, set))
		abort();
	for (size_t i = 0; i < sizeof(names) - 1; i++) {
		char kid[2] = {names[i], '\0'};

		if ((k = jwks_find(set, kid)) != NULL)
			use(k);
	}
	jwks_free(set);
	return (0);
}
