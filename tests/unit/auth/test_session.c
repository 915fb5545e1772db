/* Our own keys by rotation, refresh tokens, and sessions that ended. */
#include "auth/keyring.h"
#include "auth/refresh.h"
#include "auth/revoked.h"
#include "auth/token.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1795000000000000)
#define OLD "an old key that is long enough to be one"
#define NEW "a new key that is long enough to be one"

static enum err
issue_and_check(const char *signer, const char *verifier)
{
	struct token t = {.subject = "anna", .role = ROLE_VIEWER, .session = 1};
	struct keyring sign, verify;
	struct token_config c = {&sign, "penstock", "penstock-api", 900, NULL};
	char text[TOKEN_MAX];
	enum err e;

	cr_assert_eq(keyring_parse(signer, &sign, NULL), ERR_OK);
	cr_assert_eq(keyring_parse(verifier, &verify, NULL), ERR_OK);
	cr_assert_eq(token_issue(&c, &t, NOW, text, NULL), ERR_OK);
	c.keys = &verify;
	e = token_verify(&c, text, NOW, &t, NULL);
	keyring_done(&sign);
	keyring_done(&verify);
	return (e);
}

/* The steps of a rotation, two instances never more than one step apart. */
Test(keyring, a_rotation_has_no_gap)
{
	static const char *const steps[] = {
	    OLD, OLD "\n" NEW, NEW "\n" OLD "\n", NEW};

	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(issue_and_check(steps[i], steps[i + 1]), ERR_OK,
		    "step %zu", i);
		cr_expect_eq(issue_and_check(steps[i + 1], steps[i]), ERR_OK,
		    "step %zu, backwards", i);
	}
	cr_expect_eq(issue_and_check(OLD, NEW), ERR_UNAUTHORIZED);
}

Test(keyring, what_is_no_ring)
{
	static const char *const bad[] = {"", "\n\r\n", "too short",
	    OLD "\nshort", OLD "1\n" OLD "2\n" OLD "3\n" OLD "4\n" OLD "5"};
	struct err_info info;
	struct keyring r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		info.code = ERR_OK;
		cr_expect_eq(
		    keyring_parse(bad[i], &r, &info), ERR_INVALID, "%zu", i);
		cr_expect_null(strstr(info.detail, "old key"));
		cr_expect_null(strstr(info.detail, "short"));
	}
}

Test(keyring, names_follow_from_keys)
{
	struct keyring a, b;

	cr_assert_eq(keyring_parse(OLD "\n" NEW, &a, NULL), ERR_OK);
	cr_assert_eq(keyring_parse("\r\n" NEW "\r\n" OLD, &b, NULL), ERR_OK);
	cr_expect_str_eq(a.keys[0].kid, b.keys[1].kid);
	cr_expect_str_eq(a.keys[1].kid, b.keys[0].kid);
	cr_expect_str_neq(a.keys[0].kid, a.keys[1].kid);
	cr_expect(keyring_same(&a, &a));
	cr_expect_not(keyring_same(&a, &b));
	cr_expect_null(strstr(OLD NEW, a.keys[0].kid));
	keyring_done(&a);
	keyring_done(&b);
}

Test(refresh, one_part_stays_and_one_changes)
{
	char first[REFRESH_LEN + 1], second[REFRESH_LEN + 1];
	char stranger[REFRESH_LEN + 1];
	struct refresh a, b, c, parsed;

	refresh_new(&a, first);
	cr_expect_eq(strlen(first), REFRESH_LEN);
	cr_assert(refresh_parse(first, &parsed));
	cr_expect(digest_equal(parsed.handle, a.handle));
	cr_expect(digest_equal(parsed.secret, a.secret));
	refresh_next(first, &b, second);
	cr_expect(digest_equal(b.handle, a.handle));
	cr_expect_not(digest_equal(b.secret, a.secret));
	cr_assert(refresh_parse(second, &parsed));
	cr_expect(digest_equal(parsed.secret, b.secret));
	refresh_new(&c, stranger);
	cr_expect_not(digest_equal(c.handle, a.handle));
	cr_expect_not(digest_equal(c.secret, a.secret));
}

Test(refresh, what_is_none)
{
	char text[REFRESH_LEN + 1], bad[REFRESH_LEN + 2];
	struct refresh r;

	refresh_new(&r, text);
	for (size_t i = 0; i < REFRESH_LEN; i++) {
		snprintf(bad, sizeof(bad), "%.*s", (int)i, text);
		cr_expect_not(refresh_parse(bad, &r), "cut at %zu", i);
	}
	snprintf(bad, sizeof(bad), "%sx", text);
	cr_expect_not(refresh_parse(bad, &r));
	text[0] = 'x';
	cr_expect_not(refresh_parse(text, &r));
}

static bool
has(const struct revoked *r, int64_t session)
{
	return (revoked_has(r, &(struct revoked_keys){{session, 0}, 0}));
}

static void
put(struct revoked *r, int64_t session, int64_t until_us, int64_t now_us)
{
	struct revoked_row row = {session, until_us, session, 0};

	cr_assert_eq(revoked_put(r, &row, now_us), ERR_OK);
}

Test(revoked, knows_all_that_were_put_and_no_other)
{
	struct revoked *r = revoked_new();

	cr_expect_not(revoked_known(r));
	cr_expect_not(has(r, 0));
	cr_expect_not(has(r, 1));
	for (int64_t i = 1; i <= 5000; i++)
		put(r, 64 * i, 100, 0); /* all in one place, if unlucky */
	put(r, 64, 100, 0);
	for (int64_t i = 0; i <= 320000; i++)
		cr_assert_eq(
		    has(r, i), i > 0 && i % 64 == 0, "%lld", (long long)i);
	cr_expect_eq(revoked_change(r), 320000);
	cr_expect_not(revoked_fresh(r, 0));
	revoked_loaded(r, 5);
	cr_expect(revoked_known(r));
	cr_expect(revoked_fresh(r, 10000004));
	cr_expect_not(revoked_fresh(r, 10000005));
	revoked_heard(r, 6);
	cr_expect(revoked_fresh(r, 10000005));
	cr_expect(revoked_known(r));
	revoked_free(r);
}

/* A million come and go in the room of a few thousand. */
Test(revoked, forgets_what_is_over)
{
	struct revoked *r = revoked_new();

	for (int64_t i = 1; i <= 1000000; i++) {
		put(r, i, i + 1000, i);
		cr_assert(has(r, i));
		if (i > 999)
			cr_assert(has(r, i - 998));
	}
	cr_expect_not(has(r, 1));
	cr_expect_not(has(r, 900000));
	revoked_free(r);
}

Test(revoked, has_a_bound)
{
	struct revoked *r = revoked_new();
	struct revoked_row row = {.until_us = 100};
	enum err e = ERR_OK;

	while (e == ERR_OK && row.key <= REVOKED_MAX) {
		row.key++;
		e = revoked_put(r, &row, 0);
	}
	cr_expect_eq(e, ERR_TOO_LARGE);
	cr_expect(has(r, row.key - 1));
	cr_expect_not(has(r, row.key));
	row.key = 0;
	cr_expect_eq(revoked_put(r, &row, 0), ERR_INVALID);
	revoked_free(r);
}

/* SHA-256 of "sub:idp:u-1" begins with these bytes, the first bit set. */
Test(revoked, marks_are_as_in_sql)
{
	cr_expect_eq(
	    revoked_mark("sub", "idp:u-1"), INT64_C(-3318206117868394947));
	cr_expect_eq(revoked_mark("jti", "t-1"), INT64_C(-8072012157011020495));
}

Test(revoked, ends_by_holder_what_began_before_and_by_name_one)
{
	struct revoked *r = revoked_new();
	int64_t sub = revoked_mark("sub", "idp:u-1");
	int64_t jti = revoked_mark("jti", "t-1");
	const struct {
		struct revoked_keys keys;
		bool want;
	} rows[] = {
	    {{{sub, 0}, 999}, true},
	    {{{sub, 0}, 1000}, false},
	    {{{sub, jti}, 1000}, true},
	    {{{revoked_mark("sub", "idp:u-2"), jti}, 5000}, true},
	    {{{revoked_mark("sub", "idp:u-2"), 0}, 5}, false},
	    {{{revoked_mark("jti", "idp:u-1"), revoked_mark("sub", "t-1")}, 5},
		false},
	};

	cr_assert_eq(
	    revoked_put(r, &(struct revoked_row){sub, 9000, 1, 1000}, 0),
	    ERR_OK);
	cr_assert_eq(
	    revoked_put(r, &(struct revoked_row){jti, 9000, 2, 0}, 0), ERR_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(
		    revoked_has(r, &rows[i].keys), rows[i].want, "%zu", i);
	/* The later one of a holder counts. */
	cr_assert_eq(
	    revoked_put(r, &(struct revoked_row){sub, 9000, 3, 2000}, 0),
	    ERR_OK);
	cr_expect(revoked_has(r, &rows[1].keys));
	revoked_free(r);
}
