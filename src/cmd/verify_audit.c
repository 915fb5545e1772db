/*
 * penstock-verify-audit: walks the record of changes and computes every hash
 * again. Names each row that was changed, is missing or was put in; with
 * anchors ("ID HASH" lines that were kept elsewhere, ids rising) also a tail
 * that was cut off, and a chain that was computed anew. Holds one row at a
 * time.
 */
#include "cmd/database.h"
#include "cmd/tool.h"
#include "core/statement.h"

#include <getopt.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH	  32
#define HEX	  (2 * HASH)
#define CONTENT	  14 /* columns, from the first on */
#define TOLD_MOST 100

enum { PREV = CONTENT, HASH_TOLD, COLUMNS };

static struct {
	int64_t rows, breaches;
	int64_t id;	    /* of the row before; 0: none */
	char hash[HEX + 1]; /* as it says */
	FILE *anchors;
	int64_t anchor_id; /* 0: no more */
	char anchor[HEX + 1];
	int64_t anchored;
} v;

static void breach(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
breach(const char *fmt, ...)
{
	va_list ap;

	if (++v.breaches > TOLD_MOST)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* --- anchors -------------------------------------------------------------- */

static bool
anchor_next(void)
{
	int64_t before = v.anchor_id;
	char line[128];

	v.anchor_id = 0;
	if (v.anchors == NULL || fgets(line, sizeof(line), v.anchors) == NULL)
		return (true);
	if (sscanf(line, "%" SCNd64 " %64[0-9a-f]", &v.anchor_id, v.anchor) !=
		2 ||
	    strlen(v.anchor) != HEX || v.anchor_id < 1 ||
	    v.anchor_id < before) {
		tool_error("anchors are lines of ID and HASH, ids rising");
		return (false);
	}
	return (true);
}

/* Those up to this row. */
static bool
check_anchors(int64_t id, const char *hash)
{
	while (v.anchor_id != 0 && v.anchor_id <= id) {
		if (v.anchor_id == id && strcmp(v.anchor, hash) != 0)
			breach("row %" PRId64 ": replaced: its hash was %s "
			       "when it was written",
			    id, v.anchor);
		v.anchored++;
		if (!anchor_next())
			return (false);
	}
	return (true);
}

static bool
check_tail(void)
{
	int64_t newest = 0;

	while (v.anchor_id != 0) {
		newest = v.anchor_id;
		if (!anchor_next())
			return (false);
	}
	if (newest > v.id)
		breach("rows %" PRId64 " to %" PRId64
		       ": missing: cut off at the end",
		    v.id + 1, newest);
	return (true);
}

/* --- rows ----------------------------------------------------------------- */

static bool
unhex(const char *s, unsigned char ret[static HASH])
{
	unsigned byte;
	size_t i;

	for (i = 0; i < HASH; i++) {
		if (sscanf(s + 2 * i, "%2x", &byte) != 1)
			return (false);
		ret[i] = (unsigned char)byte;
	}
	return (true);
}

static bool
add_netstring(EVP_MD_CTX *md, const PGresult *r, int column)
{
	char head[24];
	int len = PQgetlength(r, 0, column);
	int n = snprintf(head, sizeof(head), "%d:", len);

	return (EVP_DigestUpdate(md, head, (size_t)n) == 1 &&
	    EVP_DigestUpdate(md, PQgetvalue(r, 0, column), (size_t)len) == 1 &&
	    EVP_DigestUpdate(md, ",", 1) == 1);
}

/* SHA-256(prev || content) in hex; false: no memory. */
static bool
compute(const PGresult *r, char ret[static HEX + 1])
{
	unsigned char prev[HASH], hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned n = 0;
	bool ok = md != NULL && unhex(PQgetvalue(r, 0, PREV), prev) &&
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, prev, sizeof(prev)) == 1;

	for (int i = 0; i < CONTENT; i++)
		ok = ok && add_netstring(md, r, i);
	ok = ok && EVP_DigestFinal_ex(md, hash, &n) == 1 && n == HASH;
	for (size_t i = 0; ok && i < HASH; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	EVP_MD_CTX_free(md);
	return (ok);
}

static void
check_place(int64_t id, const char *prev)
{
	if (id < 1)
		breach("row %" PRId64 ": put in: ids begin with 1", id);
	else if (id > v.id + 1)
		breach("rows %" PRId64 " to %" PRId64 ": missing", v.id + 1,
		    id - 1);
	else if (strcmp(prev, v.hash) != 0)
		breach("row %" PRId64 ": does not follow row %" PRId64
		       ": this one was put in, or that one replaced",
		    id, v.id);
}

static bool
check_row(const PGresult *r)
{
	const char *hash = PQgetvalue(r, 0, HASH_TOLD);
	int64_t id = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	char computed[HEX + 1];

	if (strlen(hash) != HEX || !compute(r, computed)) {
		tool_error("row %" PRId64 " cannot be hashed", id);
		return (false);
	}
	check_place(id, PQgetvalue(r, 0, PREV));
	if (strcmp(hash, computed) != 0)
		breach("row %" PRId64 ": changed (%s, %s %s)", id,
		    PQgetvalue(r, 0, 1), PQgetvalue(r, 0, 2),
		    PQgetvalue(r, 0, 7));
	v.rows++;
	v.id = id > 0 ? id : 0;
	if (id > 0)
		memcpy(v.hash, hash, sizeof(v.hash));
	return (check_anchors(id, hash));
}

static bool
walk(PGconn *pg)
{
	bool ok = true;
	PGresult *r;

	if (PQsendQuery(pg, statement_text(ST_verify_audit)) != 1 ||
	    PQsetSingleRowMode(pg) != 1) {
		tool_error("PostgreSQL: %s", PQerrorMessage(pg));
		return (false);
	}
	while ((r = PQgetResult(pg)) != NULL) {
		if (PQresultStatus(r) == PGRES_SINGLE_TUPLE && ok)
			ok = check_row(r);
		else if (ok && PQresultStatus(r) != PGRES_TUPLES_OK) {
			tool_error("PostgreSQL: %s", PQresultErrorMessage(r));
			ok = false;
		}
		PQclear(r);
	}
	return (ok && check_tail());
}

static int
run(const char *database)
{
	PGconn *pg = PQconnectdb(database);
	int status = TOOL_USAGE;

	memset(v.hash, '0', HEX);
	if (PQstatus(pg) != CONNECTION_OK)
		tool_error("PostgreSQL: %s", PQerrorMessage(pg));
	else if (anchor_next() && walk(pg)) {
		if (v.breaches > TOLD_MOST)
			printf(
			    "and %" PRId64 " more\n", v.breaches - TOLD_MOST);
		printf("rows %" PRId64 ", anchors %" PRId64
		       ", breaches %" PRId64 "\nnewest %" PRId64 " %s\n",
		    v.rows, v.anchored, v.breaches, v.id, v.hash);
		status = v.breaches > 0 ? TOOL_FAILED : TOOL_OK;
	}
	PQfinish(pg);
	return (status);
}

static int
usage(void)
{
	fprintf(stderr,
	    "usage: penstock-verify-audit [--database CONNINFO] "
	    "[--anchors FILE]\n"
	    "FILE: lines of ID and HASH, ids rising; - is stdin\n");
	return (TOOL_USAGE);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"database", required_argument, NULL, 'd'},
	    {"anchors", required_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
	const char *given = NULL, *anchors = NULL;
	char *database;
	int c, status;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			given = optarg;
		else if (c == 'a')
			anchors = optarg;
		else
			return (usage());
	}
	if (optind != argc ||
	    (database = database_conninfo(given, NULL)) == NULL)
		return (usage());
	if (anchors != NULL && strcmp(anchors, "-") == 0)
		v.anchors = stdin;
	else if (anchors != NULL && (v.anchors = fopen(anchors, "r")) == NULL) {
		tool_error("%s cannot be read", anchors);
		free(database);
		return (TOOL_USAGE);
	}
	status = run(database);
	if (v.anchors != NULL)
		fclose(v.anchors);
	free(database);
	return (status);
}
