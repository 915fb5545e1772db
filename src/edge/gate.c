#include "edge/gate.h"

#include <string.h>
#include <strings.h>

/* Method, spaces and version around a target, generously. */
#define LINE_EXTRA 32

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

static bool
is_alnum(char c)
{
	return (is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
}

/* RFC 9110 section 5.6.2 */
static const bool in_token[256] = {
    ['!'] = true,
    ['#' ... '\''] = true,
    ['*' ... '+'] = true,
    ['-' ... '.'] = true,
    ['0' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['^' ... 'z'] = true,
    ['|'] = true,
    ['~'] = true,
};

static bool
is_token(const char *s)
{
	const char *p = s;

	while (in_token[(unsigned char)*p])
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
	const char *line = buf + *at, *end = buf + len, *lf;
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
	if (found > limits->header_max ||
	    (found == 0 && len > limits->header_max))
		return (too_long(buf, len, limits, info));
	*ret_end = found;
	return (ERR_OK);
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
	return (err_set(info, ERR_METHOD, NULL, "The method is not known"));
}

static enum err
parse_target(char *s, const struct gate_limits *limits, struct gate_head *h,
    struct err_info *info)
{
	char *question;

	if (strlen(s) > limits->target_max)
		return (err_set(info, ERR_URI_TOO_LONG, NULL,
		    "The request target may have %zu bytes",
		    limits->target_max));
	/* Absolute form would name the host a second time. */
	if (*s != '/' && strcmp(s, "*") != 0)
		return (bad(info, "The request target must begin with /"));
	for (const unsigned char *p = (unsigned char *)s; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return (bad(info,
			    "The request target holds a byte "
			    "that needs percent-encoding"));
	h->path = s;
	h->query = "";
	if ((question = strchr(s, '?')) != NULL) {
		*question = '\0';
		h->query = question + 1;
	}
	return (ERR_OK);
}

static enum err
parse_version(const char *s, struct gate_head *h, struct err_info *info)
{
	if (strncmp(s, "HTTP/", 5) != 0 || !is_digit(s[5]) || s[6] != '.' ||
	    !is_digit(s[7]) || s[8] != '\0')
		return (bad(info, "The request line must end in HTTP/1.1"));
	if (s[5] != '1' || s[7] > '1')
		return (err_set(info, ERR_HTTP_VERSION, NULL,
		    "HTTP/1.1 and HTTP/1.0 are spoken here"));
	h->old = s[7] == '0';
	h->close = h->old;
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
	bool host, length;
};

static enum err
take_host(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	size_t i;

	(void)h;
	if (seen->host)
		return (bad(info, "Host is given twice"));
	seen->host = true;
	for (i = 0; v[i] != '\0'; i++)
		if (!is_alnum(v[i]) && strchr(".-_:[]", v[i]) == NULL)
			break;
	if (i == 0 || i > 255 || v[i] != '\0' || v[0] == ':')
		return (bad(info, "Host is not a host and port"));
	return (ERR_OK);
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
	for (p = v; is_digit(*p); p++)
		if (__builtin_mul_overflow(n, (size_t)10, &n) ||
		    __builtin_add_overflow(n, (size_t)(*p - '0'), &n))
			return (bad(info, "Content-Length is beyond reason"));
	if (p == v || *p != '\0')
		return (bad(info, "Content-Length is not a number"));
	h->has_length = true;
	h->content_length = n;
	return (ERR_OK);
}

static enum err
take_encoding(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)v;
	(void)h;
	(void)seen;
	return (err_set(info, ERR_ENCODING, NULL,
	    "Send the body with Content-Length, not Transfer-Encoding"));
}

static bool
list_has(const char *list, const char *word)
{
	size_t n = strlen(word), len;

	for (;; list += len) {
		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == 0)
			return (false);
		if (len == n && strncasecmp(list, word, n) == 0)
			return (true);
	}
}

static enum err
take_connection(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)seen;
	(void)info;
	if (list_has(v, "close"))
		h->close = true;
	else if (h->old && list_has(v, "keep-alive"))
		h->close = false;
	return (ERR_OK);
}

static enum err
take_expect(const char *v, struct gate_head *h, struct seen *seen,
    struct err_info *info)
{
	(void)seen;
	if (strcasecmp(v, "100-continue") != 0)
		return (bad(info, "Expect may only be 100-continue"));
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
	while (is_alnum(v[n]) || (v[n] != '\0' && strchr("._-", v[n])))
		n++;
	if (v[n] == '\0' && n >= 1 && n <= 36)
		h->request_id = v;
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

/* 1 for any but a tab (RFC 9110 section 5.5). Without a branch: below it
 * becomes one instruction for 16 bytes. */
static unsigned char
is_control(unsigned char c)
{
	return ((unsigned char)(((c < ' ') & (c != '\t')) | (c == 0x7f)));
}

static bool
has_control(const char *s, size_t len)
{
	unsigned char found = 0;

	for (; len >= 16; s += 16, len -= 16)
		for (size_t i = 0; i < 16; i++)
			found |= is_control((unsigned char)s[i]);
	for (size_t i = 0; i < len; i++)
		found |= is_control((unsigned char)s[i]);
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

static enum err
parse_fields(char *s, const struct gate_limits *limits, struct gate_head *h,
    struct err_info *info)
{
	struct seen seen = {false, false};
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
	if (!seen.host && !h->old)
		return (bad(info, "Host is missing"));
	return (ERR_OK);
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
		if (h->content_length > 0)
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
