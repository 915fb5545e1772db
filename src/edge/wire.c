#include "edge/conn.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#define SPARES	       64
#define BODIES_MAX     ((size_t)256 << 20) /* bytes, of this worker */
#define WRITE_TURN_MAX ((size_t)512 << 10) /* bytes, then others' turn */

static size_t bodies; /* bytes */
static char *spares[SPARES];
static unsigned nspares;

static void
body_drop(struct conn *k)
{
	if (k->body_owned) {
		bodies -= k->head.content_length;
		free(k->body);
	}
	k->body = NULL;
	k->body_owned = false;
	k->body_len = 0;
}

void
wire_in_drop(struct conn *k)
{
	body_drop(k);
	if (k->in != NULL && nspares < SPARES)
		spares[nspares++] = k->in;
	else
		free(k->in);
	k->in = NULL;
	k->in_len = 0;
	memset(&k->scan, 0, sizeof(k->scan));
}

bool
wire_in_take(struct conn *k)
{
	if (k->in == NULL)
		k->in = nspares > 0 ? spares[--nspares] : malloc(CONN_IN_SIZE);
	return (k->in != NULL);
}

enum err
wire_body_take(struct conn *k, size_t end, struct err_info *info)
{
	size_t length = k->head.content_length;

	k->body_len = k->in_len - end;
	if (length < CONN_IN_SIZE - end) {
		k->body = k->in + end;
		return (ERR_OK);
	}
	if (length > BODIES_MAX - bodies)
		return (err_set(info, ERR_BUSY, NULL,
		    "Too much is being received; try again"));
	if ((k->body = malloc(length + 1)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "No room"));
	memcpy(k->body, k->in + end, k->body_len);
	k->body_owned = true;
	bodies += length;
	return (ERR_OK);
}

int
wire_result(struct conn *k, int r)
{
	if (r > 0)
		return (r);
	switch (SSL_get_error(k->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return (0);
	default:
		return (-1);
	}
}

int
wire_read(struct conn *k, char *buf, size_t room)
{
	ERR_clear_error();
	return (wire_result(k, SSL_read(k->ssl, buf, (int)room)));
}

/* *ret_at moves on as far as the socket takes it. False: over. */
static bool
ssl_write(struct conn *k, const char *buf, size_t len, size_t *ret_at)
{
	size_t start = *ret_at;
	int n;

	while (*ret_at < len && *ret_at - start < WRITE_TURN_MAX) {
		size_t left = len - *ret_at;

		ERR_clear_error();
		n = wire_result(k,
		    SSL_write(k->ssl, buf + *ret_at,
			left > INT32_MAX ? INT32_MAX : (int)left));
		if (n < 0)
			return (false);
		if (n == 0)
			break;
		*ret_at += (size_t)n;
	}
	return (true);
}

/* Appends to what waits already. */
static bool
out_keep(struct conn *k, const char *data, size_t len)
{
	size_t left = k->out == NULL ? 0 : k->out_len - k->out_at;
	char *out = malloc(left + len);

	if (out == NULL)
		return (false);
	if (left > 0)
		memcpy(out, k->out + k->out_at, left);
	memcpy(out + left, data, len);
	free(k->out);
	k->out = out;
	k->out_len = left + len;
	k->out_at = 0;
	return (true);
}

void
wire_send(struct conn *k, const char *data, size_t len)
{
	size_t at = 0;

	if (k->out == NULL && !ssl_write(k, data, len, &at))
		conn_close(k);
	else if (at < len && !out_keep(k, data + at, len - at))
		conn_close(k);
}

bool
wire_flush(struct conn *k)
{
	return (ssl_write(k, k->out, k->out_len, &k->out_at));
}
