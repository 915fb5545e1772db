#include "api/gzip.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define WINDOW	  15
#define AS_GZIP	  16 /* added to the window, see zlib.h */
#define LEVEL	  1
#define MEM_LEVEL 8

struct gunzip {
	z_stream z;
	size_t max, in, out; /* bytes so far */
	bool begun, ended;   /* of the present member */
};

struct gunzip *
gunzip_new(size_t max)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return (NULL);
	g->max = max;
	if (inflateInit2(&g->z, WINDOW + AS_GZIP) == Z_OK)
		return (g);
	free(g);
	return (NULL);
}

void
gunzip_free(struct gunzip *g)
{
	if (g == NULL)
		return;
	(void)inflateEnd(&g->z);
	free(g);
}

static void
feed(z_stream *z, const void *data, size_t len)
{
	assert(z->avail_in == 0 && len <= UINT32_MAX);
	z->next_in = (z_const Bytef *)data;
	z->avail_in = (uInt)len;
}

void
gunzip_feed(struct gunzip *g, const void *data, size_t len)
{
	feed(&g->z, data, len);
}

static enum err
inflate_more(struct gunzip *g, struct err_info *info)
{
	size_t in = g->z.avail_in, out = g->z.avail_out;
	int rc;

	/* One member may follow another (RFC 1952 section 2.2). */
	if (g->ended && inflateReset(&g->z) != Z_OK)
		return (err_set(info, ERR_INTERNAL, NULL, "inflateReset"));
	g->begun = true;
	g->ended = false;
	rc = inflate(&g->z, Z_NO_FLUSH);
	g->in += in - g->z.avail_in;
	g->out += out - g->z.avail_out;
	if (rc == Z_MEM_ERROR)
		return (err_set(info, ERR_NO_MEMORY, NULL, "inflate"));
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return (err_set(info, ERR_BAD_REQUEST, NULL,
		    "the body is not gzip: %s",
		    g->z.msg != NULL ? g->z.msg : "damaged"));
	g->ended = rc == Z_STREAM_END;
	return (ERR_OK);
}

enum err
gunzip_read(struct gunzip *g, char *to, size_t room, size_t *ret_len,
    struct err_info *info)
{
	size_t left = g->max - g->out;
	enum err e;

	/* One byte more than may be, to see that there is more. */
	if (room > left)
		room = left + 1;
	g->z.next_out = (Bytef *)to;
	g->z.avail_out = (uInt)room;
	while (g->z.avail_in > 0 && g->z.avail_out > 0)
		if ((e = inflate_more(g, info)) != ERR_OK)
			return (e);
	/* What zlib keeps inside for want of room. */
	if (g->begun && !g->ended && g->z.avail_out > 0 &&
	    (e = inflate_more(g, info)) != ERR_OK)
		return (e);
	if (g->out > g->max)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "the body inflates to more than %zu bytes", g->max));
	if (g->out > GUNZIP_FREE && g->out - GUNZIP_FREE > g->in * GUNZIP_RATIO)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "the body inflates to more than %d times its size",
		    GUNZIP_RATIO));
	*ret_len = room - g->z.avail_out;
	return (ERR_OK);
}

enum err
gunzip_end(const struct gunzip *g, struct err_info *info)
{
	if (g->ended)
		return (ERR_OK);
	return (err_set(
	    info, ERR_BAD_REQUEST, NULL, "the body is gzip that is cut short"));
}

struct gzip {
	z_stream z;
};

struct gzip *
gzip_new(void)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return (NULL);
	if (deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW + AS_GZIP, MEM_LEVEL,
		Z_DEFAULT_STRATEGY) == Z_OK)
		return (g);
	free(g);
	return (NULL);
}

void
gzip_free(struct gzip *g)
{
	if (g == NULL)
		return;
	(void)deflateEnd(&g->z);
	free(g);
}

void
gzip_feed(struct gzip *g, const void *data, size_t len)
{
	feed(&g->z, data, len);
}

void
gzip_read(struct gzip *g, bool last, char *to, size_t room, size_t *ret_len)
{
	int rc;

	g->z.next_out = (Bytef *)to;
	g->z.avail_out = (uInt)room;
	rc = deflate(&g->z, last ? Z_FINISH : Z_NO_FLUSH);
	assert(rc != Z_STREAM_ERROR);
	(void)rc;
	*ret_len = room - g->z.avail_out;
}

size_t
gzip_once(const void *data, size_t len, char *to, size_t room)
{
	static struct gzip *g; /* as much memory as 200 small bodies */
	int rc;

	if (g == NULL && (g = gzip_new()) == NULL)
		return (0);
	feed(&g->z, data, len);
	g->z.next_out = (Bytef *)to;
	g->z.avail_out = (uInt)room;
	rc = deflate(&g->z, Z_FINISH);
	(void)deflateReset(&g->z);
	g->z.avail_in = 0;
	return (rc == Z_STREAM_END ? room - g->z.avail_out : 0);
}

/* "q=0", "q=0.000": not this one. */
static bool
is_refused(const char *parameters, size_t len)
{
	const char *q = memchr(parameters, '=', len);

	if (q == NULL || q == parameters || (q[-1] != 'q' && q[-1] != 'Q'))
		return (false);
	q++;
	return (strspn(q, "0.") >= strcspn(q, ", \t;"));
}

bool
gzip_accepted(const char *s)
{
	bool any = false, refused;
	size_t len, name;

	if (s == NULL)
		return (false);
	for (; *s != '\0'; s += len + (s[len] == ',')) {
		s += strspn(s, " \t");
		len = strcspn(s, ",");
		name = strcspn(s, ",; \t");
		refused = is_refused(s + name, len - name);
		if ((name == 4 && strncasecmp(s, "gzip", 4) == 0) ||
		    (name == 6 && strncasecmp(s, "x-gzip", 6) == 0))
			return (!refused);
		if (name == 1 && *s == '*')
			any = !refused;
	}
	return (any);
}
