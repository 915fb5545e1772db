#include "edge/conn.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#define SPARES	       64
#define BODIES_MAX     ((size_t)256 << 20) /* bytes, of this worker */
#define BODY_FIRST     ((size_t)64 << 10)  /* bytes */
#define WRITE_TURN_MAX ((size_t)512 << 10) /* bytes, then others' turn */

static size_t bodies; /* bytes */
static char *spares[SPARES];
static unsigned nspares;

static void
body_drop(struct conn *k)
{
	if (k->body_owned) {
		bodies -= k->body_room;
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
	k->in_len = k->in_used = 0;
	k->scanned = 0;
	k->skipped = false;
}

void
wire_in_next(struct conn *k)
{
	size_t left = k->in_len - k->in_used;

	if (left == 0) {
		wire_in_drop(k);
		return;
	}
	if (!k->body_owned)
		k->in[k->in_used] = k->under;
	body_drop(k);
	memmove(k->in, k->in + k->in_used, left);
	k->in_len = left;
	k->in_used = 0;
	k->scanned = 0;
	k->skipped = false;
}

bool
wire_in_take(struct conn *k)
{
	if (k->in == NULL)
		k->in = nspares > 0 ? spares[--nspares] : malloc(CONN_IN_SIZE);
	return (k->in != NULL);
}

/* A body has room for what came of it, not for what was announced: else a few
 * clients who send nothing could keep everybody's bodies out. */
static enum err
body_resize(struct conn *k, size_t room, struct err_info *info)
{
	char *body;

	if (room > k->body_max)
		room = k->body_max;
	while (room - k->body_room > BODIES_MAX - bodies && conn_make_room(k))
		;
	if (room - k->body_room > BODIES_MAX - bodies)
		return (err_set(info, ERR_BUSY, NULL,
		    "Too much is being received; try again"));
	if ((body = realloc(k->body, room + 1)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "No room"));
	bodies += room - k->body_room;
	k->body = body;
	k->body_room = room;
	return (ERR_OK);
}

enum err
wire_body_take(struct conn *k, size_t end, struct err_info *info)
{
	size_t length = k->head.content_length, here = k->in_len - end;
	enum err e;

	k->body_room = length;
	k->body_len = here < length ? here : length;
	k->in_used = end + k->body_len;
	if (!k->head.chunked && length < CONN_IN_SIZE - end) {
		k->body = k->in + end;
		return (ERR_OK);
	}
	k->body_room = 0;
	k->body_owned = true;
	k->body_from_us = edge_monotonic_us();
	if ((e = body_resize(k, BODY_FIRST, info)) == ERR_OK)
		memcpy(k->body, k->in + end, k->body_len);
	chunk_init(&k->coding, k->body_max);
	return (e);
}

enum err
wire_body_grow(struct conn *k, struct err_info *info)
{
	if (k->body_len < k->body_room)
		return (ERR_OK);
	return (body_resize(k, 2 * k->body_room, info));
}

static enum err
body_add(struct conn *k, const char *data, size_t len, struct err_info *info)
{
	size_t room = k->body_room;
	enum err e;

	while (room < k->body_len + len)
		room *= 2;
	if (room > k->body_room && (e = body_resize(k, room, info)) != ERR_OK)
		return (e);
	memcpy(k->body + k->body_len, data, len);
	k->body_len += len;
	return (ERR_OK);
}

enum err
wire_body_decode(struct conn *k, struct err_info *info)
{
	size_t at = k->in_used, used, data;
	enum err e;

	while (at < k->in_len && !chunk_done(&k->coding)) {
		if ((e = chunk_take(&k->coding, k->in + at, k->in_len - at,
			 &used, &data, info)) != ERR_OK)
			return (e);
		at += used;
		if (data > 0 &&
		    (e = body_add(k, k->in + at - data, data, info)) != ERR_OK)
			return (e);
	}
	if (chunk_done(&k->coding))
		k->in_used = at;
	else
		k->in_len = k->in_used; /* room for what is yet to come */
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

/* SSL_get_error() believes what others left there. */
static void
forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

int
wire_read(struct conn *k, char *buf, size_t room)
{
	forget_errors();
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

		forget_errors();
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

size_t
wire_kept(const struct conn *k)
{
	return (k->out_len - k->out_at);
}

void
wire_out_drop(struct conn *k)
{
	free(k->out);
	k->out = NULL;
	k->out_len = k->out_at = k->out_room = 0;
}

bool
wire_keep(struct conn *k, const char *data, size_t len)
{
	size_t left = wire_kept(k), room = k->out_room;
	char *out;

	if (left > 0 && k->out_at > 0)
		memmove(k->out, k->out + k->out_at, left);
	k->out_at = 0;
	k->out_len = left;
	if (left + len > room) {
		room = left + len > 2 * room ? left + len : 2 * room;
		if ((out = realloc(k->out, room)) == NULL)
			return (false);
		k->out = out;
		k->out_room = room;
	}
	memcpy(k->out + left, data, len);
	k->out_len += len;
	return (true);
}

void
wire_send(struct conn *k, const char *data, size_t len)
{
	size_t at = 0;

	if (wire_kept(k) == 0 && !ssl_write(k, data, len, &at))
		conn_close(k);
	else if (at < len && !wire_keep(k, data + at, len - at))
		conn_close(k);
}

bool
wire_flush(struct conn *k)
{
	return (ssl_write(k, k->out, k->out_len, &k->out_at));
}
