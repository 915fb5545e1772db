#include "edge/peers.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#define SLOTS 8192u

struct row {
	_Atomic uint16_t held[SLOTS];
};

struct peers {
	uint64_t seed;
	unsigned workers;
	struct row rows[];
};

size_t
peers_size(unsigned workers)
{
	return (sizeof(struct peers) + workers * sizeof(struct row));
}

void
peers_init(struct peers *p, unsigned workers, uint64_t seed)
{
	p->workers = workers;
	p->seed = seed;
}

void
peers_clear(struct peers *p, unsigned worker)
{
	memset(&p->rows[worker], 0, sizeof(p->rows[worker]));
}

/* The finish of SplitMix64. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31);
}

uint64_t
peers_number(const struct sockaddr *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	uint64_t network;
	uint32_t four;

	if (address->sa_family != AF_INET6)
		return (((const struct sockaddr_in *)address)->sin_addr.s_addr);
	if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		memcpy(&four, six->sin6_addr.s6_addr + 12, sizeof(four));
		return (four);
	}
	memcpy(&network, six->sin6_addr.s6_addr, sizeof(network));
	return (mix(network));
}

struct peer
peers_find(const struct peers *p, const struct sockaddr *address)
{
	uint64_t h = mix(mix(peers_number(address) ^ p->seed) + p->seed);

	return ((struct peer){
	    {(uint16_t)(h % SLOTS), (uint16_t)((h >> 32) % SLOTS)}});
}

static unsigned
sum(const struct peers *p, uint16_t slot)
{
	unsigned n = 0;

	for (unsigned w = 0; w < p->workers; w++)
		n += atomic_load_explicit(
		    &p->rows[w].held[slot], memory_order_relaxed);
	return (n);
}

unsigned
peers_count(const struct peers *p, struct peer peer)
{
	unsigned a = sum(p, peer.at[0]), b = sum(p, peer.at[1]);

	return (a < b ? a : b);
}

/* One writer a row: no more than load and store. */
static void
add(struct row *row, struct peer peer, int n)
{
	for (int i = 0; i < 2; i++) {
		uint16_t held = atomic_load_explicit(
		    &row->held[peer.at[i]], memory_order_relaxed);

		atomic_store_explicit(&row->held[peer.at[i]],
		    (uint16_t)(held + n), memory_order_relaxed);
	}
}

void
peers_enter(struct peers *p, unsigned worker, struct peer peer)
{
	add(&p->rows[worker], peer, 1);
}

void
peers_leave(struct peers *p, unsigned worker, struct peer peer)
{
	add(&p->rows[worker], peer, -1);
}
