#include "api/request_steps.h"

#include "api/audit.h"
#include "api/gzip.h"
#include "core/problem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ONCE_MAX ((size_t)64 << 10) /* bytes gzip'd in one step, 1 ms */

void
reply_send(struct request *r, int status, const struct header *headers,
    size_t nheaders, const char *body, size_t len)
{
	static char coded[ONCE_MAX + 4096]; /* more than any gzip of it */
	struct exchange *x = r->x;
	struct head h;
	size_t n;

	if (x == NULL)
		return;
	head_make(&h, r, status, headers, nheaders, len);
	if (h.gzip && len > ONCE_MAX) {
		stream_body(r, status, &h, body, len);
		return;
	}
	if (h.gzip && (n = gzip_once(body, len, coded, sizeof(coded))) > 0) {
		head_coded(&h);
		body = coded;
		len = n;
	}
	r->x = NULL;
	exchange_reply(x, status, h.headers, h.n, body, len);
	request_count(r, status);
}

void
reply_with(struct request *r, int status, const struct header *headers,
    size_t nheaders, const char *body, size_t len)
{
	void (*on_reply)(struct request *, int, const char *, size_t);

	if (request_gone(r))
		return;
	assert(!r->answered);
	r->answered = true;
	if ((on_reply = r->on_reply) == NULL) {
		reply_send(r, status, headers, nheaders, body, len);
		return;
	}
	r->on_reply = NULL;
	r->reply_headers = headers;
	r->nreply_headers = nheaders;
	on_reply(r, status, body, len);
}

void
reply_json(struct request *r, int status, const char *body, size_t len)
{
	reply_with(r, status, NULL, 0, body, len);
}

void
reply_text(struct request *r, int status, struct text *json)
{
	if (text_ok(json))
		reply_with(r, status, NULL, 0, json->s, json->len);
	else
		reply_error(
		    r, ERR_TOO_LARGE, NULL, "the answer is over the limit");
}

/* RFC 9110 section 10.2.1. */
static const char *
allow_text(unsigned allowed, struct text *t)
{
	for (int m = 0; m < METHOD_COUNT; m++)
		if (allowed & 1u << m) {
			text_puts(t, t->len > 0 ? ", " : "");
			text_puts(t, method_name((enum method)m));
		}
	return (t->s);
}

/* RFC 6750 section 3; its words have neither quotes nor backslashes. */
static const char *
challenge(const struct err_info *info, struct text *t)
{
	char c;

	text_puts(t, "Bearer realm=\"penstock\"");
	if (info->reason == NULL)
		return (t->s);
	text_printf(t, ", error=\"%s\", error_description=\"", info->reason);
	for (const char *s = info->detail; *s != '\0'; s++) {
		c = *s < ' ' || *s > '~' || *s == '"' || *s == '\\' ? ' ' : *s;
		text_add(t, &c, 1);
	}
	text_puts(t, "\"");
	return (t->s);
}

void
reply_problem(struct request *r, const struct err_info *info)
{
	struct text body, allow, auth;
	char body_buf[2048], allow_buf[80], auth_buf[400], retry[12];
	struct header h[2] = {{"Content-Type", PROBLEM_TYPE}, {NULL, NULL}};
	int status = err_status(info->code);

	audit_refused(r, status, info->detail);
	text_init_fixed(&body, body_buf, sizeof(body_buf));
	text_init_fixed(&allow, allow_buf, sizeof(allow_buf));
	text_init_fixed(&auth, auth_buf, sizeof(auth_buf));
	problem_write(&body, info, r->request_id);
	if (status == 401 || (status == 403 && info->reason != NULL))
		h[1] =
		    (struct header){"WWW-Authenticate", challenge(info, &auth)};
	else if (status == 405)
		h[1] = (struct header){
		    "Allow", allow_text(r->match.allowed, &allow)};
	else if (status == 503 || status == 429) {
		(void)snprintf(retry, sizeof(retry), "%u",
		    info->retry_s > 0 ? info->retry_s : 1);
		h[1] = (struct header){"Retry-After", retry};
	}
	reply_with(r, status, h, h[1].name != NULL ? 2 : 1, body.s, body.len);
}

void
reply_error(
    struct request *r, enum err code, const char *pointer, const char *fmt, ...)
{
	struct err_info info = {.code = ERR_OK};
	char detail[sizeof(info.detail)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	(void)err_set(&info, code, pointer, "%s", detail);
	reply_problem(r, &info);
}

void
reply_options(struct request *r)
{
	struct text allow;
	char buf[80];
	struct header h[5] = {{"Allow", NULL}};
	size_t n = 1;

	text_init_fixed(&allow, buf, sizeof(buf));
	h[0].value = allow_text(r->match.allowed, &allow);
	if (r->api->cors_origin != NULL && r->api->cors_origin[0] != '\0') {
		h[n++] =
		    (struct header){"Access-Control-Allow-Methods", allow.s};
		h[n++] = (struct header){"Access-Control-Allow-Headers",
		    "Authorization, Content-Encoding, Content-Type, "
		    "Idempotency-Key, If-Match, If-None-Match, X-Request-Id, "
		    "traceparent"};
		h[n++] = (struct header){"Access-Control-Max-Age", "600"};
	}
	reply_with(r, 204, h, n, NULL, 0);
}
