/*
 * penstock-bootstrap: makes the first admin of an empty Penstock.
 *
 * Does nothing if there is any user. The password is random, goes to a file
 * of mode 0600 and is printed once; the database holds its hash only. The
 * file is complete before the user exists, so that no start leaves an admin
 * whose password nobody knows.
 */
#include "auth/password.h"
#include "cmd/database.h"
#include "cmd/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
run(PGconn *db, const char *sql, int n, const char *const *values,
    int *ret_rows)
{
	PGresult *r = PQexecParams(db, sql, n, NULL, values, NULL, NULL, 0);
	ExecStatusType st = PQresultStatus(r);
	bool ok = st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK;

	if (!ok)
		tool_error("%s", PQerrorMessage(db));
	else if (ret_rows != NULL)
		*ret_rows = PQntuples(r);
	PQclear(r);
	return (ok);
}

static bool
write_all(int fd, const char *s)
{
	size_t n = strlen(s);
	ssize_t w;

	while (n > 0) {
		if ((w = write(fd, s, n)) == -1 && errno == EINTR)
			continue;
		if (w <= 0)
			return (false);
		s += w;
		n -= (size_t)w;
	}
	return (fsync(fd) == 0);
}

/* Another name first: at its own it is always whole. */
static bool
write_password(const char *path, const char *password)
{
	char other[4096], line[PASSWORD_RANDOM + 1];
	bool ok;
	int fd;

	if (snprintf(other, sizeof(other), "%s.XXXXXX", path) >=
		(int)sizeof(other) ||
	    (fd = mkostemp(other, O_CLOEXEC)) == -1) { /* mode 0600 */
		tool_error("%s: %s", path, strerror(errno));
		return (false);
	}
	snprintf(line, sizeof(line), "%s\n", password);
	ok = write_all(fd, line);
	ok = close(fd) == 0 && ok && rename(other, path) == 0;
	explicit_bzero(line, sizeof(line));
	if (!ok) {
		tool_error("%s: %s", path, strerror(errno));
		unlink(other);
	}
	return (ok);
}

static bool
make_admin(PGconn *db, const char *username, const char *path)
{
	char password[PASSWORD_RANDOM], hash[PASSWORD_HASH];
	const char *values[] = {username, hash};
	struct err_info info = {.code = ERR_OK};
	bool ok;

	password_random(password);
	if (password_hash(password, hash, &info) != ERR_OK) {
		tool_error("%s", info.detail);
		return (false);
	}
	ok = write_password(path, password) &&
	    run(db,
		"INSERT INTO users (username, password_hash, role) "
		"VALUES ($1, $2, 'admin')",
		2, values, NULL) &&
	    run(db, "COMMIT", 0, NULL, NULL);
	if (ok)
		printf("first admin: user %s, password %s\n(shown once; also "
		       "in %s)\n",
		    username, password, path);
	explicit_bzero(password, sizeof(password));
	return (ok);
}

static bool
bootstrap(PGconn *db, const char *username, const char *path)
{
	int users;

	/* Two at once: the second waits, and then finds a user. */
	if (!run(db, "BEGIN", 0, NULL, NULL) ||
	    !run(db, "LOCK TABLE users IN EXCLUSIVE MODE", 0, NULL, NULL) ||
	    !run(db, "SELECT FROM users LIMIT 1", 0, NULL, &users))
		return (false);
	if (users == 0)
		return (make_admin(db, username, path));
	printf("there are users already\n");
	return (run(db, "COMMIT", 0, NULL, NULL));
}

static int
usage(void)
{
	fputs("usage: penstock-bootstrap --password-file FILE [--username "
	      "NAME] [--database CONNINFO]\n"
	      "NAME is admin, CONNINFO is PENSTOCK_MIGRATE_URL, or else "
	      "PENSTOCK_DATABASE_URL, if not given.\n",
	    stderr);
	return (TOOL_USAGE);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"database", required_argument, NULL, 'd'},
	    {"password-file", required_argument, NULL, 'p'},
	    {"username", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	const char *database = NULL, *path = NULL, *username = "admin";
	char *conninfo;
	PGconn *db;
	bool ok;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			database = optarg;
		else if (c == 'p')
			path = optarg;
		else if (c == 'u')
			username = optarg;
		else
			return (usage());
	}
	if (optind != argc || path == NULL)
		return (usage());
	if ((conninfo = database_conninfo(database, "PENSTOCK_MIGRATE_URL")) ==
	    NULL)
		return (TOOL_USAGE);
	db = PQconnectdb(conninfo);
	free(conninfo);
	if (!(ok = PQstatus(db) == CONNECTION_OK))
		tool_error("%s", PQerrorMessage(db));
	ok = ok && bootstrap(db, username, path);
	PQfinish(db);
	return (ok ? TOOL_OK : TOOL_FAILED);
}
