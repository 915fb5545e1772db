#include "edge/tls.h"

#include "edge/internal.h"
#include "edge/ticket.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define VERIFY_DEPTH 3
/* Of a connection, beside its data; a dozen is usual. */
#define MESSAGES_MAX 100

static struct tls_config config;
static SSL_CTX *current;

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
load_pair(SSL_CTX *ctx, struct err_info *info)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, config.cert_path) != 1)
		return (fail(info, "PENSTOCK_TLS_CERT", config.cert_path));
	if (SSL_CTX_use_PrivateKey_file(
		ctx, config.key_path, SSL_FILETYPE_PEM) != 1)
		return (fail(info, "PENSTOCK_TLS_KEY", config.key_path));
	if (SSL_CTX_check_private_key(ctx) != 1)
		return (fail(info, "PENSTOCK_TLS_KEY is not the key of",
		    config.cert_path));
	return (ERR_OK);
}

/* Who showed a certificate shows it again: a ticket would carry its name past
 * its end, and past a change of the authorities. */
static SSL_TICKET_RETURN
on_resume(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t len,
    SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)name;
	(void)len;
	(void)arg;
	if (session != NULL && SSL_SESSION_get0_peer(session) != NULL)
		return (SSL_TICKET_RETURN_IGNORE);
	switch (status) {
	case SSL_TICKET_SUCCESS:
		return (SSL_TICKET_RETURN_USE);
	case SSL_TICKET_SUCCESS_RENEW:
		return (SSL_TICKET_RETURN_USE_RENEW);
	case SSL_TICKET_EMPTY:
	case SSL_TICKET_NO_DECRYPT:
		return (SSL_TICKET_RETURN_IGNORE_RENEW);
	default:
		return (SSL_TICKET_RETURN_ABORT);
	}
}

/*
 * SSL_read() goes on as long as messages come that bring no data, and a client
 * may ask for new keys (RFC 8446 section 4.6.3) as fast as it can: it would
 * have the loop to itself. The session's own data pointer is the count.
 */
static void
on_message(int writing, int version, int type, const void *buf, size_t len,
    SSL *ssl, void *arg)
{
	uintptr_t n = (uintptr_t)SSL_get_app_data(ssl);

	(void)writing;
	(void)version;
	(void)buf;
	(void)len;
	(void)arg;
	if (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT)
		return;
	if (++n == MESSAGES_MAX)
		(void)shutdown(SSL_get_fd(ssl), SHUT_RDWR);
	SSL_set_app_data(ssl, (void *)n);
}

static enum err
load_authorities(SSL_CTX *ctx, struct err_info *info)
{
	const char *path = config.client_ca_path;
	STACK_OF(X509_NAME) * names;

	if (path == NULL || path[0] == '\0')
		return (ERR_OK);
	if (SSL_CTX_load_verify_file(ctx, path) != 1 ||
	    (names = SSL_load_client_CA_file(path)) == NULL)
		return (fail(info, "PENSTOCK_TLS_CLIENT_CA", path));
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(ctx, VERIFY_DEPTH);
	return (ERR_OK);
}

static bool
set_policy(SSL_CTX *ctx)
{
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
	SSL_CTX_set_msg_callback(ctx, on_message);
	return (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(
		ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1 &&
	    SSL_CTX_set_session_id_context(
		ctx, (const unsigned char *)"penstock", 8) == 1 &&
	    SSL_CTX_set_session_ticket_cb(ctx, NULL, on_resume, NULL) == 1 &&
	    ticket_use(ctx));
}

static enum err
check_dates(SSL_CTX *ctx, struct err_info *info)
{
	const X509 *cert = SSL_CTX_get0_certificate(ctx);

	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "PENSTOCK_TLS_CERT %.80s: not valid yet",
		    config.cert_path));
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "PENSTOCK_TLS_CERT %.80s: expired", config.cert_path));
	return (ERR_OK);
}

static enum err
load(bool dated, struct err_info *info)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	enum err e;

	if (ctx == NULL)
		return (fail(info, "SSL_CTX_new", ""));
	if (!set_policy(ctx))
		e = fail(info, "TLS policy", "");
	else if ((e = load_pair(ctx, info)) == ERR_OK &&
	    (e = load_authorities(ctx, info)) == ERR_OK && dated)
		e = check_dates(ctx, info);
	if (e != ERR_OK) {
		SSL_CTX_free(ctx);
		return (e);
	}
	SSL_CTX_free(current);
	current = ctx;
	return (ERR_OK);
}

enum err
tls_open(const struct tls_config *given, struct err_info *info)
{
	config = *given;
	if (!ticket_open(config.ticket_life_s, edge_monotonic_us()))
		return (fail(info, "ticket keys", ""));
	return (load(false, info));
}

enum err
tls_reload(struct err_info *info)
{
	return (load(true, info));
}

int64_t
tls_expires_us(void)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(
		X509_get0_notAfter(SSL_CTX_get0_certificate(current)), &tm) !=
	    1)
		return (0);
	return ((int64_t)timegm(&tm) * 1000000);
}

static char *
plain_text(const ASN1_STRING *value)
{
	unsigned char *utf8;
	int i, len = ASN1_STRING_to_UTF8(&utf8, value);
	char *name = NULL;

	if (len < 0)
		return (NULL);
	for (i = 0; i < len && utf8[i] > ' ' && utf8[i] < 0x7f; i++)
		continue;
	if (len > 0 && len <= TLS_NAME_MAX && i == len)
		name = strndup((char *)utf8, (size_t)len);
	OPENSSL_free(utf8);
	return (name);
}

char *
tls_client_name(const SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	const X509_NAME *subject;
	int at;

	if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return (NULL);
	subject = X509_get_subject_name(cert);
	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	/* Two of them would be a choice. */
	if (at < 0 ||
	    X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return (NULL);
	return (plain_text(
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
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
