#include "api/content.h"

#include "api/api.h"
#include "api/gzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JSON "application/json"
/* Inflated bytes that are made on the loop, about 1 ms. */
#define ONCE_MAX  ((size_t)256 << 10)
#define GZIP_MIN  18 /* RFC 1952: header and trailer */
#define SIZE_STEP ((size_t)64 << 10)

/* Place of the type, without its parameters, in "a/b|c/d"; -1. */
static int
place_of(const char *list, const char *type)
{
	size_t len = strcspn(type, "; \t"), n;
	int i;

	for (i = 0; *list != '\0'; i++, list += n + (list[n] == '|')) {
		n = strcspn(list, "|");
		if (n == len && strncasecmp(list, type, n) == 0)
			return (i);
	}
	return (-1);
}

/* What a change is may be said more exactly (RFC 7396). */
static const char *
types_of(const struct request *r)
{
	if (r->match.route->body_media != NULL)
		return (r->match.route->body_media);
	return (r->method == METHOD_PATCH ? JSON "|application/merge-patch+json"
					  : JSON);
}

static bool
is_gzip(const char *coding)
{
	return (strcasecmp(coding, "gzip") == 0 ||
	    strcasecmp(coding, "x-gzip") == 0);
}

enum err
content_check(struct request *r, struct err_info *info)
{
	const char *list = types_of(r);
	const char *type = request_header(r, "Content-Type");
	const char *coding = request_header(r, "Content-Encoding");
	size_t first = strcspn(list, "|");

	r->form = type != NULL ? place_of(list, type) : -1;
	if (r->form < 0 && r->match.route->body_media == NULL)
		return (err_set(info, ERR_MEDIA_TYPE, NULL,
		    "Content-Type must be %.*s", (int)first, list));
	if (r->form < 0)
		return (err_set(info, ERR_MEDIA_TYPE, NULL,
		    "Content-Type must be one of %s", list));
	r->coded = coding != NULL && strcasecmp(coding, "identity") != 0;
	if (!r->coded)
		return (ERR_OK);
	if (r->match.route->inflated_max == 0)
		return (err_set(info, ERR_MEDIA_TYPE, NULL,
		    "this resource takes no Content-Encoding"));
	if (!is_gzip(coding))
		return (err_set(info, ERR_MEDIA_TYPE, NULL,
		    "Content-Encoding must be gzip"));
	return (ERR_OK);
}

/* A body on its way through a thread; the copy of the coded one lives while
 * the thread works, whether the client stays or not. */
struct inflation {
	struct request *r;
	void (*next)(struct request *);
	char *coded;
	size_t coded_len, max;
	char *plain;
	size_t len;
	struct err_info info;
};

/* Room for what is yet to come; one byte more than may be, to see that there
 * is more. */
static bool
grow(char **buf, size_t *size, size_t max)
{
	size_t want = *size == 0 ? SIZE_STEP : *size * 4;
	char *more;

	if (want > max + 1)
		want = max + 1;
	if ((more = realloc(*buf, want)) == NULL)
		return (false);
	*buf = more;
	*size = want;
	return (true);
}

/* All of it at once. The caller frees *ret_plain even after an error. */
static enum err
inflate_all(const char *coded, size_t coded_len, size_t max, char **ret_plain,
    size_t *ret_len, struct err_info *info)
{
	struct gunzip *g = gunzip_new(max);
	size_t size = 0, n = 0, got, room;
	enum err e = ERR_OK;

	if (g == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "inflate"));
	gunzip_feed(g, coded, coded_len);
	do {
		if (n == size && !grow(ret_plain, &size, max)) {
			e = err_set(info, ERR_NO_MEMORY, NULL, "inflate");
			break;
		}
		room = size - n;
		e = gunzip_read(g, *ret_plain + n, room, &got, info);
		n += e == ERR_OK ? got : 0;
	} while (e == ERR_OK && got == room);
	if (e == ERR_OK)
		e = gunzip_end(g, info);
	gunzip_free(g);
	*ret_len = n;
	return (e);
}

static void
take(struct request *r, char *plain, size_t len)
{
	r->content_owned = plain;
	r->content = plain;
	r->content_len = len;
}

static void
work(void *arg)
{
	struct inflation *f = arg;

	(void)inflate_all(
	    f->coded, f->coded_len, f->max, &f->plain, &f->len, &f->info);
	free(f->coded);
}

static void
done(void *arg)
{
	struct inflation *f = arg;
	struct request *r = f->r;

	take(r, f->plain, f->len);
	if (!request_gone(r)) {
		if (f->info.code != ERR_OK)
			reply_problem(r, &f->info);
		else
			f->next(r);
	}
	request_release(r);
}

static void
inflate_aside(struct request *r, void (*next)(struct request *))
{
	struct inflation *f = arena_calloc(&r->arena, 1, sizeof(*f));
	struct err_info info = {0};
	char *copy = malloc(r->x->body_len);

	if (f == NULL || copy == NULL)
		(void)err_set(&info, ERR_NO_MEMORY, NULL, "request too large");
	else {
		memcpy(copy, r->x->body, r->x->body_len);
		*f = (struct inflation){.r = r,
		    .next = next,
		    .coded = copy,
		    .coded_len = r->x->body_len,
		    .max = r->match.route->inflated_max};
		if (r->api->offload.run(r->api->offload.self, work, done, f) ==
		    ERR_OK) {
			request_hold(r);
			return;
		}
		(void)err_set(
		    &info, ERR_BUSY, NULL, "too many bodies are inflated now");
	}
	free(copy);
	reply_problem(r, &info);
}

/* What the trailer says it inflates to (RFC 1952 ISIZE): a sender's word. */
static size_t
said_size(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;

	if (len < GZIP_MIN)
		return (0);
	p += len - 4;
	return ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
	    (size_t)p[3] << 24);
}

/* False: it takes a thread, or it is larger than it says. */
static bool
inflate_here(struct request *r, struct err_info *info)
{
	size_t max = said_size(r->x->body, r->x->body_len), len = 0;
	char *plain = NULL;
	enum err e;

	if (max > ONCE_MAX || max > r->match.route->inflated_max ||
	    r->x->body_len > ONCE_MAX)
		return (false);
	e = inflate_all(r->x->body, r->x->body_len, max, &plain, &len, info);
	take(r, plain, len);
	if (e != ERR_TOO_LARGE)
		return (true);
	take(r, NULL, 0);
	free(plain);
	err_clear(info);
	return (false);
}

void
content_open(struct request *r, void (*next)(struct request *))
{
	struct err_info info = {0};

	r->content = r->x->body;
	r->content_len = r->x->body_len;
	if (!r->coded)
		next(r);
	else if (!inflate_here(r, &info))
		inflate_aside(r, next);
	else if (info.code != ERR_OK)
		reply_problem(r, &info);
	else
		next(r);
}
