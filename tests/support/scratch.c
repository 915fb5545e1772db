#include "support/scratch.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static PGconn *connection, *holder;
static char answer[4096];

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	static const char *const names[] = {
	    "PENSTOCK_TEST_DATABASE", "PENSTOCK_TEST_REDIS"};
	size_t i;

	(void)tests;
	for (i = 0; i < 2; i++) {
		if (getenv(names[i]) == NULL)
			fprintf(stderr,
			    "%s is not set: tests that need it "
			    "are skipped\n",
			    names[i]);
	}
}

static const char *
need(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		cr_skip_test("%s is not set", name);
	return (value);
}

const char *
scratch_database(void)
{
	static char conninfo[512];

	snprintf(conninfo, sizeof(conninfo), "%s user=penstock_serve",
	    need("PENSTOCK_TEST_DATABASE"));
	return (conninfo);
}

const char *
scratch_redis(void)
{
	return (need("PENSTOCK_TEST_REDIS"));
}

static PGconn *
opened(PGconn **c)
{
	if (*c == NULL)
		*c = PQconnectdb(need("PENSTOCK_TEST_DATABASE"));
	cr_assert_eq(PQstatus(*c), CONNECTION_OK, "%s", PQerrorMessage(*c));
	return (*c);
}

static const char *
run_sql(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(r);

	cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK,
	    "%s: %s", sql, PQerrorMessage(c));
	snprintf(answer, sizeof(answer), "%s",
	    PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return (answer);
}

const char *
scratch_sql(const char *fmt, ...)
{
	char sql[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sql, sizeof(sql), fmt, ap);
	va_end(ap);
	return (run_sql(opened(&connection), sql));
}

int64_t
scratch_number(const char *sql)
{
	return (strtoll(run_sql(opened(&connection), sql), NULL, 10));
}

void
scratch_hold(const char *sql)
{
	run_sql(opened(&holder), "BEGIN");
	run_sql(holder, sql);
}

void
scratch_release(void)
{
	run_sql(opened(&holder), "COMMIT");
}

const char *
scratch_redis_command(const char *socket, const char *fmt, ...)
{
	redisContext *c = redisConnectUnix(socket);
	redisReply *r;
	va_list ap;

	cr_assert(c != NULL && c->err == 0, "no Redis at %s", socket);
	va_start(ap, fmt);
	r = redisvCommand(c, fmt, ap);
	va_end(ap);
	cr_assert_not_null(r, "%s: %s", fmt, c->errstr);
	snprintf(answer, sizeof(answer), "%s", r->str == NULL ? "" : r->str);
	freeReplyObject(r);
	redisFree(c);
	return (answer);
}

static bool
answers(const char *socket)
{
	redisContext *c = redisConnectUnix(socket);
	redisReply *r =
	    c == NULL || c->err != 0 ? NULL : redisCommand(c, "PING");
	bool ok = r != NULL && r->type == REDIS_REPLY_STATUS;

	freeReplyObject(r);
	if (c != NULL)
		redisFree(c);
	return (ok);
}

pid_t
scratch_redis_start(const char *dir)
{
	char socket[256];
	pid_t pid;
	int i;

	snprintf(socket, sizeof(socket), "%s/redis.sock", dir);
	unlink(socket);
	pid = fork();
	cr_assert_neq(pid, -1);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(126);
		/* A test that crashes has no time to end it. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "--port", "0", "--dir",
		    dir, "--unixsocket", socket, "--save", "", "--appendonly",
		    "no", (char *)NULL);
		_exit(127);
	}
	for (i = 0; i < 200 && !answers(socket); i++)
		usleep(20000);
	cr_assert(i < 200, "redis-server did not start in %s", dir);
	return (pid);
}

void
scratch_redis_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
