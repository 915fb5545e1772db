#include "edge/answer.h"

#include "core/text.h"

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

/* IMF-fixdate (RFC 9110 section 5.6.7), made once a second. */
static const char *
date(time_t now)
{
	static char text[40];
	static time_t made = -1;
	struct tm tm;

	if (now != made && gmtime_r(&now, &tm) != NULL &&
	    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		made = now;
	return (text);
}

static void
add(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static bool
add_header(struct text *t, const struct header *h)
{
	if (strpbrk(h->name, "\r\n") != NULL ||
	    strpbrk(h->value, "\r\n") != NULL)
		return (false);
	add(t, h->name);
	text_add(t, ": ", 2);
	add(t, h->value);
	text_add(t, "\r\n", 2);
	return (true);
}

static void
add_number(struct text *t, size_t n)
{
	char digits[24], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + n % 10);
	} while ((n /= 10) > 0);
	text_add(t, p, (size_t)(digits + sizeof(digits) - p));
}

static void
add_standard(struct text *t, const struct answer *a)
{
	static const char fixed[] =
	    "X-Content-Type-Options: nosniff\r\n"
	    "Strict-Transport-Security: max-age=31536000\r\n"
	    "X-Request-Id: ";

	add(t, "HTTP/1.1 ");
	add_number(t, (size_t)a->status);
	text_add(t, " ", 1);
	add(t, reason(a->status));
	add(t, "\r\nDate: ");
	add(t, date(a->now));
	text_add(t, "\r\n", 2);
	text_add(t, fixed, sizeof(fixed) - 1);
	add(t, a->request_id);
	text_add(t, "\r\n", 2);
	if (a->close)
		add(t, "Connection: close\r\n");
	else if (a->keep_old)
		add(t, "Connection: keep-alive\r\n");
}

bool
answer_has_body(int status)
{
	return (status >= 200 && status != 204 && status != 304);
}

size_t
answer_head(char *buf, size_t size, const struct answer *a)
{
	struct text t;
	bool cache = false;

	text_init_fixed(&t, buf, size);
	add_standard(&t, a);
	for (size_t i = 0; i < a->nheaders; i++) {
		if (!add_header(&t, &a->headers[i]))
			return (0);
		cache |= strcasecmp(a->headers[i].name, "Cache-Control") == 0;
	}
	if (!cache)
		add(&t, "Cache-Control: no-store\r\n");
	if (a->end == END_CHUNK)
		add(&t, "Transfer-Encoding: chunked\r\n");
	else if (a->end == END_LENGTH && answer_has_body(a->status)) {
		add(&t, "Content-Length: ");
		add_number(&t, a->body_len);
		text_add(&t, "\r\n", 2);
	}
	text_add(&t, "\r\n", 2);
	return (text_ok(&t) ? t.len : 0);
}
