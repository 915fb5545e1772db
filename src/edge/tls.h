/*
 * tls: the server's SSL_CTX: TLS 1.2 and 1.3, tickets that every worker can
 * read, replaced while running. Kore's own TLS cannot be used: with OpenSSL 3
 * each of its handshakes fails.
 *
 * Runs on: parent (tls_open before the fork), L. Frees: nothing; connections
 * hold their own reference to a context that was replaced.
 */
#ifndef PENSTOCK_EDGE_TLS_H
#define PENSTOCK_EDGE_TLS_H

#include "core/err.h"

#include <openssl/ssl.h>

/* A bad certificate or key leaves the present context in place. */
enum err
tls_open(const char *cert_path, const char *key_path, struct err_info *);
SSL *tls_session_new(int fd);

#endif
