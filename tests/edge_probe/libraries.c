/*
 * What every library of the service does in a sandboxed worker, at least
 * once: names, connections refused and made, TLS as a client, memory hard
 * hashing. A call missing from the sandbox's list kills the process.
 */
#include "libraries.h"

#include <curl/curl.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	void *guarded = sodium_init() >= 0 ? sodium_malloc(100) : NULL;
	bool ok = guarded != NULL &&
	    crypto_pwhash_str(hash, "secret", 6,
		crypto_pwhash_OPSLIMIT_INTERACTIVE,
		crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0 &&
	    crypto_pwhash_str_verify(hash, "secret", 6) == 0;

	sodium_free(guarded);
	return (ok);
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
	bool hashed = password();

	(void)snprintf(ret, size,
	    "{\"names\":%d,\"refused\":%d,\"made\":%d,\"curl\":%d,"
	    "\"hashed\":%d}",
	    names, refused, made, (int)curl, hashed);
}
