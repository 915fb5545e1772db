/*
 * tls: the server's SSL_CTX: TLS 1.2 and 1.3, replaced while running. Kore's own TLS cannot be used: with OpenSSL 3
 * each of its handshakes fails.
 *
 * Runs on: parent (tls_open before the fork), L. Frees: nothing; connections
 * hold their own reference to a context that was replaced. Errors:
 * ERR_INTERNAL, with the setting and the path in `detail`.
 */
#ifndef PENSTOCK_EDGE_TLS_H
#define PENSTOCK_EDGE_TLS_H

#include "core/err.h"

#include <openssl/ssl.h>

#include <stdint.h>

struct tls_config {
	const char *cert_path, *key_path; /* PEM */
	/* PEM; NULL or "": no client is asked for a certificate. Else one
	 * that is shown must be signed by these, and none is needed. */
	const char *client_ca_path;
	unsigned ticket_life_s;
};

/*
 * The first time, in the parent: with the paths, which must outlive the
 * process. An expired certificate is served: who must have the service has
 * it. tls_reload() reads the same files again; what is bad, or not valid at
 * this time, leaves the present context in place.
 */
enum err tls_open(const struct tls_config *, struct err_info *);
enum err tls_reload(struct err_info *);
SSL *tls_session_new(int fd);
/* When the certificate in use expires, µs UTC. */
int64_t tls_expires_us(void);
/*
 * The common name of the certificate that the client proved to own, on the
 * heap; NULL: it showed none. A name that is not plain text of at most
 * TLS_NAME_MAX bytes is none.
 */
#define TLS_NAME_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */
char *tls_client_name(const SSL *);

#endif
