/* Who a request is from, as a trusted proxy tells it. */
#include "edge/hops.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PROXIES "10.0.0.0/8, 192.168.7.9,2001:db8:a::/47"

static struct hops
trust(const char *list, const char *field)
{
	struct err_info info = {.code = ERR_OK};
	struct hops h;

	cr_assert_eq(
	    hops_parse(list, field, &h, &info), ERR_OK, "%s", info.detail);
	return (h);
}

static struct in6_addr
address(const char *text)
{
	struct in6_addr a;
	char mapped[64];

	(void)snprintf(mapped, sizeof(mapped), "%s%s",
	    strchr(text, ':') == NULL ? "::ffff:" : "", text);
	cr_assert_eq(inet_pton(AF_INET6, mapped, &a), 1, "%s", text);
	return (a);
}

Test(hops, lists_of_networks)
{
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8", "x",
	    "::1/129", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/0008", "[::1]",
	    "10.0.0.1;10.0.0.2", "fe80::1%eth0"};
	static const struct {
		const char *address;
		bool trusted;
	} rows[] = {{"10.0.0.1", true}, {"10.255.255.255", true},
	    {"11.0.0.0", false}, {"192.168.7.9", true}, {"192.168.7.8", false},
	    {"2001:db8:a::1", true}, {"2001:db8:b:ffff::", true},
	    {"2001:db8:c::", false}, {"::1", false}};
	struct hops h;
	struct in6_addr a;
	char many[HOPS_NETS_MAX * 10 + 20] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_neq(hops_parse(bad[i], "forwarded", &h, NULL), ERR_OK,
		    "%s", bad[i]);
	cr_expect_neq(hops_parse("", "via", &h, NULL), ERR_OK);
	for (int i = 0; i <= HOPS_NETS_MAX; i++)
		strcat(many, "10.0.0.1,");
	cr_expect_neq(hops_parse(many, "forwarded", &h, NULL), ERR_OK);
	h = trust(PROXIES, "forwarded");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		a = address(rows[i].address);
		cr_expect_eq(hops_trusts(&h, &a), rows[i].trusted, "%s",
		    rows[i].address);
	}
	h = trust("0.0.0.0/0", "forwarded");
	a = address("203.0.113.1");
	cr_expect(hops_trusts(&h, &a));
	a = address("2001:db8::1");
	cr_expect_not(hops_trusts(&h, &a));
	h = trust("", "x-forwarded-for");
	cr_expect_not(hops_trusts(&h, &a));
}

struct row {
	const char *values[3]; /* of fields of the name, NULL: no more */
	const char *client;    /* NULL: refused */
};

static void
check(const char *field, const struct row *rows, size_t n)
{
	struct hops h = trust(PROXIES, field);

	for (size_t i = 0; i < n; i++) {
		struct gate_head head = {
		    .nheaders = 1, .headers = {{"X-Other", "for=1.2.3.4"}}};
		struct in6_addr a = address("10.0.0.1"), want;
		enum err e;

		for (int k = 0; k < 3 && rows[i].values[k] != NULL; k++)
			head.headers[head.nheaders++] = (struct header){
			    h.forwarded ? "forwarded" : "x-forwarded-FOR",
			    rows[i].values[k]};
		e = hops_client(&h, &head, &a, NULL);
		cr_expect_eq(
		    e == ERR_OK, rows[i].client != NULL, "%s %zu", field, i);
		if (e != ERR_OK || rows[i].client == NULL)
			continue;
		want = address(rows[i].client);
		cr_expect_eq(
		    memcmp(&a, &want, sizeof(a)), 0, "%s %zu", field, i);
	}
}

Test(hops, x_forwarded_for)
{
	static const struct row rows[] = {
	    {{NULL}, "10.0.0.1"},
	    {{""}, "10.0.0.1"},
	    {{"203.0.113.7"}, "203.0.113.7"},
	    {{"203.0.113.7:4711"}, "203.0.113.7"},
	    {{"2001:db8::7"}, "2001:db8::7"},
	    {{"[2001:db8::7]"}, "2001:db8::7"},
	    {{"[2001:db8::7]:80"}, "2001:db8::7"},
	    {{"::ffff:203.0.113.7"}, "203.0.113.7"},
	    /* The right-most that is not ours; left of it may stand anything. */
	    {{"1.1.1.1, 203.0.113.7"}, "203.0.113.7"},
	    {{"<script>, 203.0.113.7 , 10.1.1.1"}, "203.0.113.7"},
	    {{"1.1.1.1", "203.0.113.7", "10.1.1.1,192.168.7.9"}, "203.0.113.7"},
	    {{"10.2.2.2, 10.1.1.1"}, "10.2.2.2"},
	    {{",, 203.0.113.7,,"}, "203.0.113.7"},
	    {{"unknown"}, NULL},
	    {{"203.0.113.7, x"}, NULL},
	    {{"203.0.113.7, x, 10.1.1.1"}, NULL},
	    {{"203.0.113"}, NULL},
	    {{"203.0.113.7:"}, NULL},
	    {{"203.0.113.7:1234567"}, NULL},
	    {{"[203.0.113.7]"}, NULL},
	    {{"[2001:db8::7"}, NULL},
	    {{"[2001:db8::7]80"}, NULL},
	    {{"fe80::1%1"}, NULL},
	    {{"1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
	      "1.1.1.1"},
		NULL},
	};

	check("x-forwarded-for", rows, sizeof(rows) / sizeof(*rows));
}

Test(hops, forwarded)
{
	static const struct row rows[] = {
	    {{NULL}, "10.0.0.1"},
	    {{"for=203.0.113.7"}, "203.0.113.7"},
	    {{"For=\"203.0.113.7:47011\""}, "203.0.113.7"},
	    {{"for=\"[2001:db8:cafe::17]:4711\""}, "2001:db8:cafe::17"},
	    {{"for=192.0.2.43; proto=http ;by=203.0.113.60"}, "192.0.2.43"},
	    {{"proto=http;for=1.1.1.1, for=192.0.2.43;host=\"a,b\""},
		"192.0.2.43"},
	    {{"for=9.9.9.9", "for=192.0.2.43, for=10.1.2.3"}, "192.0.2.43"},
	    {{"for=_hidden, for=192.0.2.43"}, "192.0.2.43"},
	    {{"for=192.0.2.43, for=unknown"}, NULL},
	    {{"for=_hidden"}, NULL},
	    {{"proto=https"}, NULL},
	    {{"for"}, NULL},
	    {{"for="}, NULL},
	    {{"for=\"192.0.2.43"}, NULL},
	    {{"for=\"192.0.2\\.43\""}, NULL},
	    {{"for=1.1.1.1;for=2.2.2.2"}, NULL},
	    {{"for=1.1.1.1 for=2.2.2.2"}, NULL},
	    {{"for=1.1.1.1;"}, NULL},
	    {{"192.0.2.43"}, NULL},
	};

	check("forwarded", rows, sizeof(rows) / sizeof(*rows));
}
