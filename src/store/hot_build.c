#include "store/hot_build.h"

#include "core/instant.h"
#include "domain/hour.h"
#include "store/hot_hours.h"
#include "store/redis_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SERIES_HOURS (BUILD_HOURS + 6) /* strings that begin deletes */
#define BYTES_KEPT   (1u << 20)	       /* more room is given back */

/* KEYS: switch, index, strings. ARGV: the switch's value, mark, expiry. */
static const char begin_script[] =
    "if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call('UNLINK', unpack(KEYS, 2))\n"
    "redis.call('HSET', KEYS[2], 'b', ARGV[2])\n"
    "redis.call('EXPIREAT', KEYS[2], ARGV[3])\n"
    "return 1\n";

/*
 * KEYS: index, strings. ARGV: mark, "b" and "p" as they shall be, then hour,
 * count and bytes of each string. What was appended since the mark stays
 * behind what is put here.
 */
static const char finish_script[] =
    "if redis.pcall('HGET', KEYS[1], 'b') ~= ARGV[1] then return 0 end\n"
    "for i = 2, #KEYS do\n"
    "  local a = 3 * i - 2\n"
    "  local new, old = ARGV[a + 2], redis.pcall('GET', KEYS[i])\n"
    "  if old then\n"
    "    if type(old) ~= 'string' or string.sub(old, 1, 4) ~= '\\0\\0\\0\\0'\n"
    "      then return 0 end\n"
    "    new = new .. string.sub(old, 5)\n"
    "  end\n"
    "  redis.call('SET', KEYS[i], new, 'EXAT', (ARGV[a] + 53) * 3600)\n"
    "  redis.call('HINCRBY', KEYS[1], ARGV[a], ARGV[a + 1])\n"
    "end\n"
    "redis.call('HSET', KEYS[1], 'b', ARGV[2], 'p', ARGV[3])\n"
    "return 1\n";

/* KEYS: index, string. ARGV: "b", hour, length, the bytes instead, count. */
static const char pack_script[] =
    "if redis.pcall('HGET', KEYS[1], 'b') ~= ARGV[1] or\n"
    "  redis.pcall('STRLEN', KEYS[2]) ~= tonumber(ARGV[3])\n"
    "  then return 0 end\n"
    "redis.call('SET', KEYS[2], ARGV[4], 'EXAT', (ARGV[2] + 53) * 3600)\n"
    "redis.call('HSET', KEYS[1], ARGV[2], ARGV[5])\n"
    "return 1\n";

/* KEYS: index. ARGV: "b", field, value. */
static const char field_script[] =
    "if redis.pcall('HGET', KEYS[1], 'b') ~= ARGV[1] then return 0 end\n"
    "redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])\n"
    "return 1\n";

static const char on_script[] =
    "if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call('SET', KEYS[2], ARGV[2])\n"
    "return 1\n";

struct hot_build {
	struct redis_sync redis;
	char name[64]; /* the switch's value, "" if it is off */
	char mark[96]; /* of the last batch begun */
	uint64_t random, marks;
	char cursor[24]; /* of the sweep */
	unsigned char *bytes;
	size_t bytes_size;
};

static void
arg_index(struct hot_build *b, int32_t series)
{
	char *text = redis_sync_place(&b->redis);

	redis_sync_arg(&b->redis, text, hours_index_key(text, series));
}

static void
arg_hour(struct hot_build *b, int32_t series, int32_t hour)
{
	char *text = redis_sync_place(&b->redis);

	redis_sync_arg(&b->redis, text, hours_key(text, series, hour));
}

struct hot_build *
hot_build_new(const char *address)
{
	struct hot_build *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return (NULL);
	redis_sync_init(&b->redis, address);
	while (getrandom(&b->random, sizeof(b->random), 0) != sizeof(b->random))
		;
	memcpy(b->cursor, "0", 2);
	return (b);
}

void
hot_build_close(struct hot_build *b)
{
	redis_sync_close(&b->redis);
}

void
hot_build_free(struct hot_build *b)
{
	if (b == NULL)
		return;
	hot_build_close(b);
	free(b->bytes);
	free(b);
}

static int64_t
info_number(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return (at == NULL ? 0 : strtoll(at + strlen(key), NULL, 10));
}

enum err
hot_build_memory(
    struct hot_build *b, struct hot_memory *ret, struct err_info *info)
{
	AUTO_REPLY r = NULL;
	enum err e;

	redis_sync_start(&b->redis, "INFO");
	redis_sync_text(&b->redis, "memory");
	if ((e = redis_sync_ask(&b->redis, &r, info)) != ERR_OK)
		return (e);
	if (r->type != REDIS_REPLY_STRING)
		return (redis_sync_fail(&b->redis, "INFO", info));
	ret->used = info_number(r->str, "\nused_memory:");
	ret->most = info_number(r->str, "\nmaxmemory:");
	return (ERR_OK);
}

enum err
hot_build_switch(struct hot_build *b, int64_t *ret_epoch, bool *ret_on,
    struct err_info *info)
{
	AUTO_REPLY r = NULL;
	char prefix[32];
	enum err e;

	redis_sync_start(&b->redis, "MGET");
	redis_sync_text(&b->redis, HOURS_EPOCH);
	redis_sync_text(&b->redis, HOURS_SWITCH);
	if ((e = redis_sync_ask(&b->redis, &r, info)) != ERR_OK)
		return (e);
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2)
		return (redis_sync_fail(&b->redis,
		    r->type == REDIS_REPLY_ERROR ? r->str : "MGET", info));
	*ret_epoch = r->element[0]->type == REDIS_REPLY_STRING
	    ? strtoll(r->element[0]->str, NULL, 10)
	    : 0;
	snprintf(prefix, sizeof(prefix), "%lld:", (long long)*ret_epoch);
	*ret_on = r->element[1]->type == REDIS_REPLY_STRING &&
	    (size_t)r->element[1]->len < sizeof(b->name) &&
	    strncmp(r->element[1]->str, prefix, strlen(prefix)) == 0;
	snprintf(
	    b->name, sizeof(b->name), "%s", *ret_on ? r->element[1]->str : "");
	return (ERR_OK);
}

enum err
hot_build_on(
    struct hot_build *b, int64_t epoch, bool *ret_on, struct err_info *info)
{
	enum err e;

	snprintf(b->name, sizeof(b->name), "%lld:%016llx%08llx",
	    (long long)epoch, (unsigned long long)b->random,
	    (unsigned long long)++b->marks);
	redis_sync_eval(&b->redis, on_script, 2);
	redis_sync_text(&b->redis, HOURS_EPOCH);
	redis_sync_text(&b->redis, HOURS_SWITCH);
	redis_sync_number(&b->redis, epoch);
	redis_sync_text(&b->redis, b->name);
	e = redis_sync_ask_bool(&b->redis, ret_on, info);
	if (e != ERR_OK || !*ret_on)
		b->name[0] = '\0';
	return (e);
}

enum err
hot_build_off(struct hot_build *b, struct err_info *info)
{
	AUTO_REPLY r = NULL;

	b->name[0] = '\0';
	redis_sync_start(&b->redis, "DEL");
	redis_sync_text(&b->redis, HOURS_SWITCH);
	return (redis_sync_ask(&b->redis, &r, info));
}

static void
read_index(
    const struct hot_build *b, const redisReply *r, struct hot_index *ret)
{
	size_t len = strlen(b->name);
	const char *at;
	char *end;

	memset(ret, 0, sizeof(*ret));
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || len == 0 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[0]->len >= sizeof(ret->b))
		return;
	memcpy(ret->b, r->element[0]->str, r->element[0]->len);
	if (strncmp(ret->b, b->name, len) != 0 || ret->b[len] != ':')
		return;
	at = ret->b + len + 1;
	ret->since = (int32_t)strtol(at, &end, 10);
	ret->state = strcmp(at, "dense") == 0 ? HOT_DENSE
	    : end == at || *end != '\0'	      ? HOT_BUILDING
					      : HOT_WHOLE;
	if (r->element[1]->type == REDIS_REPLY_STRING)
		ret->packed_to = (int32_t)strtol(r->element[1]->str, NULL, 10);
}

enum err
hot_build_look(struct hot_build *b, const int32_t *series, size_t n,
    struct hot_index *ret, struct err_info *info)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < n && e == ERR_OK; i++) {
		redis_sync_start(&b->redis, "HMGET");
		arg_index(b, series[i]);
		redis_sync_text(&b->redis, "b");
		redis_sync_text(&b->redis, "p");
		e = redis_sync_push(&b->redis, info);
	}
	for (i = 0; i < n && e == ERR_OK; i++) {
		AUTO_REPLY r = NULL;

		if ((e = redis_sync_pull(&b->redis, &r, info)) == ERR_OK)
			read_index(b, r, &ret[i]);
	}
	return (e);
}

static void
push_begin(struct hot_build *b, int32_t series, int32_t hour)
{
	int32_t i;

	redis_sync_eval(&b->redis, begin_script, 2 + SERIES_HOURS);
	redis_sync_text(&b->redis, HOURS_SWITCH);
	arg_index(b, series);
	for (i = 0; i < SERIES_HOURS; i++)
		arg_hour(b, series, hour - 4 + i);
	redis_sync_text(&b->redis, b->name);
	redis_sync_text(&b->redis, b->mark);
	redis_sync_number(&b->redis, (int64_t)(hour + BUILD_HOURS + 53) * 3600);
}

enum err
hot_build_begin(struct hot_build *b, const int32_t *series, size_t n,
    int32_t hour, struct err_info *info)
{
	enum err e = ERR_OK;
	size_t i;

	snprintf(b->mark, sizeof(b->mark), "%s:%d?%llx", b->name, (int)hour,
	    (unsigned long long)++b->marks);
	for (i = 0; i < n && e == ERR_OK; i++) {
		push_begin(b, series[i], hour);
		e = redis_sync_push(&b->redis, info);
	}
	/* Which of them began finish will tell. */
	for (i = 0; i < n && e == ERR_OK; i++) {
		AUTO_REPLY r = NULL;

		e = redis_sync_pull(&b->redis, &r, info);
	}
	return (e);
}

/* How many readings from `at` on are of its hour. */
static size_t
same_hour(const struct hot_run *run, size_t at)
{
	int32_t hour = hour_of(run->readings[at].t_us);
	size_t i = at + 1;

	while (i < run->n && hour_of(run->readings[i].t_us) == hour)
		i++;
	return (i - at);
}

static bool
room(struct hot_build *b, size_t size)
{
	unsigned char *grown;

	if (size <= b->bytes_size && b->bytes_size <= BYTES_KEPT)
		return (true);
	grown = realloc(b->bytes, size > 0 ? size : 1);
	if (grown == NULL)
		return (false);
	b->bytes = grown;
	b->bytes_size = size;
	return (true);
}

/* Room for all hours; false: one is too dense, or there is no memory. */
static bool
measure(struct hot_build *b, const struct hot_run *run, size_t *ret_hours)
{
	size_t at, n, size = 0, hours = 0;

	for (at = 0; at < run->n; at += n, hours++) {
		n = same_hour(run, at);
		if (n > HOUR_MAX || hours == SERIES_HOURS)
			return (false);
		size += hour_bound(n);
	}
	*ret_hours = hours;
	return (room(b, size));
}

enum err
hot_build_finish(struct hot_build *b, const struct hot_run *run, bool *ret,
    struct err_info *info)
{
	size_t at, n, hours, len, used = 0;
	char whole[96];

	if (!measure(b, run, &hours))
		return (err_set(info, ERR_TOO_LARGE, NULL, "a dense hour"));
	redis_sync_eval(&b->redis, finish_script, 1 + hours);
	arg_index(b, run->series);
	for (at = 0; at < run->n; at += same_hour(run, at))
		arg_hour(b, run->series, hour_of(run->readings[at].t_us));
	snprintf(
	    whole, sizeof(whole), "%.*s", (int)strcspn(b->mark, "?"), b->mark);
	redis_sync_text(&b->redis, b->mark);
	redis_sync_text(&b->redis, whole);
	redis_sync_number(&b->redis, run->packed_to);
	for (at = 0; at < run->n; at += n) {
		n = same_hour(run, at);
		len = hour_encode(&run->readings[at], n, b->bytes + used);
		redis_sync_number(&b->redis, hour_of(run->readings[at].t_us));
		redis_sync_number(&b->redis, (int64_t)n);
		redis_sync_arg(&b->redis, b->bytes + used, len);
		used += len;
	}
	return (redis_sync_ask_bool(&b->redis, ret, info));
}

enum err
hot_build_dense(struct hot_build *b, int32_t series, struct err_info *info)
{
	char value[96];
	bool done;

	snprintf(value, sizeof(value), "%s:dense", b->name);
	redis_sync_eval(&b->redis, field_script, 1);
	arg_index(b, series);
	redis_sync_text(&b->redis, b->mark);
	redis_sync_text(&b->redis, "b");
	redis_sync_text(&b->redis, value);
	return (redis_sync_ask_bool(&b->redis, &done, info));
}

/* The hour's bytes instead, in b->bytes; 0: leave it. ERR_CONFLICT: what is
 * right only PostgreSQL knows. */
static enum err
repack(struct hot_build *b, const redisReply *old, struct hour_key key,
    size_t *ret_n, size_t *ret_len)
{
	size_t n = hour_count(old->str, old->len);
	struct reading *r, *all;
	bool twice = false;
	enum err e;

	*ret_len = 0;
	if (n == 0 || n > HOUR_MAX ||
	    (all = malloc(2 * n * sizeof(*all))) == NULL)
		return (ERR_OK);
	e = hour_decode_all(old->str, old->len, key, all, &r, &n);
	if (e == ERR_OK)
		e = hour_settle(r, &n, &twice);
	if (e == ERR_OK && !twice && room(b, hour_bound(n)))
		*ret_len = hour_encode(r, n, b->bytes);
	*ret_n = n;
	free(all);
	return (twice ? ERR_CONFLICT : e);
}

/* The series is not whole any more, and will be built anew. */
static enum err
forget(struct hot_build *b, int32_t series, struct err_info *info)
{
	AUTO_REPLY r = NULL;

	redis_sync_start(&b->redis, "DEL");
	arg_index(b, series);
	return (redis_sync_ask(&b->redis, &r, info));
}

static enum err
pack_hour(struct hot_build *b, struct hour_key key, const char *since,
    bool *ret, struct err_info *info)
{
	AUTO_REPLY old = NULL;
	size_t len, n = 0;
	enum err e;

	redis_sync_start(&b->redis, "GET");
	arg_hour(b, key.series, key.hour);
	if ((e = redis_sync_ask(&b->redis, &old, info)) != ERR_OK)
		return (e);
	*ret = true;
	if (old->type != REDIS_REPLY_STRING)
		return (ERR_OK); /* a reader will tell if it is wrong */
	if (repack(b, old, key, &n, &len) == ERR_CONFLICT) {
		*ret = false;
		return (forget(b, key.series, info));
	}
	if (len == 0)
		return (ERR_OK);
	redis_sync_eval(&b->redis, pack_script, 2);
	arg_index(b, key.series);
	arg_hour(b, key.series, key.hour);
	redis_sync_text(&b->redis, since);
	redis_sync_number(&b->redis, key.hour);
	redis_sync_number(&b->redis, (int64_t)old->len);
	redis_sync_arg(&b->redis, b->bytes, len);
	redis_sync_number(&b->redis, (int64_t)n);
	return (redis_sync_ask_bool(&b->redis, ret, info));
}

enum err
hot_build_pack(struct hot_build *b, int32_t series,
    const struct hot_index *index, int32_t to, struct err_info *info)
{
	struct hour_key key = {series, index->packed_to};
	enum err e = ERR_OK;
	bool same = true;

	if (key.hour < to - SERIES_HOURS)
		key.hour = to - SERIES_HOURS;
	for (; key.hour < to && e == ERR_OK && same; key.hour++)
		e = pack_hour(b, key, index->b, &same, info);
	if (e != ERR_OK || !same)
		return (e);
	redis_sync_eval(&b->redis, field_script, 1);
	arg_index(b, series);
	redis_sync_text(&b->redis, index->b);
	redis_sync_text(&b->redis, "p");
	redis_sync_number(&b->redis, to);
	return (redis_sync_ask_bool(&b->redis, &same, info));
}

enum err
hot_build_sweep(struct hot_build *b, bool *ret, struct err_info *info)
{
	AUTO_REPLY r = NULL;
	AUTO_REPLY done = NULL;
	const redisReply *keys;
	enum err e;
	size_t i;

	redis_sync_start(&b->redis, "SCAN");
	redis_sync_text(&b->redis, b->cursor);
	redis_sync_text(&b->redis, "MATCH");
	redis_sync_text(&b->redis, "ps:[hn]:*");
	redis_sync_text(&b->redis, "COUNT");
	redis_sync_text(&b->redis, "200");
	if ((e = redis_sync_ask(&b->redis, &r, info)) != ERR_OK)
		return (e);
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2)
		return (redis_sync_fail(&b->redis, "SCAN", info));
	snprintf(b->cursor, sizeof(b->cursor), "%s", r->element[0]->str);
	*ret = strcmp(b->cursor, "0") != 0;
	keys = r->element[1];
	if (keys->elements == 0)
		return (ERR_OK);
	redis_sync_start(&b->redis, "UNLINK");
	for (i = 0; i < keys->elements && b->redis.argc < SYNC_WORDS; i++)
		redis_sync_arg(
		    &b->redis, keys->element[i]->str, keys->element[i]->len);
	return (redis_sync_ask(&b->redis, &done, info));
}
