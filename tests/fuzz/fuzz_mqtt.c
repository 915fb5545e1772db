/* Any map of topics and any messages at it: what is posted is JSON that names
 * every reading kept, each message is dealt with once, and nothing is read
 * beyond its end. The pieces lie between bytes 0xff: the map, what the service
 * answers, then topic and payload of each message. */
#include "cmd/mqtt_batch.h"
#include "cmd/tool.h"
#include "ingest/json_readings.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE	0xff
#define ANSWERS 4
#define KEPT	5000 /* readings of one POST */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct piece {
	const uint8_t *s;
	size_t len;
};

/* The service: what it answers, by turns, and what it took. */
static struct {
	struct piece script;
	size_t calls, stored;
	char answer[128];
} service;

static int64_t clock_ms;

static void
require(bool holds)
{
	if (!holds)
		abort();
}

void
tool_error(const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
}

int64_t
tool_now_us(void)
{
	return (1700000000000000);
}

int64_t
tool_monotonic_ms(void)
{
	return (++clock_ms);
}

bool
tool_sleep_ms(int64_t ms)
{
	clock_ms += ms;
	return (true);
}

const char *
client_reason(const struct client_reply *r, char *buf, size_t size)
{
	(void)snprintf(buf, size, "status %d", r->status);
	return (buf);
}

/* As the service reads it. */
static size_t
count_readings(const char *body, size_t len)
{
	struct err_info info = {0};
	struct json_readings r;
	struct item item;
	bool more = true;
	size_t n = 0;

	json_readings_init(&r, body, len, KEPT, &info);
	for (;; n++) {
		require(json_readings_next(&r, &item, &more) == ERR_OK);
		if (!more)
			break;
	}
	require(n > 0 && r.list);
	return (n);
}

/* Stored, the body is to blame, somebody else is, or no sense at all. */
void
client_call(struct client *c, const char *method, const char *path,
    const char *bearer, const char *body, size_t len, struct client_reply *ret)
{
	static const int statuses[ANSWERS] = {200, 422, 503, 200};
	size_t n = count_readings(body, len), at = service.calls++;
	uint8_t turn = at < service.script.len ? service.script.s[at] : 0;

	(void)c, (void)method, (void)path, (void)bearer;
	*ret = (struct client_reply){.status = statuses[turn % ANSWERS]};
	(void)snprintf(service.answer, sizeof(service.answer),
	    "{\"accepted\":%zu,\"duplicates\":0,\"rejected\":1,\"items\":[{"
	    "\"index\":%zu,\"reason\":\"x\",\"detail\":\"y\"},{\"index\":%zu}]"
	    "}",
	    n - (turn % ANSWERS != 3), n - 1, n);
	ret->body = service.answer;
	ret->len = strlen(service.answer);
	service.stored += turn % ANSWERS == 0 ? n : 0;
}

static struct piece
next(struct piece *rest)
{
	const uint8_t *end =
	    rest->len == 0 ? NULL : memchr(rest->s, PIECE, rest->len);
	struct piece p = {
	    rest->s, end == NULL ? rest->len : (size_t)(end - rest->s)};

	rest->s += p.len + (end != NULL);
	rest->len -= p.len + (end != NULL);
	return (p);
}

/* False: it says why it is none, and nothing is started. */
static bool
read_map(struct mqtt_map *m, struct piece p)
{
	static const char plain[] = "topic,node,metric,unit\n"
				    "a/+/flow,{1},flow,L/s\nb/#,,,\n+,N,{1},\n";
	char path[64];
	bool ok;
	int fd = memfd_create("map", MFD_CLOEXEC);

	require(fd != -1);
	if (p.len == 0)
		p = (struct piece){(const uint8_t *)plain, sizeof(plain) - 1};
	require(write(fd, p.s, p.len) == (ssize_t)p.len);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ok = mqtt_map_read(m, path);
	close(fd);
	return (ok);
}

/* In blocks of their own, so that what is beyond them is seen. */
static bool
add(struct mqtt_batch *b, struct piece topic, struct piece payload)
{
	char *t = malloc(topic.len + 1), *p = malloc(payload.len);
	struct mqtt_message m = {
	    t, p, payload.len, topic.len > 0 && (topic.s[0] & 1) != 0};
	bool more;

	memcpy(t, topic.s, topic.len);
	t[topic.len] = '\0';
	memcpy(p, payload.s, payload.len);
	more = mqtt_batch_add(b, &m);
	free(t);
	free(p);
	return (more);
}

static void
store(struct mqtt_batch *b, struct mqtt_counters *c, size_t added)
{
	require(mqtt_batch_count(b) == added && c->received == added);
	if (!mqtt_batch_store(b, 0))
		return;
	require(c->accepted + c->duplicate + c->rejected == service.stored);
	require(c->set_aside <= added);
	mqtt_batch_empty(b);
	require(mqtt_batch_count(b) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct piece rest = {data, len}, topic;
	struct mqtt_counters counters = {0};
	struct mqtt_map map = {0};
	struct mqtt_batch_config config = {
	    .map = &map, .key = "k", .counters = &counters};
	struct mqtt_batch *b;
	bool more = read_map(&map, next(&rest));
	size_t n = 0;

	if (!more) {
		mqtt_map_free(&map);
		return (0);
	}
	require((b = mqtt_batch_new(&config)) != NULL);
	memset(&service, 0, sizeof(service));
	service.script = next(&rest);
	for (; more && rest.len > 0; n++) {
		topic = next(&rest);
		more = add(b, topic, next(&rest));
	}
	store(b, &counters, n);
	mqtt_batch_free(b);
	mqtt_map_free(&map);
	return (0);
}
