#include "api/fake.h"
#include "api/gzip.h"
#include "api/request_steps.h"
#include "api/stream.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(stream, .init = fake_init, .fini = fake_done);

#define PIECES 5

static int pieces, goodbyes;
static bool cut;

static void
give_piece(struct request *r)
{
	char piece[3000];

	if (pieces == PIECES) {
		stream_end(r, !cut);
		return;
	}
	memset(piece, 'a' + pieces++, sizeof(piece));
	stream_write(r, piece, sizeof(piece));
}

static void
goodbye(struct request *r)
{
	(void)r;
	goodbyes++;
}

static struct request *
open_call(struct fake_call *c, enum method m, const char *accept)
{
	pieces = goodbyes = 0;
	cut = false;
	call_init(c, m, "/x", NULL);
	if (accept != NULL)
		call_header(c, "Accept-Encoding", accept);
	return (request_new(&fake.api, &c->x));
}

static bool
begin(struct request *r)
{
	static const struct header more[] = {
	    {"Vary", "Accept"}, {"ETag", "\"7\""}};
	struct stream s = {200, "text/csv", more, 2, give_piece, goodbye};
	bool began = stream_begin(r, &s);

	request_release(r);
	return (began);
}

static void
pull_all(struct fake_call *c)
{
	while (!c->ended)
		call_pull(c);
}

/* In place: what the answer says. */
static void
inflate_answer(struct fake_call *c, size_t max)
{
	struct gunzip *g = gunzip_new(max);
	char *out = malloc(max + 1);
	size_t n = 0;

	gunzip_feed(g, c->body, c->body_len);
	cr_assert_eq(gunzip_read(g, out, max + 1, &n, NULL), ERR_OK);
	cr_assert_eq(gunzip_end(g, NULL), ERR_OK);
	gunzip_free(g);
	free(c->body);
	c->body = out;
	c->body_len = n;
}

static void
assert_pieces(const struct fake_call *c)
{
	cr_assert_eq(c->body_len, PIECES * 3000);
	for (size_t i = 0; i < c->body_len; i++)
		cr_assert_eq(c->body[i], 'a' + (char)(i / 3000));
}

Test(stream, as_it_is)
{
	struct fake_call c;

	cr_assert(begin(open_call(&c, METHOD_GET, "gzip;q=0")));
	cr_assert_eq(pieces, 0); /* nothing from inside */
	pull_all(&c);
	assert_pieces(&c);
	cr_assert(got_is(&c, "Content-Type", "text/csv"));
	cr_assert(got_is(&c, "Vary", "Accept, Accept-Encoding"));
	cr_assert(got_is(&c, "ETag", "\"7\""));
	cr_assert_null(call_got(&c, "Content-Encoding"));
	cr_assert(!c.cut && goodbyes == 0);
	call_done(&c);
}

Test(stream, in_gzip)
{
	struct fake_call c;

	cr_assert(begin(open_call(&c, METHOD_GET, "br, gzip")));
	pull_all(&c);
	cr_assert_lt(c.body_len, 1000);
	inflate_answer(&c, 20000);
	assert_pieces(&c);
	cr_assert(got_is(&c, "Content-Encoding", "gzip"));
	cr_assert(got_is(&c, "ETag", "\"7-gzip\""));
	call_done(&c);
}

Test(stream, head_is_answered_at_once)
{
	struct fake_call c;

	cr_assert_not(begin(open_call(&c, METHOD_HEAD, "gzip")));
	cr_assert(c.ended && !c.cut && pieces == 0);
	call_done(&c);
}

Test(stream, cut)
{
	struct fake_call c;

	cr_assert(begin(open_call(&c, METHOD_GET, "gzip")));
	cut = true;
	pull_all(&c);
	cr_assert(c.cut);
	call_done(&c);
}

Test(stream, client_leaves)
{
	struct fake_call c;
	struct request *r = open_call(&c, METHOD_GET, "gzip");

	cr_assert(begin(r));
	call_pull(&c);
	request_hold(r); /* somebody who would write later */
	call_leave(&c);
	cr_assert_eq(goodbyes, 1);
	cr_assert(request_gone(r));
	stream_write(r, "x", 1);
	stream_end(r, true);
	cr_assert_not(c.ended);
	request_release(r);
	call_done(&c);
}

static char
letter(size_t i)
{
	return ((char)('a' + (i * UINT64_C(0x9e3779b97f4a7c15) >> 40) % 23));
}

static void
reply_of(struct fake_call *c, size_t len, const char *type, const char *accept)
{
	struct request *r = open_call(c, METHOD_GET, accept);
	struct header h[] = {{"Content-Type", type}, {"ETag", "W/\"1\""}};
	char *body = malloc(len);

	for (size_t i = 0; i < len; i++)
		body[i] = letter(i);
	reply_with(r, 200, h, 2, body, len);
	free(body);
	request_release(r);
	if (c->streamed)
		pull_all(c);
}

Test(stream, replies_are_gzipped_by_size_and_type)
{
	static const struct {
		size_t len;
		const char *type;
		bool coded, streamed;
	} of[] = {
	    {1023, "application/json", false, false},
	    {1024, "application/json", true, false},
	    {1024, "text/plain; version=0.0.4", true, false},
	    {1024, "application/octet-stream", false, false},
	    {65536, "application/json", true, false},
	    {65537, "application/json", true, true},
	    {1000000, "text/csv", true, true},
	};

	fake.api.cors_origin = "https://screen.example";
	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		struct fake_call c;
		const char *coding;

		reply_of(&c, of[i].len, of[i].type, "gzip");
		coding = call_got(&c, "Content-Encoding");
		cr_assert_eq(coding != NULL, of[i].coded, "%zu", i);
		cr_assert_eq(c.streamed, of[i].streamed, "%zu", i);
		if (of[i].coded)
			inflate_answer(&c, of[i].len);
		cr_assert_eq(c.body_len, of[i].len);
		for (size_t j = 0; j < c.body_len; j++)
			cr_assert_eq(c.body[j], letter(j));
		cr_assert(got_is(&c, "ETag", "W/\"1\""));
		cr_assert(got_is(&c, "Vary",
		    of[i].coded ? "Origin, Accept-Encoding" : "Origin"));
		call_done(&c);
	}
}

Test(stream, client_leaves_a_reply_in_slices)
{
	struct fake_call c;
	struct request *r = open_call(&c, METHOD_GET, "gzip");
	char *body = calloc(1, 300000);

	reply_json(r, 200, body, 300000);
	free(body);
	request_release(r);
	call_pull(&c);
	call_leave(&c);
	cr_assert_not(c.ended);
	call_done(&c);
}

Test(stream, a_304_names_what_the_client_has)
{
	static const struct header tag = {"ETag", "\"7\""};
	static const char *const of[][2] = {
	    {"\"7\"", "\"7\""}, {"\"6-gzip\", \"7-gzip\"", "\"7-gzip\""}};

	for (size_t i = 0; i < 2; i++) {
		struct fake_call c;
		struct request *r = open_call(&c, METHOD_GET, "gzip");

		call_header(&c, "If-None-Match", of[i][0]);
		reply_with(r, 304, &tag, 1, NULL, 0);
		request_release(r);
		cr_assert(got_is(&c, "ETag", of[i][1]));
		call_done(&c);
	}
}
