/*
 * password_rules: which new passwords are taken (NIST SP 800-63B section
 * 5.1.1.2): long ones that are not to be guessed first. Nothing is asked of
 * their letters. What is refused: the user's name or the service's in it; and
 * what has too little left once the common words of
 * assets/common_passwords.txt, repetitions and runs along the alphabet or the
 * keyboard are taken out.
 *
 * Runs on: C, under 1 ms. Frees: nothing. Units: lengths in characters.
 * Errors: ERR_INVALID with a detail that says what to do better.
 */
#ifndef PENSTOCK_AUTH_PASSWORD_RULES_H
#define PENSTOCK_AUTH_PASSWORD_RULES_H

#include "core/err.h"

/* `password` is UTF-8; `pointer` goes into `info`. */
enum err password_check(const char *password, const char *username,
    const char *pointer, struct err_info *);

#endif
