/* Connections by address: exact for few, over workers, and forgotten with a
 * worker that died. */
#include "edge/peers.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdlib.h>

#define WORKERS 3

static struct peers *
make(void)
{
	struct peers *p = calloc(1, peers_size(WORKERS));

	peers_init(p, WORKERS, UINT64_C(0x243f6a8885a308d3));
	return (p);
}

static struct peer
four(const struct peers *p, uint32_t address)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};

	sa.sin_addr.s_addr = htonl(address);
	return (peers_find(p, (struct sockaddr *)&sa));
}

static struct peer
six(const struct peers *p, const char *text)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6};

	cr_assert_eq(inet_pton(AF_INET6, text, &sa.sin6_addr), 1);
	return (peers_find(p, (struct sockaddr *)&sa));
}

Test(peers, are_counted_over_workers_and_forgotten_with_one)
{
	struct peers *p = make();
	struct peer a = four(p, 0x7f000001), b = four(p, 0x7f000002);

	peers_enter(p, 0, a);
	peers_enter(p, 2, a);
	peers_enter(p, 2, a);
	cr_expect_eq(peers_count(p, a), 3);
	cr_expect_eq(peers_count(p, b), 0);
	peers_leave(p, 2, a);
	cr_expect_eq(peers_count(p, a), 2);
	peers_clear(p, 2);
	cr_expect_eq(peers_count(p, a), 1);
	peers_leave(p, 0, a);
	cr_expect_eq(peers_count(p, a), 0);
	free(p);
}

Test(peers, six_is_counted_by_network_and_mapped_four_as_four)
{
	struct peers *p = make();

	peers_enter(p, 0, six(p, "2001:db8:1:2::1"));
	cr_expect_eq(peers_count(p, six(p, "2001:db8:1:2:ffff::9")), 1);
	cr_expect_eq(peers_count(p, six(p, "2001:db8:1:3::1")), 0);
	peers_enter(p, 0, six(p, "::ffff:192.0.2.1"));
	cr_expect_eq(peers_count(p, four(p, 0xc0000201)), 1);
	free(p);
}

/* One at its limit must not shut others out. */
Test(peers, a_crowd_is_not_taken_for_another)
{
	struct peers *p = make();
	unsigned wrong = 0;

	for (uint32_t crowd = 0; crowd < 20; crowd++)
		for (int n = 0; n < 100; n++)
			peers_enter(p, 1, four(p, 0x0a000000 + crowd));
	for (uint32_t i = 0; i < 100000; i++)
		wrong += peers_count(p, four(p, 0xc0000000 + i)) >= 100;
	cr_expect_leq(wrong, 20, "%u of 100000", wrong);
	free(p);
}
