/*
 * pages: texts that are the same for everybody, kept as they are and gzip'd:
 * /openapi.json, and under /docs a page that shows it.
 *
 * Runs on: L. Frees: nothing; a page's bytes are borrowed and outlive it.
 * Units: bytes. Errors: 404 for a name that is not among them.
 */
#ifndef PENSTOCK_API_PAGES_H
#define PENSTOCK_API_PAGES_H

#include <stddef.h>

struct request;

struct page {
	const char *type, *etag; /* strong, with its quotes */
	const char *body;
	size_t len;
	const char *coded; /* gzip'd */
	size_t coded_len;  /* 0: there is none */
};

/* 200, or 304 to who has it already. */
void page_send(struct request *, const struct page *);

/* The page itself, and what it loads. */
void docs_get(struct request *);
void docs_file_get(struct request *);

#endif
