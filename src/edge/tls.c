#include "edge/tls.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#define TICKET_KEYS 80 /* as SSL_CTX_set_tlsext_ticket_keys() wants them */

static SSL_CTX *current;
/* Made in the parent, so that a ticket resumes in any worker. */
static unsigned char ticket_keys[TICKET_KEYS];
static bool have_keys;

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned int inlen, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, outlen, ours, sizeof(ours) - 1, in,
		inlen) != OPENSSL_NPN_NEGOTIATED)
		return (SSL_TLSEXT_ERR_ALERT_FATAL);
	*out = chosen;
	return (SSL_TLSEXT_ERR_OK);
}

static enum err
fail(struct err_info *info, const char *what, const char *path)
{
	char why[120];

	ERR_error_string_n(ERR_peek_error(), why, sizeof(why));
	ERR_clear_error();
	return (
	    err_set(info, ERR_INTERNAL, NULL, "%s %.80s: %s", what, path, why));
}

static enum err
load_pair(SSL_CTX *ctx, const char *cert_path, const char *key_path,
    struct err_info *info)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1)
		return (fail(info, "PENSTOCK_TLS_CERT", cert_path));
	if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1)
		return (fail(info, "PENSTOCK_TLS_KEY", key_path));
	if (SSL_CTX_check_private_key(ctx) != 1)
		return (fail(
		    info, "PENSTOCK_TLS_KEY is not the key of", cert_path));
	return (ERR_OK);
}

static bool
set_policy(SSL_CTX *ctx)
{
	if (!have_keys && RAND_bytes(ticket_keys, TICKET_KEYS) != 1)
		return (false);
	have_keys = true;
	(void)SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	/* One read(2) fetches head and body of most requests. */
	SSL_CTX_set_read_ahead(ctx, 1);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(
		ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1 &&
	    SSL_CTX_set_session_id_context(
		ctx, (const unsigned char *)"penstock", 8) == 1 &&
	    SSL_CTX_set_tlsext_ticket_keys(ctx, ticket_keys, TICKET_KEYS) == 1);
}

enum err
tls_open(const char *cert_path, const char *key_path, struct err_info *info)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	enum err e;

	if (ctx == NULL)
		return (fail(info, "SSL_CTX_new", ""));
	if (!set_policy(ctx))
		e = fail(info, "TLS policy", "");
	else
		e = load_pair(ctx, cert_path, key_path, info);
	if (e != ERR_OK) {
		SSL_CTX_free(ctx);
		return (e);
	}
	SSL_CTX_free(current);
	current = ctx;
	return (ERR_OK);
}

SSL *
tls_session_new(int fd)
{
	SSL *ssl = SSL_new(current);

	if (ssl == NULL)
		return (NULL);
	if (SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return (NULL);
	}
	SSL_set_accept_state(ssl);
	return (ssl);
}
