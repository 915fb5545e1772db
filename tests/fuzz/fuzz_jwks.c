/* Any JWK set; its keys are then used on a token, which none of them may have
 * signed. */
#include "auth/jwks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Ten names that the corpus uses, too. */
static const char names[] = "0123456789";

static void
use(const struct jws_key *k)
{
	struct jws t = {.alg = k->alg, .input = "a.b", .input_len = 3};

	if (k->alg == JWS_HS256 || k->pkey == NULL || k->secret != NULL ||
	    k->kid[0] == '\0' || strlen(k->kid) > JWS_KID)
		abort();
	t.sig_len = k->alg == JWS_ES256 ? 64 : JWS_RSA_MIN / 8;
	memset(t.sig, 1, t.sig_len);
	if (jws_verify(&t, k))
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
