/*
 * password: Argon2id (RFC 9106) through libsodium, with its INTERACTIVE
 * limits (64 MiB, 2 passes: about 0.1 s). What makes a good password is not
 * asked here, see password_rules.h.
 *
 * Runs on: T, or in a program; never on the loop, by its cost. Frees: nothing.
 * Errors: ERR_INVALID for a password that is too long, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_AUTH_PASSWORD_H
#define PENSTOCK_AUTH_PASSWORD_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_HASH 128 /* room for a hash and its NUL */
#define PASSWORD_MIN  12  /* characters, see password_rules.h */
#define PASSWORD_MAX  256

enum err password_hash(
    const char *password, char ret[static PASSWORD_HASH], struct err_info *);
/*
 * True if it is the password of `hash`. With a NULL hash (no such user) as
 * much work is done, so that time does not tell which names exist.
 */
bool password_verify(const char *hash, const char *password);

/* A random password of 24 characters of base64url (144 bits) and its NUL. */
#define PASSWORD_RANDOM 25
void password_random(char ret[static PASSWORD_RANDOM]);

#endif
