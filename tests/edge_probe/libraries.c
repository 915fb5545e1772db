/*
 * What every library of the service does in a sandboxed worker, at least
 * once: names, connections refused and made, TLS as a client, memory hard
 * hashing. A call missing from the sandbox's list kills the process. And what
 * none of them does.
 */
#include "libraries.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
look_up(const char *name)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int r = getaddrinfo(name, "443", &hints, &found);

	if (r == 0)
		freeaddrinfo(found);
	return (r);
}

static bool
postgresql(const char *conninfo, const char *query)
{
	PGconn *c = PQconnectdb(conninfo);
	PGresult *r = PQexec(c, query);
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;

	PQclear(r);
	PQfinish(c);
	return (ok);
}

static bool
redis(const char *host, int port)
{
	struct timeval limit = {1, 0};
	redisContext *c = redisConnectWithTimeout(host, port, limit);
	redisReply *r = NULL;
	bool ok;

	if (c != NULL && c->err == 0)
		r = redisCommand(c, "PING");
	ok = r != NULL;
	freeReplyObject(r);
	if (c != NULL)
		redisFree(c);
	return (ok);
}

static size_t
swallow(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return (size * n);
}

static CURLcode
https(const char *url, const char *ca)
{
	CURL *c = curl_easy_init();
	CURLcode r;

	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_CAINFO, ca);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, 3L);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow);
	r = curl_easy_perform(c);
	curl_easy_cleanup(c);
	return (r);
}

static bool
password(void)
{
	char hash[crypto_pwhash_STRBYTES];

	return (sodium_init() >= 0 &&
	    crypto_pwhash_str(hash, "secret", 6,
		crypto_pwhash_OPSLIMIT_INTERACTIVE,
		crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0 &&
	    crypto_pwhash_str_verify(hash, "secret", 6) == 0);
}

void
libraries_run(const char *url, char *ret, size_t size)
{
	const char *conninfo = getenv("PROBE_DATABASE");
	bool names = look_up("localhost") == 0 && look_up("x.invalid") != 0;
	bool refused = !postgresql("host=localhost port=1 dbname=x", "") &&
	    !postgresql("host=/nonexistent dbname=x", "") &&
	    !redis("localhost", 1);
	bool made = conninfo == NULL || postgresql(conninfo, "SELECT 1");
	CURLcode curl = https(url, getenv("PROBE_CERT"));
	bool unknown = https("https://x.invalid/", getenv("PROBE_CERT")) ==
	    CURLE_COULDNT_RESOLVE_HOST;
	bool hashed = password();

	(void)snprintf(ret, size,
	    "{\"names\":%d,\"refused\":%d,\"made\":%d,\"curl\":%d,"
	    "\"hashed\":%d}",
	    names && unknown, refused, made, (int)curl, hashed);
}

#define CALL(name, ...)             \
	{                           \
#name, SYS_##name,  \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

/* As an intruder would ask; if a call is not killed it fails by itself, too. */
static const struct {
	const char *name;
	long number;
	long args[4];
} forbidden[] = {
    CALL(execve, 0, 0, 0),
    CALL(execveat, -1, 0, 0),
    CALL(ptrace, 16, 0),
    CALL(process_vm_readv, 1, 0),
    CALL(process_vm_writev, 1, 0),
    CALL(memfd_create, 0),
    CALL(unlinkat, -1, 0),
    CALL(renameat2, -1, 0, -1, 0),
    CALL(linkat, -1, 0, -1, 0),
    CALL(symlinkat, 0, -1, 0),
    CALL(mkdirat, -1, 0),
    CALL(fchmodat, -1, 0),
    CALL(fchownat, -1, 0),
    CALL(ftruncate, -1),
    CALL(mount, 0, 0, 0),
    CALL(chroot, 0),
    CALL(setuid, -1),
    CALL(setgid, -1),
    CALL(capset, 0),
    CALL(unshare, 0),
    CALL(setns, -1),
    CALL(bpf, -1),
    CALL(perf_event_open, 0),
    CALL(io_uring_setup, 0, 0),
    CALL(keyctl, -1),
    CALL(init_module, 0),
    CALL(kexec_load, 0, 0, 0, -1),
    CALL(listen, -1),
    CALL(shmget, 0, 0, 0),
    CALL(open_by_handle_at, -1, 0, 0),
    /* These are answered. */
    CALL(socket, AF_PACKET, SOCK_RAW, 0),
    CALL(clone, 17 /* SIGCHLD */, 0),
    CALL(clone3, 0, 0),
    CALL(mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE),
    CALL(mprotect, 0, 4096, PROT_READ | PROT_EXEC),
    CALL(ioctl, 0, 0x5412 /* TIOCSTI */, 0),
};

int
libraries_forbidden(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (strcmp(name, forbidden[i].name) == 0)
			return (
			    syscall(forbidden[i].number, forbidden[i].args[0],
				forbidden[i].args[1], forbidden[i].args[2],
				forbidden[i].args[3]) == -1
				? errno
				: 0);
	return (-1);
}
