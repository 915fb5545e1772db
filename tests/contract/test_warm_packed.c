/* The SQL functions packed_readings() and packed_rollups() and the codecs in C
 * read the same bytes alike, and packed_from() makes bytes that the codec reads. */
#include "warm_fixture.h"

#include "domain/packed.h"
#include "domain/packed_rollup.h"
#include "domain/rollup.h"

#include <libpq-fe.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static PGconn *conn;
static uint64_t seed;

static void
open_conn(void)
{
	const char *database = getenv("PENSTOCK_TEST_DATABASE");

	if (database == NULL)
		cr_skip_test("PENSTOCK_TEST_DATABASE is not set");
	conn = PQconnectdb(database);
	cr_assert_eq(PQstatus(conn), CONNECTION_OK);
	seed = 88172645463325252u;
}

static void
close_conn(void)
{
	PQfinish(conn);
}

TestSuite(warm_packed, .init = open_conn, .fini = close_conn, .timeout = 60);

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed);
}

static double
value_of(int kind, size_t i)
{
	static const double odd[] = {INFINITY, -INFINITY, NAN, -0.0, 5e-324,
	    -1.7976931348623157e308, 2.2250738585072014e-308, 0.1};

	switch (kind) {
	case 0:
		return ((double)(rnd() % 10000) / 100);
	case 1:
		return ((double)(rnd() % 10000) / 10 * 3.6);
	case 2:
		return ((double)(rnd() % 1000) / 10 * (5 / 9.0) + -160 / 9.0);
	case 3:
		return ((double)rnd() / 3 * (rnd() % 2 == 0 ? 1e-20 : -1e-19));
	case 4:
		return (odd[rnd() % 8]);
	case 5:
		return (i % 9 == 4 ? -0.0 : (double)i / 4);
	default:
		return (7);
	}
}

static void
make(struct reading *r, size_t n, int kind)
{
	int64_t t = INT64_C(1700000000000000) + (int64_t)(rnd() % 1000);
	size_t i;

	for (i = 0; i < n; i++) {
		t += kind % 2 == 0 ? 15000000 : 1 + (int64_t)(rnd() % 90000000);
		r[i] = (struct reading){.t_us = t, .value = value_of(kind, i)};
		r[i].quality = rnd() % 10 == 0 ? (int16_t)rnd() : 0;
		r[i].received_us = kind % 3 == 0
		    ? INT64_C(1800000000000000)
		    : t / 1000 * 1000 + (int64_t)(rnd() % 3000) * 1000;
	}
}

static bool
same(const struct reading *r, const PGresult *q, int row)
{
	const char *v = PQgetvalue(q, row, 1);
	double value = strtod(v, NULL);

	return (strtoll(PQgetvalue(q, row, 0), NULL, 10) == r->t_us &&
	    ((isnan(value) && isnan(r->value)) ||
		memcmp(&value, &r->value, sizeof(value)) == 0) &&
	    strtol(PQgetvalue(q, row, 2), NULL, 10) == r->quality &&
	    strtoll(PQgetvalue(q, row, 3), NULL, 10) == r->received_us);
}

Test(warm_packed, sql_reads_what_c_wrote)
{
	static struct reading r[300];
	const char *value;
	PGresult *q;
	int kind, length, format = 1, i;
	size_t n;
	void *data;

	for (i = 0; i < 84; i++) {
		kind = i % 7;
		n = 1 + rnd() % (i < 42 ? 5 : 300);
		make(r, n, kind);
		data = malloc(packed_bound(n));
		length = (int)packed_encode(r, n, data);
		value = data;
		q = PQexecParams(conn,
		    "SELECT packed_us(ts), value, quality, "
		    "packed_us(received_at) FROM packed_readings($1::bytea)",
		    1, NULL, &value, &length, &format, 0);
		cr_assert_eq(PQresultStatus(q), PGRES_TUPLES_OK, "kind %d: %s",
		    kind, PQerrorMessage(conn));
		cr_assert_eq((size_t)PQntuples(q), n);
		for (n = 0; n < (size_t)PQntuples(q); n++)
			cr_assert(same(&r[n], q, (int)n),
			    "kind %d row %zu: %s %s %s %s is not %a", kind, n,
			    PQgetvalue(q, (int)n, 0), PQgetvalue(q, (int)n, 1),
			    PQgetvalue(q, (int)n, 2), PQgetvalue(q, (int)n, 3),
			    r[n].value);
		PQclear(q);
		free(data);
	}
}

Test(warm_packed, c_reads_what_sql_wrote)
{
	struct reading r[4];
	PGresult *q = PQexecParams(conn,
	    "SELECT packed_from('{2024-05-01Z,2024-05-01 10:00:00.000001Z,"
	    "2024-05-02Z,2024-05-03Z}', '{-1.5,-0,1e-310,inf}', '{0,1,0,-5}', "
	    "array_fill('2024-06-01 00:00:00.000001Z'::timestamptz, ARRAY[4]))",
	    0, NULL, NULL, NULL, NULL, 1);

	cr_assert_eq(
	    PQresultStatus(q), PGRES_TUPLES_OK, "%s", PQerrorMessage(conn));
	cr_assert_eq(
	    packed_count(PQgetvalue(q, 0, 0), (size_t)PQgetlength(q, 0, 0)), 4);
	cr_assert_eq(packed_decode(PQgetvalue(q, 0, 0),
			 (size_t)PQgetlength(q, 0, 0), 9, r),
	    ERR_OK);
	cr_assert_eq(r[1].t_us - r[0].t_us, 36000000001);
	cr_assert_eq(r[0].value, -1.5);
	cr_assert(r[1].value == 0 && signbit(r[1].value));
	cr_assert_eq(r[2].value, 1e-310);
	cr_assert(isinf(r[3].value));
	cr_assert_eq(r[3].quality, -5);
	cr_assert_eq(r[3].received_us, INT64_C(1717200000001000));
	PQclear(q);
}

static double
field(const PGresult *q, int row, int column)
{
	return (strtod(PQgetvalue(q, row, column), NULL));
}

static int64_t
whole(const PGresult *q, int row, int column)
{
	return (strtoll(PQgetvalue(q, row, column), NULL, 10));
}

static struct rollup
rollup_of(const PGresult *q, int row, const struct rollup *u)
{
	struct rollup r;

	memset(&r, 0, sizeof(r));
	r.series = u->series;
	r.width_s = u->width_s;
	r.bucket_us = whole(q, row, 0);
	r.count = whole(q, row, 1);
	r.good = whole(q, row, 2);
	r.sum = field(q, row, 3);
	r.min = field(q, row, 4);
	r.max = field(q, row, 5);
	r.sumsq = field(q, row, 6);
	r.first_us = whole(q, row, 7);
	r.first = field(q, row, 8);
	r.last_us = whole(q, row, 9);
	r.last = field(q, row, 10);
	return (r);
}

static void
same_rollups(const struct rollup *u, size_t n, const char *how)
{
	void *data = malloc(packed_rollup_bound(n));
	int length = (int)packed_rollup_encode(u, n, data), format = 1;
	const char *value = data;
	struct rollup got;
	PGresult *q = PQexecParams(conn,
	    "SELECT packed_us(bucket), n, good, sum, min, max, sumsq, "
	    "packed_us(first_ts), first, packed_us(last_ts), last "
	    "FROM packed_rollups($1::bytea)",
	    1, NULL, &value, &length, &format, 0);
	size_t i;

	cr_assert_eq(PQresultStatus(q), PGRES_TUPLES_OK, "%s: %s", how,
	    PQerrorMessage(conn));
	cr_assert_eq((size_t)PQntuples(q), n);
	for (i = 0; i < n; i++) {
		got = rollup_of(q, (int)i, u);
		cr_assert_eq(memcmp(&got, &u[i], sizeof(got)), 0,
		    "%s, %zu of %zu: sum %a %a sumsq %a %a min %a %a", how, i,
		    n, got.sum, u[i].sum, got.sumsq, u[i].sumsq, got.min,
		    u[i].min);
	}
	PQclear(q);
	free(data);
}

/* As many readings in a bucket as there may be, from one on. */
Test(warm_packed, sql_reads_the_roll_ups_that_c_wrote)
{
	static struct reading r[4000];
	static const char *const names[] = {"decimals", "a factor", "degrees",
	    "any doubles", "odd doubles", "misfits", "one value"};
	struct rollup *u = calloc(3 * 4000, sizeof(*u));
	size_t n, i, first;
	int round;

	for (round = 0; round < 42; round++) {
		n = 1 + rnd() % (round < 21 ? 5 : 4000);
		memset(r, 0, sizeof(r));
		make(r, n, round % 7);
		for (i = 0; i < n; i++) {
			r[i].t_us =
			    NOON + (r[i].t_us - r[0].t_us) % (8 * US_PER_HOUR);
			r[i].quality = rnd() % 5 == 0;
			if (isnan(r[i].value))
				r[i].value = 0;
		}
		for (i = 1; i < n && r[i].t_us > r[i - 1].t_us; i++)
			;
		n = (size_t)(rollup_readings(u, r, i) - u);
		for (first = 0; first < n; first = i) {
			for (i = first;
			     i < n && u[i].width_s == u[first].width_s; i++)
				;
			same_rollups(u + first, i - first, names[round % 7]);
		}
	}
	free(u);
}
