/*
 * octet: what a byte may be in HTTP's grammar (RFC 9110 section 5.6, RFC 3986
 * section 2).
 *
 * Runs on: C, pure. Frees: nothing. Errors: none.
 */
#ifndef PENSTOCK_EDGE_OCTET_H
#define PENSTOCK_EDGE_OCTET_H

#include <stdbool.h>

/* By unsigned char; false for NUL. */
extern const bool octet_in_token[256];
/* pchar, "/" and "%"; the query has "?" besides. */
extern const bool octet_in_path[256];
extern const bool octet_in_query[256];

static inline bool
octet_is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

static inline bool
octet_is_alnum(char c)
{
	return (octet_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
}

/* -1 if it is none. */
static inline int
octet_hex(char c)
{
	if (octet_is_digit(c))
		return (c - '0');
	c |= 0x20;
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

/* 1 for any but a tab (RFC 9110 section 5.5). Without a branch: in a loop it
 * becomes one instruction for 16 bytes. */
static inline unsigned char
octet_is_control(unsigned char c)
{
	return ((unsigned char)(((c < ' ') & (c != '\t')) | (c == 0x7f)));
}

#endif
