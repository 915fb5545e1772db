/*
 * resp: commands to Redis as bytes, RESP2
 * (redis.io/docs/reference/protocol-spec). Inside src/store only.
 *
 * Runs on: C. Frees: nothing. Each writes at `p` and returns where it ended;
 * a bulk string takes its length and RESP_EXTRA bytes at most.
 */
#ifndef PENSTOCK_STORE_RESP_H
#define PENSTOCK_STORE_RESP_H

#include <stddef.h>
#include <stdint.h>

#define RESP_EXTRA  26u
#define RESP_DIGITS 20u /* of any 64-bit number, its sign included */

/* '*' before the arguments of a command, '$' before one of them. */
char *resp_head(char *p, char kind, size_t n);
char *resp_bulk(char *p, const void *, size_t len);
char *resp_text(char *p, const char *);
/* A bulk string of decimal digits. */
char *resp_number(char *p, int64_t);
/* The digits alone. */
char *resp_digits(char *p, int64_t);

#endif
