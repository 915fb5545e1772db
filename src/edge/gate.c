#include "edge/gate.h"

#include "edge/octet.h"

#include <string.h>
#include <strings.h>

/* Method, spaces and version around a target, generously. */
#define LINE_EXTRA 32

static bool
is_token(const char *s)
{
	const char *p = s;

	while (octet_in_token[(unsigned char)*p])
		p++;
	return (p > s && *p == '\0');
}

static enum err
bad(struct err_info *info, const char *detail)
{
	return (err_set(info, ERR_BAD_REQUEST, NULL, "%s", detail));
}

static enum err
too_long(const char *buf, size_t len, const struct gate_limits *limits,
    struct err_info *info)
{
	const char *eol = memchr(buf, '\r', len);
	size_t line = eol == NULL ? len : (size_t)(eol - buf);

	if (line > limits->target_max + LINE_EXTRA)
		return (err_set(info, ERR_URI_TOO_LONG, NULL,
		    "The request target may have %zu bytes",
		    limits->target_max));
	return (err_set(info, ERR_HEADERS, NULL,
	    "The header may have %zu bytes", limits->header_max));
}

/* The line from `line` to its LF, or to `end` if that is yet to come. */
static enum err
check_bytes(
    const char *line, const char *lf, const char *end, struct err_info *info)
{
	size_t len = (size_t)((lf != NULL ? lf : end) - line);
	const char *cr = memchr(line, '\r', len);
	const char *nul = memchr(line, '\0', len);

	if (nul != NULL && (cr == NULL || nul <= cr + 1))
		return (bad(info, "The header holds a NUL"));
	if (cr != NULL && cr + 1 < line + len)
		return (bad(info, "The header holds CR without LF"));
	if (lf != NULL && cr == NULL)
		return (bad(info, "The header holds LF without CR"));
	return (ERR_OK);
}

enum err
gate_scan(size_t *at, const char *buf, size_t len,
    const struct gate_limits *limits, size_t *ret_end, struct err_info *info)
{
	/* What is beyond the limit is not looked at: it may not be there yet. */
	size_t seen = len < limits->header_max ? len : limits->header_max;
	const char *line = buf + *at, *end = buf + seen, *lf;
	size_t found = 0;
	enum err e;

	do {
		lf = memchr(line, '\n', (size_t)(end - line));
		if ((e = check_bytes(line, lf, end, info)) != ERR_OK)
			return (e);
		if (lf == NULL)
			break;
		if (lf == buf + 1)
			return (bad(info,
			    "An empty line comes before the request line"));
		if (lf == line + 1)
			found = (size_t)(lf + 1 - buf);
		line = lf + 1;
	} while (found == 0);
	*at = (size_t)(line - buf);
	if (found == 0 && len > seen)
		return (too_long(buf, seen, limits, info));
	*ret_end = found;
	return (ERR_OK);
}

/* RFC 9110 section 9.1: 405 for a method that is known and not allowed, 501
 * for others. */
static enum err
refuse_method(const char *s, struct err_info *info)
{
	if (strcmp(s, "TRACE") == 0 || strcmp(s, "CONNECT") == 0)
		return (err_set(
		    info, ERR_METHOD, NULL, "%s is not allowed here", s));
	return (err_set(info, ERR_NO_METHOD, NULL, "The method is not known"));
}

static enum err
parse_method(const char *s, struct gate_head *h, struct err_info *info)
{
	if (!is_token(s))
		return (bad(info, "The method is not a token"));
	for (int m = 0; m < METHOD_COUNT; m++) {
		if (strcmp(s, method_name((enum method)m)) == 0) {
			h->method = (enum method)m;
			return (ERR_OK);
		}
	}
	return (refuse_method(s, info));
}

static enum err
parse_target(char *s, const struct gate_limits *limits, struct gate_head *h,
    struct err_info *info)
{
	if (strlen(s) > limits->target_max)
		return (err_set(info, ERR_URI_TOO_LONG, NULL,
		    "The request target may have %zu bytes",
		    limits->target_max));
	return (target_parse(s, h->method, &h->target, info));
}

static enum err
parse_version(const char *s, struct gate_head *h, struct err_info *info)
{
	if (strncmp(s, "HTTP/", 5) != 0 || !octet_is_digit(s[5]) ||
	    s[6] != '.' || !octet_is_digit(s[7]) || s[8] != '\0')
		return (bad(info, "The request line must end in HTTP/1.1"));
	/* A higher minor version is spoken to in ours (RFC 9110 section 6.2). */
	if (s[5] != '1')
		return (err_set(info, ERR_HTTP_VERSION, NULL,
		    "HTTP/1.1 and HTTP/1.0 are spoken here"));
	h->old = s[7] == '0';
	return (ERR_OK);
}

static enum err
parse_line(char *s, const struct gate_limits *limits, struct gate_head *h,
    struct err_info *info)
{
	char *target = strchr(s, ' '), *version;
	enum err e;

	if (target == NULL)
		return (bad(info, "The request line has no target"));
	*target++ = '\0';
	if ((version = strchr(target, ' ')) == NULL)
		return (bad(info, "The request line has no version"));
	*version++ = '\0';
	/* The version first: only then the rest means what we think. */
	if ((e = parse_version(version, h, info)) != ERR_OK ||
	    (e = parse_method(s, h, info)) != ERR_OK)
		return (e);
	return (parse_target(target, limits, h, info));
}

struct seen {
	const char *host;
	bool length, encoding, close, keep, credentials, type;
};

static enum err
take_host(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)h;
	if (seen->host != NULL)
		return (bad(info, "Host is given twice"));
	seen->host = v;
	return (target_check_host(v, info));
}

static enum err
take_length(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	size_t n = 0;
	const char *p;

	if (seen->length)
		return (bad(info, "Content-Length is given twice"));
	seen->length = true;
	for (p = v; octet_is_digit(*p); p++)
		if (__builtin_mul_overflow(n, (size_t)10, &n) ||
		    __builtin_add_overflow(n, (size_t)(*p - '0'), &n))
			return (bad(info, "Content-Length is beyond reason"));
	if (p == v || *p != '\0')
		return (bad(info, "Content-Length is not a number"));
	h->has_length = true;
	h->content_length = n;
	return (ERR_OK);
}

static size_t
next_of(const char **list)
{
	*list += strspn(*list, ", \t");
	return (strcspn(*list, ", \t"));
}

static bool
is_word(const char *s, size_t len, const char *word)
{
	return (len == strlen(word) && strncasecmp(s, word, len) == 0);
}

static bool
list_has(const char *list, const char *word)
{
	size_t len;

	for (; (len = next_of(&list)) > 0; list += len)
		if (is_word(list, len, word))
			return (true);
	return (false);
}

/* RFC 9112 sections 6.1 and 6.3: behind a coding that is not chunked nobody
 * knows where the body ends. */
static enum err
refuse_encoding(const char *v, struct err_info *info)
{
	bool last = false, before = false;
	size_t len;

	for (; (len = next_of(&v)) > 0; v += len) {
		before |= last;
		last = is_word(v, len, "chunked");
	}
	if (before)
		return (bad(info, "chunked must be the last coding, once"));
	return (err_set(info, ERR_ENCODING, NULL,
	    "The one transfer coding known here is chunked"));
}

static enum err
take_encoding(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	if (seen->encoding)
		return (bad(info, "Transfer-Encoding is given twice"));
	seen->encoding = true;
	if (h->old)
		return (bad(info, "HTTP/1.0 has no Transfer-Encoding"));
	h->chunked = strcasecmp(v, "chunked") == 0;
	return (h->chunked ? ERR_OK : refuse_encoding(v, info));
}

static enum err
take_connection(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)h;
	(void)info;
	seen->close |= list_has(v, "close");
	seen->keep |= list_has(v, "keep-alive");
	return (ERR_OK);
}

static enum err
take_expect(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)seen;
	if (strcasecmp(v, "100-continue") != 0)
		return (err_set(info, ERR_EXPECTATION, NULL,
		    "Expect may only be 100-continue"));
	h->expect_continue = !h->old;
	return (ERR_OK);
}

static enum err
take_request_id(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	size_t n = 0;

	(void)seen;
	(void)info;
	while (octet_is_alnum(v[n]) || (v[n] != '\0' && strchr("._-", v[n])))
		n++;
	if (v[n] == '\0' && n >= 1 && n <= 36)
		h->request_id = v;
	return (ERR_OK);
}

/* Fields of one value (RFC 9110 section 5.3): of two, whoever stands before us
 * may have judged the other. */
static enum err
take_credentials(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)v;
	(void)h;
	if (seen->credentials)
		return (bad(info, "Authorization is given twice"));
	seen->credentials = true;
	return (ERR_OK);
}

static enum err
take_type(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)v;
	(void)h;
	if (seen->type)
		return (bad(info, "Content-Type is given twice"));
	seen->type = true;
	return (ERR_OK);
}

static const struct {
	const char *name;
	size_t len;
	enum err (*take)(const char *value, struct gate_head *, struct seen *,
	    struct err_info *);
} takers[] = {
    {"host", 4, take_host},
    {"content-length", 14, take_length},
    {"transfer-encoding", 17, take_encoding},
    {"connection", 10, take_connection},
    {"expect", 6, take_expect},
    {"x-request-id", 12, take_request_id},
    {"authorization", 13, take_credentials},
    {"content-type", 12, take_type},
};

static enum err
take_field(const struct header *field, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	size_t len = strlen(field->name);

	for (size_t i = 0; i < sizeof(takers) / sizeof(*takers); i++)
		if (len == takers[i].len &&
		    strcasecmp(field->name, takers[i].name) == 0)
			return (takers[i].take(field->value, h, seen, info));
	return (ERR_OK);
}

static bool
has_control(const char *s, size_t len)
{
	unsigned char found = 0;

	for (; len >= 16; s += 16, len -= 16)
		for (size_t i = 0; i < 16; i++)
			found |= octet_is_control((unsigned char)s[i]);
	for (size_t i = 0; i < len; i++)
		found |= octet_is_control((unsigned char)s[i]);
	return (found != 0);
}

static enum err
parse_field(char *s, struct header *ret, struct err_info *info)
{
	char *value = strchr(s, ':'), *end;

	if (*s == ' ' || *s == '\t')
		return (bad(info, "A header field is folded"));
	if (value == NULL)
		return (bad(info, "A header line has no colon"));
	*value++ = '\0';
	if (!is_token(s))
		return (bad(info, "A header name is not a token"));
	value += strspn(value, " \t");
	for (end = value + strlen(value);
	     end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	if (has_control(value, (size_t)(end - value)))
		return (bad(info, "A header value holds a control character"));
	ret->name = s;
	ret->value = value;
	return (ERR_OK);
}

/* What the fields say together. */
static enum err
check_fields(
    struct gate_head *h, const struct seen *seen, struct err_info *info)
{
	/* RFC 9112 section 9.3 */
	h->close = seen->close || (h->old && !seen->keep);
	if (seen->host == NULL && !h->old)
		return (bad(info, "Host is missing"));
	if (seen->encoding && seen->length)
		return (bad(info,
		    "Content-Length and Transfer-Encoding exclude each other"));
	return (target_check_authority(&h->target, seen->host, info));
}

static enum err
parse_fields(char *s, const struct gate_limits *limits, struct gate_head *h,
    struct err_info *info)
{
	struct seen seen = {.host = NULL};
	enum err e;
	char *next;

	for (; *s != '\0'; s = next + 2) {
		struct header *field = &h->headers[h->nheaders];

		next = strchr(s, '\r');
		*next = '\0';
		if (h->nheaders == limits->headers_max)
			return (err_set(info, ERR_HEADERS, NULL,
			    "There may be %u header fields",
			    limits->headers_max));
		if ((e = parse_field(s, field, info)) != ERR_OK)
			return (e);
		h->nheaders++;
		if ((e = take_field(field, h, &seen, info)) != ERR_OK)
			return (e);
	}
	return (check_fields(h, &seen, info));
}

static enum err
check_length(const struct gate_head *h, const struct gate_limits *limits,
    struct err_info *info)
{
	switch (h->method) {
	case METHOD_POST:
	case METHOD_PUT:
	case METHOD_PATCH:
		/* From HTTP/1.1 on no length means no body (RFC 9112 6.3). */
		if (!h->has_length && h->old)
			return (err_set(info, ERR_LENGTH, NULL,
			    "%s needs Content-Length", method_name(h->method)));
		break;
	default:
		if (h->content_length > 0 || h->chunked)
			return (err_set(info, ERR_BAD_REQUEST, NULL,
			    "%s takes no body", method_name(h->method)));
	}
	if (h->content_length > limits->body_max)
		return (err_set(info, ERR_TOO_LARGE, NULL,
		    "The body may have %zu bytes", limits->body_max));
	return (ERR_OK);
}

enum err
gate_parse(char *buf, size_t end, const struct gate_limits *limits,
    struct gate_head *ret, struct err_info *info)
{
	char *fields = memchr(buf, '\r', end);
	enum err e;

	memset(ret, 0, offsetof(struct gate_head, headers));
	*fields = '\0';
	fields += 2;
	buf[end - 2] = '\0'; /* the empty line: parse_fields stops there */
	if ((e = parse_line(buf, limits, ret, info)) != ERR_OK ||
	    (e = parse_fields(fields, limits, ret, info)) != ERR_OK)
		return (e);
	return (check_length(ret, limits, info));
}
