#include "api/pages.h"

#include "api/etag.h"
#include "api/request_steps.h"

#include <string.h>

#define FIRST "index.html"

/* Nothing from elsewhere, nothing inline; icons of the viewer's style sheet
 * are data: URLs. */
static const struct header always[] = {
    {"Content-Type", NULL},
    {"ETag", NULL},
    {"Cache-Control", "no-cache"},
    {"Content-Security-Policy",
	"default-src 'none'; script-src 'self'; style-src 'self'; "
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
	"form-action 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
};

#define ALWAYS (sizeof(always) / sizeof(*always))

static const struct {
	const char *name;
	struct page page;
} pages[] = {
#include "docs_rows.h"
};

void
page_send(struct request *r, const struct page *page)
{
	const char *known = request_header(r, "If-None-Match");
	bool same = known != NULL && etag_matches(known, page->etag);
	struct exchange *x = r->x;
	struct header headers[ALWAYS];
	struct head h;

	if (x == NULL)
		return;
	memcpy(headers, always, sizeof(headers));
	headers[0].value = page->type;
	headers[1].value = page->etag;
	if (same) /* RFC 9110 section 15.4.5 */
		headers[0] = (struct header){"Vary", "Accept-Encoding"};
	head_make(
	    &h, r, same ? 304 : 200, headers, ALWAYS, same ? 0 : page->len);
	h.gzip = h.gzip && page->coded_len > 0;
	if (h.gzip)
		head_coded(&h);
	r->answered = true;
	r->x = NULL;
	if (same)
		exchange_reply(x, 304, h.headers, h.n, NULL, 0);
	else
		exchange_reply(x, 200, h.headers, h.n,
		    h.gzip ? page->coded : page->body,
		    h.gzip ? page->coded_len : page->len);
	request_count(r, same ? 304 : 200);
}

static void
send_named(struct request *r, const char *name)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		if (strcmp(pages[i].name, name) == 0) {
			page_send(r, &pages[i].page);
			return;
		}
	reply_error(
	    r, ERR_NOT_FOUND, NULL, "there is no page %.60s here", name);
}

void
docs_get(struct request *r)
{
	send_named(r, FIRST);
}

void
docs_file_get(struct request *r)
{
	send_named(r, request_path(r, "file"));
}
