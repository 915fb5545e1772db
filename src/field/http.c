#include "field/http.h"

#include "core/instant.h"
#include "core/text.h"
#include "domain/plan.h"
#include "field/answer.h"
#include "field/judge.h"
#include "field/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ANSWER_MOST 65536
#define URL_MOST    400
#define HEADER_MOST 200

struct http {
	struct connector_config config;
	struct transport_config transport;
	CURLM *multi;
};

/* One command on its way. */
struct call {
	CURL *easy;
	struct curl_slist *headers;
	struct text body;
	char *answer;
	size_t len;
	bool too_long, over;
	struct transport transport;
	const struct command *command;
	struct gateway_reply *reply;
	char why[CURL_ERROR_SIZE];
};

enum err
http_start(struct err_info *info)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return (err_set(
		    info, ERR_INTERNAL, NULL, "libcurl does not start"));
	return (ERR_OK);
}

static void *
open_config(const struct connector_config *config)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL || (h->multi = curl_multi_init()) == NULL) {
		free(h);
		return (NULL);
	}
	h->config = *config;
	h->transport = (struct transport_config){
	    .timeout_ms = config->timeout_ms,
	    .ca_path = config->ca_path,
	    .rules = &h->config.rules,
	};
	return (h);
}

static void
close_it(void *self)
{
	struct http *h = self;

	curl_multi_cleanup(h->multi);
	free(h);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

static size_t
on_data(char *data, size_t one, size_t n, void *arg)
{
	struct call *c = arg;
	char *p;

	n *= one;
	if (n > ANSWER_MOST - c->len ||
	    (p = realloc(c->answer, c->len + n + 1)) == NULL) {
		c->too_long = true;
		return (0);
	}
	memcpy(p + c->len, data, n);
	c->answer = p;
	c->len += n;
	return (n);
}

static bool
add_header(struct call *c, const char *line)
{
	struct curl_slist *more = curl_slist_append(c->headers, line);

	if (more != NULL)
		c->headers = more;
	return (more != NULL);
}

static bool
add_headers(struct http *h, struct call *c, const char *path)
{
	char line[HEADER_MOST], signature[SIGNATURE_TEXT];
	struct signed_request q = {
	    .method = c->command->ask ? "GET" : "POST",
	    .path = path,
	    .time_s = time(NULL),
	    .body = c->body.len > 0 ? c->body.s : "",
	    .len = c->body.len,
	};

	(void)snprintf(
	    line, sizeof(line), "Idempotency-Key: %s", c->command->key);
	if (!add_header(c, line) || !add_header(c, "Accept: application/json"))
		return (false);
	(void)snprintf(
	    line, sizeof(line), "Penstock-Time: %lld", (long long)q.time_s);
	if (!add_header(c, line))
		return (false);
	connector_sign(&h->config, c->command, &q, signature);
	(void)snprintf(line, sizeof(line), "Penstock-Signature: %s", signature);
	if (signature[0] != '\0' && !add_header(c, line))
		return (false);
	return (c->command->ask ||
	    (add_header(c, "Content-Type: application/json") &&
		add_header(c, "Expect:")));
}

/* The path of what stands in url; the table's addresses have a host. */
static const char *
path_of(const char *url)
{
	const char *host = strstr(url, "://");

	return (host == NULL ? NULL : strchr(host + 3, '/'));
}

static bool
write_url(char url[static URL_MOST], const struct command *c)
{
	size_t n = strlen(c->gateway_url);
	int len;

	while (n > 0 && c->gateway_url[n - 1] == '/')
		n--;
	len = snprintf(url, URL_MOST, "%.*s/commands%s%s", (int)n,
	    c->gateway_url, c->ask ? "/" : "", c->ask ? c->key : "");
	return (len > 0 && len < URL_MOST && path_of(url) != NULL);
}

/* A command may take as long to connect as it has time: libcurl sends nothing
 * afterwards. Asking does no harm at any time. */
static long
connect_ms(const struct http *h, const struct command *c)
{
	struct timespec t;
	int64_t left;

	if (c->ask || c->not_after_us == INSTANT_NONE)
		return (h->config.timeout_ms);
	clock_gettime(CLOCK_REALTIME, &t);
	left = (c->not_after_us - t.tv_sec * US_PER_SECOND - t.tv_nsec / 1000) /
	    1000;
	return (
	    left < h->config.timeout_ms ? (long)left : h->config.timeout_ms);
}

static bool
start(struct http *h, struct call *c)
{
	long ms = connect_ms(h, c->command);
	char url[URL_MOST];

	if (!c->command->ask)
		connector_body(&c->body, c->command);
	if (ms < 1 || !text_ok(&c->body) || !write_url(url, c->command) ||
	    (c->easy = curl_easy_init()) == NULL ||
	    !add_headers(h, c, path_of(url)))
		return (false);
	transport_set(&c->transport, &h->transport, c->easy, url);
	curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, ms);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	if (!c->command->ask) {
		curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body.s);
		curl_easy_setopt(
		    c->easy, CURLOPT_POSTFIELDSIZE, (long)c->body.len);
	}
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->why);
	return (curl_multi_add_handle(h->multi, c->easy) == CURLM_OK);
}

static bool
refuses(int status)
{
	return (status >= 400 && status < 500 && status != 408 &&
	    status != 409 && status != 425 && status != 429);
}

/* The start of a refusal, in characters that any log and table can hold. */
static void
quote(struct gateway_reply *r, const struct call *c)
{
	size_t i,
	    n = (size_t)snprintf(
		r->detail, sizeof(r->detail), "status %d: ", r->http_status);

	for (i = 0; i < c->len && n < sizeof(r->detail) - 1; i++)
		r->detail[n++] = c->answer[i] >= ' ' && c->answer[i] <= '~'
		    ? c->answer[i]
		    : ' ';
	r->detail[n] = '\0';
}

/* The answer is whole: what its words mean. */
static void
judge_words(struct call *c, struct gateway_reply *r)
{
	const char *s = c->answer == NULL ? "" : c->answer;
	bool whole = r->http_status / 100 == 2 || r->http_status == 409;

	if (!judge_answer(s, c->len, c->command, whole, r) && c->command->ask &&
	    (r->http_status == 200 || r->http_status == 404) &&
	    answer_says(s, c->len, "idempotency_key", c->command->key) &&
	    answer_says(s, c->len, "status", "unknown"))
		*r = (struct gateway_reply){.outcome = GATEWAY_NEVER_HAD,
		    .http_status = r->http_status};
}

/* `done` false: the answer is missing or was cut. */
static void
judge(struct call *c, bool done, const char *why)
{
	struct gateway_reply *r = c->reply;
	long status = 0, sent = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent);
	r->http_status = (int)status;
	r->outcome = sent == 0 ? GATEWAY_NOT_TAKEN : GATEWAY_NO_ANSWER;
	if (!c->command->ask && refuses(r->http_status)) {
		r->outcome = GATEWAY_REFUSED;
		quote(r, c);
	} else if (sent == 0 &&
	    transport_barred(
		&c->transport, CONNECTOR_NETS, r->detail, sizeof(r->detail))) {
		/* It says why. */
	} else if (!done) {
		(void)snprintf(r->detail, sizeof(r->detail), "%s",
		    c->too_long ? "the answer is too long" : why);
	} else if (r->http_status == 429) {
		r->outcome = GATEWAY_NOT_TAKEN;
		quote(r, c);
	} else
		judge_words(c, r);
}

static size_t
collect(struct http *h, int64_t began_us)
{
	struct call *c;
	CURLMsg *m;
	size_t n = 0;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		judge(c, m->data.result == CURLE_OK,
		    c->why[0] != '\0' ? c->why
				      : curl_easy_strerror(m->data.result));
		c->reply->took_us = now_us() - began_us;
		c->over = true;
		n++;
	}
	return (n);
}

static void
run(struct http *h, size_t open, int64_t began_us)
{
	int64_t end = began_us + h->config.whole_ms * 1000, now;
	int running;

	while (open > 0 && (now = now_us()) < end) {
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			return;
		open -= collect(h, began_us);
		if (open > 0)
			(void)curl_multi_poll(h->multi, NULL, 0,
			    (int)((end - now) / 1000) + 1, NULL);
	}
}

static void
finish(struct http *h, struct call *c, int64_t began_us)
{
	if (!c->over) {
		if (c->reply->detail[0] == '\0')
			judge(c, false, "no answer in time");
		c->reply->took_us = now_us() - began_us;
	}
	if (c->easy != NULL) {
		(void)curl_multi_remove_handle(h->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	curl_slist_free_all(c->headers);
	text_done(&c->body);
	free(c->answer);
}

static void
send_all(
    void *self, const struct command *cmds, size_t n, struct gateway_reply *ret)
{
	struct http *h = self;
	struct call *calls = calloc(n, sizeof(*calls));
	int64_t began = now_us();
	size_t i, open = 0;

	for (i = 0; i < n; i++) {
		ret[i] = (struct gateway_reply){.outcome = GATEWAY_NOT_TAKEN};
		if (calls != NULL) {
			calls[i].reply = &ret[i];
			calls[i].command = &cmds[i];
		}
		if (calls != NULL && start(h, &calls[i]))
			open++;
		else
			(void)snprintf(ret[i].detail, sizeof(ret[i].detail),
			    "the command could not be sent");
	}
	if (calls == NULL)
		return;
	run(h, open, began);
	for (i = 0; i < n; i++)
		finish(h, &calls[i], began);
	free(calls);
}

static bool
speaks(const char *url)
{
	return (strncasecmp(url, "https://", 8) == 0 ||
	    strncasecmp(url, "http://", 7) == 0);
}

const struct connector http_connector = {
    speaks, open_config, send_all, close_it};
