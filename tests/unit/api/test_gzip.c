#include "api/gzip.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 1000

struct bytes {
	char *s;
	size_t len;
};

static struct bytes
pack(const char *s, size_t len, size_t piece)
{
	struct bytes out = {malloc(len + 4096), 0};
	struct gzip *g = gzip_new();
	size_t n, take;
	bool last;

	do {
		take = len < piece ? len : piece;
		gzip_feed(g, s, take);
		s += take;
		len -= take;
		last = len == 0;
		do {
			gzip_read(g, last, out.s + out.len, ROOM, &n);
			out.len += n;
		} while (n == ROOM);
	} while (!last);
	gzip_free(g);
	return (out);
}

static enum err
unpack(struct bytes in, size_t max, size_t piece, struct bytes *out)
{
	struct gunzip *g = gunzip_new(max);
	enum err e = ERR_OK;
	size_t n, take;

	*out = (struct bytes){malloc(max + ROOM + 1), 0};
	while (in.len > 0 && e == ERR_OK) {
		take = in.len < piece ? in.len : piece;
		gunzip_feed(g, in.s, take);
		in.s += take;
		in.len -= take;
		do {
			n = 0;
			e = gunzip_read(g, out->s + out->len, ROOM, &n, NULL);
			out->len += n;
		} while (n == ROOM);
	}
	if (e == ERR_OK)
		e = gunzip_end(g, NULL);
	gunzip_free(g);
	return (e);
}

static struct bytes
sample(size_t len)
{
	struct bytes b = {malloc(len + 1), len};
	unsigned seed = 7;

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		b.s[i] = (char)('a' + (seed >> 16) % 7);
	}
	return (b);
}

Test(gzip, there_and_back_in_any_pieces)
{
	static const size_t lens[] = {0, 1, 999, 1000, 1001, 300000};
	static const size_t pieces[] = {7, 1000, 1000000};

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		for (size_t j = 0; j < sizeof(pieces) / sizeof(*pieces); j++) {
			struct bytes b = sample(lens[i]), back;
			struct bytes z = pack(b.s, b.len, pieces[j]);

			cr_assert_eq(
			    unpack(z, b.len, pieces[j], &back), ERR_OK);
			cr_assert_eq(back.len, b.len);
			cr_assert_eq(memcmp(back.s, b.s, b.len), 0);
			free(b.s);
			free(z.s);
			free(back.s);
		}
}

Test(gzip, cap_on_what_comes_out)
{
	struct bytes b = sample(5000), z = pack(b.s, b.len, 5000), back;

	cr_assert_eq(unpack(z, 4999, 100, &back), ERR_TOO_LARGE);
	cr_assert_leq(back.len, 4999);
	free(back.s);
	cr_assert_eq(unpack(z, 5000, 100, &back), ERR_OK);
	free(back.s);
	free(b.s);
	free(z.s);
}

Test(gzip, ratio_stops_a_bomb_early)
{
	size_t len = (size_t)10 << 20;
	struct bytes b = {calloc(1, len), len}, z = pack(b.s, len, len), back;

	cr_assert_eq(unpack(z, len, 1 << 20, &back), ERR_TOO_LARGE);
	cr_assert_lt(back.len, len / 2);
	free(back.s);
	free(z.s);
	/* A small one may be as tight as it likes. */
	z = pack(b.s, GUNZIP_FREE, len);
	cr_assert_eq(unpack(z, len, 1 << 20, &back), ERR_OK);
	free(back.s);
	free(b.s);
	free(z.s);
}

Test(gzip, every_cut_and_what_follows_is_told)
{
	struct bytes b = sample(400), z = pack(b.s, b.len, 400), back, part;

	for (size_t i = 0; i < z.len; i++) {
		part = (struct bytes){z.s, i};
		cr_assert_eq(unpack(part, 400, 50, &back), ERR_BAD_REQUEST);
		free(back.s);
	}
	z.s[z.len] = 'x';
	part = (struct bytes){z.s, z.len + 1};
	cr_assert_eq(unpack(part, 400, 50, &back), ERR_BAD_REQUEST);
	free(back.s);
	z.s[z.len - 5] ^= 1; /* the checksum */
	cr_assert_eq(unpack(z, 400, 50, &back), ERR_BAD_REQUEST);
	free(back.s);
	free(b.s);
	free(z.s);
}

Test(gzip, members_follow_one_another)
{
	struct bytes b = sample(300), z = pack(b.s, b.len, 300), two, back;

	two = (struct bytes){malloc(2 * z.len), 2 * z.len};
	memcpy(two.s, z.s, z.len);
	memcpy(two.s + z.len, z.s, z.len);
	cr_assert_eq(unpack(two, 600, 13, &back), ERR_OK);
	cr_assert_eq(back.len, 600);
	cr_assert_eq(memcmp(back.s + 300, b.s, 300), 0);
	free(two.s);
	free(back.s);
	free(b.s);
	free(z.s);
}

Test(gzip, accept_encoding)
{
	static const struct {
		const char *s;
		bool accepted;
	} of[] = {
	    {NULL, false},
	    {"", false},
	    {"gzip", true},
	    {"GZip", true},
	    {"deflate, gzip;q=0.5, br", true},
	    {"deflate,br", false},
	    {"gzip;q=0", false},
	    {"gzip; q=0.000", false},
	    {"gzip;q=0.001", true},
	    {"*", true},
	    {"*;q=0", false},
	    {"gzip;q=0, *", false},
	    {"*;q=0, gzip", true},
	    {"identity", false},
	    {"gzipped", false},
	    {"x-gzip", true},
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		cr_assert_eq(gzip_accepted(of[i].s), of[i].accepted, "%s",
		    of[i].s == NULL ? "-" : of[i].s);
}
