/*
 * key: API keys for devices, "pk_" + id of 16 letters and digits + "_" + 43
 * characters of base64url (256 random bits). Only SHA-256 of the secret's
 * text is kept: nothing to guess, so a slow hash would add nothing.
 *
 * Runs on: C. Frees: nothing; key_parse() borrows. Errors: false.
 */
#ifndef PENSTOCK_AUTH_KEY_H
#define PENSTOCK_AUTH_KEY_H

#include "auth/digest.h"

#include <stdbool.h>

#define KEY_PREFIX "pk_"
#define KEY_ID	   16
#define KEY_SECRET 43
#define KEY_LEN	   (3 + KEY_ID + 1 + KEY_SECRET)

struct key {
	char id[KEY_ID + 1];
	unsigned char sha[DIGEST_LEN];
};

/* A new key; `ret_text` is the only time its secret is seen. */
void key_new(struct key *ret, char ret_text[static KEY_LEN + 1]);
/* Takes the text apart; says nothing on whether such a key exists. */
bool key_parse(const char *text, struct key *ret);

#endif
