/*
 * err: the one list of everything that can go wrong.
 *
 * Runs on: C (anywhere). Frees: nothing. Errors are values: a function that
 * can fail returns `enum err` and, if asked, fills a bounded `struct err_info`.
 * Each row: code, log level, HTTP status, problem slug, problem title
 * (RFC 9457 section 3.1: `type` is "/problems/" + slug).
 */
#ifndef PENSTOCK_CORE_ERR_H
#define PENSTOCK_CORE_ERR_H

#include <stdarg.h>

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR
};

/* clang-format off */
#define ERR_TABLE(X) \
	X(ERR_OK,             DEBUG, 200, "ok", "OK") \
	X(ERR_BAD_REQUEST,    INFO,  400, "bad-request", "The request is malformed") \
	X(ERR_BAD_JSON,       INFO,  400, "bad-json", "The body is not valid JSON") \
	X(ERR_UNAUTHORIZED,   INFO,  401, "unauthorized", "Authentication is required") \
	X(ERR_FORBIDDEN,      INFO,  403, "forbidden", "The role does not allow this") \
	X(ERR_NOT_FOUND,      INFO,  404, "not-found", "There is no such resource") \
	X(ERR_METHOD,         INFO,  405, "method-not-allowed", "The resource does not take this method") \
	X(ERR_NOT_ACCEPTABLE, INFO,  406, "not-acceptable", "No representation fits Accept") \
	X(ERR_TIMEOUT,        INFO,  408, "request-timeout", "The request came too slowly") \
	X(ERR_CONFLICT,       INFO,  409, "conflict", "The request conflicts with the present state") \
	X(ERR_LENGTH,         INFO,  411, "length-required", "Content-Length is required") \
	X(ERR_PRECONDITION,   INFO,  412, "precondition-failed", "If-Match does not match the present state") \
	X(ERR_TOO_LARGE,      INFO,  413, "content-too-large", "The body or batch is over the limit") \
	X(ERR_URI_TOO_LONG,   INFO,  414, "uri-too-long", "The request target is over the limit") \
	X(ERR_MEDIA_TYPE,     INFO,  415, "unsupported-media-type", "The content type is not supported here") \
	X(ERR_EXPECTATION,    INFO,  417, "expectation-failed", "The expectation cannot be met") \
	X(ERR_INVALID,        INFO,  422, "invalid", "The content does not fit the rules") \
	X(ERR_TOO_MANY,       INFO,  429, "too-many-requests", "Too many requests") \
	X(ERR_HEADERS,        INFO,  431, "header-fields-too-large", "The header is over the limit") \
	X(ERR_INTERNAL,       ERROR, 500, "internal", "The server failed") \
	X(ERR_NO_MEMORY,      ERROR, 500, "no-memory", "The server ran out of memory for this request") \
	X(ERR_ENCODING,       INFO,  501, "transfer-encoding", "The transfer coding is not implemented") \
	X(ERR_NO_METHOD,      INFO,  501, "method-not-implemented", "The method is not implemented") \
	X(ERR_BUSY,           WARN,  503, "busy", "A queue is full; try again") \
	X(ERR_DATABASE,       ERROR, 503, "database-unavailable", "The database cannot answer now") \
	X(ERR_CACHE,          WARN,  503, "cache-unavailable", "The cache cannot answer now") \
	X(ERR_ARCHIVE,        ERROR, 503, "archive-unavailable", "The archive cannot answer now") \
	X(ERR_DRAINING,       INFO,  503, "draining", "The server is stopping") \
	X(ERR_DEADLINE,       WARN,  503, "deadline", "The answer did not come in time") \
	X(ERR_HTTP_VERSION,   INFO,  505, "http-version", "The HTTP version is not supported")
/* clang-format on */

#define X(code, level, status, slug, title) code,
enum err { ERR_TABLE(X) ERR_COUNT };
#undef X

/* First error wins. `pointer` is an RFC 6901 JSON pointer, "" if none. */
struct err_info {
	enum err code;
	char detail[256];
	char pointer[192];
	/* A word of a closed list that a program can act on, static; NULL if
	 * there is none. */
	const char *reason;
	unsigned retry_s; /* of 429 and 503: when to try again; 0: in 1 s */
};

enum log_level err_level(enum err);
int err_status(enum err);
const char *err_slug(enum err);
const char *err_title(enum err);

/*
 * Fill `info` (may be NULL) unless it already holds an error; returns `code`
 * so that `return (err_set(info, ERR_X, "/field", "..."));` reads well.
 * `pointer` may be NULL. Text beyond the bounds is cut.
 */
enum err err_set(struct err_info *info, enum err code, const char *pointer,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void err_clear(struct err_info *info);

#endif
