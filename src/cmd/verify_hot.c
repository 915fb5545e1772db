/*
 * penstock-verify-hot: compares what Redis holds with PostgreSQL: the newest
 * value of every series, and every hour of the last 48 of each series that is
 * whole (store/hot.h). Readings received in the last two seconds may be on
 * their way and are left out; what differs is read again twice, and told if it
 * still does. Reads a batch of series at a time and rests as long as it worked.
 *
 * PostgreSQL unpacks its rows by its own function, so that both sides share no
 * code but the form of an hour (domain/hour.h).
 */
#include "cmd/database.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "core/statement.h"
#include "domain/hour.h"
#include "store/hot_build.h"
#include "store/hot_hours.h"
#include "store/hot_wire.h"
#include "store/redis_sync.h"

#include <getopt.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH	  20
#define TRIES	  3
#define AGAIN_MS  1500
#define TOLD_MOST 100
#define HOURS	  48
#define ON_WAY_US (2 * US_PER_SECOND)

/* KEYS: index, string. ARGV: hour. In one step, since readings come in. */
static const char hour_script[] =
    "return {redis.pcall('HGET', KEYS[1], ARGV[1]), "
    "redis.pcall('GET', KEYS[2])}";

/* KEYS: index, hash of the newest, which goes if it is none. ARGV: series. */
static const char forget_script[] =
    "redis.call('DEL', KEYS[1])\n"
    "if type(redis.pcall('HDEL', KEYS[2], ARGV[1])) ~= 'number' then\n"
    "  redis.call('DEL', KEYS[2])\n"
    "end\n"
    "redis.call('DEL', KEYS[3])\n"
    "return 1\n";

static struct verify {
	PGconn *pg;
	struct redis_sync redis;
	struct hot_build *build;
	int64_t epoch, settled_us; /* what was received until then counts */
	bool on, last, forget;	   /* last: what differs now is told */
	/* Of one batch. */
	int32_t ids[BATCH];
	struct hot_index index[BATCH];
	size_t n;
	bool bad[BATCH];
	struct tally {
		int64_t newest, whole, readings, differ;
	} now, all; /* of this look at the batch; of those before */
	int64_t series;
} v;

static void
differs(size_t i, const char *what, int64_t t_us, const char *why)
{
	char at[INSTANT_TEXT] = "";

	v.bad[i] = true;
	if (!v.last || v.all.differ + v.now.differ++ >= TOLD_MOST)
		return;
	if (t_us != INSTANT_NONE)
		(void)instant_format(t_us, at);
	printf("series %" PRId32 " %s %s: %s\n", v.ids[i], what, at, why);
}

static bool
same_value(const struct reading *a, const struct reading *b)
{
	return (a->quality == b->quality &&
	    memcmp(&a->value, &b->value, sizeof(a->value)) == 0);
}

/* Receive times are kept to the ms, rounded up. */
static bool
same_receipt(const struct reading *a, const struct reading *b)
{
	return (instant_floor(a->received_us + 999, 1000) ==
	    instant_floor(b->received_us + 999, 1000));
}

static bool
is_same(const struct reading *a, const struct reading *b)
{
	return (a->t_us == b->t_us && same_value(a, b) && same_receipt(a, b));
}

static PGresult *
ask_pg(enum statement st, const char *const *values, int n)
{
	PGresult *r = PQexecParams(
	    v.pg, statement_text(st), n, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		return (r);
	tool_error("%s: %s", statement_name(st), PQerrorMessage(v.pg));
	PQclear(r);
	return (NULL);
}

static struct reading
row(const PGresult *r, int i)
{
	return ((struct reading){
	    .series = (int32_t)strtol(PQgetvalue(r, i, 0), NULL, 10),
	    .t_us = strtoll(PQgetvalue(r, i, 1), NULL, 10),
	    .value = strtod(PQgetvalue(r, i, 2), NULL),
	    .quality = (int16_t)strtol(PQgetvalue(r, i, 3), NULL, 10),
	    .received_us = strtoll(PQgetvalue(r, i, 4), NULL, 10)});
}

/* The batch as an array's text. */
static const char *
batch_text(void)
{
	static char text[BATCH * 12 + 3];
	size_t i, at = 0;

	for (i = 0; i < v.n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%c%d",
		    i == 0 ? '{' : ',', (int)v.ids[i]);
	snprintf(text + at, sizeof(text) - at, "}");
	return (text);
}

static bool
pull(redisReply **ret)
{
	struct err_info info = {.code = ERR_OK};

	if (redis_sync_pull(&v.redis, ret, &info) == ERR_OK)
		return (true);
	tool_error("Redis: %s", info.detail);
	return (false);
}

static bool
push(void)
{
	struct err_info info = {.code = ERR_OK};

	if (redis_sync_push(&v.redis, &info) == ERR_OK)
		return (true);
	tool_error("Redis: %s", info.detail);
	return (false);
}

/* --- the newest ---------------------------------------------------------- */

static bool
push_latest(size_t i)
{
	char *key;

	redis_sync_start(&v.redis, "HGET");
	key = redis_sync_place(&v.redis);
	redis_sync_arg(&v.redis, key, wire_key(key, v.epoch, v.ids[i]));
	redis_sync_number(&v.redis, v.ids[i]);
	return (push());
}

static void
compare_latest(size_t i, const redisReply *got, const struct reading *want)
{
	struct reading r = {0};
	bool whole = true;

	if (got->type == REDIS_REPLY_NIL)
		return;
	if (got->type == REDIS_REPLY_ERROR)
		differs(i, "newest", INSTANT_NONE, got->str);
	else if (!wire_value(got, &r, &whole))
		differs(i, "newest", INSTANT_NONE, "no record of ours");
	else if (!whole || r.received_us > v.settled_us ||
	    (want != NULL && want->received_us > v.settled_us))
		return; /* PostgreSQL answers; or it is on its way */
	else if (want == NULL)
		differs(i, "newest", r.t_us, "not in PostgreSQL");
	else if (!is_same(&r, want))
		differs(i, "newest", r.t_us, "not as in PostgreSQL");
	else
		v.now.newest++;
}

static bool
verify_latest(void)
{
	const char *values[] = {batch_text()};
	bool ok = true;
	PGresult *rows;
	size_t i;
	int at = 0;

	for (i = 0; i < v.n && ok; i++)
		ok = push_latest(i);
	if (!ok || (rows = ask_pg(ST_verify_latest, values, 1)) == NULL)
		return (false);
	for (i = 0; i < v.n && ok; i++) {
		AUTO_REPLY got = NULL;
		struct reading want = {0};

		if (at < PQntuples(rows))
			want = row(rows, at);
		if ((ok = pull(&got)))
			compare_latest(
			    i, got, want.series == v.ids[i] ? &want : NULL);
		at += want.series == v.ids[i];
	}
	PQclear(rows);
	return (ok);
}

/* --- the hours ----------------------------------------------------------- */

/* PostgreSQL's readings, and where the comparison has come to. */
struct rows_at {
	const PGresult *rows;
	int at;
	struct reading *room; /* for as many */
};

static size_t
settled(struct reading *r, size_t n)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++)
		if (r[i].received_us <= v.settled_us)
			r[k++] = r[i];
	return (k);
}

/* What stands there at one time: twice if two workers took it at once, then
 * PostgreSQL has the one or the other. Returns how many. */
static size_t
compare_one(
    size_t i, const struct reading *got, size_t n, const struct reading *want)
{
	const char *why = NULL;
	bool received = false;
	size_t k;

	for (k = 0; k < n && got[k].t_us == want->t_us; k++) {
		if (!same_value(&got[k], &got[0]))
			why = "two values at one time";
		else if (!same_value(&got[k], want))
			why = "not as in PostgreSQL";
		received |= same_receipt(&got[k], want);
	}
	if (why != NULL || !received)
		differs(i, "hours", want->t_us,
		    why != NULL ? why : "received at another time");
	return (k);
}

static void
compare(size_t i, const struct reading *got, size_t n,
    const struct reading *want, size_t nwant)
{
	size_t g = 0, k = 0;

	while (g < n || k < nwant) {
		if (k == nwant || (g < n && got[g].t_us < want[k].t_us))
			differs(i, "hours", got[g++].t_us, "not in PostgreSQL");
		else if (g == n || want[k].t_us < got[g].t_us)
			differs(i, "hours", want[k++].t_us, "not in Redis");
		else {
			g += compare_one(i, got + g, n - g, &want[k++]);
			v.now.readings++;
		}
	}
}

/* The next hour's readings of PostgreSQL. */
static size_t
take_rows(struct rows_at *pg, struct hour_key key)
{
	struct reading r;
	size_t n = 0;

	for (; pg->at < PQntuples(pg->rows); pg->at++) {
		r = row(pg->rows, pg->at);
		if (r.series > key.series ||
		    (r.series == key.series && hour_of(r.t_us) > key.hour))
			break;
		if (r.series == key.series && hour_of(r.t_us) == key.hour)
			pg->room[n++] = r;
	}
	return (settled(pg->room, n));
}

static void
verify_hour(size_t i, int32_t hour, const redisReply *pair, struct rows_at *pg)
{
	const redisReply *counted = pair->element[0], *bytes = pair->element[1];
	struct hour_key key = {v.ids[i], hour};
	int64_t t_us = hour * US_PER_HOUR;
	struct reading *room = NULL, *got = NULL;
	size_t n = 0, count = 0, nwant = take_rows(pg, key);
	enum err e = ERR_OK;

	if (counted->type == REDIS_REPLY_STRING)
		count = (size_t)strtoull(counted->str, NULL, 10);
	if (bytes->type == REDIS_REPLY_STRING)
		n = hour_count(bytes->str, bytes->len);
	if (bytes->type == REDIS_REPLY_ERROR)
		differs(i, "hours", t_us, bytes->str);
	else if (n != count)
		differs(i, "hours", t_us, "not as many as the index counts");
	if (n > 0 && (room = malloc(2 * n * sizeof(*room))) == NULL)
		e = ERR_NO_MEMORY;
	else if (n > 0)
		e = hour_decode_all(
		    bytes->str, bytes->len, key, room, &got, &n);
	if (e == ERR_OK)
		compare(i, got, settled(got, n), pg->room, nwant);
	else
		differs(i, "hours", t_us,
		    e == ERR_NO_MEMORY ? "no memory to compare it" : "garbage");
	free(room);
}

static bool
push_hour(size_t i, int32_t hour)
{
	char *text;

	redis_sync_eval(&v.redis, hour_script, 2);
	text = redis_sync_place(&v.redis);
	redis_sync_arg(&v.redis, text, hours_index_key(text, v.ids[i]));
	text = redis_sync_place(&v.redis);
	redis_sync_arg(&v.redis, text, hours_key(text, v.ids[i], hour));
	redis_sync_number(&v.redis, hour);
	return (push());
}

static bool
verify_series(size_t i, int32_t first, int32_t last, struct rows_at *pg)
{
	bool ok = true;
	int32_t hour;

	for (hour = first; ok && hour <= last; hour++)
		ok = push_hour(i, hour);
	for (hour = first; ok && hour <= last; hour++) {
		AUTO_REPLY pair = NULL;

		if (!(ok = pull(&pair)))
			break;
		if (pair->type == REDIS_REPLY_ARRAY && pair->elements == 2)
			verify_hour(i, hour, pair, pg);
		else
			differs(i, "hours", hour * US_PER_HOUR, "no answer");
	}
	v.now.whole++;
	return (ok);
}

static bool
verify_hours(void)
{
	int32_t first = hour_of(tool_now_us()) - HOURS, last = first + HOURS;
	struct err_info info = {.code = ERR_OK};
	struct rows_at pg = {NULL, 0, NULL};
	const char *values[2] = {batch_text()};
	char since[24];
	bool ok = true;
	PGresult *rows;
	size_t i;

	if (hot_build_look(v.build, v.ids, v.n, v.index, &info) != ERR_OK) {
		tool_error("Redis: %s", info.detail);
		return (false);
	}
	snprintf(since, sizeof(since), "%" PRId64, first * US_PER_HOUR);
	values[1] = since;
	if ((rows = ask_pg(ST_verify_hours, values, 2)) == NULL)
		return (false);
	pg.rows = rows;
	pg.room = calloc((size_t)PQntuples(rows) + 1, sizeof(*pg.room));
	ok = pg.room != NULL;
	for (i = 0; i < v.n && ok; i++)
		if (v.index[i].state == HOT_WHOLE && v.index[i].since <= first)
			ok = verify_series(i, first, last, &pg);
	free(pg.room);
	PQclear(rows);
	return (ok);
}

/* --- all ----------------------------------------------------------------- */

/* What is deleted is read from PostgreSQL anew: workers keep no copies of it
 * once the words have gone. */
static bool
forget(size_t i)
{
	AUTO_REPLY done = NULL;
	char *text;

	redis_sync_eval(&v.redis, forget_script, 3);
	text = redis_sync_place(&v.redis);
	redis_sync_arg(&v.redis, text, hours_index_key(text, v.ids[i]));
	text = redis_sync_place(&v.redis);
	redis_sync_arg(&v.redis, text, wire_key(text, v.epoch, v.ids[i]));
	text = redis_sync_place(&v.redis);
	redis_sync_arg(&v.redis, text, wire_words_key(text, v.epoch));
	redis_sync_number(&v.redis, v.ids[i]);
	return (push() && pull(&done));
}

/* The epoch and the switch may have changed since the last look. */
static bool
verify_once(void)
{
	struct err_info info = {.code = ERR_OK};

	memset(v.bad, 0, sizeof(v.bad));
	memset(&v.now, 0, sizeof(v.now));
	v.settled_us = tool_now_us() - ON_WAY_US;
	if (hot_build_switch(v.build, &v.epoch, &v.on, &info) != ERR_OK) {
		tool_error("Redis: %s", info.detail);
		return (false);
	}
	return (verify_latest() && (!v.on || verify_hours()));
}

static bool
any_bad(void)
{
	size_t i;

	for (i = 0; i < v.n && !v.bad[i]; i++)
		;
	return (i < v.n);
}

static bool
verify_batch(void)
{
	size_t i;
	int try;

	for (try = 1;; try++) {
		v.last = try == TRIES;
		if (!verify_once())
			return (false);
		if (v.last || !any_bad())
			break;
		if (!tool_sleep_ms(AGAIN_MS))
			return (false);
	}
	v.all.newest += v.now.newest;
	v.all.whole += v.now.whole;
	v.all.readings += v.now.readings;
	v.all.differ += v.now.differ;
	for (i = 0; i < v.n && v.forget; i++)
		if (v.bad[i] && !forget(i))
			return (false);
	return (true);
}

static bool
next_batch(void)
{
	char after[16], most[16];
	const char *values[] = {after, most};
	PGresult *r;
	int i;

	snprintf(after, sizeof(after), "%" PRId32,
	    v.n == 0 ? INT32_MIN : v.ids[v.n - 1]);
	snprintf(most, sizeof(most), "%d", BATCH);
	if ((r = ask_pg(ST_hot_series, values, 2)) == NULL)
		return (false);
	for (i = 0; i < PQntuples(r); i++)
		v.ids[i] = (int32_t)strtol(PQgetvalue(r, i, 0), NULL, 10);
	v.n = (size_t)i;
	v.series += i;
	PQclear(r);
	return (true);
}

static bool
verify_all(void)
{
	int64_t began;

	while (next_batch()) {
		if (v.n == 0)
			return (true);
		began = tool_monotonic_ms();
		if (!verify_batch() ||
		    !tool_sleep_ms(tool_monotonic_ms() - began))
			return (false);
	}
	return (false);
}

static int
report(bool all_whole)
{
	const struct tally *t = &v.all;

	if (t->differ > TOLD_MOST)
		printf("and %" PRId64 " more\n", t->differ - TOLD_MOST);
	printf("series %" PRId64 ": newest value equal %" PRId64
	       ", hours whole %" PRId64 "%s\nreadings compared %" PRId64
	       ", differences %" PRId64 "\n",
	    v.series, t->newest, t->whole, v.on ? "" : " (not kept now)",
	    t->readings, t->differ);
	return (t->differ > 0 || (all_whole && t->whole < v.series)
		? TOOL_FAILED
		: TOOL_OK);
}

static int
usage(void)
{
	fprintf(stderr,
	    "usage: penstock-verify-hot --redis SOCKET|ADDRESS:PORT\n"
	    "    [--database CONNINFO] [--whole] [--forget]\n"
	    "--whole: fail unless the hours of every series are kept\n"
	    "--forget: delete what differs; it is read from PostgreSQL "
	    "anew\n");
	return (TOOL_USAGE);
}

static int
run(const char *database, bool all_whole)
{
	v.pg = PQconnectdb(database);
	if (PQstatus(v.pg) != CONNECTION_OK) {
		tool_error("PostgreSQL: %s", PQerrorMessage(v.pg));
		return (TOOL_USAGE);
	}
	PQclear(PQexec(v.pg, "SET extra_float_digits = 1"));
	return (verify_all() ? report(all_whole) : TOOL_USAGE);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"redis", required_argument, NULL, 'r'},
	    {"database", required_argument, NULL, 'd'},
	    {"whole", no_argument, NULL, 'w'},
	    {"forget", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
	const char *redis = NULL, *given = NULL;
	bool all_whole = false;
	char *database;
	int c, status;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			redis = optarg;
			break;
		case 'd':
			given = optarg;
			break;
		case 'w':
			all_whole = true;
			break;
		case 'f':
			v.forget = true;
			break;
		default:
			return (usage());
		}
	}
	if (redis == NULL || optind != argc ||
	    (database = database_conninfo(given, NULL)) == NULL)
		return (usage());
	tool_catch_signals();
	redis_sync_init(&v.redis, redis);
	v.build = hot_build_new(redis);
	status = v.build == NULL ? TOOL_USAGE : run(database, all_whole);
	PQfinish(v.pg);
	hot_build_free(v.build);
	redis_sync_close(&v.redis);
	free(database);
	return (status);
}
