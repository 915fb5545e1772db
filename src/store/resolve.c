#include "store/resolve.h"

#include "core/text.h"

#include <libpq-fe.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool
is_address(const char *host)
{
	struct in6_addr a;

	return (inet_pton(AF_INET, host, &a) == 1 ||
	    inet_pton(AF_INET6, host, &a) == 1);
}

/* The first address of `host`, as text. */
static bool
look_up(
    const char *host, char buf[static INET6_ADDRSTRLEN], struct err_info *info)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int rc = getaddrinfo(host, NULL, &hints, &list);

	if (rc != 0) {
		err_set(
		    info, ERR_DATABASE, NULL, "%s: %s", host, gai_strerror(rc));
		return (false);
	}
	rc = getnameinfo(list->ai_addr, list->ai_addrlen, buf, INET6_ADDRSTRLEN,
	    NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	if (rc != 0)
		err_set(
		    info, ERR_DATABASE, NULL, "%s: %s", host, gai_strerror(rc));
	return (rc == 0);
}

static const char *
option(const PQconninfoOption *o, const char *keyword)
{
	for (; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, keyword) == 0)
			return (o->val != NULL && o->val[0] != '\0' ? o->val
								    : NULL);
	}
	return (NULL);
}

/* conninfo quoting: libpq manual, section 34.1.1.1. */
static void
add_option(struct text *t, const char *keyword, const char *value)
{
	text_printf(t, "%s%s='", t->len > 0 ? " " : "", keyword);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			text_add(t, "\\", 1);
		text_add(t, value, 1);
	}
	text_add(t, "'", 1);
}

char *
resolve_conninfo(const char *conninfo, struct err_info *info)
{
	char address[INET6_ADDRSTRLEN], *made = NULL;
	PQconninfoOption *all = PQconninfoParse(conninfo, NULL), *o;
	struct text t;
	const char *host;
	bool named, ok = true;

	if (all == NULL) {
		/* libpq's words would quote it, password and all. */
		err_set(info, ERR_DATABASE, NULL,
		    "PENSTOCK_DATABASE_URL cannot be read (a special character "
		    "that is not quoted?)");
		return (NULL);
	}
	host = option(all, "host");
	named = host != NULL && host[0] != '/' && host[0] != '@' &&
	    option(all, "hostaddr") == NULL;
	if (named && !is_address(host))
		ok = look_up(host, address, info);
	text_init(&t, 16384);
	for (o = all; ok && o->keyword != NULL; o++) {
		if (o->val != NULL && o->val[0] != '\0')
			add_option(&t, o->keyword, o->val);
	}
	if (ok && named)
		add_option(&t, "hostaddr", is_address(host) ? host : address);
	PQconninfoFree(all);
	if (ok && (made = text_take(&t, NULL)) == NULL)
		err_set(info, ERR_NO_MEMORY, NULL, "conninfo");
	text_done(&t);
	return (made);
}

char *
resolve_address(const char *address, struct err_info *info)
{
	const char *colon = strrchr(address, ':');
	char host[256], found[INET6_ADDRSTRLEN], *made = NULL;
	struct text t;
	size_t len;

	if (address[0] == '/' || address[0] == '[' || colon == NULL)
		return (strdup(address));
	len = (size_t)(colon - address);
	if (len == 0 || len >= sizeof(host)) {
		err_set(info, ERR_CACHE, NULL, "%s: not host:port", address);
		return (NULL);
	}
	memcpy(host, address, len);
	host[len] = '\0';
	if (is_address(host))
		return (strdup(address));
	if (!look_up(host, found, info))
		return (NULL);
	text_init(&t, 512);
	text_printf(
	    &t, strchr(found, ':') != NULL ? "[%s]%s" : "%s%s", found, colon);
	made = text_take(&t, NULL);
	text_done(&t);
	return (made);
}
