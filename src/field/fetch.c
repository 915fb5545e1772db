#include "field/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct document {
	char *s;
	size_t len, max;
	bool over;
};

static size_t
on_data(char *data, size_t one, size_t n, void *arg)
{
	struct document *d = arg;

	n *= one;
	if (n > d->max - d->len) {
		d->over = true;
		return (0);
	}
	memcpy(d->s + d->len, data, n);
	d->len += n;
	return (n);
}

static void
set_options(CURL *e, const struct fetch *f, struct document *d)
{
	curl_easy_setopt(e, CURLOPT_URL, f->source);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, f->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, f->timeout_ms);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (f->ca_path != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, f->ca_path);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, d);
}

static enum err
get_https(const struct fetch *f, struct document *d, struct err_info *info)
{
	char why[CURL_ERROR_SIZE] = "";
	CURL *e = curl_easy_init();
	CURLcode code;
	long status = 0;

	if (e == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "no memory"));
	set_options(e, f, d);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, why);
	code = curl_easy_perform(e);
	(void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(e);
	if (d->over)
		return (err_set(info, ERR_INVALID, NULL, "%s: over %zu bytes",
		    f->source, d->max));
	if (code != CURLE_OK)
		return (err_set(info, ERR_INVALID, NULL, "%s: %s", f->source,
		    why[0] != '\0' ? why : curl_easy_strerror(code)));
	if (status != 200)
		return (err_set(info, ERR_INVALID, NULL, "%s: status %ld",
		    f->source, status));
	return (ERR_OK);
}

static enum err
get_file(const struct fetch *f, struct document *d, struct err_info *info)
{
	FILE *file = fopen(f->source, "re");

	if (file == NULL)
		return (err_set(info, ERR_INVALID, NULL, "%s: %s", f->source,
		    strerror(errno)));
	d->len = fread(d->s, 1, d->max, file);
	d->over = d->len == d->max;
	if (ferror(file) || d->over)
		(void)err_set(info, ERR_INVALID, NULL, "%s: %s", f->source,
		    d->over ? "too long" : "cannot be read");
	(void)fclose(file);
	return (info->code);
}

char *
fetch_get(const struct fetch *f, size_t *ret_len, struct err_info *info)
{
	struct document d = {.s = malloc(f->max), .max = f->max};
	enum err e;

	if (d.s == NULL) {
		(void)err_set(info, ERR_NO_MEMORY, NULL, "no memory");
		return (NULL);
	}
	e = f->source[0] == '/' ? get_file(f, &d, info)
				: get_https(f, &d, info);
	if (e != ERR_OK) {
		free(d.s);
		return (NULL);
	}
	*ret_len = d.len;
	return (d.s);
}
