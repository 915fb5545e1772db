/* Whatever a client wrote, a trusted proxy that adds whom it saw is believed on
 * that alone, or the request is refused. */
#include "edge/hops.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 2000

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static enum err
ask(const struct hops *h, const struct header *fields, unsigned n,
    struct in6_addr *ret)
{
	struct err_info info = {.code = ERR_OK};
	struct gate_head head = {.nheaders = n};
	enum err e;

	memcpy(head.headers, fields, n * sizeof(*fields));
	require(inet_pton(AF_INET6, "::ffff:10.0.0.1", ret) == 1);
	e = hops_client(h, &head, ret, &info);
	require(e == info.code && (e == ERR_OK || e == ERR_BAD_REQUEST));
	return (e);
}

/* The client's text, in a field of its own or in that of the proxy. */
static void
check(bool forwarded, const char *text)
{
	static const char *const seen[] = {
	    "203.0.113.7", "for=203.0.113.7", "for=\"203.0.113.7:80\";by=_a"};
	const char *name = forwarded ? "forwarded" : "X-Forwarded-For";
	struct in6_addr client, wanted;
	struct err_info info = {.code = ERR_OK};
	char joined[LONGEST + 64];
	struct header fields[2] = {{name, text}};
	struct hops h;
	size_t first = forwarded ? 1 : 0, last = forwarded ? 2 : 0;

	require(
	    hops_parse("10.0.0.0/8, 2001:db8::/33", name, &h, &info) == ERR_OK);
	require(inet_pton(AF_INET6, "::ffff:203.0.113.7", &wanted) == 1);
	if (ask(&h, fields, 1, &client) == ERR_OK && !hops_trusts(&h, &client))
		require(*text != '\0');
	for (size_t i = first; i <= last; i++) {
		fields[1] = (struct header){name, seen[i]};
		require(ask(&h, fields, 2, &client) != ERR_OK ||
		    memcmp(&client, &wanted, sizeof(client)) == 0);
		(void)snprintf(joined, sizeof(joined), "%s, %s", text, seen[i]);
		require(ask(&h, &(struct header){name, joined}, 1, &client) !=
			ERR_OK ||
		    memcmp(&client, &wanted, sizeof(client)) == 0);
	}
}

/* The setting: what is taken is trusted from its own address on. */
static void
check_setting(const char *list)
{
	struct err_info info = {.code = ERR_OK};
	struct hops h;

	if (hops_parse(list, "Forwarded", &h, &info) != ERR_OK)
		return;
	require(h.n <= HOPS_NETS_MAX);
	for (unsigned i = 0; i < h.n; i++)
		require(h.nets[i].bits <= 128 &&
		    hops_trusts(&h, &h.nets[i].address));
}

/* As it comes behind the gate: no control characters. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len < 1 || len > LONGEST)
		return (0);
	text = malloc(len);
	for (size_t i = 1; i < len; i++)
		text[i - 1] =
		    (char)(data[i] < ' ' || data[i] == 0x7f ? ' ' : data[i]);
	text[len - 1] = '\0';
	check(data[0] & 1, text);
	check_setting(text);
	free(text);
	return (0);
}
