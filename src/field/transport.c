#include "field/transport.h"

#include <netdb.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

/* The last word on where a connection goes. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transport *t = arg;

	if (purpose == CURLSOCKTYPE_IPCXN &&
	    address_allows(t->rules, &a->addr, t->tls))
		return (
		    socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol));
	if (getnameinfo(&a->addr, a->addrlen, t->barred, sizeof(t->barred),
		NULL, 0, NI_NUMERICHOST) != 0)
		(void)snprintf(t->barred, sizeof(t->barred), "an address");
	return (CURL_SOCKET_BAD);
}

void
transport_set(struct transport *t, const struct transport_config *config,
    CURL *e, const char *url)
{
	*t = (struct transport){
	    .rules = config->rules, .tls = strncasecmp(url, "https:", 6) == 0};
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, config->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, config->timeout_ms);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (config->ca_path != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, config->ca_path);
}

bool
transport_barred(
    const struct transport *t, const char *nets, char *ret, size_t size)
{
	if (t->barred[0] == '\0')
		return (false);
	(void)snprintf(ret, size, "%s is not in %s%s", t->barred, nets,
	    t->tls ? " nor public" : ", which needs TLS elsewhere");
	return (true);
}
