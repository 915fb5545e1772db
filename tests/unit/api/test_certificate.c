#include "api/fake.h"
#include "auth/key.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(certificate, .init = fake_init, .fini = fake_done);

static struct key key;

static void
put_key(bool revoked, int64_t change)
{
	struct key_row row = {.id = key.id,
	    .label = "pump house",
	    .sha256 = key.sha,
	    .revoked = revoked,
	    .change = change};

	cr_assert_eq(registry_put_key(fake.api.registry, &row), ERR_OK);
}

static void
learn_key(void)
{
	put_key(false, 1);
}

static int
post(const char *name, const char *authorization)
{
	struct fake_call c;
	char client[64];
	int status;

	snprintf(client, sizeof(client), "%s", name);
	call_init(&c, METHOD_POST, "/api/v1/readings", "{\"readings\":[]}");
	c.x.client = client;
	if (authorization != NULL)
		call_header(&c, "Authorization", authorization);
	call_run(&c);
	status = c.status;
	call_done(&c);
	return (status);
}

Test(certificate, stands_for_its_key)
{
	char text[KEY_LEN + 1];

	key_new(&key, text);
	cr_expect_eq(post("pump house", NULL), 401);
	cr_expect_eq(fake.refreshes, 1);
	fake.on_refresh = learn_key;
	cr_expect_eq(post("pump house", NULL), 200);
	cr_expect_eq(post(key.id, NULL), 200);
	cr_expect_eq(fake.refreshes, 2);
	cr_expect_eq(post("pump", NULL), 401);
	fake.on_refresh = NULL;
	put_key(true, 2);
	cr_expect_eq(post("pump house", NULL), 401);
	cr_expect_eq(post(key.id, NULL), 401);
}

/* What is said is judged alone, right or wrong. */
Test(certificate, counts_only_where_nothing_is_said)
{
	static const char *const said[] = {
	    "Bearer x", "Basic YTpi", "Bearer", "", "Bearer pk_short"};
	char text[KEY_LEN + 1];

	key_new(&key, text);
	learn_key();
	cr_expect_eq(post("pump house", NULL), 200);
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
		cr_expect_eq(post("pump house", said[i]), 401, "%s", said[i]);
}
