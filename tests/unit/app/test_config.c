#include "app/config.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The environment of one test: NAME, value pairs. */
static const char *const *environment;

static char *
lookup(const char *name)
{
	const char *const *p;

	for (p = environment; *p != NULL; p += 2)
		if (strcmp(p[0], name) == 0)
			return ((char *)(uintptr_t)p[1]);
	return (NULL);
}

#define NEEDED                                                         \
	"PENSTOCK_TLS_CERT", "/c", "PENSTOCK_TLS_KEY", "/k",           \
	    "PENSTOCK_DATABASE_URL", "host=/s", "PENSTOCK_JWT_SECRET", \
	    "0123456789012345678901234567890123456789"

static enum err
load(const char *const *env, struct config *c, struct err_info *info)
{
	environment = env;
	memset(info, 0, sizeof(*info));
	return (config_load(c, lookup, info));
}

Test(config, defaults_stand_for_what_is_unset)
{
	static const char *const env[] = {NEEDED, NULL};
	struct config c;
	struct err_info info;

	cr_assert_eq(load(env, &c, &info), ERR_OK, "%s", info.detail);
	cr_expect_eq(c.port, 8443);
	cr_expect_str_eq(c.host, "127.0.0.1");
	cr_expect_eq(c.batch_max, 5000);
}

Test(config, what_is_missing_is_named)
{
	static const char *const env[] = {"PENSTOCK_TLS_CERT", "/c", NULL};
	struct config c;
	struct err_info info;

	cr_assert_neq(load(env, &c, &info), ERR_OK);
	cr_expect_not_null(strstr(info.detail, "PENSTOCK_TLS_KEY"));
}

Test(config, what_is_wrong_is_named)
{
	static const char *const bad[] = {
	    "0", "65536", "x", "80x", "", "-1", "99999999999999999999"};
	struct config c;
	struct err_info info;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const env[] = {
		    NEEDED, "PENSTOCK_PORT", bad[i], NULL};

		cr_expect_neq(load(env, &c, &info), ERR_OK, "%s", bad[i]);
		cr_expect_not_null(strstr(info.detail, "PENSTOCK_PORT"));
	}
}

Test(config, a_short_secret_is_refused)
{
	static const char *const env[] = {"PENSTOCK_TLS_CERT", "/c",
	    "PENSTOCK_TLS_KEY", "/k", "PENSTOCK_DATABASE_URL", "host=/s",
	    "PENSTOCK_JWT_SECRET", "short", NULL};
	struct config c;
	struct err_info info;

	cr_assert_neq(load(env, &c, &info), ERR_OK);
	cr_expect_not_null(strstr(info.detail, "PENSTOCK_JWT_SECRET"));
	cr_expect_null(strstr(info.detail, "short"), "the secret is shown");
}

Test(config, a_secret_comes_from_its_file_without_the_line_end)
{
	char path[] = "/tmp/penstock-config.XXXXXX";
	const char *env[] = {"PENSTOCK_TLS_CERT", "/c", "PENSTOCK_TLS_KEY",
	    "/k", "PENSTOCK_DATABASE_URL", "host=/s",
	    "PENSTOCK_JWT_SECRET_FILE", path, NULL};
	static const char secret[] =
	    "0123456789012345678901234567890123456789\n";
	struct config c;
	struct err_info info;
	int fd = mkstemp(path);

	cr_assert_eq(
	    write(fd, secret, sizeof(secret) - 1), (ssize_t)sizeof(secret) - 1);
	close(fd);
	cr_assert_eq(load(env, &c, &info), ERR_OK, "%s", info.detail);
	cr_expect_eq(strlen(c.jwt_secret), sizeof(secret) - 2);
	free((char *)(uintptr_t)c.jwt_secret); /* the service keeps it */
	unlink(path);
	cr_assert_neq(load(env, &c, &info), ERR_OK);
	cr_expect_not_null(strstr(info.detail, "PENSTOCK_JWT_SECRET_FILE"));
}

Test(config, every_default_is_within_its_own_bounds)
{
	size_t i;

	for (i = 0; i < nsettings; i++) {
		const struct setting *s = &settings[i];
		double v;

		if (s->fallback == NULL)
			continue;
		v = s->number ? strtod(s->fallback, NULL)
			      : (double)strlen(s->fallback);
		cr_expect(v >= s->min && v <= s->max, "%s", s->variable);
		cr_expect_gt(strlen(s->about), 10, "%s", s->variable);
	}
}
