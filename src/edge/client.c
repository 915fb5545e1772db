#include "edge/conn.h"
#include "edge/hops.h"

#include "core/metrics.h"

#include <arpa/inet.h>
#include <string.h>

#include <kore/kore.h>

static struct peers *peers;
static unsigned peers_row, address_max;
static const struct hops *hops;

void
client_open(struct peers *shared, unsigned row, const struct hops *trusted,
    unsigned max)
{
	hops = trusted;
	peers = shared;
	peers_row = row;
	address_max = max;
	peers_clear(peers, row);
}

static void
to_six(const struct connection *c, struct sockaddr_in6 *ret)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	*ret = (struct sockaddr_in6){.sin6_family = AF_INET6};
	if (c->family == AF_INET6) {
		ret->sin6_addr = c->addr.ipv6.sin6_addr;
		return;
	}
	memcpy(ret->sin6_addr.s6_addr, mapped, sizeof(mapped));
	memcpy(ret->sin6_addr.s6_addr + 12, &c->addr.ipv4.sin_addr, 4);
}

static void
set_peer(struct conn *k, const struct sockaddr_in6 *from)
{
	const struct in6_addr *a = &from->sin6_addr;
	bool four = IN6_IS_ADDR_V4MAPPED(a);

	if (inet_ntop(four ? AF_INET : AF_INET6, a->s6_addr + (four ? 12 : 0),
		k->x.peer, sizeof(k->x.peer)) == NULL)
		k->x.peer[0] = '\0';
	k->x.place = peers_number((const struct sockaddr *)from);
	k->peer = peers_find(peers, (const struct sockaddr *)from);
}

/* False: there are too many of that address. */
static bool
enter(struct conn *k)
{
	if (address_max != 0 && peers_count(peers, k->peer) >= address_max) {
		metric_count(COUNTER_EDGE_CROWDED, 1);
		return (false);
	}
	peers_enter(peers, peers_row, k->peer);
	k->counted = true;
	return (true);
}

void
client_leave(struct conn *k)
{
	if (k->counted)
		peers_leave(peers, peers_row, k->peer);
	k->counted = false;
}

void
client_forget(struct conn *k)
{
	struct sockaddr_in6 from;

	client_leave(k);
	to_six(k->c, &from);
	set_peer(k, &from);
}

bool
client_enter(struct conn *k)
{
	struct sockaddr_in6 from;

	to_six(k->c, &from);
	set_peer(k, &from);
	k->proxied = hops_trusts(hops, &from.sin6_addr);
	return (k->proxied || enter(k));
}

enum err
client_request(struct conn *k, struct err_info *info)
{
	struct sockaddr_in6 from;
	enum err e;

	if (!k->proxied)
		return (ERR_OK);
	to_six(k->c, &from);
	if ((e = hops_client(hops, &k->head, &from.sin6_addr, info)) != ERR_OK)
		return (e);
	set_peer(k, &from);
	if (!enter(k))
		return (err_set(info, ERR_TOO_MANY, NULL,
		    "Too many requests of this address are under way"));
	return (ERR_OK);
}
