/*
 * peers: how many connections each address holds, over all workers. Counts
 * lie in shared memory by a hash of the address, twice, and the lower of the
 * two is believed: no address is kept, nothing needs room for more of them.
 * Each worker writes its own row, so that one that died takes its counts
 * along. An IPv6 network of 64 bits counts as one address.
 *
 * Runs on: L, peers_init in the parent. Frees: nothing. Errors: none; two that
 * come at the same moment may both be the last.
 */
#ifndef PENSTOCK_EDGE_PEERS_H
#define PENSTOCK_EDGE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct peers;

struct peer {
	uint16_t at[2];
};

size_t peers_size(unsigned workers);
/* On zeroed memory of that size; `seed` is random and stays secret. */
void peers_init(struct peers *, unsigned workers, uint64_t seed);
/* A worker begins: it holds no connection yet. */
void peers_clear(struct peers *, unsigned worker);

/* One number for each address; for IPv6 one for each network of 64 bits. */
uint64_t peers_number(const struct sockaddr *);
struct peer peers_find(const struct peers *, const struct sockaddr *);
unsigned peers_count(const struct peers *, struct peer);
void peers_enter(struct peers *, unsigned worker, struct peer);
void peers_leave(struct peers *, unsigned worker, struct peer);

#endif
