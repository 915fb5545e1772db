/* The connector by MQTT against brokers of all manners. */
#include "core/instant.h"
#include "domain/plan.h"
#include "field/broker.h"
#include "field/connector.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 1000
#define WHOLE_MS   2000
#define KEY	   "6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01"

TestSuite(field_mqtt, .timeout = 60);

static void
sign(const void *self, const struct signed_request *q,
    char ret[static SIGNATURE_TEXT])
{
	(void)self, (void)q;
	(void)snprintf(ret, SIGNATURE_TEXT, "v1=ours");
}

static struct connector_config
settings(void)
{
	static const char self[] = "";
	struct connector_config c = {.timeout_ms = TIMEOUT_MS,
	    .whole_ms = WHOLE_MS,
	    .signer = {self, sign}};
	struct err_info info = {0};

	cr_assert_eq(
	    address_rules_parse("127.0.0.0/8", &c.rules, &info), ERR_OK);
	cr_assert_eq(connector_start(&info), ERR_OK);
	return (c);
}

static struct gateway_reply
send_by(const struct connector_config *config, const char *url)
{
	struct command c = {.id = 12,
	    .plan_id = 3,
	    .link = "V1",
	    .gateway = "G-1",
	    .gateway_url = url,
	    .action = "close_valve",
	    .argument = "{}",
	    .key = KEY,
	    .not_after_us = (time(NULL) + 60) * US_PER_SECOND};
	struct gateway_reply r;

	connector_send(config, &c, 1, &r);
	return (r);
}

static struct gateway_reply
send_to(const char *url)
{
	struct connector_config config = settings();

	return (send_by(&config, url));
}

/* A listener, and whether its connections are ended at once. */
struct fake {
	const char *bytes;
	size_t len;
	int fd;
	char url[64];
};

static void *
say(void *arg)
{
	struct fake *f = arg;
	char buf[512];
	int fd = accept(f->fd, NULL, NULL);

	if (fd == -1)
		return (NULL);
	(void)!read(fd, buf, sizeof(buf)); /* CONNECT */
	(void)send(fd, f->bytes, f->len, MSG_NOSIGNAL);
	while (f->len > 0 && read(fd, buf, sizeof(buf)) > 0)
		continue;
	(void)close(fd);
	return (NULL);
}

static int
listen_at(int *ret_port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*ret_port = ntohs(sin.sin_port);
	return (fd);
}

/* Nothing was sent, whatever such a broker says, and it takes bounded time. */
Test(field_mqtt, brokers_that_are_none)
{
#define BYTES(s)                 \
	{                        \
		s, sizeof(s) - 1 \
	}
	static const struct {
		const char *bytes;
		size_t len;
	} said[] = {
	    BYTES(""), BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"),
	    BYTES("\x20\x03\x00\x87\x00"),     /* CONNACK: not authorized */
	    BYTES("\x20\x03\x00\x00\x00"),     /* taken, then silent */
	    BYTES("\x20\xff\xff\xff\xff\x7f"), /* a length that is none */
	    BYTES("\x20\x03\x00\x00\x00\x90\x04\x00\x01\x00\x87"), /* SUBACK */
	    BYTES("\x20\x03\x00\x00\x00\x30\xff\xff\xff\x7f\x00"),
	    BYTES("\x30\x05\x00\x01X\x00X"), /* a message before it is asked */
	    BYTES("\xe0\x00"),		     /* DISCONNECT */
	};
	struct gateway_reply r;
	struct fake f;
	pthread_t thread;
	size_t i;
	int port;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		f = (struct fake){said[i].bytes, said[i].len, 0, ""};
		f.fd = listen_at(&port);
		(void)snprintf(
		    f.url, sizeof(f.url), "mqtt://127.0.0.1:%d", port);
		cr_assert_eq(pthread_create(&thread, NULL, say, &f), 0);
		r = send_to(f.url);
		cr_expect_eq(r.outcome, GATEWAY_NOT_TAKEN, "%zu", i);
		cr_expect_neq(r.detail[0], '\0', "%zu", i);
		cr_expect_lt(r.took_us, (WHOLE_MS + 500) * 1000, "%zu", i);
		(void)shutdown(f.fd, SHUT_RDWR);
		(void)close(f.fd);
		(void)pthread_join(thread, NULL);
	}
}

Test(field_mqtt, no_broker_there)
{
	struct connector_config config = settings();

	cr_assert_eq(
	    send_by(&config, "mqtt://127.0.0.1:1").outcome, GATEWAY_NOT_TAKEN);
	cr_assert_eq(
	    send_by(&config, "mqtts://there.is.no.such.name.invalid").outcome,
	    GATEWAY_NOT_TAKEN);
}

Test(field_mqtt, addresses_are_judged)
{
	static const char *const urls[] = {"mqtt://[::1]:9", "mqtts://10.1.2.3",
	    "mqtts://169.254.169.254", "mqtt://0.0.0.0", "mqtts://[fe80::1]",
	    "mqtt://192.0.2.7", "mqtt://8.8.8.8"};
	struct gateway_reply r;
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		r = send_to(urls[i]);
		cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN, "%s", urls[i]);
		cr_assert_not_null(strstr(r.detail, CONNECTOR_NETS), "%s: %s",
		    urls[i], r.detail);
	}
}

Test(field_mqtt, nothing_goes_unsigned)
{
	struct connector_config config = settings();
	struct gateway_reply r;

	config.signer = (struct signer_port){0};
	r = send_by(&config, "mqtt://127.0.0.1:1");
	cr_assert_eq(r.outcome, GATEWAY_NOT_TAKEN);
	cr_assert_not_null(strstr(r.detail, "PENSTOCK_GATEWAY_SECRET"));
}

static pid_t
spawn(const char *const argv[])
{
	pid_t pid = fork();

	if (pid != 0)
		return (pid);
	(void)!freopen("/dev/null", "w", stdout);
	(void)!freopen("/dev/null", "w", stderr);
	(void)execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* Mosquitto on a free port. */
static pid_t
start_broker(char port[static 8], char url[static 64])
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int n, fd = listen_at(&n), tries = 500;
	pid_t pid;

	(void)close(fd);
	(void)snprintf(port, 8, "%d", n);
	(void)snprintf(url, 64, "mqtt://127.0.0.1:%d", n);
	pid = spawn(
	    (const char *const[]){"/usr/sbin/mosquitto", "-p", port, NULL});
	sin.sin_port = htons((uint16_t)n);
	do {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		n = connect(fd, (struct sockaddr *)&sin, sizeof(sin));
		(void)close(fd);
		if (n != 0)
			(void)usleep(20000);
	} while (n != 0 && --tries > 0);
	cr_assert_eq(n, 0, "mosquitto listens");
	return (pid);
}

static void
end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

Test(field_mqtt, nobody_listens_at_the_broker)
{
	char port[8], url[64];
	pid_t broker = start_broker(port, url);
	struct gateway_reply r = send_to(url);

	cr_expect_eq(r.outcome, GATEWAY_NOT_TAKEN, "%s", r.detail);
	cr_expect_not_null(strstr(r.detail, "the broker"), "%s", r.detail);
	end(broker);
}

/* The gateway has the command when the broker dies: it may act. */
Test(field_mqtt, the_broker_dies_in_between)
{
	char port[8], url[64], script[256];
	pid_t broker = start_broker(port, url), gateway;
	struct gateway_reply r;
	int tries = 20;

	(void)snprintf(script, sizeof(script),
	    "timeout 30 mosquitto_sub -p %s -q 1 -C 1 -t "
	    "'penstock/+/commands/#';"
	    " kill -9 %d",
	    port, (int)broker);
	gateway = spawn((const char *const[]){"/bin/sh", "-c", script, NULL});
	do /* until the gateway listens */
		r = send_to(url);
	while (r.outcome == GATEWAY_NOT_TAKEN &&
	    strstr(r.detail, "subscribers") != NULL && --tries > 0 &&
	    usleep(100000) == 0);
	cr_expect_eq(r.outcome, GATEWAY_NO_ANSWER, "%s", r.detail);
	end(gateway);
	end(broker);
}

Test(field_mqtt, addresses_of_brokers)
{
	static const struct {
		const char *url, *host;
		int port;
		bool tls;
	} good[] = {
	    {"mqtts://b.example", "b.example", 8883, true},
	    {"MQTT://b.example/", "b.example", 1883, false},
	    {"mqtts://10.0.0.1:1234/", "10.0.0.1", 1234, true},
	    {"mqtts://[2001:db8::1]:99", "2001:db8::1", 99, true},
	    {"mqtt://[::1]", "::1", 1883, false},
	};
	static const char *const bad[] = {"", "http://b", "mqtt:/b", "mqtt://",
	    "mqtt://:1", "mqtt://b:", "mqtt://b:0", "mqtt://b:65536",
	    "mqtt://b:12x", "mqtt://b/x", "mqtt://u:p@b", "mqtt://[::1",
	    "mqtt://[]", "mqtt://b?x", "mqtt://b c"};
	struct err_info info = {0};
	struct broker b;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(broker_parse(good[i].url, &b, &info), ERR_OK, "%s",
		    good[i].url);
		cr_assert_str_eq(b.host, good[i].host);
		cr_assert_eq(b.port, good[i].port);
		cr_assert_eq(b.tls, good[i].tls);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(
		    broker_parse(bad[i], &b, &info), ERR_INVALID, "%s", bad[i]);
}
