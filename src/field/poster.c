#include "field/poster.h"

#include "field/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ANSWER_MOST 65536 /* read, and never looked at */
#define ERROR_MOST  256

struct call {
	LIST_ENTRY(call) list;
	struct poster *poster;
	CURL *easy;
	struct curl_slist *headers;
	size_t read;
	struct transport transport;
	char why[CURL_ERROR_SIZE];
	void *arg;
};

struct poster {
	struct poster_config config;
	struct transport_config transport;
	CURLM *multi;
	LIST_HEAD(, call) calls;
};

struct poster *
poster_new(const struct poster_config *config)
{
	struct poster *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->multi = curl_multi_init()) == NULL) {
		free(p);
		return (NULL);
	}
	p->config = *config;
	p->transport = (struct transport_config){
	    .timeout_ms = config->timeout_ms,
	    .ca_path = config->ca_path,
	    .rules = &p->config.rules,
	};
	LIST_INIT(&p->calls);
	return (p);
}

static void
call_free(struct call *c)
{
	if (c->easy != NULL) {
		(void)curl_multi_remove_handle(c->poster->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	curl_slist_free_all(c->headers);
	free(c);
}

void
poster_free(struct poster *p)
{
	struct call *c;

	if (p == NULL)
		return;
	while ((c = LIST_FIRST(&p->calls)) != NULL) {
		LIST_REMOVE(c, list);
		call_free(c);
	}
	curl_multi_cleanup(p->multi);
	free(p);
}

static size_t
on_data(char *data, size_t one, size_t n, void *arg)
{
	struct call *c = arg;

	(void)data;
	c->read += one * n;
	return (c->read > ANSWER_MOST ? 0 : one * n);
}

static bool
add_headers(struct call *c, const struct post *post)
{
	struct curl_slist *more;
	size_t i;

	for (i = 0; i < post->nheaders; i++) {
		more = curl_slist_append(c->headers, post->headers[i]);
		if (more == NULL)
			return (false);
		c->headers = more;
	}
	return (true);
}

static bool
start(struct poster *p, struct call *c, const struct post *post)
{
	CURL *e = c->easy;

	transport_set(&c->transport, &p->transport, e, post->url);
	if (curl_easy_setopt(e, CURLOPT_URL, post->url) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)post->len) !=
		CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, post->body) != CURLE_OK)
		return (false);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
	return (curl_multi_add_handle(p->multi, e) == CURLM_OK);
}

bool
poster_add(struct poster *p, const struct post *post)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return (false);
	c->poster = p;
	c->arg = post->arg;
	c->easy = curl_easy_init();
	if (c->easy == NULL || !add_headers(c, post) || !start(p, c, post)) {
		call_free(c);
		return (false);
	}
	LIST_INSERT_HEAD(&p->calls, c, list);
	return (true);
}

static void
finish(struct call *c, CURLcode result)
{
	const struct poster_config *config = &c->poster->config;
	char error[ERROR_MOST];
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 0 &&
	    !transport_barred(
		&c->transport, config->nets, error, sizeof(error)))
		(void)snprintf(error, sizeof(error), "%s",
		    c->why[0] != '\0' ? c->why : curl_easy_strerror(result));
	else if (status != 0)
		(void)snprintf(error, sizeof(error), "status %ld", status);
	config->done(config->self, c->arg, (int)status,
	    status >= 200 && status < 300 ? NULL : error);
	LIST_REMOVE(c, list);
	call_free(c);
}

void
poster_turn(struct poster *p, int ms)
{
	struct call *c;
	CURLMsg *m;
	CURLcode result;
	int running, left;
	bool any = false;

	if (curl_multi_perform(p->multi, &running) != CURLM_OK)
		return;
	while ((m = curl_multi_info_read(p->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		result = m->data.result; /* m is gone with its handle */
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		finish(c, result);
		any = true;
	}
	if (!any)
		(void)curl_multi_poll(p->multi, NULL, 0, ms, NULL);
}

void
poster_wake(struct poster *p)
{
	(void)curl_multi_wakeup(p->multi);
}
