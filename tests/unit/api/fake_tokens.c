/* Keys and tokens of the fake world. */
#include "api/fake.h"

#include "auth/token_cache.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void
fake_keys(const char *secrets)
{
	enum err e;

	keyring_done(&fake.keys);
	token_cache_clear(fake.api.tokens);
	e = keyring_parse(secrets, &fake.keys, NULL);
	assert(e == ERR_OK);
	(void)e;
}

const char *
fake_bearer(enum role role)
{
	static char text[TOKEN_MAX + 16];
	char token[TOKEN_MAX];
	struct token who = {.role = role, .session = FAKE_SESSION};
	struct err_info info = {.code = ERR_OK};
	enum err e;

	memcpy(who.subject, role_name(role), strlen(role_name(role)) + 1);
	e = token_issue(&fake.trust, &who, FAKE_NOW_US, token, &info);
	assert(e == ERR_OK);
	(void)e;
	(void)snprintf(text, sizeof(text), "Bearer %s", token);
	return (text);
}
