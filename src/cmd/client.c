#include "cmd/client.h"

#include "cmd/tool.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX (8 * 1024 * 1024)

struct client {
	CURL *curl;
	char url[512];
	char *body;
	size_t len, size;
	char error[CURL_ERROR_SIZE];
};

static size_t
take_body(char *data, size_t one, size_t n, void *arg)
{
	struct client *c = arg;
	size_t size = c->size;
	char *p;

	(void)one;
	if (n > REPLY_MAX - c->len)
		return (0);
	while (size < c->len + n + 1)
		size = size == 0 ? 4096 : 2 * size;
	if (size != c->size) {
		if ((p = realloc(c->body, size)) == NULL)
			return (0);
		c->body = p;
		c->size = size;
	}
	memcpy(c->body + c->len, data, n);
	c->len += n;
	c->body[c->len] = '\0';
	return (n);
}

static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t d, curl_off_t e)
{
	(void)arg, (void)a, (void)b, (void)d, (void)e;
	return (tool_stopping() ? 1 : 0);
}

/* A proxy of the environment is for the world, never for this machine. */
static bool
is_loopback(const char *url)
{
	const char *host = strstr(url, "://");

	host = host == NULL ? url : host + 3;
	return (strncmp(host, "127.", 4) == 0 ||
	    strncmp(host, "localhost", 9) == 0 ||
	    strncmp(host, "[::1]", 5) == 0);
}

static void
set_options(struct client *c, const struct client_config *conf)
{
	CURL *h = c->curl;

	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS,
	    conf->timeout_ms > 0 ? conf->timeout_ms : 30000L);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "penstock/" PENSTOCK_VERSION);
	if (conf->ca != NULL)
		curl_easy_setopt(h, CURLOPT_CAINFO, conf->ca);
	if (is_loopback(c->url))
		curl_easy_setopt(h, CURLOPT_PROXY, "");
}

struct client *
client_new(const struct client_config *conf)
{
	struct client *c;
	size_t n = strlen(conf->url);

	while (n > 0 && conf->url[n - 1] == '/')
		n--;
	if (n == 0 || n >= sizeof(c->url)) {
		tool_error("the URL \"%s\" is of no use", conf->url);
		return (NULL);
	}
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (c->curl = curl_easy_init()) == NULL) {
		tool_error("cannot start libcurl");
		free(c);
		return (NULL);
	}
	memcpy(c->url, conf->url, n);
	set_options(c, conf);
	return (c);
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	free(c->body);
	free(c);
}

static struct curl_slist *
headers(const char *bearer, bool has_body)
{
	char line[CLIENT_SECRET + 32];
	struct curl_slist *list, *more;

	/* No "Expect: 100-continue": it costs a round trip. */
	list = curl_slist_append(NULL, "Expect:");
	if (has_body &&
	    (more = curl_slist_append(
		 list, "Content-Type: application/json")) != NULL)
		list = more;
	if (bearer == NULL)
		return (list);
	snprintf(line, sizeof(line), "Authorization: Bearer %s", bearer);
	more = curl_slist_append(list, line);
	explicit_bzero(line, sizeof(line));
	return (more == NULL ? list : more);
}

static void
set_method(struct client *c, const char *method, const char *body, size_t len)
{
	CURL *h = c->curl;

	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, NULL);
	if (body == NULL && strcmp(method, "GET") == 0) {
		curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, body == NULL ? "" : body);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
}

static bool
is_hopeless(CURLcode rc)
{
	return (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL ||
	    rc == CURLE_PEER_FAILED_VERIFICATION ||
	    rc == CURLE_SSL_CACERT_BADFILE);
}

void
client_call(struct client *c, const char *method, const char *path,
    const char *bearer, const char *body, size_t len, struct client_reply *r)
{
	struct curl_slist *list = headers(bearer, body != NULL);
	char url[2048];
	curl_off_t wait = 0;
	long status = 0;
	CURLcode rc;

	memset(r, 0, sizeof(*r));
	c->len = 0;
	c->error[0] = '\0';
	snprintf(url, sizeof(url), "%s%s", c->url, path);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, list);
	set_method(c, method, body, len);
	rc = curl_easy_perform(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(list);
	r->body = "";
	if (rc != CURLE_OK) {
		r->hopeless = is_hopeless(rc);
		snprintf(r->error, sizeof(r->error), "%s",
		    c->error[0] != '\0' ? c->error : curl_easy_strerror(rc));
		return;
	}
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &wait);
	r->status = (int)status;
	r->retry_after_s = (double)wait;
	if (c->len > 0) {
		r->body = c->body;
		r->len = c->len;
	}
}

bool
client_transient(const struct client_reply *r)
{
	return ((r->status == 0 && !r->hopeless) || r->status == 429 ||
	    r->status == 502 || r->status == 503 || r->status == 504);
}

const char *
client_reason(const struct client_reply *r, char *buf, size_t size)
{
	json_t *doc;
	const char *s;

	if (r->status == 0)
		return (r->error);
	doc = json_loadb(r->body, r->len, 0, NULL);
	if ((s = json_string_value(json_object_get(doc, "detail"))) == NULL)
		s = json_string_value(json_object_get(doc, "title"));
	snprintf(buf, size, "%d %s", r->status, s == NULL ? "" : s);
	json_decref(doc);
	return (buf);
}

bool
client_segment(char *buf, size_t size, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t n = strlen(buf);

	if (n + 2 > size)
		return (false);
	buf[n++] = '/';
	for (; *s != '\0'; s++) {
		if (n + 4 > size)
			return (false);
		if (strchr(plain, *s) != NULL) {
			buf[n++] = *s;
			continue;
		}
		buf[n++] = '%';
		buf[n++] = hex[(unsigned char)*s >> 4];
		buf[n++] = hex[(unsigned char)*s & 15];
	}
	buf[n] = '\0';
	return (true);
}
