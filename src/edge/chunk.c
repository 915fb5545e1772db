#include "edge/chunk.h"

#include "edge/octet.h"

#include <stdint.h>

#define DIGITS_MAX 16 /* what 64 bits hold */

void
chunk_init(struct chunk *c, size_t max)
{
	*c = (struct chunk){.at = CHUNK_SIZE, .room = max};
}

static enum err
bad(struct err_info *info, const char *detail)
{
	return (err_set(info, ERR_BAD_REQUEST, NULL, "%s", detail));
}

static enum err
announced(struct chunk *c, struct err_info *info)
{
	if (c->left > c->room)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "The body is over the limit by a chunk of %zu bytes",
		    c->left));
	c->room -= c->left;
	c->at = CHUNK_SIZE_LF;
	return (ERR_OK);
}

static enum err
take_size(struct chunk *c, unsigned char b, struct err_info *info)
{
	int digit = octet_hex((char)b);

	if (digit >= 0) {
		if (++c->digits > DIGITS_MAX)
			return (bad(info, "A chunk size is beyond reason"));
		c->left = c->left << 4 | (size_t)digit;
		return (ERR_OK);
	}
	if (c->digits == 0)
		return (bad(info, "A chunk has no size"));
	if (b == '\r')
		return (announced(c, info));
	if (b == ';')
		c->at = CHUNK_EXTENSION;
	else if (b == ' ' || b == '\t')
		c->at = CHUNK_SPACE;
	else
		return (bad(info, "A chunk size is not hexadecimal"));
	return (ERR_OK);
}

static enum err
take_extension(struct chunk *c, unsigned char b, struct err_info *info)
{
	if (++c->extensions > CHUNK_EXTENSIONS_MAX)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "Chunk extensions may have %d bytes",
		    CHUNK_EXTENSIONS_MAX));
	if (c->at == CHUNK_SPACE) {
		if (b == ';')
			c->at = CHUNK_EXTENSION;
		else if (b != ' ' && b != '\t')
			return (bad(info, "A chunk size is not hexadecimal"));
		return (ERR_OK);
	}
	if (b == '\r')
		return (announced(c, info));
	if (octet_is_control(b))
		return (bad(info,
		    "A chunk extension holds a control "
		    "character"));
	return (ERR_OK);
}

/* A line feed that must come now, and what comes behind it. */
static enum err
take_lf(
    struct chunk *c, unsigned char b, enum chunk_at next, struct err_info *info)
{
	if (b != '\n')
		return (bad(info, "The chunked body holds CR without LF"));
	c->at = next;
	return (ERR_OK);
}

static enum err
take_trailer(struct chunk *c, unsigned char b, struct err_info *info)
{
	if (++c->trailers > CHUNK_TRAILERS_MAX)
		return (err_set(info, ERR_HEADERS, NULL,
		    "Trailer fields may have %d bytes", CHUNK_TRAILERS_MAX));
	if (c->at == CHUNK_VALUE_LF)
		return (take_lf(c, b, CHUNK_LINE, info));
	if (c->at == CHUNK_END_LF)
		return (take_lf(c, b, CHUNK_DONE, info));
	if (c->at == CHUNK_VALUE) {
		if (b == '\r')
			c->at = CHUNK_VALUE_LF;
		else if (octet_is_control(b))
			return (bad(info,
			    "A trailer field holds a control "
			    "character"));
		return (ERR_OK);
	}
	if (c->at == CHUNK_LINE && b == '\r')
		c->at = CHUNK_END_LF;
	else if (c->at == CHUNK_NAME && b == ':')
		c->at = CHUNK_VALUE;
	else if (octet_in_token[b])
		c->at = CHUNK_NAME;
	else
		return (bad(info, "A trailer name is not a token"));
	return (ERR_OK);
}

static enum err
take_byte(struct chunk *c, unsigned char b, struct err_info *info)
{
	switch (c->at) {
	case CHUNK_SIZE:
		return (take_size(c, b, info));
	case CHUNK_SPACE:
	case CHUNK_EXTENSION:
		return (take_extension(c, b, info));
	case CHUNK_SIZE_LF:
		return (
		    take_lf(c, b, c->left > 0 ? CHUNK_DATA : CHUNK_LINE, info));
	case CHUNK_DATA_CR:
		if (b != '\r')
			return (bad(info, "A chunk is longer than its size"));
		c->at = CHUNK_DATA_LF;
		return (ERR_OK);
	case CHUNK_DATA_LF:
		c->digits = 0;
		return (take_lf(c, b, CHUNK_SIZE, info));
	default:
		return (take_trailer(c, b, info));
	}
}

enum err
chunk_take(struct chunk *c, const char *in, size_t len, size_t *ret_used,
    size_t *ret_data, struct err_info *info)
{
	size_t used = 0, data = 0;
	enum err e;

	while (used < len && c->at != CHUNK_DATA && c->at != CHUNK_DONE)
		if ((e = take_byte(c, (unsigned char)in[used++], info)) !=
		    ERR_OK)
			return (e);
	if (c->at == CHUNK_DATA) {
		data = len - used < c->left ? len - used : c->left;
		c->left -= data;
		if (c->left == 0)
			c->at = CHUNK_DATA_CR;
	}
	*ret_used = used + data;
	*ret_data = data;
	return (ERR_OK);
}
