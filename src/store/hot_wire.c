#include "store/hot_wire.h"

#include "store/hot_hours.h"
#include "store/resp.h"

#include <hiredis/hiredis.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRY_S     "172800" /* 48 h */
#define SERIES_BLOCK 12	      /* bits: 4,096 series in one hash */

/*
 * KEYS: ps:epoch, the words, then the hashes. ARGV: epoch, expiry, writer,
 * word, then of each hash how many, the fields and the values. Field "b" of
 * the words tells them from others that were there before, and were lost.
 * Returns 0, or the present epoch if it is above the caller's: then nothing
 * was written. Event times are compared as two halves because Lua's numbers
 * hold 53 bits. Of two values at the same time the first stays. The newer of
 * two is whole if one of them was: whoever told the newest did not know the
 * other yet. Anything but a record or a hash is written over.
 */
static const char script[] =
    "local e = redis.pcall('GET', KEYS[1])\n"
    "local now = type(e) == 'string' and tonumber(e) or 0\n"
    "local mine = tonumber(ARGV[1])\n"
    "if now > mine then return now end\n"
    "if now < mine then redis.call('SET', KEYS[1], ARGV[1]) end\n"
    "local born = redis.pcall('HSETNX', KEYS[2], 'b', ARGV[4])\n"
    "if type(born) == 'table' then\n"
    "  redis.call('DEL', KEYS[2])\n"
    "  redis.call('HSET', KEYS[2], 'b', ARGV[4])\n"
    "end\n"
    "redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])\n"
    "redis.call('EXPIRE', KEYS[2], ARGV[2])\n"
    "local a, half, cut = 5, struct.unpack, string.sub\n"
    "for k = 3, #KEYS do\n"
    "  local n, put, m = tonumber(ARGV[a]), {}, 0\n"
    "  local had = redis.pcall('HMGET', KEYS[k], unpack(ARGV, a + 1, a + n))\n"
    "  if had.err then\n"
    "    redis.call('DEL', KEYS[k])\n"
    "    had = {}\n"
    "  end\n"
    "  for i = a + 1, a + n do\n"
    "    local old, new = had[i - a], ARGV[i + n]\n"
    "    if old and (#old == 28 or #old == 29) then\n"
    "      local oh, ol = half('>i4I4', old)\n"
    "      local nh, nl = half('>i4I4', new)\n"
    "      local len = #old < #new and #old or #new\n"
    "      if oh > nh or (oh == nh and ol >= nl) then new = old end\n"
    "      if #new > len then new = cut(new, 1, len) end\n"
    "    end\n"
    "    if new ~= old then\n"
    "      put[m + 1], put[m + 2], m = ARGV[i], new, m + 2\n"
    "    end\n"
    "  end\n"
    "  if m > 0 then\n"
    "    redis.call('HSET', KEYS[k], unpack(put))\n"
    "    redis.call('EXPIRE', KEYS[k], ARGV[2])\n"
    "  end\n"
    "  a = a + 2 * n + 1\n"
    "end\n"
    "return 0\n";

size_t
wire_key(char *p, int64_t epoch, int32_t series)
{
	char *end = p + 3;

	memcpy(p, "ps:", 3);
	end = resp_digits(end, epoch);
	memcpy(end, ":l:", 3);
	return ((size_t)(resp_digits(end + 3, series >> SERIES_BLOCK) - p));
}

size_t
wire_words_key(char *p, int64_t epoch)
{
	char *end = p + 3;

	memcpy(p, "ps:", 3);
	end = resp_digits(end, epoch);
	memcpy(end, ":w", 2);
	return ((size_t)(end + 2 - p));
}

static char *
put_words_key(char *p, int64_t epoch)
{
	char key[WIRE_KEY];

	return (resp_bulk(p, key, wire_words_key(key, epoch)));
}

bool
wire_same_key(int32_t series, int32_t other)
{
	return (series >> SERIES_BLOCK == other >> SERIES_BLOCK);
}

static char *
put_key(char *p, int64_t epoch, int32_t series)
{
	char key[WIRE_KEY];

	return (resp_bulk(p, key, wire_key(key, epoch, series)));
}

static char *
put_value(char *p, const struct reading *r, bool whole)
{
	unsigned char v[WIRE_VALUE + 1];
	uint64_t u = htobe64((uint64_t)r->t_us);
	uint32_t q = htobe32((uint32_t)(int32_t)r->quality);

	memcpy(v, &u, 8);
	memcpy(&u, &r->value, 8);
	u = htobe64(u);
	memcpy(v + 8, &u, 8);
	memcpy(v + 16, &q, 4);
	u = htobe64((uint64_t)r->received_us);
	memcpy(v + 20, &u, 8);
	v[WIRE_VALUE] = WIRE_PARTIAL;
	return (resp_bulk(p, v, whole ? WIRE_VALUE : sizeof(v)));
}

size_t
wire_epoch_get(char *buf)
{
	char *p = resp_head(buf, '*', 2);

	p = resp_text(p, "GET");
	return ((size_t)(resp_text(p, HOURS_EPOCH) - buf));
}

static int
by_series(const void *a, const void *b, void *arg)
{
	const struct reading *r = arg;
	int32_t x = r[*(const uint16_t *)a].series;
	int32_t y = r[*(const uint16_t *)b].series;

	return ((x > y) - (x < y));
}

/* How many from order[at] on have its key. */
static size_t
run_length(const struct reading *r, const uint16_t *order, size_t at, size_t n)
{
	size_t i = at + 1;

	while (i < n && wire_same_key(r[order[at]].series, r[order[i]].series))
		i++;
	return (i - at);
}

size_t
wire_store(char *buf, const struct wire_batch *b)
{
	const struct reading *r = b->readings;
	uint16_t order[WIRE_KEYS];
	size_t i, at, len, keys = 0, n = b->n;
	char *p;

	for (i = 0; i < n; i++)
		order[i] = (uint16_t)i;
	qsort_r(order, n, sizeof(*order), by_series, (void *)(uintptr_t)r);
	for (at = 0; at < n; at += run_length(r, order, at, n))
		keys++;
	p = resp_head(buf, '*', 3 + (2 + keys) + (4 + keys + 2 * n));
	p = resp_text(p, "EVAL");
	p = resp_bulk(p, script, sizeof(script) - 1);
	p = resp_number(p, (int64_t)(2 + keys));
	p = resp_text(p, HOURS_EPOCH);
	p = put_words_key(p, b->epoch);
	for (at = 0; at < n; at += run_length(r, order, at, n))
		p = put_key(p, b->epoch, r[order[at]].series);
	p = resp_number(p, b->epoch);
	p = resp_text(p, EXPIRY_S);
	p = resp_bulk(p, &b->writer, sizeof(b->writer));
	p = resp_bulk(p, &b->word, sizeof(b->word));
	for (at = 0; at < n; at += len) {
		len = run_length(r, order, at, n);
		p = resp_number(p, (int64_t)len);
		for (i = at; i < at + len; i++)
			p = resp_number(p, r[order[i]].series);
		for (i = at; i < at + len; i++)
			p = put_value(p, &r[order[i]], b->whole[order[i]]);
	}
	return ((size_t)(p - buf));
}

size_t
wire_words_get(char *buf, int64_t epoch)
{
	char *p = resp_head(buf, '*', 2);

	p = resp_text(p, "HGETALL");
	return ((size_t)(put_words_key(p, epoch) - buf));
}

/* The field "b", a writer, a word; 0 for anything else. */
static uint64_t
word_of(const struct redisReply *reply)
{
	uint64_t v = 0;

	if (reply->type != REDIS_REPLY_STRING)
		return (0);
	if (reply->len == 1)
		return ((uint64_t)reply->str[0]);
	if (reply->len == sizeof(v))
		memcpy(&v, reply->str, sizeof(v));
	return (v);
}

/* So that in a sum no two words that changed make up for each other. */
static uint64_t
mix(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return (v ^ v >> 31);
}

bool
wire_words(const struct redisReply *reply, uint64_t own, uint64_t *ret)
{
	uint64_t all = 0, writer, word;
	bool born = false;
	size_t i;

	if (reply->type != REDIS_REPLY_ARRAY)
		return (false);
	for (i = 0; i + 1 < reply->elements; i += 2) {
		writer = word_of(reply->element[i]);
		word = word_of(reply->element[i + 1]);
		if (writer == 0 || word == 0)
			return (false);
		born |= writer == 'b';
		/* They come in any order. */
		if (writer != own)
			all += mix(mix(writer) ^ word);
	}
	*ret = all;
	return (born);
}

size_t
wire_fetch(char *buf, int64_t epoch, const struct reading *r, size_t n)
{
	char *p = resp_head(buf, '*', 2 + n);
	size_t i;

	p = resp_text(p, "HMGET");
	p = put_key(p, epoch, r->series);
	for (i = 0; i < n; i++)
		p = resp_number(p, r[i].series);
	return ((size_t)(p - buf));
}

int64_t
wire_number(const struct redisReply *reply)
{
	long long n;
	char *end;

	if (reply->type == REDIS_REPLY_INTEGER)
		return (reply->integer);
	if (reply->type != REDIS_REPLY_STRING)
		return (0);
	n = strtoll(reply->str, &end, 10);
	return (*end == '\0' && n > 0 ? n : 0);
}

static uint64_t
get64(const char *p)
{
	uint64_t u;

	memcpy(&u, p, sizeof(u));
	return (be64toh(u));
}

bool
wire_value(const struct redisReply *reply, struct reading *ret, bool *ret_whole)
{
	const char *v = reply->str;
	uint64_t bits;
	uint32_t q;

	if (reply->type != REDIS_REPLY_STRING ||
	    ((size_t)reply->len != WIRE_VALUE &&
		(size_t)reply->len != WIRE_VALUE + 1))
		return (false);
	*ret_whole = (size_t)reply->len == WIRE_VALUE;
	memcpy(&q, v + 16, sizeof(q));
	bits = get64(v + 8);
	ret->t_us = (int64_t)get64(v);
	memcpy(&ret->value, &bits, sizeof(ret->value));
	ret->quality = (int16_t)be32toh(q);
	ret->received_us = (int64_t)get64(v + 20);
	return (true);
}
