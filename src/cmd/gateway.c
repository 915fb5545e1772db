#include <jansson.h>

#include "cmd/gateway.h"

#include "cmd/gateway_check.h"
#include "cmd/tool.h"
#include "core/instant.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BODY_MAX    16384
#define KEY_MAX	    128
#define ANSWER_MAX  512
#define MEMORY	    1024 /* keys remembered */
#define CONNECTIONS 64

struct done {
	char key[KEY_MAX];
	char *body; /* NULL: the place is free */
	int status;
	char answer[ANSWER_MAX];
};

struct gateway {
	struct gateway_config conf;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock; /* of all below and of the callbacks */
	struct done memory[MEMORY];
	size_t next; /* the oldest goes first */
	uint64_t received, executions;
	char secret[GATEWAY_SECRET_MAX]; /* "": nothing is checked */
};

/* One request while its body comes in. */
struct upload {
	size_t len;
	bool too_long;
	char body[BODY_MAX + 1];
};

struct answer {
	int status;
	char body[4096];
	const char *key; /* said in it, if there is one */
	bool first;	 /* the key was not known before */
};

int
gateway_mode_parse(const char *name)
{
#define X(code, word) word,
	static const char *const words[] = {GATEWAY_MODES(X)};
#undef X
	int i;

	for (i = 0; i < GATEWAY_MODE_COUNT; i++)
		if (strcmp(words[i], name) == 0)
			return (i);
	return (-1);
}

static void
say(struct answer *a, int status, const char *word, const char *detail)
{
	struct text t;

	a->status = status;
	text_init_fixed(&t, a->body, ANSWER_MAX);
	json_object(&t, NULL);
	json_string(&t, "status", word);
	if (a->key != NULL)
		json_string(&t, "idempotency_key", a->key);
	if (detail != NULL)
		json_string(&t, "detail", detail);
	json_instant(&t, "at", tool_now_us());
	json_object_end(&t);
}

static struct done *
remembered(struct gateway *g, const char *key)
{
	size_t i;

	for (i = 0; i < MEMORY; i++)
		if (g->memory[i].body != NULL &&
		    strcmp(g->memory[i].key, key) == 0)
			return (&g->memory[i]);
	return (NULL);
}

static void
remember(struct gateway *g, const char *key, const char *body,
    const struct answer *a)
{
	struct done *d = &g->memory[g->next];

	free(d->body);
	d->body = strdup(body);
	d->status = a->status;
	snprintf(d->key, sizeof(d->key), "%s", key);
	/* say() keeps it short enough. */
	memcpy(d->answer, a->body, sizeof(d->answer));
	g->next = (g->next + 1) % MEMORY;
}

/* A command must never act late, whoever delayed it. */
static bool
too_late(const json_t *doc)
{
	const char *s;
	int64_t t;

	s = json_string_value(json_object_get(doc, "not_after"));
	return (
	    s != NULL && instant_parse(s, strlen(s), &t) && tool_now_us() > t);
}

static void
execute(struct gateway *g, const json_t *doc, struct answer *a)
{
	const char *link, *action;
	char why[128] = "";

	link = json_string_value(json_object_get(doc, "link"));
	action = json_string_value(json_object_get(doc, "action"));
	if (link == NULL || action == NULL)
		say(a, 422, "refused", "link and action must be there");
	else if (too_late(doc))
		say(a, 422, "refused", "not_after has passed");
	else if (g->conf.mode == GATEWAY_SILENT ||
	    g->conf.mode == GATEWAY_500 || g->conf.mode == GATEWAY_REDIRECT)
		say(a, 500, "failed", "nothing was done");
	else if (!g->conf.execute(g->conf.arg, link, action, why, sizeof(why)))
		say(a, 422, "refused", why);
	else {
		g->executions++;
		say(a, 200, "executed", NULL);
	}
}

static void
tell(struct gateway *g, const char *key, const json_t *doc,
    const struct answer *a)
{
	const char *link, *action;

	link = json_string_value(json_object_get(doc, "link"));
	action = json_string_value(json_object_get(doc, "action"));
	g->conf.received(g->conf.arg, key, link == NULL ? "" : link,
	    action == NULL ? "" : action,
	    a->status == 200	  ? "executed"
		: a->status < 500 ? "refused"
				  : "failed",
	    !a->first, g->executions);
}

static void
command(struct gateway *g, const char *key, const char *body, struct answer *a)
{
	json_t *doc = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	struct done *d;

	a->key = g->conf.mode == GATEWAY_LIES ? "another" : key;
	if (key == NULL || key[0] == '\0' || strlen(key) >= KEY_MAX) {
		say(a, 400, "refused", "Idempotency-Key is missing");
		json_decref(doc);
		return;
	}
	pthread_mutex_lock(&g->lock);
	g->received++;
	a->first = (d = remembered(g, key)) == NULL;
	if (d != NULL && strcmp(d->body, body) != 0)
		say(a, 422, "refused", "the key was used for another command");
	else if (d != NULL) {
		a->status = d->status;
		memcpy(a->body, d->answer, sizeof(d->answer));
	} else if (doc == NULL)
		say(a, 400, "refused", "the body is not JSON");
	else
		execute(g, doc, a);
	/* What failed may be tried again with the same key. */
	if (a->first && a->status < 500)
		remember(g, key, body, a);
	tell(g, key, doc, a);
	if (a->status == 200 && g->conf.mode == GATEWAY_ACCEPTS)
		say(a, 202, "accepted", NULL);
	pthread_mutex_unlock(&g->lock);
	json_decref(doc);
}

/* What became of a key's command. */
static void
tell_end(struct gateway *g, const char *key, struct answer *a)
{
	const struct done *d;

	a->key = g->conf.mode == GATEWAY_LIES ? "another" : key;
	pthread_mutex_lock(&g->lock);
	if ((d = remembered(g, key)) == NULL)
		say(a, 200, "unknown", NULL);
	else {
		a->status = 200;
		memcpy(a->body, d->answer, sizeof(d->answer));
	}
	pthread_mutex_unlock(&g->lock);
}

static void
inject(struct gateway *g, const char *body, struct answer *a)
{
	json_t *doc = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	const json_t *on = json_object_get(doc, "on");
	const char *what;
	bool ok;

	what = json_string_value(json_object_get(doc, "what"));
	if (what == NULL || (on != NULL && !json_is_boolean(on)))
		say(a, 400, "refused",
		    "say {\"what\": \"burst\", \"on\": true}");
	else {
		pthread_mutex_lock(&g->lock);
		ok = g->conf.inject != NULL &&
		    g->conf.inject(g->conf.arg, what, !json_is_false(on));
		pthread_mutex_unlock(&g->lock);
		if (ok)
			say(a, 200, "injected", NULL);
		else
			say(a, 422, "refused", "there is no such fault");
	}
	json_decref(doc);
}

static void
state(struct gateway *g, struct answer *a)
{
	struct text t;

	a->status = 200;
	text_init_fixed(&t, a->body, sizeof(a->body));
	json_object(&t, NULL);
	json_bool(&t, "simulated", true);
	pthread_mutex_lock(&g->lock);
	json_int(&t, "received", (int64_t)g->received);
	json_int(&t, "executions", (int64_t)g->executions);
	if (g->conf.state != NULL)
		g->conf.state(g->conf.arg, &t);
	pthread_mutex_unlock(&g->lock);
	json_object_end(&t);
}

static enum MHD_Result
reply(struct MHD_Connection *c, const struct answer *a)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	r = MHD_create_response_from_buffer(
	    strlen(a->body), (void *)(uintptr_t)a->body, MHD_RESPMEM_MUST_COPY);
	if (r == NULL)
		return (MHD_NO);
	MHD_add_response_header(r, "Content-Type", "application/json");
	rc = MHD_queue_response(c, (unsigned)a->status, r);
	MHD_destroy_response(r);
	return (rc);
}

/* Behind the library's back: it could not be made to answer twice. */
static enum MHD_Result
reply_twice(struct MHD_Connection *c, const struct answer *a)
{
	const union MHD_ConnectionInfo *info;
	char buf[2 * ANSWER_MAX];
	int i, n;

	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	n = snprintf(buf, sizeof(buf),
	    "HTTP/1.1 %d \r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    a->status, strlen(a->body), a->body);
	for (i = 0; i < 2 && info != NULL; i++)
		if (send(info->connect_fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	return (MHD_NO);
}

/* Half an answer, or a megabyte of one. */
static enum MHD_Result
reply_odd(struct gateway *g, struct MHD_Connection *c, const struct answer *a)
{
	const union MHD_ConnectionInfo *info;
	char buf[4096];
	bool huge = g->conf.mode == GATEWAY_HUGE;
	size_t len = strlen(a->body);
	int i, n;

	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info == NULL)
		return (MHD_NO);
	n = snprintf(buf, sizeof(buf),
	    "HTTP/1.1 %d \r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%.*s",
	    a->status, huge ? (size_t)1 << 20 : len, (int)(len / 2), a->body);
	for (i = 0; i < (huge ? 256 : 1); i++) {
		if (send(info->connect_fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
		memset(buf, ' ', sizeof(buf));
		n = sizeof(buf);
	}
	return (MHD_NO);
}

static enum MHD_Result
reply_elsewhere(struct gateway *g, struct MHD_Connection *c)
{
	struct MHD_Response *r;
	enum MHD_Result rc;
	char where[64];

	r = MHD_create_response_from_buffer(
	    0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	if (r == NULL)
		return (MHD_NO);
	snprintf(where, sizeof(where), "http://127.0.0.1:%d/elsewhere",
	    g->conf.port);
	MHD_add_response_header(r, "Location", where);
	rc = MHD_queue_response(c, 307, r);
	MHD_destroy_response(r);
	return (rc);
}

static enum MHD_Result
reply_command(
    struct gateway *g, struct MHD_Connection *c, const struct answer *a)
{
	switch (g->conf.mode) {
	case GATEWAY_SLOW:
		tool_sleep_ms(g->conf.slow_ms);
		return (reply(c, a));
	case GATEWAY_SILENT:
		tool_sleep_ms(INT64_C(3600) * 1000);
		return (MHD_NO);
	case GATEWAY_DROP:
		return (a->first ? MHD_NO : reply(c, a));
	case GATEWAY_TWICE:
		return (reply_twice(c, a));
	case GATEWAY_HALF:
	case GATEWAY_HUGE:
		return (reply_odd(g, c, a));
	case GATEWAY_REDIRECT:
		return (reply_elsewhere(g, c));
	default:
		return (reply(c, a));
	}
}

static bool
is_signed(struct gateway *g, struct MHD_Connection *c, const char *url,
    const char *method, const struct upload *u, const char **ret_why)
{
	struct gateway_claim q = {
	    .method = method,
	    .path = url,
	    .time = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, "Penstock-Time"),
	    .signature = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, "Penstock-Signature"),
	    .body = u->body,
	    .len = u->len,
	};
	char secret[GATEWAY_SECRET_MAX];
	bool ok;

	pthread_mutex_lock(&g->lock);
	memcpy(secret, g->secret, sizeof(secret));
	pthread_mutex_unlock(&g->lock);
	ok = secret[0] == '\0' || gateway_check(secret, &q, ret_why);
	explicit_bzero(secret, sizeof(secret));
	return (ok);
}

static enum MHD_Result
route(struct gateway *g, struct MHD_Connection *c, const char *url,
    const char *method, const struct upload *u)
{
	struct answer a = {.status = 0};
	bool post = strcmp(method, "POST") == 0;
	const char *why = "";

	if (u->too_long)
		say(&a, 413, "refused", "the body is too long");
	else if (strncmp(url, "/commands", 9) == 0 &&
	    !is_signed(g, c, url, method, u, &why))
		say(&a, 401, "refused", why);
	else if (post && strcmp(url, "/commands") == 0) {
		command(g,
		    MHD_lookup_connection_value(
			c, MHD_HEADER_KIND, "Idempotency-Key"),
		    u->body, &a);
		return (reply_command(g, c, &a));
	} else if (!post && strncmp(url, "/commands/", 10) == 0) {
		tell_end(g, url + 10, &a);
		if (g->conf.mode == GATEWAY_SILENT)
			tool_sleep_ms(INT64_C(3600) * 1000);
	} else if (post && strcmp(url, "/inject") == 0)
		inject(g, u->body, &a);
	else if (strcmp(method, "GET") == 0 && strcmp(url, "/state") == 0)
		state(g, &a);
	else
		say(&a, 404, "refused", "there is no such thing here");
	return (reply(c, &a));
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *n,
    void **ret_upload)
{
	struct upload *u = *ret_upload;

	(void)version;
	if (u == NULL) {
		*ret_upload = calloc(1, sizeof(*u));
		return (*ret_upload == NULL ? MHD_NO : MHD_YES);
	}
	if (*n == 0)
		return (route(arg, c, url, method, u));
	if (*n > BODY_MAX - u->len)
		u->too_long = true;
	else {
		memcpy(u->body + u->len, data, *n);
		u->len += *n;
	}
	*n = 0;
	return (MHD_YES);
}

static void
on_completed(void *arg, struct MHD_Connection *c, void **upload,
    enum MHD_RequestTerminationCode code)
{
	(void)arg, (void)c, (void)code;
	free(*upload);
	*upload = NULL;
}

void
gateway_trust(struct gateway *g, const char *secret)
{
	pthread_mutex_lock(&g->lock);
	snprintf(g->secret, sizeof(g->secret), "%s", secret);
	pthread_mutex_unlock(&g->lock);
}

struct gateway *
gateway_new(const struct gateway_config *conf)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)conf->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct gateway *g;

	if ((g = calloc(1, sizeof(*g))) == NULL) {
		tool_error("out of memory");
		return (NULL);
	}
	g->conf = *conf;
	pthread_mutex_init(&g->lock, NULL);
	if (conf->secret != NULL)
		gateway_trust(g, conf->secret);
	/* A thread per connection: the hostile modes sleep in theirs. */
	g->daemon = MHD_start_daemon(
	    MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
	    (uint16_t)conf->port, NULL, NULL, on_request, g,
	    MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&sin,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
	if (g->daemon == NULL) {
		tool_error("cannot listen on 127.0.0.1:%d", conf->port);
		gateway_free(g);
		return (NULL);
	}
	return (g);
}

void
gateway_free(struct gateway *g)
{
	size_t i;

	if (g == NULL)
		return;
	if (g->daemon != NULL)
		MHD_stop_daemon(g->daemon);
	for (i = 0; i < MEMORY; i++)
		free(g->memory[i].body);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
