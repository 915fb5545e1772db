#include "edge/answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* RFC 9110 section 15; 429 and 431: RFC 6585. */
static const struct {
	int status;
	const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *
reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return (reasons[i].reason);
	return ("Unknown");
}

/* What all answers of one status in one second begin with. The date is an
 * IMF-fixdate (RFC 9110 section 5.6.7). */
static size_t
begin(char buf[static 512], int status, time_t now)
{
	struct tm tm;
	char date[40];

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		date[0] = '\0';
	return ((size_t)snprintf(buf, 512,
	    "HTTP/1.1 %d %s\r\nDate: %s\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Strict-Transport-Security: max-age=31536000\r\n"
	    "X-Request-Id: ",
	    status, reason(status), date));
}

struct out {
	char *p, *end; /* end NULL: it did not fit */
};

static void
add(struct out *o, const char *s, size_t n)
{
	if (o->end == NULL || n > (size_t)(o->end - o->p)) {
		o->end = NULL;
		return;
	}
	memcpy(o->p, s, n);
	o->p += n;
}

#define ADD(o, text) add((o), (text), sizeof(text) - 1)

static void
add_begin(struct out *o, int status, time_t now)
{
	static char text[512];
	static size_t len;
	static time_t of = -1;
	static int with;

	if (of != now || with != status) {
		len = begin(text, status, now);
		of = now;
		with = status;
	}
	add(o, text, len);
}

static bool
add_header(struct out *o, const struct header *h)
{
	size_t name = strlen(h->name), value = strlen(h->value);

	if (strcspn(h->name, "\r\n") < name ||
	    memchr(h->value, '\r', value) != NULL ||
	    memchr(h->value, '\n', value) != NULL)
		return (false);
	add(o, h->name, name);
	ADD(o, ": ");
	add(o, h->value, value);
	ADD(o, "\r\n");
	return (true);
}

static void
add_number(struct out *o, size_t n)
{
	char digits[24], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + n % 10);
	} while ((n /= 10) > 0);
	add(o, p, (size_t)(digits + sizeof(digits) - p));
}

static void
add_end(struct out *o, const struct answer *a)
{
	if (a->end == END_CHUNK)
		ADD(o, "Transfer-Encoding: chunked\r\n");
	else if (a->end == END_LENGTH && answer_has_body(a->status)) {
		ADD(o, "Content-Length: ");
		add_number(o, a->body_len);
		ADD(o, "\r\n");
	}
	if (a->close)
		ADD(o, "Connection: close\r\n");
	else if (a->keep_old_s > 0) {
		ADD(o, "Connection: keep-alive\r\nKeep-Alive: timeout=");
		add_number(o, a->keep_old_s);
		ADD(o, "\r\n");
	}
	ADD(o, "\r\n");
}

/* What an answer must say unless its handler did. */
struct said {
	bool cache, policy, page;
};

static void
note(struct said *said, const struct header *h)
{
	if ((h->name[0] | 0x20) != 'c')
		return;
	if (strcasecmp(h->name, "Content-Type") == 0)
		said->page = strncasecmp(h->value, "text/html", 9) == 0;
	else if (strcasecmp(h->name, "Cache-Control") == 0)
		said->cache = true;
	else if (strcasecmp(h->name, "Content-Security-Policy") == 0)
		said->policy = true;
}

static void
add_unsaid(struct out *o, const struct said *said)
{
	if (!said->cache)
		ADD(o, "Cache-Control: no-store\r\n");
	if (said->page && !said->policy)
		ADD(o,
		    "Content-Security-Policy: default-src 'self'; "
		    "base-uri 'none'; form-action 'self'; "
		    "frame-ancestors 'none'; object-src 'none'\r\n"
		    "Referrer-Policy: no-referrer\r\n");
}

bool
answer_has_body(int status)
{
	return (status >= 200 && status != 204 && status != 304);
}

size_t
answer_head(char *buf, size_t size, const struct answer *a)
{
	struct out o = {buf, buf + size};
	struct said said = {false, false, false};

	add_begin(&o, a->status, a->now);
	add(&o, a->request_id, strlen(a->request_id));
	ADD(&o, "\r\n");
	for (size_t i = 0; i < a->nheaders; i++) {
		if (!add_header(&o, &a->headers[i]))
			return (0);
		note(&said, &a->headers[i]);
	}
	add_unsaid(&o, &said);
	add_end(&o, a);
	return (o.end == NULL ? 0 : (size_t)(o.p - buf));
}
