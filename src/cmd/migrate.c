/*
 * penstock-migrate: brings a database forward to what sql/migrations says.
 *
 * Each file NNNN_verb_noun.sql runs once, in one transaction together with
 * the row of schema_migrations that remembers it and its SHA-256, under an
 * advisory lock. What was applied must still be there, unchanged, and without
 * gaps; anything else is refused before anything runs.
 */
#include "cmd/database.h"
#include "cmd/tool.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIGRATIONS_MAX 9999
#define FILE_MAX_BYTES (4 * 1024 * 1024)
#define LOCK_KEY       "7305804403"

struct migration {
	int version;	/* 1 to 9999 */
	char name[128]; /* without the number and ".sql" */
	char file[160];
	char sha256[65];
	char *text;
	char applied_at[40]; /* "" if it was not */
};

struct migrations {
	struct migration *list; /* by version */
	size_t n;
	size_t applied; /* the first so many are in the database */
};

static bool
hash_text(const char *text, size_t len, char hex[static 65])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0, i;

	if (EVP_Digest(text, len, md, &n, EVP_sha256(), NULL) != 1 || n != 32)
		return (false);
	for (i = 0; i < n; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", md[i]);
	return (true);
}

/* False: the name is not NNNN_verb_noun.sql. */
static bool
parse_name(const char *file, struct migration *m)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t len = strlen(file);

	if (len < 10 || len >= sizeof(m->name) ||
	    strspn(file, "0123456789") != 4 || file[4] != '_' ||
	    strcmp(file + len - 4, ".sql") != 0 ||
	    strspn(file + 5, word) != len - 9)
		return (false);
	memset(m, 0, sizeof(*m));
	m->version = (int)strtol(file, NULL, 10);
	snprintf(m->name, sizeof(m->name), "%.*s", (int)(len - 9), file + 5);
	memcpy(m->file, file, len + 1);
	return (true);
}

static bool
load_file(const char *dir, struct migration *m)
{
	char path[4096];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, m->file);
	if ((m->text = tool_slurp(path, FILE_MAX_BYTES, &len)) == NULL)
		return (false);
	if (strlen(m->text) != len) {
		tool_error("%s: holds a NUL byte", m->file);
		return (false);
	}
	return (hash_text(m->text, len, m->sha256));
}

static int
is_sql(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return (d->d_name[0] != '.' && dot != NULL && strcmp(dot, ".sql") == 0);
}

static bool
load_one(const char *dir, const char *file, struct migrations *ms)
{
	struct migration *m = &ms->list[ms->n];

	if (!parse_name(file, m)) {
		tool_error("%s: the name must be NNNN_verb_noun.sql", file);
		return (false);
	}
	if (m->version != (int)ms->n + 1) {
		tool_error("%s: its number should be %04zu; one is %s", file,
		    ms->n + 1, m->version > (int)ms->n ? "missing" : "double");
		return (false);
	}
	ms->n++;
	return (load_file(dir, m));
}

static bool
load_folder(const char *dir, struct migrations *ms)
{
	struct dirent **names;
	bool ok = true;
	int i, n;

	if ((n = scandir(dir, &names, is_sql, alphasort)) == -1) {
		tool_error("%s: %s", dir, strerror(errno));
		return (false);
	}
	ms->list = calloc((size_t)n + 1, sizeof(*ms->list));
	if (n == 0 || n > MIGRATIONS_MAX || ms->list == NULL) {
		tool_error("%s: %d migrations in there", dir, n);
		ok = false;
	}
	for (i = 0; i < n; i++) {
		ok = ok && load_one(dir, names[i]->d_name, ms);
		free(names[i]);
	}
	free(names);
	return (ok);
}

static void
unload(struct migrations *ms)
{
	size_t i;

	for (i = 0; i < ms->n; i++)
		free(ms->list[i].text);
	free(ms->list);
}

/* NULL, after saying why, unless it succeeded. */
static PGresult *
run(PGconn *db, const char *what, const char *sql)
{
	PGresult *r = PQexec(db, sql);
	ExecStatusType st = PQresultStatus(r);

	if (st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK)
		return (r);
	tool_error("%s: %s", what, PQerrorMessage(db));
	PQclear(r);
	return (NULL);
}

static bool
run_only(PGconn *db, const char *what, const char *sql)
{
	PGresult *r = run(db, what, sql);

	PQclear(r);
	return (r != NULL);
}

/* One row of schema_migrations against the file of the same number. */
static bool
check_applied(struct migrations *ms, size_t i, int version, const char *name,
    const char *sha256)
{
	struct migration *m = &ms->list[i];

	if (i >= ms->n) {
		tool_error("%04d_%s.sql: was applied, but is not in the "
			   "folder",
		    version, name);
		return (false);
	}
	if (version != m->version || strcmp(name, m->name) != 0) {
		tool_error("%s: the database has %04d_%s.sql in its place",
		    m->file, version, name);
		return (false);
	}
	if (strcmp(sha256, m->sha256) != 0) {
		tool_error("%s: changed since it was applied (SHA-256 %s, "
			   "was %s)",
		    m->file, m->sha256, sha256);
		return (false);
	}
	return (true);
}

static bool
compare(PGconn *db, struct migrations *ms)
{
	PGresult *r;
	bool ok = true;
	int i;

	r = run(db, "schema_migrations",
	    "SELECT version, name, sha256, to_char(applied_at AT TIME ZONE "
	    "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM schema_migrations "
	    "ORDER BY version");
	if (r == NULL)
		return (false);
	for (i = 0; ok && i < PQntuples(r); i++) {
		ok = check_applied(ms, (size_t)i,
		    (int)strtol(PQgetvalue(r, i, 0), NULL, 10),
		    PQgetvalue(r, i, 1), PQgetvalue(r, i, 2));
		if (ok)
			snprintf(ms->list[i].applied_at,
			    sizeof(ms->list[i].applied_at), "%s",
			    PQgetvalue(r, i, 3));
	}
	ms->applied = (size_t)PQntuples(r);
	PQclear(r);
	return (ok);
}

static bool
remember(PGconn *db, const struct migration *m)
{
	char version[12];
	const char *values[] = {version, m->name, m->sha256};
	PGresult *r;
	bool ok;

	snprintf(version, sizeof(version), "%d", m->version);
	r = PQexecParams(db,
	    "INSERT INTO schema_migrations (version, name, sha256) "
	    "VALUES ($1, $2, $3)",
	    3, NULL, values, NULL, NULL, 0);
	if (!(ok = PQresultStatus(r) == PGRES_COMMAND_OK))
		tool_error("%s: %s", m->file, PQerrorMessage(db));
	PQclear(r);
	return (ok);
}

static bool
apply(PGconn *db, const struct migration *m)
{
	if (!run_only(db, m->file, "BEGIN"))
		return (false);
	if (!run_only(db, m->file, m->text))
		return (false);
	if (PQtransactionStatus(db) != PQTRANS_INTRANS) {
		tool_error("%s: ended its own transaction; what it did may "
			   "be half done",
		    m->file);
		return (false);
	}
	if (!remember(db, m) || !run_only(db, m->file, "COMMIT"))
		return (false);
	printf("applied %s\n", m->file);
	return (true);
}

static bool
apply_all(PGconn *db, const struct migrations *ms)
{
	size_t i;

	for (i = ms->applied; i < ms->n; i++)
		if (!apply(db, &ms->list[i]))
			return (false);
	printf("%zu migrations, %zu of them new\n", ms->n, ms->n - ms->applied);
	return (true);
}

static void
print_status(const struct migrations *ms)
{
	size_t i;

	for (i = 0; i < ms->n; i++)
		printf("%s %s\n",
		    ms->list[i].applied_at[0] == '\0' ? "pending             "
						      : ms->list[i].applied_at,
		    ms->list[i].file);
}

static bool
has_table(PGconn *db, bool *ret)
{
	PGresult *r = run(db, "schema_migrations",
	    "SELECT to_regclass('schema_migrations') IS NOT NULL");

	if (r == NULL)
		return (false);
	*ret = PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	return (true);
}

/* --status looks and leaves no trace. */
static bool
status(PGconn *db, struct migrations *ms)
{
	bool there;

	if (!has_table(db, &there) || (there && !compare(db, ms)))
		return (false);
	print_status(ms);
	return (true);
}

static bool
migrate(PGconn *db, struct migrations *ms)
{
	/* The lock is the session's: it goes with the connection. */
	return (run_only(db, "lock", "SET client_min_messages = warning") &&
	    run_only(db, "lock", "SELECT pg_advisory_lock(" LOCK_KEY ")") &&
	    run_only(db, "schema_migrations",
		"CREATE TABLE IF NOT EXISTS schema_migrations ("
		"version int PRIMARY KEY, name text NOT NULL, "
		"sha256 text NOT NULL, "
		"applied_at timestamptz NOT NULL DEFAULT now())") &&
	    compare(db, ms) && apply_all(db, ms));
}

static int
usage(void)
{
	fputs(
	    "usage: penstock-migrate [--database CONNINFO] [--dir FOLDER] "
	    "[--status]\n"
	    "CONNINFO is PENSTOCK_MIGRATE_URL, or else PENSTOCK_DATABASE_URL, "
	    "if not given; FOLDER is sql/migrations.\n",
	    stderr);
	return (TOOL_USAGE);
}

static int
work(const char *conninfo, const char *dir, bool only_status)
{
	struct migrations ms = {0};
	PGconn *db = NULL;
	bool ok = load_folder(dir, &ms);

	if (ok) {
		db = PQconnectdb(conninfo);
		if (!(ok = PQstatus(db) == CONNECTION_OK))
			tool_error("%s", PQerrorMessage(db));
	}
	ok = ok && (only_status ? status(db, &ms) : migrate(db, &ms));
	PQfinish(db);
	unload(&ms);
	return (ok ? TOOL_OK : TOOL_FAILED);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"database", required_argument, NULL, 'd'},
	    {"dir", required_argument, NULL, 'f'},
	    {"status", no_argument, NULL, 's'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *database = NULL, *dir = "sql/migrations";
	bool only_status = false;
	char *conninfo;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			database = optarg;
		else if (c == 'f')
			dir = optarg;
		else if (c == 's')
			only_status = true;
		else
			return (usage());
	}
	if (optind != argc)
		return (usage());
	if ((conninfo = database_conninfo(database, "PENSTOCK_MIGRATE_URL")) ==
	    NULL)
		return (TOOL_USAGE);
	rc = work(conninfo, dir, only_status);
	free(conninfo);
	return (rc);
}
