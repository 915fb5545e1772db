#include "api/request_steps.h"

#include "api/gzip.h"

#include <string.h>
#include <strings.h>

#define GZIP_FROM 1024 /* bytes; what is shorter fits a packet as it is */

static void
put(struct head *h, const char *name, const char *value)
{
	if (h->n < HEAD_HEADERS)
		h->headers[h->n++] = (struct header){name, value};
}

/* A list: RFC 9110 section 12.5.5. */
static void
put_vary(struct text *t, const char *fields)
{
	text_puts(t, t->len > 0 ? ", " : "");
	text_puts(t, fields);
}

/* The caller's, if it is in the list: an answer names one (Fetch standard,
 * section 3.3.3). */
static const char *
allowed_origin(const struct request *r)
{
	const char *own = request_header(r, "Origin");
	const char *list = r->api->cors_origin;
	size_t n;

	for (; own != NULL && *list != '\0'; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n > 0 && n == strlen(own) && memcmp(list, own, n) == 0)
			return (own);
	}
	return (NULL);
}

static void
put_cors(struct head *h, const struct request *r, struct text *vary)
{
	const char *list = r->api->cors_origin, *origin;

	if (list == NULL || list[0] == '\0')
		return;
	if ((origin = allowed_origin(r)) != NULL) {
		put(h, "Access-Control-Allow-Origin", origin);
		put(h, "Access-Control-Expose-Headers",
		    "ETag, Location, RateLimit, RateLimit-Policy, Retry-After, "
		    "X-Request-Id");
	}
	put_vary(vary, "Origin");
}

static bool
shrinks(const char *type)
{
	static const char *const begin[] = {"text/", "application/json",
	    "application/problem+json", "application/x-ndjson",
	    "image/svg+xml"};

	/* Each event is to arrive by itself. */
	if (strcmp(type, "text/event-stream") == 0)
		return (false);
	for (size_t i = 0; i < sizeof(begin) / sizeof(*begin); i++)
		if (strncmp(type, begin[i], strlen(begin[i])) == 0)
			return (true);
	return (false);
}

static void
tag_coded(struct head *h)
{
	static const char suffix[] = "-gzip\"";
	struct header *f = h->headers;
	size_t len;

	while (f < h->headers + h->n && strcasecmp(f->name, "ETag") != 0)
		f++;
	if (f == h->headers + h->n || strncmp(f->value, "W/", 2) == 0)
		return;
	len = strlen(f->value);
	if (len < 2 || len - 1 + sizeof(suffix) > sizeof(h->etag))
		return;
	memcpy(h->etag, f->value, len - 1);
	memcpy(h->etag + len - 1, suffix, sizeof(suffix));
	f->value = h->etag;
}

void
head_coded(struct head *h)
{
	put(h, "Content-Encoding", "gzip");
	tag_coded(h);
}

void
head_make(struct head *h, const struct request *r, int status,
    const struct header *headers, size_t n, size_t len)
{
	const char *type = NULL, *known;
	struct text vary;

	h->n = 0;
	text_init_fixed(&vary, h->vary, sizeof(h->vary));
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(headers[i].name, "Vary") == 0) {
			put_vary(&vary, headers[i].value);
			continue;
		}
		if (strcasecmp(headers[i].name, "Content-Type") == 0)
			type = headers[i].value;
		put(h, headers[i].name, headers[i].value);
	}
	if (type == NULL && len > 0)
		put(h, "Content-Type", type = "application/json");
	limit_tell(r, h);
	put_cors(h, r, &vary);
	h->gzip = len >= GZIP_FROM && shrinks(type);
	if (h->gzip)
		put_vary(&vary, "Accept-Encoding");
	if (vary.len > 0)
		put(h, "Vary", h->vary);
	h->gzip = h->gzip && r->method != METHOD_HEAD &&
	    gzip_accepted(request_header(r, "Accept-Encoding"));
	/* The client keeps a coded answer, so that is the one meant. */
	if (status == 304 &&
	    (known = request_header(r, "If-None-Match")) != NULL &&
	    strstr(known, "-gzip\"") != NULL)
		tag_coded(h);
}
