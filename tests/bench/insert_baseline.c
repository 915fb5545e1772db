/*
 * insert_baseline: the usual way of storing readings, to measure ours against:
 * INSERT ... SELECT unnest ... ON CONFLICT DO NOTHING, in batches, prepared,
 * binary parameters, into a table partitioned by day with key (series, time).
 *
 *	insert_baseline CONNINFO BATCH CONNECTIONS SECONDS
 * Prints: readings per second, p50 and p99 of one batch in milliseconds,
 * readings per second of CPU time, its own and the backends'.
 */
#include <libpq-fe.h>

#include <arpa/inet.h>
#include <endian.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX   5000
#define SAMPLES_MAX 1000000
/* Microseconds from 2000-01-01 to 2026-01-01. */
#define PG_2026_US INT64_C(820540800000000)

struct job {
	const char *conninfo;
	int number, batch;
	double seconds;
	long batches;
	double *took_ms;
	size_t samples;
	double backend_s;
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
die(PGconn *c, const char *what)
{
	fprintf(stderr, "insert_baseline: %s: %s", what, PQerrorMessage(c));
	exit(1);
}

static void
run(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		die(c, sql);
	PQclear(r);
}

static char *
put32(char *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
	return (p + 4);
}

static char *
put64(char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
	return (p + 8);
}

/* The head of a one-dimensional binary array (src/backend/utils/adt,
 * array_recv): dimensions, no nulls, element type, length, lower bound. */
static char *
put_head(char *p, uint32_t type, int n)
{
	p = put32(p, 1);
	p = put32(p, 0);
	p = put32(p, type);
	p = put32(p, (uint32_t)n);
	return (put32(p, 1));
}

static void
fill(const struct job *j, char *series, char *ts, char *value, int len[3])
{
	int64_t t = PG_2026_US + j->batches * 10 + j->number;
	char *s = put_head(series, 23, j->batch);
	char *u = put_head(ts, 1184, j->batch);
	char *v = put_head(value, 701, j->batch);
	int i;

	for (i = 0; i < j->batch; i++) {
		double d = (double)((j->batches + i) % 977) / 10;
		uint64_t bits;

		memcpy(&bits, &d, 8);
		s = put32(
		    put32(s, 4), (uint32_t)(j->batches % 64 * j->batch + i));
		u = put64(put32(u, 8), (uint64_t)t);
		v = put64(put32(v, 8), bits);
	}
	len[0] = (int)(s - series);
	len[1] = (int)(u - ts);
	len[2] = (int)(v - value);
}

static void
insert_one(PGconn *c, struct job *j)
{
	static _Thread_local char series[20 + BATCH_MAX * 8],
	    ts[20 + BATCH_MAX * 12], value[20 + BATCH_MAX * 12];
	const char *params[3] = {series, ts, value};
	const int formats[3] = {1, 1, 1};
	int len[3];
	double began;
	PGresult *r;

	fill(j, series, ts, value, len);
	began = now_s();
	r = PQexecPrepared(c, "ins", 3, params, len, formats, 1);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		die(c, "insert");
	PQclear(r);
	if (j->samples < SAMPLES_MAX)
		j->took_ms[j->samples++] = (now_s() - began) * 1e3;
	j->batches++;
}

/* proc(5), /proc/pid/stat: utime and stime are fields 14 and 15. */
static double
cpu_of(int pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if ((f = fopen(path, "re")) == NULL ||
	    fscanf(f,
		"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		"%lu %lu",
		&user, &system) != 2) {
		fprintf(stderr, "insert_baseline: cannot read %s\n", path);
		exit(1);
	}
	fclose(f);
	return ((double)(user + system) / (double)sysconf(_SC_CLK_TCK));
}

static void *
work(void *arg)
{
	struct job *j = arg;
	PGconn *c = PQconnectdb(j->conninfo);
	double end;

	if (PQstatus(c) != CONNECTION_OK)
		die(c, "connect");
	PQclear(PQprepare(c, "ins",
	    "INSERT INTO baseline SELECT * FROM unnest($1::int4[], "
	    "$2::timestamptz[], $3::float8[]) ON CONFLICT DO NOTHING",
	    3, NULL));
	end = now_s() + j->seconds;
	while (now_s() < end)
		insert_one(c, j);
	j->backend_s = cpu_of(PQbackendPID(c));
	PQfinish(c);
	return (NULL);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

static void
create(const char *conninfo)
{
	PGconn *c = PQconnectdb(conninfo);

	if (PQstatus(c) != CONNECTION_OK)
		die(c, "connect");
	run(c, "DROP TABLE IF EXISTS baseline");
	run(c,
	    "CREATE TABLE baseline (series int4, ts timestamptz, value "
	    "float8, PRIMARY KEY (series, ts)) PARTITION BY RANGE (ts)");
	run(c,
	    "CREATE TABLE baseline_1 PARTITION OF baseline FOR VALUES FROM "
	    "('2026-01-01') TO ('2026-01-02')");
	run(c,
	    "CREATE TABLE baseline_2 PARTITION OF baseline FOR VALUES FROM "
	    "('2026-01-02') TO ('2026-01-03')");
	PQfinish(c);
}

int
main(int argc, char **argv)
{
	struct job jobs[8];
	pthread_t threads[8];
	double *all, cpu_s = 0;
	size_t n = 0;
	long batches = 0;
	int i, connections;

	if (argc != 5 || (connections = (int)strtol(argv[3], NULL, 10)) < 1 ||
	    connections > 8)
		return (fprintf(stderr,
			    "usage: insert_baseline CONNINFO "
			    "BATCH CONNECTIONS SECONDS\n"),
		    2);
	create(argv[1]);
	for (i = 0; i < connections; i++) {
		jobs[i] = (struct job){.conninfo = argv[1],
		    .number = i,
		    .batch = (int)strtol(argv[2], NULL, 10),
		    .seconds = strtod(argv[4], NULL),
		    .took_ms = calloc(SAMPLES_MAX, sizeof(double))};
		if (jobs[i].took_ms == NULL || jobs[i].batch < 1 ||
		    jobs[i].batch > BATCH_MAX)
			return (2);
		pthread_create(&threads[i], NULL, work, &jobs[i]);
	}
	all = calloc((size_t)connections * SAMPLES_MAX, sizeof(double));
	for (i = 0; i < connections; i++) {
		pthread_join(threads[i], NULL);
		memcpy(
		    all + n, jobs[i].took_ms, jobs[i].samples * sizeof(double));
		n += jobs[i].samples;
		batches += jobs[i].batches;
		cpu_s += jobs[i].backend_s;
	}
	cpu_s += (double)clock() / CLOCKS_PER_SEC;
	qsort(all, n, sizeof(double), compare);
	printf("%.0f %.2f %.2f %.0f\n",
	    (double)batches * jobs[0].batch / jobs[0].seconds, all[n / 2],
	    all[n * 99 / 100], (double)batches * jobs[0].batch / cpu_s);
	return (0);
}
