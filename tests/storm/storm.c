/*
 * storm PORT SEED COUNT FILE: sends COUNT mutated requests, each on a TLS
 * connection of its own from one of many loopback addresses, says FIN and
 * reads to the end. FILE holds what to mutate: a length (4 bytes, little
 * endian) and that many bytes, again and again. The same SEED gives the same
 * bytes. Prints a line of JSON: how many connections failed, how many were not
 * ended in time, how many got no answer, and the others by status.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SEEDS_MAX 1024
#define PIECE_MAX 65536
#define WAIT_S	  15

struct piece {
	unsigned char *s;
	size_t len;
};

static struct piece corpus[SEEDS_MAX];
static size_t ncorpus;
static uint64_t state;
static SSL_SESSION *session;
static unsigned failed, hung, silent, statuses[600];

static uint32_t
roll(uint32_t sides)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (sides == 0 ? 0 : (uint32_t)(state >> 16) % sides);
}

static void
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint32_t len;

	while (f != NULL && ncorpus < SEEDS_MAX &&
	    fread(&len, sizeof(len), 1, f) == 1 && len < PIECE_MAX / 2) {
		corpus[ncorpus].s = malloc(len + 1);
		corpus[ncorpus].len = fread(corpus[ncorpus].s, 1, len, f);
		ncorpus++;
	}
	if (ncorpus == 0) {
		(void)fprintf(stderr, "storm: nothing in %s\n", path);
		exit(1);
	}
	(void)fclose(f);
}

/* Puts n bytes at `at`, in place of `over` of those there. */
static void
splice(struct piece *p, size_t at, size_t over, const void *s, size_t n)
{
	if (p->len - over + n >= PIECE_MAX)
		return;
	memmove(p->s + at + n, p->s + at + over, p->len - at - over);
	memcpy(p->s + at, s, n);
	p->len += n - over;
}

static const char *const words[] = {"\r\n", "\n", "\r", "\r\n\r\n", "\0", " ",
    "\t", ":", ";", ",", "%", "%00", "%2e%2e/", "..", "/", "?", "#", "\x7f",
    "\x80", "\xff", "0", "00000000", "18446744073709551616", "-1", "ffffffff",
    "HTTP/1.0", "HTTP/1.1", "Content-Length: 5\r\n", "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Host: x\r\n",
    "Expect: 100-continue\r\n", "0\r\n\r\n", "5\r\nhello\r\n", "{", "[", "\"",
    "\\u0000", "1e999", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"};
#define WORDS (sizeof(words) / sizeof(*words))

static void
mutate(struct piece *p)
{
	static unsigned char run[4096];
	size_t at = roll((uint32_t)p->len + 1), left = p->len - at;
	size_t n = left == 0 ? 0 : 1 + roll((uint32_t)left) % 64;
	const struct piece *other;
	const char *word;

	n = n < left ? n : left;
	switch (roll(8)) {
	case 0:
		if (left > 0)
			p->s[at] ^= (unsigned char)(1u << roll(8));
		break;
	case 1:
		if (left > 0)
			p->s[at] = (unsigned char)roll(256);
		break;
	case 2:
	case 3:
		word = words[roll(WORDS)];
		splice(p, at, roll(2) ? 0 : n, word,
		    *word == '\0' ? 1 : strlen(word));
		break;
	case 4:
		splice(p, at, n, "", 0);
		break;
	case 5: /* twice */
		memcpy(run, p->s + at, n);
		splice(p, at, 0, run, n);
		break;
	case 6:
		other = &corpus[roll((uint32_t)ncorpus)];
		at = roll((uint32_t)p->len + 1);
		n = roll((uint32_t)other->len + 1);
		splice(p, at, 0, other->s + other->len - n, n);
		break;
	default:
		memset(run, (int)roll(256), sizeof(run));
		splice(p, at, 0, run, roll(sizeof(run)));
	}
}

static int
reach(int port, unsigned i)
{
	struct sockaddr_in to = {.sin_family = AF_INET}, from = to;
	struct timeval wait = {WAIT_S, 0};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(0x7f010001 + i % 250);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return (fd);
	(void)close(fd);
	return (-1);
}

/* The status of the first answer, 0 if there was none, -1 if no end came. */
static int
exchange(SSL *ssl, int fd, const struct piece *p)
{
	char buf[16384], first[16] = "";
	size_t have = 0;
	int n;

	if (p->len > 0)
		(void)SSL_write(ssl, p->s, (int)p->len);
	(void)shutdown(fd, SHUT_WR);
	while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0)
		if (have < 12) {
			size_t more =
			    12 - have < (size_t)n ? 12 - have : (size_t)n;
			memcpy(first + have, buf, more);
			have += more;
		}
	if (SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ)
		return (-1);
	n = have == 12 ? (int)strtol(first + 9, NULL, 10) : 0;
	return (n < 0 || n >= 600 ? 0 : n);
}

static void
send_one(SSL_CTX *ctx, int port, unsigned i, const struct piece *p)
{
	int status, fd = reach(port, i);
	SSL *ssl = SSL_new(ctx);

	(void)SSL_set_fd(ssl, fd);
	if (session != NULL)
		(void)SSL_set_session(ssl, session);
	ERR_clear_error();
	if (fd == -1 || SSL_connect(ssl) != 1)
		failed++;
	else {
		status = exchange(ssl, fd, p);
		hung += status == -1;
		silent += status == 0;
		if (status > 0)
			statuses[status]++;
		if (session == NULL)
			session = SSL_get1_session(ssl);
	}
	SSL_free(ssl);
	if (fd != -1)
		(void)close(fd);
}

int
main(int argc, char **argv)
{
	static unsigned char buf[PIECE_MAX];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct piece p = {buf, 0};
	unsigned count;

	if (argc != 5)
		return (2);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Resumed without a key exchange: most of the time goes to HTTP. */
	(void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	state = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252u;
	count = (unsigned)strtoul(argv[3], NULL, 10);
	load(argv[4]);
	for (unsigned i = 0; i < count; i++) {
		const struct piece *from = &corpus[roll((uint32_t)ncorpus)];

		memcpy(buf, from->s, from->len);
		p.len = from->len;
		for (unsigned n = 1 + roll(4); n > 0; n--)
			mutate(&p);
		send_one(ctx, (int)strtol(argv[1], NULL, 10), i, &p);
	}
	(void)printf("{\"sent\":%u,\"failed\":%u,\"hung\":%u,\"silent\":%u",
	    count, failed, hung, silent);
	for (int s = 0; s < 600; s++)
		if (statuses[s] > 0)
			(void)printf(",\"%d\":%u", s, statuses[s]);
	(void)printf("}\n");
	return (0);
}
