#include "edge/target.h"

#include "core/percent.h"
#include "core/text.h"
#include "edge/octet.h"

#include <string.h>
#include <strings.h>

#define AUTHORITY_MAX 255 /* bytes */
#define PORT_DIGITS   5

static enum err
bad(struct err_info *info, const char *detail)
{
	return (err_set(info, ERR_BAD_REQUEST, NULL, "%s", detail));
}

/* Of the host at the begin of an authority; 0 if there is none. */
static size_t
host_len(const char *s, size_t len)
{
	size_t n = 0;

	if (len > 0 && *s == '[') {
		for (n = 1; n < len &&
		     (octet_hex(s[n]) >= 0 || s[n] == ':' || s[n] == '.');
		     n++)
			;
		return (n > 2 && n < len && s[n] == ']' ? n + 1 : 0);
	}
	while (n < len &&
	    (octet_is_alnum(s[n]) || s[n] == '-' || s[n] == '.' || s[n] == '_'))
		n++;
	return (n);
}

/* Host and port, no user: RFC 9110 section 4.2.4. */
static bool
is_authority(const char *s, size_t len)
{
	size_t n = host_len(s, len);

	if (n == 0 || len > AUTHORITY_MAX)
		return (false);
	if (n < len && (s[n++] != ':' || len - n > PORT_DIGITS))
		return (false);
	while (n < len && octet_is_digit(s[n]))
		n++;
	return (n == len);
}

static unsigned
port_of(const char *s, size_t len, unsigned fallback)
{
	size_t n = host_len(s, len) + 1;
	unsigned port = 0;

	if (n >= len)
		return (fallback);
	for (; n < len; n++)
		port = port * 10 + (unsigned)(s[n] - '0');
	return (port);
}

enum err
target_check_host(const char *host, struct err_info *info)
{
	if (!is_authority(host, strlen(host)))
		return (bad(info, "Host is not a host and port"));
	return (ERR_OK);
}

enum err
target_check_authority(
    const struct target *t, const char *host, struct err_info *info)
{
	size_t len, n;

	if (t->authority == NULL || host == NULL)
		return (ERR_OK);
	len = strlen(host);
	n = host_len(host, len);
	if (n != host_len(t->authority, t->authority_len) ||
	    strncasecmp(host, t->authority, n) != 0 ||
	    port_of(host, len, t->port) !=
		port_of(t->authority, t->authority_len, t->port))
		return (bad(info, "Host is not that of the request target"));
	return (ERR_OK);
}

static enum err
take_authority(char **s, struct target *ret, struct err_info *info)
{
	char *at;

	if (strncasecmp(*s, "https://", 8) == 0) {
		at = *s + 8;
		ret->port = 443;
	} else if (strncasecmp(*s, "http://", 7) == 0) {
		at = *s + 7;
		ret->port = 80;
	} else
		return (bad(
		    info, "The request target must begin with / or https://"));
	ret->authority = at;
	ret->authority_len = strcspn(at, "/?#");
	if (!is_authority(at, ret->authority_len))
		return (bad(info, "The request target names no host"));
	*s = at + ret->authority_len;
	return (ERR_OK);
}

static bool
is_dots(const char *s, size_t len)
{
	return (len > 0 && len <= 2 && s[0] == '.' && s[len - 1] == '.');
}

static bool
is_utf8(const char *s)
{
	size_t left = strlen(s), n = 1;

	for (; left > 0 && n > 0; s += n, left -= n)
		n = text_utf8(s, left);
	return (left == 0);
}

/* RFC 3986 sections 2.1 and 3.3. */
static enum err
check_segment(const char *s, size_t len, struct err_info *info)
{
	char plain[TARGET_MAX + 1];

	if (is_dots(s, len))
		return (bad(info, "The path has a dot segment"));
	if (memchr(s, '%', len) == NULL)
		return (ERR_OK);
	if (!percent_decode(s, len, false, plain, sizeof(plain)))
		return (bad(info, "The path is not well percent-encoded"));
	if (is_dots(plain, strlen(plain)))
		return (bad(info, "The path has a dot segment"));
	if (!is_utf8(plain))
		return (bad(info, "The path is not UTF-8"));
	return (ERR_OK);
}

/* `path` begins with a slash. */
static enum err
check_path(const char *path, struct err_info *info)
{
	const char *s = path;
	size_t len;
	enum err e;

	if (strchr(s, '%') == NULL && strstr(s, "/.") == NULL)
		return (ERR_OK);
	do {
		len = strcspn(++s, "/");
		if ((e = check_segment(s, len, info)) != ERR_OK)
			return (e);
		s += len;
	} while (*s == '/');
	return (ERR_OK);
}

enum err
target_parse(
    char *s, enum method method, struct target *ret, struct err_info *info)
{
	enum err e;

	*ret = (struct target){.query = ""};
	if (strcmp(s, "*") == 0) {
		ret->path = s;
		if (method != METHOD_OPTIONS)
			return (bad(info, "The target * is for OPTIONS"));
		return (ERR_OK);
	}
	if (*s != '/' && (e = take_authority(&s, ret, info)) != ERR_OK)
		return (e);
	ret->path = *s == '/' ? s : "/";
	while (octet_in_path[(unsigned char)*s])
		s++;
	if (*s == '?') {
		*s++ = '\0';
		ret->query = s;
		while (octet_in_query[(unsigned char)*s])
			s++;
	}
	if (*s != '\0')
		return (bad(info,
		    "The request target holds a byte that needs "
		    "percent-encoding"));
	return (check_path(ret->path, info));
}
