#include "support/gateway_fake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MOST 16384
#define THREADS	     8

struct gateway_fake {
	enum gateway_mode mode;
	const char *answer;
	int fd;
	char url[64];
	atomic_bool stop;
	atomic_int requests;
	pthread_mutex_t lock;
	char last[REQUEST_MOST];
	pthread_t threads[THREADS];
};

static bool
readable(const struct gateway_fake *g, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (!atomic_load(&g->stop))
		if (poll(&p, 1, 20) > 0)
			return (true);
	return (false);
}

/* True once the body is as long as Content-Length says. */
static bool
whole(const char *buf, size_t len)
{
	const char *end = strstr(buf, "\r\n\r\n");
	const char *cl = strcasestr(buf, "content-length:");

	if (end == NULL)
		return (false);
	return (cl == NULL || cl > end ||
	    len >= (size_t)(end + 4 - buf) + strtoul(cl + 15, NULL, 10));
}

static bool
read_request(struct gateway_fake *g, int fd)
{
	char buf[REQUEST_MOST];
	size_t len = 0;
	ssize_t n;

	buf[0] = '\0';
	while (!whole(buf, len)) {
		if (len == sizeof(buf) - 1 || !readable(g, fd))
			return (false);
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n <= 0)
			return (false);
		len += (size_t)n;
		buf[len] = '\0';
	}
	pthread_mutex_lock(&g->lock);
	memcpy(g->last, buf, len + 1);
	pthread_mutex_unlock(&g->lock);
	atomic_fetch_add(&g->requests, 1);
	return (true);
}

static void
say(int fd, const char *s, size_t n)
{
	(void)!send(fd, s, n, MSG_NOSIGNAL);
}

static void
wait_close(struct gateway_fake *g, int fd)
{
	char c;

	while (readable(g, fd) && read(fd, &c, 1) > 0)
		continue;
}

static void
answer(struct gateway_fake *g, int fd)
{
	static char huge[1 << 20];
	const char *p;

	switch (g->mode) {
	case FAKE_ANSWER:
	case FAKE_KEEP:
		say(fd, g->answer, strlen(g->answer));
		break;
	case FAKE_HUGE:
		memset(huge, ' ', sizeof(huge));
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		    sizeof(huge));
		say(fd, huge, sizeof(huge));
		break;
	case FAKE_TRICKLE:
		for (p = g->answer; *p != '\0' && !atomic_load(&g->stop); p++) {
			say(fd, p, 1);
			usleep(50000);
		}
		break;
	case FAKE_SILENT:
	case FAKE_DROP:
		break;
	}
	if (g->mode == FAKE_KEEP || g->mode == FAKE_SILENT)
		wait_close(g, fd);
}

static void *
serve(void *arg)
{
	struct gateway_fake *g = arg;
	int fd;

	while (readable(g, g->fd)) {
		if ((fd = accept(g->fd, NULL, NULL)) < 0)
			continue;
		if (read_request(g, fd))
			answer(g, fd);
		close(fd);
	}
	return (NULL);
}

struct gateway_fake *
gateway_fake_start(enum gateway_mode mode, const char *reply)
{
	struct gateway_fake *g = calloc(1, sizeof(*g));
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int i;

	if (g == NULL)
		return (NULL);
	g->mode = mode;
	g->answer = reply;
	pthread_mutex_init(&g->lock, NULL);
	g->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(g->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(g->fd, 64) != 0 ||
	    getsockname(g->fd, (struct sockaddr *)&at, &len) != 0) {
		free(g);
		return (NULL);
	}
	(void)snprintf(
	    g->url, sizeof(g->url), "http://127.0.0.1:%d", ntohs(at.sin_port));
	for (i = 0; i < THREADS; i++)
		pthread_create(&g->threads[i], NULL, serve, g);
	return (g);
}

const char *
gateway_fake_url(const struct gateway_fake *g)
{
	return (g->url);
}

int
gateway_fake_requests(struct gateway_fake *g)
{
	return (atomic_load(&g->requests));
}

const char *
gateway_fake_last(struct gateway_fake *g)
{
	return (g->last);
}

void
gateway_fake_stop(struct gateway_fake *g)
{
	int i;

	atomic_store(&g->stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(g->threads[i], NULL);
	close(g->fd);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
