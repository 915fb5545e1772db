#include "api/etag.h"
#include "api/fake.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <string.h>

#define T_US INT64_C(1794999600000000)

Test(etag, list_is_compared_weakly)
{
	static const struct {
		const char *list;
		bool match;
	} rows[] = {
	    {"\"abc\"", true},
	    {"W/\"abc\"", true},
	    {"\"abc-gzip\"", true},
	    {" \"x\" ,\tW/\"y\", \"abc\"", true},
	    {"*", true},
	    {" * ", true},
	    {"", false},
	    {"abc", false},
	    {"\"abcd\"", false},
	    {"\"ab\"", false},
	    {"\"-gzip\"", false},
	    {"\"abc", false},
	    {"\"x\", abc", false},
	    {"* \"x\"", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(etag_matches(rows[i].list, "\"abc\""),
		    rows[i].match, "%s", rows[i].list);
}

Test(etag, every_bit_and_the_order_count)
{
	char first[ETAG_TEXT], other[ETAG_TEXT];
	struct etag e;

	etag_init(&e);
	etag_mix(&e, 1);
	etag_mix(&e, 2);
	etag_text(&e, first);
	cr_assert_eq(strlen(first), ETAG_TEXT - 1);
	for (int bit = 0; bit < 128; bit++) {
		etag_init(&e);
		etag_mix(&e, 1 ^ (bit < 64 ? UINT64_C(1) << bit : 0));
		etag_mix(&e, 2 ^ (bit >= 64 ? UINT64_C(1) << (bit - 64) : 0));
		etag_text(&e, other);
		cr_expect_str_neq(first, other, "%d", bit);
	}
	etag_init(&e);
	etag_mix(&e, 2);
	etag_mix(&e, 1);
	etag_text(&e, other);
	cr_expect_str_neq(first, other);
}

static void
setup(void)
{
	struct node_row n = {.code = "N1", .zone = "Z1", .change = 1};
	struct series_row s = {.id = 1,
	    .node = "N1",
	    .metric = "flow",
	    .unit = "m3/h",
	    .canonical = "m3/h",
	    .kind = SERIES_INSTANT,
	    .change = 1};

	fake_init();
	cr_assert_eq(registry_put_node(fake.api.registry, &n), ERR_OK);
	cr_assert_eq(registry_put_series(fake.api.registry, &s), ERR_OK);
	fake.hot[0] = (struct reading){1, 0, 36.5, T_US, T_US + 1000};
	fake.nhot = 1;
}

static struct fake_call
get(const char *path, const char *known)
{
	struct fake_call c;

	call_init(&c, METHOD_GET, path, NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
	if (known != NULL)
		call_header(&c, "If-None-Match", known);
	call_run(&c);
	return (c);
}

/* Nothing new: no body. Any member that changes is a new answer. */
Test(etag, latest_again, .init = setup, .fini = fake_done)
{
	static const char *const paths[] = {
	    "/api/v1/nodes/N1/latest", "/api/v1/latest"};
	const struct reading first = fake.hot[0];

	for (size_t i = 0; i < 2; i++) {
		struct fake_call c = get(paths[i], NULL), again;
		const char *tag = call_got(&c, "ETag");

		cr_assert_eq(c.status, 200);
		cr_assert_not_null(tag);
		cr_expect(got_is(&c, "Cache-Control", "private, no-cache"));
		again = get(paths[i], tag);
		cr_expect_eq(again.status, 304);
		cr_expect_eq(again.body_len, 0);
		cr_expect(got_is(&again, "ETag", tag));
		call_done(&again);
		for (int j = 0; j < 5; j++) {
			fake.hot[0].value += j == 0;
			fake.hot[0].t_us += j == 1;
			fake.hot[0].received_us += j == 2;
			if (j == 3)
				fake.hot[0].quality = QUALITY_CLOCK_AHEAD;
			fake.stale_since_us += j == 4;
			again = get(paths[i], tag);
			cr_expect_eq(again.status, 200, "%d", j);
			call_done(&again);
			fake.stale_since_us -= j == 4;
			fake.hot[0] = first;
		}
		call_done(&c);
	}
}
