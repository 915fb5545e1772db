#include "field/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET_TEXT 64

/* Not globally reachable, or not what it seems: 6to4, Teredo and NAT64 carry
 * another address inside. IPv6 but for 2000::/3 is not public anyway. */
static const char *const special[] = {"0.0.0.0/8", "10.0.0.0/8",
    "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"};

static const unsigned char mapped[12] = {
    [10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

static bool
parse_net(const char *s, size_t len, struct address_net *ret)
{
	char text[NET_TEXT], *slash, *end;
	struct address_net n = {.bits = 128};
	long bits;
	bool four;

	if (len >= sizeof(text))
		return (false);
	memcpy(text, s, len);
	text[len] = '\0';
	if ((slash = strchr(text, '/')) == NULL)
		return (false);
	*slash = '\0';
	bits = strtol(slash + 1, &end, 10);
	if (end == slash + 1 || *end != '\0' || slash[1] < '0')
		return (false);
	four = inet_pton(AF_INET, text, n.at + 12) == 1;
	if (four)
		memcpy(n.at, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, text, n.at) != 1)
		return (false);
	if (bits < 0 || bits > (four ? 32 : 128))
		return (false);
	n.bits = (int)bits + (four ? 96 : 0);
	*ret = n;
	return (true);
}

enum err
address_rules_parse(
    const char *s, struct address_rules *ret, struct err_info *info)
{
	struct address_rules r = {.n = 0};
	size_t len;

	for (; *s != '\0'; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		if (r.n == ADDRESS_NETS_MAX)
			return (err_set(info, ERR_INVALID, NULL,
			    "more than %d networks", ADDRESS_NETS_MAX));
		if (!parse_net(s, len, &r.nets[r.n++]))
			return (err_set(info, ERR_INVALID, NULL,
			    "\"%.*s\" is no network like 10.0.0.0/8",
			    (int)(len < NET_TEXT ? len : NET_TEXT), s));
	}
	*ret = r;
	return (ERR_OK);
}

static bool
contains(const struct address_net *n, const unsigned char at[16])
{
	size_t whole = (size_t)n->bits / 8;
	unsigned rest = (unsigned)n->bits % 8;

	return (memcmp(n->at, at, whole) == 0 &&
	    (rest == 0 || (n->at[whole] ^ at[whole]) >> (8 - rest) == 0));
}

static bool
is_public(const unsigned char at[16])
{
	struct address_net n;
	size_t i;

	if (memcmp(at, mapped, sizeof(mapped)) != 0 && at[0] >> 5 != 1)
		return (false);
	for (i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (parse_net(special[i], strlen(special[i]), &n) &&
		    contains(&n, at))
			return (false);
	return (true);
}

bool
address_allows(
    const struct address_rules *r, const struct sockaddr *sa, bool tls)
{
	unsigned char at[16];
	size_t i;

	if (sa->sa_family == AF_INET) {
		memcpy(at, mapped, sizeof(mapped));
		memcpy(at + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6)
		memcpy(at, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	else
		return (false);
	for (i = 0; i < r->n; i++)
		if (contains(&r->nets[i], at))
			return (true);
	return (tls && is_public(at));
}
