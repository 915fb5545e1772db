/* Any text as a device key, a refresh token and a new password: within its
 * bytes, by the rules of each, and told in bounded words. */
#include "auth/key.h"
#include "auth/password.h"
#include "auth/password_rules.h"
#include "auth/refresh.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check_key(const char *s)
{
	unsigned char again[DIGEST_LEN];
	struct key k;

	if (!key_parse(s, &k))
		return;
	require(strlen(s) == KEY_LEN && strlen(k.id) == KEY_ID &&
	    memcmp(s + strlen(KEY_PREFIX), k.id, KEY_ID) == 0);
	memcpy(again, k.sha, sizeof(again));
	require(key_parse(s, &k) && digest_equal(k.sha, again));
}

static void
check_refresh(const char *s)
{
	struct refresh now, next;
	char text[REFRESH_LEN + 1];

	if (!refresh_parse(s, &now))
		return;
	require(strlen(s) == REFRESH_LEN);
	refresh_next(s, &next, text);
	require(memcmp(now.handle, next.handle, DIGEST_LEN) == 0 &&
	    memcmp(now.secret, next.secret, DIGEST_LEN) != 0 &&
	    refresh_parse(text, &now) &&
	    memcmp(now.secret, next.secret, DIGEST_LEN) == 0);
}

static void
check_password(const char *s, const char *user)
{
	struct err_info info = {.code = ERR_OK};
	enum err e = password_check(s, user, "/password", &info);
	size_t n = 0;

	require(e == info.code);
	for (const char *p = s; *p != '\0'; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	require(e != ERR_OK || (n >= PASSWORD_MIN && n <= PASSWORD_MAX));
	require(e == ERR_OK || strcmp(info.pointer, "/password") == 0);
	/* A name that is the password guesses it. */
	if (n >= 4 && strpbrk(s, "._@-") == NULL)
		require(password_check(s, s, "", &info) != ERR_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *s = malloc(len + 1), *user;

	memcpy(s, data, len);
	s[len] = '\0';
	check_key(s);
	check_refresh(s);
	/* A password, and behind a line feed a name. */
	if ((user = strchr(s, '\n')) != NULL)
		*user++ = '\0';
	check_password(s, user != NULL ? user : "anna.rossi");
	free(s);
	return (0);
}
