/*
 * A module with nothing behind the edge: tests and the bench's yardstick.
 *
 *	GET  /health      200 {"status":"alive"}
 *	GET  /empty       200, the same every time
 *	any  /echo        the body, and what the handler saw in headers
 *	GET  /slow?MS     after that time, over the loop
 *	GET  /work?MS     after that time, on a thread
 *	GET  /first?MS    the same, before all that wait for one
 *	GET  /libraries   what the service's libraries did on a thread
 *	GET  /forbidden   what a system call that is named said
 *	GET  /big?BYTES   that many letters
 *	GET  /pour?BYTES  that many letters in pieces, as the client takes them
 *	GET  /cut?BYTES   the same, then not the end
 *	GET  /drip?MS     ten pieces, each after that time
 *	GET  /pulls	  how often /pour and /cut were asked for more
 *	GET  /page	  a page
 *	GET  /status?N    that status with a short body
 *	GET  /gone        how many clients left while they were waited for
 *	POST anything     200 and the length of the body
 *
 * With PROBE_RECORD it writes down each request that a handler saw, and each
 * that was refused.
 */
#include "core/err.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/problem.h"
#include "edge/edge.h"
#include "libraries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

EDGE_EXPORT void kore_parent_configure(int, char **);
EDGE_EXPORT void kore_worker_configure(void);
EDGE_EXPORT void kore_worker_teardown(void);

static unsigned long gone; /* of this worker */
static bool recording;

static unsigned
number(const char *name, unsigned fallback)
{
	const char *s = getenv(name);

	return (s == NULL ? fallback : (unsigned)strtoul(s, NULL, 10));
}

static void
reply(struct exchange *x, int status, const char *body, size_t len)
{
	struct header h = {"Content-Type", "application/json"};

	exchange_reply(x, status, &h, 1, body, len);
}

struct wait {
	struct exchange *x; /* NULL: the client left */
	struct loop_timer *timer;
	useconds_t us;
};

static void
wait_gone(struct exchange *x)
{
	struct wait *w = x->user;

	gone++;
	if (w->timer != NULL) {
		struct loop *loop = edge_loop();

		loop->ops->cancel(loop, w->timer);
		free(w);
	} else
		w->x = NULL;
}

static void
wait_done(void *arg)
{
	struct wait *w = arg;

	if (w->x != NULL)
		reply(w->x, 200, "\"done\"", 6);
	free(w);
}

static void
wait_work(void *arg)
{
	(void)usleep(((struct wait *)arg)->us);
}

enum place { ON_LOOP, ON_THREAD, ON_THREAD_FIRST };

static void
handle_wait(struct exchange *x, enum place place)
{
	unsigned ms = (unsigned)strtoul(x->query, NULL, 10);
	struct loop *loop = edge_loop();
	struct wait *w = calloc(1, sizeof(*w));

	w->x = x;
	w->us = ms * 1000;
	x->user = w;
	x->on_gone = wait_gone;
	if (place == ON_LOOP)
		w->timer = loop->ops->after(loop, ms, wait_done, w);
	else if ((place == ON_THREAD ? edge_offload : edge_offload_first)(
		     NULL, wait_work, wait_done, w) != ERR_OK) {
		free(w);
		reply(x, 503, "\"busy\"", 6);
	}
}

struct walk {
	struct exchange *x;
	char url[64], text[256];
};

static void
walk_work(void *arg)
{
	struct walk *w = arg;

	libraries_run(w->url, w->text, sizeof(w->text));
}

static void
walk_done(void *arg)
{
	struct walk *w = arg;

	if (w->x != NULL)
		reply(w->x, 200, w->text, strlen(w->text));
	free(w);
}

static void
walk_gone(struct exchange *x)
{
	((struct walk *)x->user)->x = NULL;
}

static void
handle_walk(struct exchange *x)
{
	struct walk *w = calloc(1, sizeof(*w));

	w->x = x;
	x->user = w;
	x->on_gone = walk_gone;
	(void)snprintf(w->url, sizeof(w->url), "https://localhost:%u/health",
	    number("PROBE_PORT", 18100));
	if (edge_offload(NULL, walk_work, walk_done, w) != ERR_OK) {
		free(w);
		reply(x, 503, "\"busy\"", 6);
	}
}

static void
handle_big(struct exchange *x)
{
	size_t n = strtoul(x->query, NULL, 10);
	char *body = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		body[i] = (char)('a' + i % 26);
	reply(x, 200, body, n);
	free(body);
}

#define PIECE 65536

struct pour {
	size_t left;
	unsigned ms;
	bool cut;
	struct exchange *x;
	struct loop_timer *timer;
};

static unsigned long pulls; /* of this worker */

static void
pour_gone(struct exchange *x)
{
	struct pour *p = x->user;
	struct loop *loop = edge_loop();

	gone++;
	if (p->timer != NULL)
		loop->ops->cancel(loop, p->timer);
	free(p);
}

static void
pour_end(struct pour *p)
{
	struct exchange *x = p->x;
	bool whole = !p->cut;

	free(p);
	x->ops->end(x, whole);
}

static void
pour_pull(struct exchange *x)
{
	struct pour *p = x->user;
	char piece[PIECE];
	size_t n = p->left < PIECE ? p->left : PIECE;

	pulls++;
	for (size_t i = 0; i < n; i++)
		piece[i] = (char)('a' + (p->left - i) % 26);
	p->left -= n;
	if (n > 0)
		x->ops->write(x, piece, n);
	else
		pour_end(p);
}

static void
drip_due(void *arg)
{
	struct pour *p = arg;

	p->timer = NULL;
	p->x->ops->write(p->x, "drip", 4);
	if (--p->left == 0)
		pour_end(p);
}

static void
drip_pull(struct exchange *x)
{
	struct pour *p = x->user;
	struct loop *loop = edge_loop();

	p->timer = loop->ops->after(loop, p->ms, drip_due, p);
}

static void
handle_pour(struct exchange *x, bool drip, bool cut)
{
	struct header h = {"Content-Type", "text/plain"};
	struct pour *p = calloc(1, sizeof(*p));
	size_t n = strtoul(x->query, NULL, 10);

	*p = (struct pour){drip ? 10 : n, (unsigned)n, cut, x, NULL};
	x->user = p;
	x->on_gone = pour_gone;
	x->ops->begin(x, 200, &h, 1, drip ? drip_pull : pour_pull);
}

static void
handle_echo(struct exchange *x)
{
	const char *seen = exchange_header(x, "X-Probe");
	struct header h[] = {
	    {"Content-Type", "application/octet-stream"},
	    {"X-Method", method_name(x->method)},
	    {"X-Path", x->path},
	    {"X-Query", x->query},
	    {"X-Peer", x->peer},
	    {"X-Seen", seen == NULL ? "-" : seen},
	    {"X-Client", x->client == NULL ? "-" : x->client},
	};

	exchange_reply(x, 200, h, sizeof(h) / sizeof(*h), x->body, x->body_len);
}

/* The gate lets nothing through that JSON would have to escape. */
static void
record(const struct exchange *x)
{
	struct text t;

	text_init(&t, 1 << 20);
	text_printf(&t,
	    "seen {\"method\":\"%s\",\"path\":\"%s\","
	    "\"query\":\"%s\",\"body\":\"",
	    method_name(x->method), x->path, x->query);
	for (size_t i = 0; i < x->body_len; i++)
		text_printf(&t, "%02x", (unsigned char)x->body[i]);
	text_puts(&t, "\"}\n");
	(void)write(STDOUT_FILENO, t.s, t.len);
	text_done(&t);
}

static void
handle(struct exchange *x)
{
	char text[64];
	int n;

	if (recording)
		record(x);
	if (strcmp(x->path, "/empty") == 0)
		reply(x, 200, "{}", 2);
	else if (strcmp(x->path, "/health") == 0)
		reply(x, 200, "{\"status\":\"alive\"}", 18);
	else if (strcmp(x->path, "/echo") == 0)
		handle_echo(x);
	else if (strcmp(x->path, "/slow") == 0)
		handle_wait(x, ON_LOOP);
	else if (strcmp(x->path, "/work") == 0)
		handle_wait(x, ON_THREAD);
	else if (strcmp(x->path, "/first") == 0)
		handle_wait(x, ON_THREAD_FIRST);
	else if (strcmp(x->path, "/libraries") == 0)
		handle_walk(x);
	else if (strcmp(x->path, "/forbidden") == 0) {
		n = snprintf(
		    text, sizeof(text), "%d", libraries_forbidden(x->query));
		reply(x, 200, text, (size_t)n);
	} else if (strcmp(x->path, "/big") == 0)
		handle_big(x);
	else if (strcmp(x->path, "/pour") == 0)
		handle_pour(x, false, false);
	else if (strcmp(x->path, "/cut") == 0)
		handle_pour(x, false, true);
	else if (strcmp(x->path, "/drip") == 0)
		handle_pour(x, true, false);
	else if (strcmp(x->path, "/page") == 0)
		exchange_reply(x, 200,
		    &(struct header){"Content-Type", "text/html"}, 1, "", 0);
	else if (strcmp(x->path, "/status") == 0)
		reply(x, (int)strtol(x->query, NULL, 10), "{}", 2);
	else {
		n = snprintf(text, sizeof(text), "%lu",
		    strcmp(x->path, "/gone") == 0	 ? gone
			: strcmp(x->path, "/pulls") == 0 ? pulls
							 : x->body_len);
		reply(x, 200, text, (size_t)n);
	}
}

static void
to_stdout(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)dprintf(STDOUT_FILENO, "%.*s\n", (int)len, line);
}

void
kore_parent_configure(int argc, char **argv)
{
	const char *host = getenv("PROBE_HOST");
	struct edge_config c = {
	    .host = host != NULL ? host : "127.0.0.1",
	    .port = (uint16_t)number("PROBE_PORT", 18100),
	    .workers = number("PROBE_WORKERS", 1),
	    .connections_max = number("PROBE_CONNECTIONS", 512),
	    .address_max = number("PROBE_ADDRESS", 0),
	    .proxies = getenv("PROBE_PROXIES"),
	    .proxy_field = getenv("PROBE_PROXY_FIELD") != NULL
		? getenv("PROBE_PROXY_FIELD")
		: "x-forwarded-for",
	    .cert_path = getenv("PROBE_CERT"),
	    .key_path = getenv("PROBE_KEY"),
	    .client_ca_path = getenv("PROBE_CLIENT_CA"),
	    .ticket_life_s = number("PROBE_TICKET_LIFE", 0),
	    .body_max = number("PROBE_BODY_MAX", 0),
	    .keepalive_s = number("PROBE_KEEPALIVE", 0),
	    .header_timeout_s = number("PROBE_HEADER_TIMEOUT", 0),
	    .body_timeout_s = number("PROBE_BODY_TIMEOUT", 0),
	    .drain_ms = number("PROBE_DRAIN", 0),
	};

	(void)argc;
	(void)argv;
	recording = number("PROBE_RECORD", 0) != 0;
	log_open(to_stdout, recording ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	metrics_open(mmap(NULL, metrics_size(), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	edge_parent(&c);
}

void
kore_worker_configure(void)
{
	edge_worker(handle);
}

void
kore_worker_teardown(void)
{
	edge_teardown(NULL);
}
