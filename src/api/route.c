#include "api/route.h"

#include "core/percent.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SEGMENTS     8
#define DECODED_MAX  1024 /* bytes; the longest parameters are shorter */
#define ROUTES_MAX   512
#define NAME_MAX_LEN 24

/* A pattern or a path taken apart at its slashes; borrowed, not decoded. */
struct parts {
	size_t n;
	struct {
		const char *s;
		size_t len;
	} seg[SEGMENTS];
};

static bool
split(const char *path, struct parts *ret)
{
	const char *slash;

	ret->n = 0;
	if (*path != '/')
		return (false);
	do {
		path++;
		if (ret->n == SEGMENTS)
			return (false);
		slash = strchrnul(path, '/');
		ret->seg[ret->n].s = path;
		ret->seg[ret->n++].len = (size_t)(slash - path);
		path = slash;
	} while (*path == '/');
	return (true);
}

/* %68ealth is health (RFC 3986 section 6.2.2.2); a slash that was encoded
 * stays within its segment. */
static bool
decode(struct parts *parts, char *to, size_t size)
{
	for (size_t i = 0; i < parts->n; i++) {
		size_t len = parts->seg[i].len;

		if (memchr(parts->seg[i].s, '%', len) == NULL)
			continue;
		if (!percent_decode(parts->seg[i].s, len, false, to, size))
			return (false);
		len = strlen(to);
		parts->seg[i].s = to;
		parts->seg[i].len = len;
		to += len + 1;
		size -= len + 1;
	}
	return (true);
}

/* All names are printable ASCII without a slash. */
static bool
is_name(const char *s)
{
	if (*s == '\0' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return (false);
	while (*s >= ' ' && *s < 0x7f && *s != '/')
		s++;
	return (*s == '\0');
}

struct pattern {
	struct parts parts;
	char names[ROUTE_PARAMS][NAME_MAX_LEN];
};

static void
name_params(struct pattern *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->parts.n && n < ROUTE_PARAMS; i++)
		if (p->parts.seg[i].s[0] == '{')
			(void)snprintf(p->names[n++], NAME_MAX_LEN, "%.*s",
			    (int)p->parts.seg[i].len - 2,
			    p->parts.seg[i].s + 1);
}

static struct pattern patterns[ROUTES_MAX];
/* Routes by how many segments they have and how long the last one is, 0 if
 * that is a parameter: most are never looked at. Places + 1. */
#define LENGTHS 16u
static unsigned short heads[SEGMENTS + 1][LENGTHS], after[ROUTES_MAX];

static unsigned short *
head_of(const struct parts *p)
{
	size_t len = p->seg[p->n - 1].len;

	if (p->seg[p->n - 1].s[0] == '{')
		len = 0;
	return (&heads[p->n][len < LENGTHS ? len : LENGTHS - 1]);
}

static void
link_pattern(size_t i)
{
	unsigned short *head = head_of(&patterns[i].parts);

	after[i] = *head;
	*head = (unsigned short)(i + 1);
}

/* Patterns are taken apart once per process. */
static void
open_patterns(void)
{
	static bool ready;

	assert(nroutes <= ROUTES_MAX);
	for (size_t i = 0; !ready && i < nroutes; i++) {
		(void)split(routes[i].pattern, &patterns[i].parts);
		name_params(&patterns[i]);
		link_pattern(i);
	}
	ready = true;
}

/* Of a path of as many segments: a bit per literal one, the first one highest;
 * -1: does not fit. */
static int
score(const struct parts *pattern, const struct parts *path)
{
	int bits = 1;

	for (size_t i = pattern->n; i-- > 0;) {
		if (pattern->seg[i].s[0] == '{')
			continue;
		if (pattern->seg[i].len != path->seg[i].len ||
		    memcmp(pattern->seg[i].s, path->seg[i].s,
			path->seg[i].len) != 0)
			return (-1);
		bits |= 1 << (SEGMENTS - i);
	}
	return (bits);
}

static bool
take_params(const struct pattern *pattern, const struct parts *path,
    struct route_match *m)
{
	char *value;
	size_t len;

	m->nparams = 0;
	for (size_t i = 0; i < path->n; i++) {
		if (pattern->parts.seg[i].s[0] != '{')
			continue;
		if (m->nparams == ROUTE_PARAMS)
			return (false);
		value = m->params[m->nparams].value;
		len = path->seg[i].len;
		if (len >= sizeof(m->params[0].value))
			return (false);
		memcpy(value, path->seg[i].s, len);
		value[len] = '\0';
		if (!is_name(value))
			return (false);
		m->params[m->nparams].name = pattern->names[m->nparams];
		m->nparams++;
	}
	return (true);
}

struct found {
	int score; /* of the best so far; -1: none */
	size_t at;
	enum method method;
};

/* From a head of routes on. */
static void
look(size_t from, const struct parts *path, struct found *f,
    struct route_match *ret)
{
	for (size_t n = from; n != 0; n = after[n - 1]) {
		const struct route *r = &routes[n - 1];
		int s = score(&patterns[n - 1].parts, path);

		if (s < 0 || s < f->score)
			continue;
		if (s > f->score) {
			f->score = s;
			f->at = n - 1;
			ret->route = NULL;
			ret->allowed = 1u << METHOD_OPTIONS;
		}
		ret->allowed |= 1u << r->method;
		if (r->method == METHOD_GET)
			ret->allowed |= 1u << METHOD_HEAD;
		if (r->method == f->method)
			ret->route = r;
	}
}

void
route_find(enum method method, const char *path, struct route_match *ret)
{
	struct found f = {
	    .score = -1, .method = method == METHOD_HEAD ? METHOD_GET : method};
	char decoded[DECODED_MAX];
	struct parts parts;

	ret->route = NULL;
	ret->allowed = 0;
	ret->nparams = 0;
	open_patterns();
	if (!split(path, &parts) || !decode(&parts, decoded, sizeof(decoded)))
		return;
	look(*head_of(&parts), &parts, &f, ret);
	look(heads[parts.n][0], &parts, &f, ret);
	if (f.score >= 0 && !take_params(&patterns[f.at], &parts, ret)) {
		ret->route = NULL;
		ret->allowed = 0;
	}
}

enum limit_class
route_limit(const struct route *route)
{
	if (route != NULL && route->limit != LIMIT_BY_METHOD)
		return (route->limit);
	return (route == NULL || route->method == METHOD_GET ? LIMIT_READ
							     : LIMIT_CHANGE);
}

const char *
route_label(size_t i)
{
	return (i < nroutes ? routes[i].name : "none");
}
