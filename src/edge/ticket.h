/*
 * ticket: keys of session tickets (RFC 5077 section 4; RFC 8446 section
 * 4.6.1), in memory that all workers share, so that a ticket resumes in any
 * of them and after a worker's death. Replaced every `life_s`; tickets of the
 * key before are still taken and replaced, and older keys are nowhere any
 * more: who comes back once a life resumes for ever.
 *
 * Runs on: parent (ticket_open before the fork), L. Frees: nothing.
 * Units: µs of the monotonic clock. Errors: false, with OpenSSL's queue set.
 */
#ifndef PENSTOCK_EDGE_TICKET_H
#define PENSTOCK_EDGE_TICKET_H

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdint.h>

bool ticket_open(unsigned life_s, int64_t now_us);
/* Puts a new key first when it is time; call every second or so. */
void ticket_tick(int64_t now_us);
/* Lets the context write and read tickets with these keys. */
bool ticket_use(SSL_CTX *);

#endif
