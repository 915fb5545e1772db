#include "auth/password_rules.h"

#include "auth/password.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define NAME_LEAST 4 /* letters of a name that make it a clue */
#define LEFT_LEAST 6 /* characters that are not to be foreseen */
#define SERVICE	   "penstock"
#define BYTES_MAX  (4 * PASSWORD_MAX)

static const char *const words[] = {
#include "common_passwords.h"
};

/* What stands for a letter is that letter. */
static char
plain(char c)
{
	static const char from[] = "@4831!0$57", to[] = "aabeiiosst";
	const char *at = c != '\0' ? strchr(from, c) : NULL;

	return (at != NULL ? to[at - from] : (char)tolower((unsigned char)c));
}

/* The word stands here, of which n bytes are left. */
static bool
stands(const char *at, size_t n, const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < n; i++)
		if (plain(at[i]) != plain(word[i]))
			return (false);
	return (i == len);
}

static bool
holds(const char *s, const char *word, size_t len)
{
	size_t n = strlen(s);

	for (; n >= len; s++, n--)
		if (stands(s, n, word, len))
			return (true);
	return (false);
}

/* A part of a name such as anna.rossi@utility.example. */
static bool
holds_name(const char *s, const char *name)
{
	size_t n;

	for (; *name != '\0'; name += n + (name[n] != '\0')) {
		n = strcspn(name, "._@-");
		if (n >= NAME_LEAST && holds(s, name, n))
			return (true);
	}
	return (false);
}

/* The longest common word that stands here. */
static size_t
word_at(const char *at, size_t n)
{
	size_t longest = 0, len, i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		len = strlen(words[i]);
		if (len > longest && stands(at, n, words[i], len))
			longest = len;
	}
	return (longest);
}

/* b follows a in a run: the same, its neighbour in the alphabet or among the
 * digits, or the key beside it. */
static bool
follows(char a, char b)
{
	static const char *const rows[] = {"1234567890-=", "qwertyuiop[]",
	    "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "azertyuiop"};
	const char *at;
	size_t i;

	a = (char)tolower((unsigned char)a);
	b = (char)tolower((unsigned char)b);
	if (a == b || (isalnum((unsigned char)a) && (a - b == 1 || b - a == 1)))
		return (true);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((at = strchr(rows[i], a)) != NULL &&
		    (at[1] == b || (at > rows[i] && at[-1] == b)))
			return (true);
	return (false);
}

/* Of a text that is one block again and again, the block's length. */
static size_t
block(const char *s, size_t n)
{
	size_t p, i;

	for (p = 1; p <= n / 2; p++) {
		for (i = p; i < n && s[i] == s[i - p]; i++)
			;
		if (i == n)
			return (p);
	}
	return (n);
}

/* Characters that nobody would foresee; stops at the least that is needed. */
static size_t
unforeseen(const char *s)
{
	size_t n = block(s, strlen(s)), left = 0, i, skip;
	char before = '\0';

	for (i = 0; i < n && left < LEFT_LEAST; i += skip) {
		if ((skip = word_at(s + i, n - i)) > 0) {
			before = '\0';
			continue;
		}
		skip = 1;
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue; /* not the first byte of its character */
		left += before == '\0' || !follows(before, s[i]);
		before = (unsigned char)s[i] < 0x80 ? s[i] : '\0';
	}
	return (left);
}

static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return (n);
}

enum err
password_check(const char *password, const char *username, const char *pointer,
    struct err_info *info)
{
	size_t n;

	if (strnlen(password, BYTES_MAX + 1) > BYTES_MAX ||
	    (n = characters(password)) < PASSWORD_MIN || n > PASSWORD_MAX)
		return (err_set(info, ERR_INVALID, pointer,
		    "a password has %d to %d characters", PASSWORD_MIN,
		    PASSWORD_MAX));
	if (holds_name(password, username) ||
	    holds(password, SERVICE, sizeof(SERVICE) - 1))
		return (err_set(info, ERR_INVALID, pointer,
		    "the user's name or the service's is in it: choose a "
		    "password that nobody guesses from them"));
	if (unforeseen(password) < LEFT_LEAST)
		return (err_set(info, ERR_INVALID, pointer,
		    "this password is among those that are tried first "
		    "(common words, repetitions, runs of the keyboard): "
		    "choose another, such as four words picked at random"));
	return (ERR_OK);
}
