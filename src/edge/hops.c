#include "edge/hops.h"

#include "edge/octet.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define ADDRESS_MAX 47 /* characters, INET6_ADDRSTRLEN and a zone is none */

struct piece {
	const char *s;
	size_t len;
};

struct list {
	struct piece hop[HOPS_MAX];
	size_t n;
};

static void
map_four(const struct in_addr *four, struct in6_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	memcpy(ret->s6_addr + 12, four, sizeof(*four));
}

/* Without brackets and port. */
static bool
parse_address(const char *s, size_t len, struct in6_addr *ret, bool *ret_four)
{
	char text[ADDRESS_MAX + 1];
	struct in_addr four;

	if (len == 0 || len > ADDRESS_MAX)
		return (false);
	memcpy(text, s, len);
	text[len] = '\0';
	*ret_four = inet_pton(AF_INET, text, &four) == 1;
	if (*ret_four)
		map_four(&four, ret);
	return (*ret_four || inet_pton(AF_INET6, text, ret) == 1);
}

static bool
parse_bits(const char *s, size_t len, unsigned most, unsigned *ret)
{
	unsigned n = 0;

	if (len < 1 || len > 3)
		return (false);
	for (size_t i = 0; i < len; i++) {
		if (!octet_is_digit(s[i]))
			return (false);
		n = n * 10 + (unsigned)(s[i] - '0');
	}
	*ret = n;
	return (n <= most);
}

static bool
parse_net(const char *s, size_t len, struct hops *h)
{
	const char *slash = memchr(s, '/', len);
	size_t head = slash != NULL ? (size_t)(slash - s) : len;
	struct in6_addr *a = &h->nets[h->n].address;
	unsigned *bits = &h->nets[h->n].bits, most;
	bool four;

	if (!parse_address(s, head, a, &four))
		return (false);
	most = four ? 32 : 128;
	*bits = most;
	if (slash != NULL && !parse_bits(slash + 1, len - head - 1, most, bits))
		return (false);
	*bits += 128 - most;
	h->n++;
	return (true);
}

enum err
hops_parse(const char *list, const char *field, struct hops *ret,
    struct err_info *info)
{
	struct hops h = {.forwarded = strcasecmp(field, "forwarded") == 0};
	size_t len;

	if (!h.forwarded && strcasecmp(field, "x-forwarded-for") != 0)
		return (err_set(info, ERR_INVALID, NULL,
		    "the field is x-forwarded-for or forwarded"));
	for (;; list += len) {
		list += strspn(list, ", ");
		if ((len = strcspn(list, ", ")) == 0)
			break;
		if (h.n == HOPS_NETS_MAX || !parse_net(list, len, &h))
			return (err_set(info, ERR_INVALID, NULL,
			    "%.*s is no address or network, or one too many",
			    (int)len, list));
	}
	*ret = h;
	return (ERR_OK);
}

bool
hops_trusts(const struct hops *h, const struct in6_addr *a)
{
	for (unsigned i = 0; i < h->n; i++) {
		const unsigned char *net = h->nets[i].address.s6_addr;
		unsigned whole = h->nets[i].bits / 8,
			 rest = h->nets[i].bits % 8;

		if (memcmp(net, a->s6_addr, whole) == 0 &&
		    (rest == 0 ||
			(net[whole] ^ a->s6_addr[whole]) >> (8 - rest) == 0))
			return (true);
	}
	return (false);
}

static bool
is_port(const char *s, size_t len)
{
	if (len < 2 || len > 6 || s[0] != ':')
		return (false);
	for (size_t i = 1; i < len; i++)
		if (!octet_is_digit(s[i]))
			return (false);
	return (true);
}

/* RFC 7239 section 6, also as some write it in X-Forwarded-For: an address,
 * that of IPv6 in brackets if a port follows. */
static bool
parse_hop(const struct piece *p, struct in6_addr *ret)
{
	const char *end = p->s + p->len, *stop;
	const char *s = p->s;
	bool four;

	if (p->len > 0 && *s == '[') {
		stop = memchr(s, ']', p->len);
		return (stop != NULL &&
		    parse_address(s + 1, (size_t)(stop - s - 1), ret, &four) &&
		    !four &&
		    (stop + 1 == end ||
			is_port(stop + 1, (size_t)(end - stop - 1))));
	}
	stop = memchr(s, ':', p->len);
	if (stop != NULL && is_port(stop, (size_t)(end - stop)))
		return (
		    parse_address(s, (size_t)(stop - s), ret, &four) && four);
	return (parse_address(s, p->len, ret, &four));
}

static bool
add(struct list *l, const char *s, size_t len)
{
	if (l->n == HOPS_MAX)
		return (false);
	l->hop[l->n++] = (struct piece){s, len};
	return (true);
}

static size_t
token_len(const char *s)
{
	size_t n = 0;

	while (octet_in_token[(unsigned char)s[n]])
		n++;
	return (n);
}

static bool
split_plain(const char *v, struct list *l)
{
	size_t len;

	for (;; v += len) {
		v += strspn(v, ", \t");
		if ((len = strcspn(v, ", \t")) == 0)
			return (*v == '\0');
		if (!add(l, v, len))
			return (false);
	}
}

/* The value of a pair of Forwarded, at *at; no address needs a backslash. */
static bool
take_value(const char **at, struct piece *ret)
{
	if (**at == '"') {
		ret->s = *at + 1;
		ret->len = strcspn(ret->s, "\"\\");
		*at = ret->s + ret->len + 1;
		return (ret->s[ret->len] == '"');
	}
	ret->s = *at;
	ret->len = token_len(*at);
	*at += ret->len;
	return (ret->len > 0);
}

/* One element: pairs with semicolons between, one of them `for`. */
static bool
take_element(const char **at, struct list *l)
{
	struct piece value, hop = {NULL, 0};
	const char *name;
	size_t len;

	do {
		name = *at + strspn(*at, "; \t");
		len = token_len(name);
		*at = name + len + 1;
		if (len == 0 || name[len] != '=' || !take_value(at, &value))
			return (false);
		if (len == 3 && strncasecmp(name, "for", 3) == 0) {
			if (hop.s != NULL)
				return (false);
			hop = value;
		}
		*at += strspn(*at, " \t");
	} while (**at == ';');
	return (hop.s != NULL && add(l, hop.s, hop.len) &&
	    (**at == ',' || **at == '\0'));
}

static bool
split_forwarded(const char *v, struct list *l)
{
	for (;;) {
		v += strspn(v, ", \t");
		if (*v == '\0')
			return (true);
		if (!take_element(&v, l))
			return (false);
	}
}

/* Several fields of one name are one list (RFC 9110 section 5.3). */
static bool
gather(const struct hops *h, const struct gate_head *head, struct list *l)
{
	const char *name = h->forwarded ? "Forwarded" : "X-Forwarded-For";

	for (unsigned i = 0; i < head->nheaders; i++) {
		const struct header *f = &head->headers[i];

		if (strcasecmp(f->name, name) != 0)
			continue;
		if (h->forwarded ? !split_forwarded(f->value, l)
				 : !split_plain(f->value, l))
			return (false);
	}
	return (true);
}

enum err
hops_client(const struct hops *h, const struct gate_head *head,
    struct in6_addr *io, struct err_info *info)
{
	struct list l = {.n = 0};
	struct in6_addr at = *io;
	bool good = gather(h, head, &l);

	while (good && l.n > 0 && hops_trusts(h, &at))
		good = parse_hop(&l.hop[--l.n], &at);
	if (!good)
		return (err_set(info, ERR_BAD_REQUEST, NULL,
		    "%s does not say who the request is from",
		    h->forwarded ? "Forwarded" : "X-Forwarded-For"));
	*io = at;
	return (ERR_OK);
}
